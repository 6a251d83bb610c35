//! Writes: from the body of a request to the stored object.
//!
//! Every write goes the same way: decode, prepare what the server alone may say (uid, timestamps, generation, status),
//! default, admit, validate, record who manages which field, store. It runs under the writer's turn from beginning to end.

mod create;
mod decode;
mod delete;
mod metadata;
mod patch;
mod update;

pub use create::create;
pub use decode::{Body, decode};
pub use delete::{DeleteOptions, Deleted, delete, delete_collection};
pub use patch::{PatchKind, patch};
pub use update::{replace, store_changed};

use super::catalog::ResourceKind;
use super::cluster::{Cluster, Writer};
use super::request::{FieldValidation, Options};
use super::status::{ApiError, ApiResult};
use super::store::Key;
use super::{kinds, versions};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::sync::Arc;

const BROKEN_QUANTITY: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/// One write: what it is about and who asks.
pub struct Write<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The writer's turn.
    pub turn: &'a Writer<'a>,
    /// The resource.
    pub kind: &'a Arc<ResourceKind>,
    /// The namespace, where the resource has one.
    pub namespace: Option<&'a str>,
    /// The subresource, where one is written.
    pub subresource: Option<&'a str>,
    /// The query.
    pub options: &'a Options,
    /// Who writes: `fieldManager`, or the program's name from its `User-Agent`.
    pub manager: String,
    /// The time of the write.
    pub now: DateTime<Utc>,
    /// What the client is told beside the answer.
    pub warnings: Vec<String>,
}

impl Write<'_> {
    /// An object's place.
    pub fn key(&self, name: &str) -> Key {
        Key::new(self.namespace.unwrap_or_default(), name)
    }

    /// The stored object as this resource shows it.
    pub fn current(&self, name: &str) -> ApiResult<Arc<Value>> {
        let stored = self.cluster.store.get(&self.kind.collection(), &self.key(name));
        stored.map(|value| versions::view(self.kind, &value)).ok_or_else(|| ApiError::not_found(self.kind, name))
    }

    /// Stores an object, or pretends to in a dry run.
    pub fn commit(&self, name: &str, value: Value) -> Arc<Value> {
        if self.options.dry_run {
            return Arc::new(value);
        }
        let stored = versions::stored(self.kind, value);
        let stored = self.cluster.store.put(&self.kind.collection(), self.key(name), stored);
        versions::view(self.kind, &stored)
    }

    /// Removes an object, or pretends to in a dry run.
    pub fn remove(&self, name: &str, last: &Arc<Value>) -> Arc<Value> {
        if self.options.dry_run {
            return last.clone();
        }
        let removed = self.cluster.store.remove(&self.kind.collection(), &self.key(name));
        removed.map_or_else(|| last.clone(), |value| versions::view(self.kind, &value))
    }

    /// Drops the fields that the schema does not know and deals with them as the request wishes.
    pub fn prune(&mut self, value: &mut Value) -> ApiResult<()> {
        let Some(schema) = self.kind.schema() else { return Ok(()) };
        let unknown = schema.prune(value);
        self.drop_empty(value);
        self.report_unknown(&unknown)
    }

    /// Drops what a typed server would not write. Definitions are left alone: in a schema the empty object means something.
    fn drop_empty(&self, value: &mut Value) {
        if let Some(schema) = self.kind.schema().filter(|_| !self.kind.is_custom())
            && self.kind.group != "apiextensions.k8s.io"
        {
            schema.drop_empty(value);
        }
    }

    /// Prunes what is applied, where unknown fields are always refused: nobody could own them.
    pub fn prune_applied(&self, value: &mut Value) -> ApiResult<()> {
        let Some(schema) = self.kind.schema() else { return Ok(()) };
        let unknown = schema.prune(value);
        self.drop_empty(value);
        let texts: Vec<_> = unknown.iter().map(|field| format!(".{field}: field not declared in schema")).collect();
        match texts.as_slice() {
            [] => Ok(()),
            [one] => Err(ApiError::untyped_patch(self.kind, value, one)),
            several => Err(ApiError::untyped_patch(self.kind, value, &format!("errors:\n  {}", several.join("\n  ")))),
        }
    }

    /// Refuses unknown fields, warns of them or is silent, as the request wishes.
    pub fn report_unknown(&mut self, unknown: &[String]) -> ApiResult<()> {
        let texts = unknown.iter().map(|field| format!("unknown field {field:?}"));
        match self.options.field_validation {
            FieldValidation::Ignore => {}
            FieldValidation::Warn => self.warnings.extend(texts),
            FieldValidation::Strict if unknown.is_empty() => {}
            FieldValidation::Strict => {
                let list = texts.collect::<Vec<_>>().join(", ");
                let kind = &self.kind.kind;
                return Err(ApiError::bad_request(format!(
                    "{kind} in version {:?} cannot be handled as a {kind}: strict decoding error: {list}",
                    self.kind.version
                )));
            }
        }
        Ok(())
    }

    /// Refuses a built-in object whose fields have the wrong types.
    pub fn check_types(&self, value: &Value) -> ApiResult<()> {
        if self.kind.is_custom() {
            return Ok(());
        }
        let Some(schema) = self.kind.schema() else { return Ok(()) };
        match schema.validate(value, None).first() {
            None if kinds::has_broken_quantity(self.kind, value) => Err(ApiError::bad_request(format!(
                "{0} in version {1:?} cannot be handled as a {0}: {BROKEN_QUANTITY}",
                self.kind.kind, self.kind.version
            ))),
            None => Ok(()),
            Some(error) => {
                let kind = &self.kind.kind;
                Err(ApiError::bad_request(format!(
                    "{kind} in version {:?} cannot be handled as a {kind}: {}: {}",
                    self.kind.version,
                    error.path,
                    error.message()
                )))
            }
        }
    }
}
