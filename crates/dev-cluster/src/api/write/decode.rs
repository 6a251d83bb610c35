//! Bodies: JSON or YAML, read into a value and checked to be of the resource's kind.

use super::Write;
use crate::api::request::FieldValidation;
use crate::api::schema::{FieldError, Reason};
use crate::api::status::{ApiError, ApiResult};
use crate::api::{object, protobuf};
use bytes::Bytes;
use serde_json::{Value, json};

/// A request's body and what it says it is.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// The bytes.
    pub bytes: Bytes,
    /// The media type without its parameters, in lower case.
    pub media_type: String,
}

impl Body {
    /// Reads the body as one value.
    pub fn value(&self) -> ApiResult<Value> {
        match self.media_type.as_str() {
            "" | "application/json" | "*/*" => serde_json::from_slice(&self.bytes).map_err(ApiError::unreadable),
            media_type if media_type.ends_with("yaml") => self.yaml(),
            "application/vnd.kubernetes.protobuf" => protobuf::decode(&self.bytes).map_err(ApiError::unreadable),
            other => Err(ApiError::unsupported_media_type(
                other,
                "application/json, application/yaml, application/vnd.kubernetes.protobuf, application/cbor",
            )),
        }
    }

    /// Reads the body as YAML, which JSON is a part of.
    pub fn yaml(&self) -> ApiResult<Value> {
        let text = std::str::from_utf8(&self.bytes).map_err(ApiError::unreadable)?;
        serde_json::from_str(text)
            .or_else(|_| serde_saphyr::from_str(text))
            .map_err(|error: serde_saphyr::Error| ApiError::unreadable(error))
    }
}

impl ApiError {
    /// 400: a body that cannot be read.
    pub fn unreadable(error: impl std::fmt::Display) -> Self {
        ApiError::bad_request(format!("error decoding the body of the request: {error}"))
    }
}

/// Reads an object of the write's resource: its kind, then its fields.
pub fn decode(write: &mut Write<'_>, body: &Body) -> ApiResult<Value> {
    let mut value = body.value()?;
    let kind = write.kind.clone();
    if !value.is_object() {
        return Err(ApiError::bad_request("the object provided is unrecognized (must be of type Object)".to_owned()));
    }
    let api_version = value.get("apiVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    let kind_name = value.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    if (api_version.is_empty() || kind_name.is_empty()) && kind.is_custom() {
        return Err(ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): Object 'Kind' is missing in '{}'",
            kind.kind,
            String::from_utf8_lossy(&body.bytes)
        )));
    }
    if kind.is_custom() && api_version != kind.api_version() {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version ({})",
            kind.api_version()
        )));
    }
    if kind.is_custom() && kind_name != kind.kind {
        let detail = format!("must be {}", kind.kind);
        let error = FieldError::showing("kind", Reason::Invalid, &json!(kind_name), detail);
        return Err(ApiError::invalid_named(&kind.group, &kind_name, object::name(&value), &[error]));
    }
    if (!api_version.is_empty() && api_version != kind.api_version())
        || (!kind_name.is_empty() && kind_name != kind.kind)
    {
        return Err(ApiError::bad_request(format!(
            "{kind_name} in version {:?} cannot be handled as a {}: the request is for {} in version {:?}",
            api_version.rsplit('/').next().unwrap_or_default(),
            kind.kind,
            kind.kind,
            kind.api_version()
        )));
    }
    if write.options.field_validation != FieldValidation::Ignore {
        duplicates(write, body)?;
    }
    let members = object::object_mut(&mut value);
    members.insert("kind".to_owned(), json!(kind.kind));
    members.insert("apiVersion".to_owned(), json!(kind.api_version()));
    if !kind.is_custom() {
        object::drop_nulls(&mut value);
    }
    // What is of the wrong type is refused even where it is empty, and would be dropped.
    write.check_types(&value)?;
    write.prune(&mut value)?;
    Ok(value)
}

/// Finds members that occur twice: a JSON value keeps the last one only, so the text is walked again.
fn duplicates(write: &mut Write<'_>, body: &Body) -> ApiResult<()> {
    if !matches!(body.media_type.as_str(), "" | "application/json" | "*/*") {
        return Ok(());
    }
    let mut found = Vec::new();
    let seed = duplicate::Scan { path: String::new(), found: &mut found };
    let mut reader = serde_json::Deserializer::from_slice(&body.bytes);
    serde::de::DeserializeSeed::deserialize(seed, &mut reader).map_err(ApiError::unreadable)?;
    let texts: Vec<String> = found.iter().map(|field| format!("duplicate field {field:?}")).collect();
    match write.options.field_validation {
        FieldValidation::Strict if !texts.is_empty() => {
            let kind = &write.kind.kind;
            Err(ApiError::bad_request(format!(
                "{kind} in version {:?} cannot be handled as a {kind}: strict decoding error: {}",
                write.kind.version,
                texts.join(", ")
            )))
        }
        FieldValidation::Strict | FieldValidation::Ignore => Ok(()),
        FieldValidation::Warn => {
            write.warnings.extend(texts);
            Ok(())
        }
    }
}

/// A walk over JSON text that remembers the paths of repeated members.
mod duplicate {
    use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
    use std::collections::HashSet;
    use std::fmt;

    pub struct Scan<'a> {
        pub path: String,
        pub found: &'a mut Vec<String>,
    }

    impl<'de> DeserializeSeed<'de> for Scan<'_> {
        type Value = ();
        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
            deserializer.deserialize_any(self)
        }
    }

    impl<'de> Visitor<'de> for Scan<'_> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("JSON")
        }
        fn visit_bool<E>(self, _: bool) -> Result<(), E> {
            Ok(())
        }
        fn visit_i64<E>(self, _: i64) -> Result<(), E> {
            Ok(())
        }
        fn visit_u64<E>(self, _: u64) -> Result<(), E> {
            Ok(())
        }
        fn visit_f64<E>(self, _: f64) -> Result<(), E> {
            Ok(())
        }
        fn visit_str<E>(self, _: &str) -> Result<(), E> {
            Ok(())
        }
        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
            let mut index = 0;
            while list.next_element_seed(Scan { path: format!("{}[{index}]", self.path), found: self.found })?.is_some()
            {
                index += 1;
            }
            Ok(())
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            let mut seen = HashSet::new();
            while let Some(name) = map.next_key::<String>()? {
                let path = if self.path.is_empty() { name.clone() } else { format!("{}.{name}", self.path) };
                if !seen.insert(name) {
                    self.found.push(path.clone());
                }
                map.next_value_seed(Scan { path, found: self.found })?;
            }
            Ok(())
        }
    }
}
