//! What a change made of the fields of an object: their values before and after, without secrets.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// What is recorded instead of a secret.
const REMOVED: &str = "[removed]";

/// A field whose name contains one of these is a secret, wherever it is.
const SECRET: [&str; 8] = ["password", "secret", "token", "hash", "cookie", "authorization", "credential", "private"];

/// The longest text that is recorded, in bytes. The audit log says that something was changed, and is no backup.
const LONGEST_TEXT: usize = 2_000;

/// The fields that a change gave other values. A value must be serializable, which secrets ([`secrecy::SecretBox`]) are
/// not; a field that is named like a secret is recorded without its values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changed(Map<String, Value>);

impl Changed {
    /// And this field, if its value is another one.
    #[must_use]
    pub fn field<T: Serialize + ?Sized>(mut self, name: &str, before: &T, after: &T) -> Self {
        let json = |value| serde_json::to_value(value).unwrap_or_default();
        let (before, after) = (json(before), json(after));
        if before != after {
            let (before, after) = match is_secret(name) {
                true => (json!(REMOVED), json!(REMOVED)),
                false => (without_secrets(before), without_secrets(after)),
            };
            self.0.insert(name.to_owned(), json!({ "before": before, "after": after }));
        }
        self
    }

    /// Whether no field has another value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields as they are stored.
    pub fn into_json(self) -> Value {
        Value::Object(self.0)
    }
}

/// The same value without secrets, and with long texts cut off.
pub(super) fn without_secrets(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().map(|(name, value)| {
                let value = if is_secret(&name) { json!(REMOVED) } else { without_secrets(value) };
                (name, value)
            });
            Value::Object(kept.collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_secrets).collect()),
        Value::String(mut text) => {
            if text.len() > LONGEST_TEXT {
                text.truncate(text.floor_char_boundary(LONGEST_TEXT));
                text.push('…');
            }
            // PostgreSQL cannot store it.
            Value::String(if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRET.iter().any(|secret| name.contains(secret))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_field_is_recorded_with_both_values_and_one_that_stayed_is_not() {
        let changed = Changed::default().field("description", "old", "new").field("name", "same", "same").field(
            "gpu",
            &None,
            &Some(4),
        );
        insta::assert_snapshot!(changed.into_json(), @r#"{"description":{"before":"old","after":"new"},"gpu":{"before":null,"after":4}}"#);
    }

    #[test]
    fn that_a_secret_was_changed_is_recorded_and_not_what_it_was() {
        let changed = Changed::default().field("passwordHash", "one", "two");
        insta::assert_snapshot!(changed.into_json(), @r#"{"passwordHash":{"before":"[removed]","after":"[removed]"}}"#);
    }

    proptest! {
        #[test]
        fn a_secret_is_found_however_deep_it_is(depth in 0..6_usize, list: bool, name in proptest::sample::select(&SECRET[..])) {
            let mut value = json!({ format!("my{}Value", name.to_uppercase()): "x-secret-x" });
            for _ in 0..depth {
                value = if list { json!([value]) } else { json!({ "inner": value }) };
            }
            let changed = Changed::default().field("spec", &Value::Null, &value).into_json();
            prop_assert!(!changed.to_string().contains("x-secret-x"));
        }
    }
}
