//! Typed IDs: one text per value, sorted like their UUIDs, and valid Kubernetes names with `-` instead of `_`.

use platform::ids::{self, GroupId, JobId, UserId};
use uuid::Uuid;

pub fn check(bytes: &[u8]) {
    let text = super::text(bytes);
    let read = text.parse::<JobId>();
    if let Ok(id) = &read {
        assert_eq!(id.to_string(), text, "two texts for one id");
        assert!(text.parse::<UserId>().is_err() && text.parse::<GroupId>().is_err());
    }
    assert_eq!(ids::split(&text).is_some_and(|(prefix, _)| prefix == "job"), read.is_ok());

    let (one, rest) = number(bytes);
    let (other, _) = number(rest);
    let (one, other) = (JobId::from_uuid(Uuid::from_u128(one)), JobId::from_uuid(Uuid::from_u128(other)));
    assert_eq!(one.to_string().parse().ok(), Some(one));
    assert_eq!(one.cmp(&other), one.to_string().cmp(&other.to_string()));
    let name = one.to_string().replace('_', "-");
    assert!(name.len() <= 63 && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')));
}

fn number(bytes: &[u8]) -> (u128, &[u8]) {
    let (taken, rest) = bytes.split_at(bytes.len().min(16));
    (taken.iter().fold(0, |number, byte| number << 8 | u128::from(*byte)), rest)
}
