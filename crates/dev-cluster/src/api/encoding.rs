//! How an answer is written: the object itself, a Table, or its metadata alone, as the `Accept` header asks.

use super::catalog::ResourceKind;
use super::object;
use super::request::Options;
use super::table::{IncludeObject, render};
use axum::http::{HeaderMap, header};
use chrono::Utc;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};
use std::borrow::Borrow;
use std::sync::Arc;

/// The form of the objects in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    Whole,
    /// As rows of a `meta.k8s.io/v1` Table.
    Table(IncludeObject),
    /// As `meta.k8s.io/v1` PartialObjectMetadata.
    Metadata,
}

impl Encoding {
    /// The media types that a client may ask for.
    pub fn spoken(custom: bool) -> &'static str {
        match custom {
            true => "application/json, application/yaml",
            false => "application/json, application/yaml, application/vnd.kubernetes.protobuf",
        }
    }

    /// Whether the `Accept` header names anything that the real server speaks. What it gets is JSON all the same.
    pub fn is_acceptable(headers: &HeaderMap, custom: bool) -> bool {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let known = |media_type: &str| {
            let name = media_type.split(';').next().unwrap_or_default().trim();
            matches!(name, "" | "*/*" | "application/*")
                || Self::spoken(custom).split(", ").any(|spoken| spoken == name)
        };
        accept.split(',').any(known)
    }

    /// The first form in the `Accept` header that is known.
    pub fn accepted(headers: &HeaderMap, options: &Options) -> Encoding {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        for media_type in accept.split(',') {
            let mut form = None;
            let (mut json, mut meta, mut v1) = (false, false, false);
            for (index, part) in media_type.split(';').map(str::trim).enumerate() {
                match part {
                    "application/json" | "*/*" if index == 0 => json = true,
                    "g=meta.k8s.io" => meta = true,
                    "v=v1" => v1 = true,
                    part => form = part.strip_prefix("as=").or(form),
                }
            }
            match form {
                Some("Table") if json && meta && v1 => return Encoding::Table(include(options)),
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") if json && meta && v1 => {
                    return Encoding::Metadata;
                }
                None if json => return Encoding::Whole,
                _ => {}
            }
        }
        Encoding::Whole
    }

    /// One object.
    pub fn object(self, kind: &ResourceKind, value: &Value) -> Value {
        match self {
            Encoding::Whole => value.clone(),
            Encoding::Metadata => partial(value),
            Encoding::Table(include) => {
                let meta = json!({"resourceVersion": object::meta_text(value, "resourceVersion")});
                render(&kind.columns, &meta, &[value], include, true, Utc::now())
            }
        }
    }

    /// One object of a watch: a Table shows its headers only the first time.
    pub fn event_object(self, kind: &ResourceKind, value: &Value, first: bool) -> Value {
        match self {
            Encoding::Table(include) => {
                let meta = json!({"resourceVersion": object::meta_text(value, "resourceVersion")});
                render(&kind.columns, &meta, &[value], include, first, Utc::now())
            }
            Encoding::Whole | Encoding::Metadata => self.object(kind, value),
        }
    }

    /// A list, as the bytes of its JSON.
    pub fn list(self, kind: &ResourceKind, meta: Value, items: &[Arc<Value>]) -> serde_json::Result<Vec<u8>> {
        match self {
            Encoding::Whole => serde_json::to_vec(&List { kind, meta, items }),
            Encoding::Metadata => {
                let items: Vec<Value> = items.iter().map(|item| partial(item)).collect();
                let list = json!({
                    "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "items": items,
                });
                serde_json::to_vec(&list)
            }
            Encoding::Table(include) => {
                let items: Vec<&Value> = items.iter().map(Borrow::borrow).collect();
                serde_json::to_vec(&render(&kind.columns, &meta, &items, include, true, Utc::now()))
            }
        }
    }
}

fn include(options: &Options) -> IncludeObject {
    match options.include_object.as_deref() {
        Some("None") => IncludeObject::None,
        Some("Object") => IncludeObject::Object,
        _ => IncludeObject::Metadata,
    }
}

fn partial(value: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": value.get("metadata").cloned().unwrap_or_else(|| Value::Object(Map::new())),
    })
}

struct List<'a> {
    kind: &'a ResourceKind,
    meta: Value,
    items: &'a [Arc<Value>],
}

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let typed = self.kind.is_custom();
        let items: Vec<Item<'_>> = self.items.iter().map(|value| Item { value, typed }).collect();
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("kind", &self.kind.list_kind)?;
        map.serialize_entry("apiVersion", &self.kind.api_version())?;
        map.serialize_entry("metadata", &self.meta)?;
        map.serialize_entry("items", &items)?;
        map.end()
    }
}

/// An item of a list: those of built-in kinds do not repeat their kind and apiVersion, custom resources do.
struct Item<'a> {
    value: &'a Value,
    typed: bool,
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Value::Object(fields) = self.value else { return self.value.serialize(serializer) };
        if self.typed {
            return fields.serialize(serializer);
        }
        serializer.collect_map(fields.iter().filter(|(name, _)| *name != "kind" && *name != "apiVersion"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(accept: &str) -> Encoding {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().expect("a header"));
        Encoding::accepted(&headers, &Options::default())
    }

    #[test]
    fn kubectl_gets_tables_and_informers_get_metadata() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(accepted(table), Encoding::Table(IncludeObject::Metadata));
        assert_eq!(accepted("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"), Encoding::Metadata);
        assert_eq!(accepted("application/vnd.kubernetes.protobuf,application/json"), Encoding::Whole);
    }
}
