//! Bodies in Kubernetes' protobuf: `kubectl create namespace` and its siblings send nothing else.
//!
//! Only what those commands send is known here; anything else is refused by name, so that nothing is lost in silence.
//! All other clients speak JSON, and every answer is JSON.

mod messages;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use messages::message_of;
use serde_json::{Map, Value, json};

/// What a body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// How a field is read.
#[derive(Clone, Copy)]
enum Form {
    /// A text; an empty one is none.
    Text,
    /// A number; zero is none.
    Int,
    /// A number whose absence means something else than zero.
    OptionalInt,
    /// A truth; false is none.
    Bool,
    /// A truth whose absence means something else than false.
    OptionalBool,
    /// Bytes, in base64.
    Bytes,
    /// A message.
    Message(&'static [Row]),
    /// A message whose members stand beside it in JSON.
    Inline(&'static [Row]),
    /// A map of texts to values of a form.
    Map(&'static Form),
    /// A quantity.
    Quantity,
    /// A number or a text.
    IntOrText,
    /// What only the server writes: not read.
    Skip,
}

/// A field: its number, its name in JSON, how it is read, and whether it is a list.
struct Row(u64, &'static str, Form, bool);

const fn one(number: u64, name: &'static str, form: Form) -> Row {
    Row(number, name, form, false)
}

const fn many(number: u64, name: &'static str, form: Form) -> Row {
    Row(number, name, form, true)
}

/// Reads a body as the JSON it stands for.
pub fn decode(bytes: &[u8]) -> Result<Value, String> {
    let envelope = bytes.strip_prefix(MAGIC).ok_or("provided data does not appear to be a protobuf message")?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for field in fields(envelope)? {
        match (field.number, field.wire) {
            (1, Wire::Bytes(type_meta)) => {
                for field in fields(type_meta)? {
                    match (field.number, field.wire) {
                        (1, Wire::Bytes(text)) => api_version = String::from_utf8_lossy(text).into_owned(),
                        (2, Wire::Bytes(text)) => kind = String::from_utf8_lossy(text).into_owned(),
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(object)) => raw = object,
            _ => {}
        }
    }
    let rows = message_of(&api_version, &kind)
        .ok_or_else(|| format!("{kind} in version {api_version:?} cannot be read from protobuf here: send JSON"))?;
    let mut value = message(rows, raw, &kind)?;
    value.insert("apiVersion".to_owned(), json!(api_version));
    value.insert("kind".to_owned(), json!(kind));
    Ok(Value::Object(value))
}

fn message(rows: &[Row], bytes: &[u8], path: &str) -> Result<Map<String, Value>, String> {
    let mut object = Map::new();
    for field in fields(bytes)? {
        let Some(Row(_, name, form, list)) = rows.iter().find(|row| row.0 == field.number) else {
            return Err(format!("field {} of {path} cannot be read from protobuf here: send JSON", field.number));
        };
        let path = format!("{path}.{name}");
        if let (Form::Map(form), Wire::Bytes(entry)) = (form, field.wire) {
            let (key, value) = map_entry(**form, entry, &path)?;
            let map = object.entry(*name).or_insert_with(|| Value::Object(Map::new()));
            crate::api::object::object_mut(map).insert(key, value);
            continue;
        }
        if let (Form::Inline(rows), Wire::Bytes(bytes)) = (form, field.wire) {
            object.extend(message(rows, bytes, &path)?);
            continue;
        }
        let Some(value) = read(*form, field.wire, &path)? else { continue };
        if *list {
            let entries = object.entry(*name).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(entries) = entries {
                entries.push(value);
            }
        } else {
            object.insert((*name).to_owned(), value);
        }
    }
    Ok(object)
}

fn map_entry(form: Form, entry: &[u8], path: &str) -> Result<(String, Value), String> {
    let (mut key, mut value) = (String::new(), Value::from(""));
    for field in fields(entry)? {
        match (field.number, field.wire) {
            (1, Wire::Bytes(text)) => key = String::from_utf8_lossy(text).into_owned(),
            (2, wire) => value = read(form, wire, path)?.unwrap_or_else(|| Value::from("")),
            _ => {}
        }
    }
    Ok((key, value))
}

fn read(form: Form, wire: Wire<'_>, path: &str) -> Result<Option<Value>, String> {
    let value = match (form, wire) {
        (Form::Skip, _) => None,
        (Form::Text, Wire::Bytes(text)) => {
            Some(String::from_utf8_lossy(text)).filter(|t| !t.is_empty()).map(|t| json!(t))
        }
        (Form::Bytes, Wire::Bytes(bytes)) => Some(json!(STANDARD.encode(bytes))),
        (Form::Int, Wire::Number(number)) => Some(number.cast_signed()).filter(|number| *number != 0).map(Value::from),
        (Form::OptionalInt, Wire::Number(number)) => Some(Value::from(number.cast_signed())),
        (Form::Bool, Wire::Number(number)) => Some(number != 0).filter(|truth| *truth).map(Value::from),
        (Form::OptionalBool, Wire::Number(number)) => Some(Value::from(number != 0)),
        (Form::Message(rows), Wire::Bytes(bytes)) => Some(Value::Object(message(rows, bytes, path)?)),
        (Form::Quantity, Wire::Bytes(bytes)) => {
            message(&[one(1, "text", Form::Text)], bytes, path)?.shift_remove("text")
        }
        (Form::IntOrText, Wire::Bytes(bytes)) => {
            let rows = &[one(1, "type", Form::Int), one(2, "int", Form::Int), one(3, "text", Form::Text)];
            let mut parts = message(rows, bytes, path)?;
            parts.shift_remove("text").or_else(|| parts.shift_remove("int"))
        }
        _ => return Err(format!("{path} has another wire type than expected")),
    };
    Ok(value)
}

/// A field on the wire.
struct WireField<'a> {
    number: u64,
    wire: Wire<'a>,
}

#[derive(Clone, Copy)]
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn fields(mut bytes: &[u8]) -> Result<Vec<WireField<'_>>, String> {
    const CUT: &str = "the protobuf message is cut short";
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes).ok_or(CUT)?;
        let wire = match tag & 7 {
            0 => Wire::Number(varint(&mut bytes).ok_or(CUT)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes).ok_or(CUT)?).map_err(|_| CUT)?;
                let (taken, rest) = bytes.split_at_checked(length).ok_or(CUT)?;
                bytes = rest;
                Wire::Bytes(taken)
            }
            other => return Err(format!("protobuf wire type {other} is not used by Kubernetes")),
        };
        fields.push(WireField { number: tag >> 3, wire });
    }
    Ok(fields)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A field of bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).expect("short");
        [&[number << 3 | 2, length], bytes].concat()
    }

    #[test]
    fn a_config_map_is_read_as_its_json() {
        let entry = [field(1, b"key"), field(2, b"text")].concat();
        let object = [field(1, &field(1, b"name")), field(2, &entry)].concat();
        let type_meta = [field(1, b"v1"), field(2, b"ConfigMap")].concat();
        let body = [MAGIC, &field(1, &type_meta), &field(2, &object)].concat();
        let read = decode(&body).expect("readable");
        assert_eq!(
            read,
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "name"}, "data": {"key": "text"}})
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&[MAGIC, &bytes].concat());
            let rows = message_of("apps/v1", "Deployment").expect("a known kind");
            let _ = message(rows, &bytes, "Deployment");
        }
    }
}
