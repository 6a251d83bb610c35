//! Typed ids in the TypeID form: `job_01h455vb4pex5vsknk084sn02q`, a prefix and a UUIDv7 in base32.
//!
//! They sort by creation time, are readable in logs and, with `-` instead of `_`, are valid Kubernetes names. The
//! format is that of the TypeID specification, version 0.3: <https://github.com/jetify-com/typeid>.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use uuid::Uuid;

/// Crockford's base32 in lowercase, as in TypeID.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// The value of each character; 32 for an invalid one.
const VALUES: [u8; 256] = {
    let mut values = [32; 256];
    let mut digit = 0;
    while digit < 32 {
        values[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    values
};
/// 130 bits in 26 characters; the first two bits are always zero.
const SUFFIX_LEN: usize = 26;

/// The kind of object that an ID identifies.
pub trait Kind: 'static {
    /// The part before the underscore.
    const PREFIX: &'static str;
    /// The name of the kind in messages.
    const NOUN: &'static str;
}

/// The ID of a `K`, which is stored in a `uuid` column.
#[derive(AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Uuid)]
pub struct Id<K: Kind>(Uuid, PhantomData<fn() -> K>);

impl<K: Kind> Id<K> {
    /// The id with this UUID.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The UUID, as stored in the database.
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// The same ID, if an `O` is the same kind of object.
    pub fn as_a<O: Kind>(self) -> Option<Id<O>> {
        (K::PREFIX == O::PREFIX).then(|| Id::from_uuid(self.0))
    }

    /// The ID as it is displayed.
    pub fn to_text(self) -> String {
        [K::PREFIX, "_", encode(self.0, &mut [0; SUFFIX_LEN])].concat()
    }

    /// Writes the id as it is shown.
    pub fn write_to(self, out: &mut Vec<u8>) {
        out.extend_from_slice(K::PREFIX.as_bytes());
        out.push(b'_');
        out.extend_from_slice(encode(self.0, &mut [0; SUFFIX_LEN]).as_bytes());
    }

    /// A new ID, later than all that were generated before on this machine.
    pub fn generate() -> Self {
        Self::from_uuid(Uuid::now_v7())
    }
}

impl<K: Kind> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K: Kind> Copy for Id<K> {}
impl<K: Kind> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K: Kind> Eq for Id<K> {}
impl<K: Kind> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K: Kind> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K: Kind> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(K::PREFIX)?;
        f.write_str("_")?;
        f.write_str(encode(self.0, &mut [0; SUFFIX_LEN]))
    }
}

impl<K: Kind> ToSql<diesel::sql_types::Uuid, Pg> for Id<K> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<diesel::sql_types::Uuid, Pg>::to_sql(&self.0, out)
    }
}

impl<K: Kind> FromSql<diesel::sql_types::Uuid, Pg> for Id<K> {
    fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
        <Uuid as FromSql<diesel::sql_types::Uuid, Pg>>::from_sql(bytes).map(Self::from_uuid)
    }
}

/// The ID with this prefix, as it is displayed.
pub fn text_of(prefix: &str, uuid: Uuid) -> String {
    [prefix, "_", encode(uuid, &mut [0; SUFFIX_LEN])].concat()
}

/// The 26 characters after the underscore.
pub fn suffix(uuid: Uuid) -> String {
    encode(uuid, &mut [0; SUFFIX_LEN]).to_owned()
}

fn encode(uuid: Uuid, digits: &mut [u8; SUFFIX_LEN]) -> &str {
    // Numbers of 64 bits at a time: 12 digits are 60 bits.
    let bits = uuid.as_u128();
    let parts = digits.split_at_mut(2);
    let (middle, last) = parts.1.split_at_mut(12);
    for (digits, mut bits) in [(parts.0, (bits >> 120) as u64), (middle, (bits >> 60) as u64), (last, bits as u64)] {
        for digit in digits.iter_mut().rev() {
            *digit = ALPHABET[(bits & 31) as usize];
            bits >>= 5;
        }
    }
    // The alphabet is ASCII.
    str::from_utf8(digits).unwrap_or_default()
}

/// Why a text is not an ID of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{text}\" is not a {prefix} id: it must be \"{prefix}_\" followed by 26 characters of 0-9 a-z without i, l, o, u"
)]
pub struct InvalidId {
    text: String,
    prefix: &'static str,
}

impl<K: Kind> FromStr for Id<K> {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.strip_prefix(K::PREFIX)
            .and_then(|rest| rest.strip_prefix('_'))
            .and_then(parse_suffix)
            .map(Self::from_uuid)
            .ok_or_else(|| InvalidId { text: text.chars().take(80).collect(), prefix: K::PREFIX })
    }
}

/// The prefix and the UUID of an id of any kind.
pub fn split(text: &str) -> Option<(&str, Uuid)> {
    let (prefix, rest) = text.rsplit_once('_')?;
    Some((prefix, parse_suffix(rest)?))
}

/// The UUID of the 26 characters.
pub fn parse_suffix(text: &str) -> Option<Uuid> {
    // A first character above 7 would be more than 128 bits.
    if text.len() != SUFFIX_LEN || !(b'0'..=b'7').contains(&text.as_bytes()[0]) {
        return None;
    }
    text.bytes()
        .try_fold(0u128, |bits, byte| {
            let digit = VALUES[byte as usize];
            (digit < 32).then_some((bits << 5) | u128::from(digit))
        })
        .map(Uuid::from_u128)
}

macro_rules! kinds {
    ($($kind:ident, $id:ident, $prefix:literal, $noun:literal;)*) => {$(
        #[doc = concat!("Marks the ID of a ", $noun, ".")]
        #[derive(Debug, Clone, Copy)]
        pub enum $kind {}
        impl Kind for $kind {
            const PREFIX: &'static str = $prefix;
            const NOUN: &'static str = $noun;
        }
        #[doc = concat!("The ID of a ", $noun, ": `", $prefix, "_` and 26 characters.")]
        pub type $id = Id<$kind>;
    )*};
}

// The objects with an ID: the prefix, and the noun in messages.
kinds! {
    UserKind, UserId, "user", "user";
    SessionKind, SessionId, "session", "session";
    ApiTokenKind, ApiTokenId, "token", "API token";
    GroupKind, GroupId, "group", "group";
    MembershipKind, MembershipId, "membership", "membership";
    ProjectKind, ProjectId, "project", "project";
    ConfigKind, ConfigId, "config", "config file";
    CommitKind, CommitId, "commit", "commit";
    TemplateKind, TemplateId, "template", "job template";
    JobKind, JobId, "job", "job";
    EventKind, EventId, "event", "event";
    AuditKind, AuditId, "audit", "audit entry";
    AuditExportKind, AuditExportId, "export", "export of the audit log";
    RequestKind, RequestId, "request", "request";
    RequestMessageKind, RequestMessageId, "message", "message";
    NotificationKind, NotificationId, "notification", "notification";
    PvcKind, PvcId, "pvc", "storage claim";
    FileSessionKind, FileSessionId, "files", "file session";
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_specification_s_example_is_read_and_written() {
        let id: JobId = "job_01h455vb4pex5vsknk084sn02q".parse().unwrap();
        assert_eq!(id.uuid().to_string(), "01890a5d-ac96-774b-bcce-b302099a8057");
        assert_eq!(id.to_string(), "job_01h455vb4pex5vsknk084sn02q");
    }

    #[test]
    fn another_kind_s_id_is_refused_with_what_is_allowed() {
        let error = "user_01h455vb4pex5vsknk084sn02q".parse::<JobId>().unwrap_err();
        insta::assert_snapshot!(error, @r#""user_01h455vb4pex5vsknk084sn02q" is not a job id: it must be "job_" followed by 26 characters of 0-9 a-z without i, l, o, u"#);
    }

    proptest! {
        #[test]
        fn every_uuid_comes_back(bits: u128) {
            let id = JobId::from_uuid(Uuid::from_u128(bits));
            prop_assert_eq!(id.to_string().parse::<JobId>().unwrap(), id);
        }

        #[test]
        fn no_text_breaks_the_parser(text in ".{0,40}") {
            if let Ok(id) = text.parse::<JobId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
