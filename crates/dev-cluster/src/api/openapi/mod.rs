//! The OpenAPI documents: `/openapi/v3` and `/openapi/v2`, as far as kubectl and generated clients read them.
//!
//! kubectl 1.36 reads v3 alone when a server offers it: `explain`, server-side validation and dry-run (which look for the
//! query parameters of a kind's `PATCH`), and the merge keys of client-side apply. It would read v2 as protobuf, which is
//! not served: v2 is JSON, for other clients.

mod builtin;
mod custom;
mod merge;
mod paths;
#[cfg(test)]
mod tests;

use super::schema::CompiledVersion;
pub(super) use builtin::OBJECT_META;
use builtin::{CATALOGUE, REFERENCE_ROOT};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One served resource, as discovery lists it; the documents' paths are made from it.
#[derive(Clone, Debug)]
pub struct ServedResource {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// The plural name, as in paths.
    pub plural: String,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// The subresources that are served (`status`, `log`, `scale`).
    pub subresources: Vec<String>,
}

impl ServedResource {
    /// `api/v1` or `apis/GROUP/VERSION`.
    fn root(&self) -> String {
        group_version_path(&self.group, &self.version)
    }
}

fn group_version_path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// The schema of a built-in kind: prunes and validates (types alone), and says how lists merge. `None` for a
/// kind that is not built in.
pub fn builtin_schema(group: &str, version: &str, kind: &str) -> Option<Arc<CompiledVersion>> {
    builtin::compiled(group, version, kind)
}

/// The definitions of the built-in kinds, by name.
pub(super) fn builtin_definitions() -> &'static Map<String, Value> {
    &CATALOGUE.definitions
}

/// `/openapi/v3`: where the document of each group version is. The address changes with the contents, so that a client
/// may keep a document as long as it likes.
pub fn v3_index(resources: &[ServedResource], definitions: &[Arc<CustomResourceDefinition>]) -> Value {
    let mut served: Vec<(&str, &str)> = resources.iter().map(|r| (r.group.as_str(), r.version.as_str())).collect();
    served.sort_unstable();
    served.dedup();
    let paths: Map<String, Value> = served
        .into_iter()
        .map(|(group, version)| {
            let path = group_version_path(group, version);
            let hash = fingerprint(group, version, resources, definitions);
            let url = format!("/openapi/v3/{path}?hash={hash}");
            (path, json!({"serverRelativeURL": url}))
        })
        .collect();
    json!({"paths": paths})
}

/// What a document is made of, in short: cheaper than making the document.
fn fingerprint(
    group: &str,
    version: &str,
    resources: &[ServedResource],
    definitions: &[Arc<CustomResourceDefinition>],
) -> String {
    let mut hash = Sha256::new();
    for resource in resources.iter().filter(|r| r.group == group && r.version == version) {
        hash.update(format!("{resource:?}"));
    }
    for definition in definitions.iter().filter(|definition| definition.spec.group == group) {
        let identity = (&definition.metadata.uid, definition.metadata.generation);
        hash.update(format!("{identity:?}{:?}", definition.spec));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02X}")).collect()
}

/// `/openapi/v3/api/v1` or `/openapi/v3/apis/GROUP/VERSION`; `None` for a group version that is not served.
/// `resources` holds the custom resources too; `definitions` give those their schemas.
pub fn v3_document(
    group: &str,
    version: &str,
    resources: &[ServedResource],
    definitions: &[Arc<CustomResourceDefinition>],
) -> Option<Value> {
    let served: Vec<&ServedResource> =
        resources.iter().filter(|resource| resource.group == group && resource.version == version).collect();
    if served.is_empty() {
        return None;
    }
    let mut schemas = Schemas::default();
    let mut paths = Map::new();
    for resource in served {
        let name = schemas.add_kind(resource, definitions);
        paths::add(&mut paths, resource, &name);
    }
    for meta in ["Status", "DeleteOptions", "Patch"] {
        schemas.add_builtin(&format!("io.k8s.apimachinery.pkg.apis.meta.v1.{meta}"));
    }
    Some(json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": schemas.all},
    }))
}

/// `/openapi/v2`: everything in one Swagger document.
pub fn v2_document(resources: &[ServedResource], definitions: &[Arc<CustomResourceDefinition>]) -> Value {
    let mut schemas = Schemas::default();
    let mut paths = Map::new();
    for resource in resources {
        let name = schemas.add_kind(resource, definitions);
        paths::add_v2(&mut paths, resource, &name);
    }
    let mut all = Value::Object(schemas.all);
    as_v2(&mut all);
    json!({
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": "v1.36.0"},
        "paths": paths,
        "definitions": all,
    })
}

/// Rewrites v3 schemas to what Swagger 2 can say.
fn as_v2(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get_mut("$ref") {
                *reference = reference.replace(REFERENCE_ROOT, "#/definitions/");
            }
            for unknown in ["oneOf", "anyOf", "not", "nullable"] {
                if !fields.get(unknown).is_some_and(Value::is_object) || unknown == "not" {
                    fields.remove(unknown);
                }
            }
            fields.values_mut().for_each(as_v2);
        }
        Value::Array(entries) => entries.iter_mut().for_each(as_v2),
        _ => {}
    }
}

/// The schemas that a document needs, with all that they refer to.
#[derive(Default)]
struct Schemas {
    all: Map<String, Value>,
}

impl Schemas {
    /// Adds a kind and its list, and gives the kind's definition name.
    fn add_kind(&mut self, resource: &ServedResource, definitions: &[Arc<CustomResourceDefinition>]) -> String {
        let key = (resource.group.clone(), resource.version.clone(), resource.kind.clone());
        let name = match CATALOGUE.kinds.get(&key) {
            Some(name) => {
                self.add_builtin(name);
                name.clone()
            }
            None => {
                let name = custom::definition_name(resource);
                self.all.insert(name.clone(), custom::schema(resource, definitions));
                self.add_builtin(OBJECT_META);
                name
            }
        };
        self.all.insert(format!("{name}List"), list_schema(resource, &name));
        self.add_builtin("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta");
        name
    }

    fn add_builtin(&mut self, name: &str) {
        if self.all.contains_key(name) {
            return;
        }
        let Some(definition) = CATALOGUE.definitions.get(name) else { return };
        self.all.insert(name.to_owned(), definition.clone());
        let mut found = BTreeSet::new();
        references(definition, &mut found);
        for name in found {
            self.add_builtin(name);
        }
    }
}

fn references<'v>(value: &'v Value, found: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(fields) => {
            if let Some(name) = fields.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix(REFERENCE_ROOT))
            {
                found.insert(name);
            }
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(entries) => entries.iter().for_each(|entry| references(entry, found)),
        _ => {}
    }
}

fn list_schema(resource: &ServedResource, item: &str) -> Value {
    json!({
        "description": format!("{}List is a list of {}.", resource.kind, resource.kind),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"$ref": format!("{REFERENCE_ROOT}io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta")},
            "items": {"type": "array", "items": {"$ref": format!("{REFERENCE_ROOT}{item}")}},
        },
        "x-kubernetes-group-version-kind": [
            {"group": resource.group, "version": resource.version, "kind": format!("{}List", resource.kind)},
        ],
    })
}
