//! A buffer for JSON, and the scalars that can be written to it.

use async_graphql::resolver_utils::EnumType;
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::ids::{Id, Kind};

/// JSON that is being written.
#[derive(Debug, Default)]
pub struct Json(Vec<u8>);

impl Json {
    pub(super) fn with_room(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Writes a scalar.
    pub fn put<V: Put + ?Sized>(&mut self, value: &V) {
        value.put(self);
    }

    /// Writes a value of an enum, by its name in the schema.
    pub fn put_enum<V: EnumType>(&mut self, value: V) {
        match V::items().iter().find(|item| item.value == value) {
            Some(item) => item.name.put(self),
            None => self.push(b"null"),
        }
    }

    /// Like [`Json::put_enum`], for a nullable enum.
    pub fn put_maybe_enum<V: EnumType>(&mut self, value: Option<V>) {
        match value {
            Some(value) => self.put_enum(value),
            None => self.push(b"null"),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn into_text(self) -> Result<String, std::string::FromUtf8Error> {
        String::from_utf8(self.0)
    }

    fn serialized<V: Serialize + ?Sized>(&mut self, value: &V) {
        // Writing to a vector cannot fail, and neither can serializing texts and numbers.
        let _ = serde_json::to_writer(&mut self.0, value);
    }
}

/// A scalar that can be written. The output must equal that of its `ScalarType`.
pub trait Put {
    /// Writes it.
    fn put(&self, json: &mut Json);
}

macro_rules! serialized {
    ($($scalar:ty),*) => {$(
        impl Put for $scalar {
            fn put(&self, json: &mut Json) {
                json.serialized(self);
            }
        }
    )*};
}

serialized!(str, String, bool, i32, i64);

/// A value of an enum, as a scalar.
#[derive(Debug, Clone, Copy)]
pub struct Name<E>(pub E);

impl<E: EnumType> Put for Name<E> {
    fn put(&self, json: &mut Json) {
        json.put_enum(self.0);
    }
}

impl<V: Put + ?Sized> Put for &V {
    fn put(&self, json: &mut Json) {
        (**self).put(json);
    }
}

impl<V: Put> Put for Option<V> {
    fn put(&self, json: &mut Json) {
        match self {
            Some(value) => value.put(json),
            None => json.push(b"null"),
        }
    }
}

impl<K: Kind> Put for Id<K> {
    fn put(&self, json: &mut Json) {
        json.push(b"\"");
        self.write_to(&mut json.0);
        json.push(b"\"");
    }
}

impl Put for DateTime<Utc> {
    fn put(&self, json: &mut Json) {
        json.serialized(&self.to_rfc3339());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::{Enum, OutputType, ScalarType, Value};
    use proptest::prelude::*;
    use uuid::Uuid;

    use crate::ids::JobId;

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
    enum Color {
        DeepBlue,
    }

    fn put(value: &impl Put) -> serde_json::Value {
        let mut json = Json::default();
        json.put(value);
        serde_json::from_slice(json.bytes()).unwrap()
    }

    #[test]
    fn an_enum_is_written_by_its_name_in_the_schema() {
        let mut json = Json::default();
        json.put_enum(Color::DeepBlue);
        assert_eq!(json.into_text().unwrap(), r#""DEEP_BLUE""#);
        assert_eq!(<Color as OutputType>::type_name(), "Color");
    }

    proptest! {
        #[test]
        fn scalars_are_written_as_the_executor_has_them(text in any::<String>(), bits: u128, micros in -62_000_000_000_000_000i64..250_000_000_000_000_000, number: i64, whether: bool) {
            let json = |value: Value| value.into_json().unwrap();
            let (id, at) = (JobId::from_uuid(Uuid::from_u128(bits)), DateTime::from_timestamp_micros(micros).unwrap());
            prop_assert_eq!(put(&text), json(ScalarType::to_value(&text)));
            prop_assert_eq!(put(&id), json(Value::String(id.to_text())));
            prop_assert_eq!(put(&at), json(ScalarType::to_value(&at)));
            prop_assert_eq!(put(&number), json(ScalarType::to_value(&number)));
            prop_assert_eq!(put(&whether.then_some(number)), json(whether.then_some(number).map_or(Value::Null, |n| ScalarType::to_value(&n))));
        }
    }
}
