//! Idempotency keys: repeating a key with the same input returns the first response again.

use std::collections::BTreeMap;

use async_graphql::{InputType, Value};
use diesel_async::AsyncPgConnection;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::model::{self, KeyUse};
use crate::auth::policy::Permit;
use crate::error::{ApiError, ApiErrors};

/// The maximum length of a key in characters.
const LONGEST: usize = 200;
/// The input field of the key.
const FIELD: &str = "input.idempotencyKey";

/// A key chosen by a client, and the request it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    key: String,
    input_hash: [u8; 32],
}

impl Key {
    /// The key for this input.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for a key that is empty or too long.
    pub fn of(key: &str, input: &impl InputType) -> Result<Self, ApiError> {
        let length = key.chars().count();
        if !(1..=LONGEST).contains(&length) {
            let message = format!("idempotencyKey has {length} characters; it must have 1 to {LONGEST}");
            return Err(ApiError::bad_input(FIELD, message));
        }
        Ok(Self { key: key.to_owned(), input_hash: hash(&input.to_value()) })
    }
}

/// Claims the key for a new object. If the key was used before, returns the object that was created then.
pub(super) async fn claim(
    conn: &mut AsyncPgConnection,
    permit: Permit,
    Key { key, input_hash }: &Key,
    subject_id: Uuid,
) -> Result<Option<Uuid>, ApiErrors> {
    // The platform itself does not repeat requests.
    let Some(user_id) = permit.actor() else { return Ok(None) };
    let mutation = &permit.action().name();
    match model::use_key(conn, &KeyUse { user_id, mutation, key, input_hash, subject_id }).await? {
        None => Ok(None),
        Some((first, subject)) if first == input_hash => Ok(Some(subject)),
        Some(_) => {
            Err(ApiError::conflict("this idempotencyKey was already used with a different input").at(FIELD).into())
        }
    }
}

/// The hash of a canonical form, which ignores the order of the fields of an object and fields that are null.
fn hash(input: &Value) -> [u8; 32] {
    Sha256::digest(canonical(input).to_string()).into()
}

fn canonical(value: &Value) -> serde_json::Value {
    match value {
        Value::Object(fields) => {
            let given = fields.iter().filter(|(_, value)| **value != Value::Null);
            let sorted: BTreeMap<&str, _> = given.map(|(name, value)| (name.as_str(), canonical(value))).collect();
            sorted.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
        }
        Value::List(items) => items.iter().map(canonical).collect(),
        Value::Enum(name) => name.as_str().into(),
        Value::Binary(bytes) => bytes.as_ref().into(),
        Value::Null => serde_json::Value::Null,
        Value::Number(number) => number.clone().into(),
        Value::String(text) => text.as_str().into(),
        Value::Boolean(truth) => (*truth).into(),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::*;

    #[test]
    fn the_same_input_written_otherwise_has_the_same_hash() {
        let one = hash(&value!({ "name": "train", "spec": { "image": "python", "env": [] }, "queue": null }));
        assert_eq!(one, hash(&value!({ "spec": { "env": [], "image": "python" }, "name": "train" })));
        for other in [
            value!({ "name": "train", "spec": { "image": "python", "env": [null] } }),
            value!({ "name": "train", "spec": { "image": "python", "env": [] }, "queue": "default-batch" }),
            value!({ "name": "train", "image": "python", "spec": { "env": [] } }),
        ] {
            assert_ne!(one, hash(&other), "{other}");
        }
    }

    /// Stored hashes must have the same meaning in the next version.
    #[test]
    fn the_hash_of_an_input_stays_what_it_is() {
        let hash = hash(&value!({ "name": "train", "replicas": 2, "spec": { "image": "python", "env": [] } }));
        insta::assert_snapshot!(u128::from_be_bytes(*hash.first_chunk().unwrap()), @"106693619850779875884305349826822884439");
    }
}
