//! The operator's file of trusted documents: a plain map from ID to text, as written by Relay's compiler, or a
//! persisted query manifest of Apollo.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use async_graphql::ServerError;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::graphql::limits::{CostTable, Document};

/// The documents that the operator trusts.
#[derive(Debug, Default)]
pub struct Manifest {
    by_id: HashMap<String, Arc<Document>>,
    by_text: HashMap<Arc<str>, Arc<Document>>,
}

/// The problem with the file, as a phrase that follows its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidManifest {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// The file is not JSON, or not a manifest.
    #[error("is neither {{\"SHA-256 of the text\": \"text\"}} nor an Apollo persisted query manifest: {0}")]
    Malformed(String),
    /// A document cannot be parsed.
    #[error("contains a document \"{id}\" that is not valid GraphQL: {problem}")]
    NotGraphql {
        /// Which.
        id: String,
        /// Why.
        problem: String,
    },
    /// The ID is not the SHA-256 of the text.
    #[error("contains a document \"{id}\" whose text has a different SHA-256: {actual}")]
    WrongHash {
        /// Which.
        id: String,
        /// The actual SHA-256.
        actual: String,
    },
}

impl Manifest {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or a document in it is invalid.
    pub fn read(path: &Path, costs: &CostTable) -> Result<Self, InvalidManifest> {
        let bytes = std::fs::read(path).map_err(|error| InvalidManifest::Unreadable(error.to_string()))?;
        Self::parse(&bytes, costs)
    }

    /// Parses the content of a file.
    ///
    /// # Errors
    /// A document in it is invalid.
    pub fn parse(bytes: &[u8], costs: &CostTable) -> Result<Self, InvalidManifest> {
        let malformed = |problem: &str| InvalidManifest::Malformed(problem.to_owned());
        let json = serde_json::from_slice(bytes).map_err(|error| malformed(&error.to_string()))?;
        let Value::Object(map) = json else { return Err(malformed("it is not a JSON object")) };
        let listed = match map.get("format") {
            Some(Value::String(format)) if format == "apollo-persisted-query-manifest" => apollo(&map)?,
            _ => plain(map)?,
        };
        let mut manifest = Self::default();
        for (id, text) in listed {
            manifest.add(id, text, costs)?;
        }
        Ok(manifest)
    }

    fn add(&mut self, id: String, text: String, costs: &CostTable) -> Result<(), InvalidManifest> {
        let hash = sha256_hex(&text);
        // Other IDs are used as they are: those of Relay are MD5, and names work as well.
        if id.len() == hash.len() && id.bytes().all(|byte| byte.is_ascii_hexdigit()) && !id.eq_ignore_ascii_case(&hash)
        {
            return Err(InvalidManifest::WrongHash { id, actual: hash });
        }
        let document = match Document::parse(text.into(), costs) {
            Ok(document) => Arc::new(document),
            Err(error) => return Err(InvalidManifest::NotGraphql { id, problem: in_one_line(&error) }),
        };
        self.by_text.insert(Arc::clone(document.text()), Arc::clone(&document));
        self.by_id.insert(hash, Arc::clone(&document));
        self.by_id.insert(id, document);
        Ok(())
    }

    /// The document with this ID: its SHA-256, also as `sha256:…`, or its ID in the file.
    pub fn by_id(&self, id: &str) -> Option<&Arc<Document>> {
        self.by_id.get(id).or_else(|| self.by_id.get(&id.strip_prefix("sha256:")?.to_ascii_lowercase()))
    }

    /// The document with exactly this text.
    pub fn by_text(&self, text: &str) -> Option<&Arc<Document>> {
        self.by_text.get(text)
    }

    /// The number of all problems.
    pub fn len(&self) -> usize {
        self.by_text.len()
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.by_text.is_empty()
    }
}

fn plain(map: Map<String, Value>) -> Result<Vec<(String, String)>, InvalidManifest> {
    let text = |(id, value): (String, Value)| match value {
        Value::String(text) => Ok((id, text)),
        _ => Err(InvalidManifest::Malformed(format!("\"{id}\" is not a string"))),
    };
    map.into_iter().map(text).collect()
}

fn apollo(map: &Map<String, Value>) -> Result<Vec<(String, String)>, InvalidManifest> {
    let malformed = |problem: String| InvalidManifest::Malformed(problem);
    let version = map.get("version");
    if version.and_then(Value::as_u64) != Some(1) {
        let version = version.unwrap_or(&Value::Null);
        return Err(malformed(format!("its version is {version}; it must be 1")));
    }
    let Some(Value::Array(operations)) = map.get("operations") else {
        return Err(malformed("\"operations\" is not a list".to_owned()));
    };
    let operation = |(index, operation): (usize, &Value)| {
        let part = |name: &str| operation.get(name).and_then(Value::as_str).map(str::to_owned);
        part("id").zip(part("body")).ok_or_else(|| malformed(format!("operations[{index}] has no \"id\" or \"body\"")))
    };
    operations.iter().enumerate().map(operation).collect()
}

/// The error of the parser, without the source excerpt.
fn in_one_line(error: &ServerError) -> String {
    let said = error.message.trim_start_matches("Syntax error: ");
    let place = error.locations.first().map(|at| format!(" at line {}, column {}", at.line, at.column));
    format!("{said}{}", place.unwrap_or_default())
}

/// The SHA-256 of a text, in lowercase hexadecimal.
pub(super) fn sha256_hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Manifest, String> {
        Manifest::parse(text.as_bytes(), &CostTable::default()).map_err(|error| error.to_string())
    }

    const HELLO: &str = "ad5b2d7d4ba05d4f80a7ae2e0b4e1d2ab5c5d4bcb2ea1ab4d6b8c4c7e5f4a3b2";

    #[test]
    fn a_plain_map_is_found_by_hash_with_and_without_prefix_and_by_text() {
        let hash = sha256_hex("{ hello }");
        let manifest = read(&format!(r#"{{"{hash}": "{{ hello }}", "named": "{{ bye }}"}}"#)).unwrap();
        assert!(manifest.by_id(&hash).is_some() && manifest.by_id(&format!("sha256:{hash}")).is_some());
        assert!(manifest.by_id("named").is_some() && manifest.by_id(&sha256_hex("{ bye }")).is_some());
        assert!(manifest.by_text("{ hello }").is_some() && manifest.by_id(HELLO).is_none());
        assert_eq!(manifest.len(), 2);
    }

    #[test]
    fn apollos_manifest_is_read() {
        let text = r#"{"format":"apollo-persisted-query-manifest","version":1,
            "operations":[{"id":"x1","name":"Hi","type":"query","body":"query Hi { hello }"}]}"#;
        assert!(read(text).unwrap().by_id("x1").is_some());
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let refused = |text: &str| read(text).unwrap_err();
        insta::assert_snapshot!(refused("{"), @r#"is neither {"SHA-256 of the text": "text"} nor an Apollo persisted query manifest: EOF while parsing an object at line 1 column 1"#);
        insta::assert_snapshot!(refused(r#"{"a": 1}"#), @r#"is neither {"SHA-256 of the text": "text"} nor an Apollo persisted query manifest: "a" is not a string"#);
        insta::assert_snapshot!(
            refused(&format!(r#"{{"{HELLO}": "{{ hello }}"}}"#)),
            @r#"contains a document "ad5b2d7d4ba05d4f80a7ae2e0b4e1d2ab5c5d4bcb2ea1ab4d6b8c4c7e5f4a3b2" whose text has a different SHA-256: 001c3174e099bd72b729d0c0a529ba9f5a740c446e2a6e1d71b283cb84ec3065"#
        );
        insta::assert_snapshot!(
            refused(r#"{"format":"apollo-persisted-query-manifest","version":2,"operations":[]}"#),
            @r#"is neither {"SHA-256 of the text": "text"} nor an Apollo persisted query manifest: its version is 2; it must be 1"#
        );
        insta::assert_snapshot!(refused(r#"{"a": "{"}"#), @r#"contains a document "a" that is not valid GraphQL: expected a field, a fragment or "}", found the end of the document at line 1, column 2"#);
    }
}
