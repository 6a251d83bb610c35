//! Structural schemas: what an API server does with an object before it stores it: prune, default, validate.
//!
//! A custom resource's schema comes from its definition ([`CompiledCrd`]), a built-in kind's from its Rust type
//! ([`super::openapi::builtin_schema`]); both become a [`CompiledVersion`].
//!
//! Not checked, though a real API server does: the types of CEL expressions and their estimated cost when a definition is
//! created; CEL's run-time cost limit; the macros `sortBy`, `cel.bind` and two-variable comprehensions (a rule that uses
//! them refuses every object); the formats `bsonobjectid`, `isbn`, `creditcard`, `ssn`, `hexcolor`, `rgbcolor`, `password`
//! and `k8s-short-name`; `metadata` of embedded resources beyond pruning; conversion between versions by webhook; and, for
//! built-in kinds, everything beyond types.

mod builtin;
mod decode;
mod definition;
mod error;
mod format;
mod node;
mod prune;
mod rules;
mod structural;
#[cfg(test)]
mod tests;
mod validate;

use builtin::Library;
pub use error::{FieldError, Reason, invalid_message, invalid_status};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use node::{Definitions, NoDefinitions, Node};
use rules::RuleNode;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// How a list merges, in strategic merge patch and server-side apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListType {
    /// Replaced as a whole.
    Atomic,
    /// A set of scalars.
    Set,
    /// Entries with these keys.
    Map(Vec<String>),
}

/// A custom resource definition, ready to judge objects.
#[derive(Debug)]
pub struct CompiledCrd {
    versions: HashMap<String, CompiledVersion>,
}

impl CompiledCrd {
    /// Compiles every version of a definition; fails with what the API server would refuse in the definition itself.
    pub fn compile(definition: &CustomResourceDefinition) -> Result<CompiledCrd, Vec<FieldError>> {
        let mut errors = Vec::new();
        definition::check(definition, &mut errors);
        let mut versions = HashMap::new();
        let is_only = definition.spec.versions.len() == 1;
        for (index, version) in definition.spec.versions.iter().enumerate() {
            let own_path = format!("spec.versions[{index}].schema.openAPIV3Schema");
            let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
            let Some(Ok(schema)) = schema.map(serde_json::to_value) else {
                errors.push(FieldError::new(own_path, Reason::Required, ""));
                continue;
            };
            // A single version's schema is spoken of as the definition's.
            let path = if is_only { "spec.validation.openAPIV3Schema" } else { &own_path };
            structural::check_root(&schema, path, &mut errors);
            versions.insert(version.name.clone(), CompiledVersion::of_custom_resource(&schema));
        }
        if errors.is_empty() { Ok(CompiledCrd { versions }) } else { Err(errors) }
    }

    /// The version of that name.
    pub fn version(&self, name: &str) -> Option<&CompiledVersion> {
        self.versions.get(name)
    }
}

/// One version's schema.
#[derive(Debug)]
pub struct CompiledVersion {
    root: Arc<Node>,
    metadata: Arc<Node>,
    rules: Option<RuleNode>,
    is_builtin: bool,
}

/// The schema of every object's `metadata`.
fn metadata_schema() -> Arc<Node> {
    static METADATA: LazyLock<Arc<Node>> = LazyLock::new(|| {
        let definitions = super::openapi::builtin_definitions();
        Library::new(definitions).definition(super::openapi::OBJECT_META).unwrap_or_default()
    });
    METADATA.clone()
}

impl CompiledVersion {
    fn of_custom_resource(schema: &Value) -> CompiledVersion {
        CompiledVersion {
            root: Node::read(schema, &mut NoDefinitions),
            metadata: metadata_schema(),
            rules: RuleNode::read(schema),
            is_builtin: false,
        }
    }

    /// The schema of the built-in kind whose definition has this name.
    pub(super) fn of_builtin(name: &str, definitions: &Map<String, Value>) -> CompiledVersion {
        let root = Library::new(definitions).definition(name).unwrap_or_default();
        CompiledVersion { root, metadata: metadata_schema(), rules: None, is_builtin: true }
    }

    /// Removes the fields that the schema does not know, and names them (`spec.foo`, `spec.tasks[0].bar`).
    pub fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut pruner = prune::Pruner { metadata: &self.metadata, removed: Vec::new() };
        pruner.resource(object, &self.root, "");
        pruner.removed
    }

    /// Drops the lists and maps of a built-in object that are empty.
    pub fn drop_empty(&self, object: &mut Value) {
        prune::drop_empty(object, &self.root);
    }

    /// Fills in the schema's defaults, and drops the nulls that mean "absent".
    pub fn default(&self, object: &mut Value) {
        prune::fill_defaults(object, &self.root);
    }

    /// Everything that is wrong with `new`; transition rules are applied where there is an `old`, and what has not changed
    /// since `old` is not refused again.
    pub fn validate(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut errors = Vec::new();
        validate::check(&self.root, new, old, "", &mut errors);
        if self.is_builtin {
            // A Go server decodes what is missing as the zero value: presence is for the kind's own validation, after defaults,
            // and an applied configuration is never whole.
            errors.retain(|error| error.reason != Reason::Required);
            decode::whole_numbers(&self.root, new, "", &mut errors);
            return errors;
        }
        validate::check_lists(&self.root, new, "", &mut errors);
        let Some(rules) = &self.rules else { return errors };
        // Rules rely on the schema: on an object of the wrong shape they would say nothing that helps.
        if errors.iter().any(|error| error.reason.blocks_rules()) {
            let detail = "some validation rules were not checked because the object was invalid; correct the existing \
                          errors to complete validation";
            errors.push(FieldError::showing("", Reason::Invalid, &Value::Null, detail));
        } else {
            rules.check(new, old, "", &mut errors);
        }
        errors
    }

    /// How the list at a path of field names merges (`["spec", "containers", "*", "ports"]`, `*` steps into a list's
    /// entries or a map's values); `None` where the schema knows no list there.
    pub fn list_type(&self, path: &[&str]) -> Option<ListType> {
        let node = self.at(path)?;
        let is_list = node.items.is_some() || node.kind == Some(node::Type::Array);
        is_list.then(|| node.list_type.clone().unwrap_or(ListType::Atomic))
    }

    /// Whether the object at this path is replaced as a whole by server-side apply (`x-kubernetes-map-type: atomic`).
    pub fn is_atomic_map(&self, path: &[&str]) -> bool {
        self.at(path).is_some_and(|node| node.atomic_map)
    }

    /// The key by which strategic merge patch merges the list at this path (`name` for a pod's containers); `None` where
    /// the list is replaced. Only built-in kinds have any.
    pub fn patch_merge_key(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.patch_merge_key.as_deref()
    }

    fn at(&self, path: &[&str]) -> Option<&Node> {
        match path {
            ["metadata", rest @ ..] => self.metadata.at(rest),
            path => self.root.at(path),
        }
    }
}
