//! Pod safety: what no user's pod may request, wherever its spec is in a payload.
//!
//! The rules are those of the Pod Security Standards' baseline profile
//! (<https://kubernetes.io/docs/concepts/security/pod-security-standards/>) and the platform's own: no service-account
//! token, no choice of a node, storage by claims only, equal requests and limits of GPUs. `docs/pod-safety.md` lists
//! the decision for every field. The rules read the raw payload and not Kubernetes' types, so that nothing can hide in
//! a field of the wrong type or in a kind whose type the platform does not have.

mod annotations;
mod images;
mod placement;
mod rules;
mod shown;
mod storage;

use std::fmt;

use serde_json::{Map, Value};

pub use images::GPU;
use shown::{key as shown_key, value as shown};

/// Maximum number of violations reported per payload.
const MAX_VIOLATIONS: usize = 50;

/// The parent field of a whole document.
const DOCUMENT: &str = "";

/// Something that a pod may not request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The path: `spec.template.spec.hostNetwork`.
    pub path: String,
    /// What is wrong, phrased to follow the path.
    pub why: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.why)
    }
}

/// The type of a payload, as far as the rules differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// A pod spec, or an object that creates pods.
    Pods,
    /// An Argo Workflow: pods whose strings may contain `{{parameters}}` that are substituted when it runs.
    Workflow,
    /// A PersistentVolumeClaim.
    Claim,
    /// An object that creates neither pods nor storage: only its labels and annotations are checked.
    Other,
}

/// Everything in `payload`, whose own path is `path` (empty for a whole document), that no pod may request; at most the
/// first fifty.
pub fn violations(payload: &Value, path: &str) -> Vec<Violation> {
    violations_in(payload, path, Payload::Pods)
}

/// A path and those of its ancestors, without those of lists: `a.b[0].c`, `a.b[0]`, `a`.
pub fn self_and_above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once('.').map(|(above, _)| above))
}

/// [`violations`] of a payload of this kind.
pub fn violations_in(payload: &Value, path: &str, kind: Payload) -> Vec<Violation> {
    let mut walk = Walk { templated: kind == Payload::Workflow, found: Vec::new() };
    match kind {
        // The metadata below a document is the document's own; below a template it is that of the pods.
        Payload::Pods | Payload::Workflow => {
            walk.value(payload, path, if path.is_empty() { DOCUMENT } else { "template" }, "");
        }
        Payload::Claim | Payload::Other => {
            if let Some(metadata) = payload.get("metadata") {
                walk.value(metadata, &join(path, "metadata"), "metadata", DOCUMENT);
            }
            if let Some(spec) = payload.get("spec").filter(|_| kind == Payload::Claim) {
                storage::claim(&mut walk, spec, &join(path, "spec"));
            }
        }
    }
    walk.found
}

/// One traversal of a payload.
struct Walk {
    /// Whether strings may contain `{{parameters}}`.
    templated: bool,
    found: Vec<Violation>,
}

impl Walk {
    /// Records that the field at `path` is not allowed.
    fn note(&mut self, path: impl Into<String>, why: impl Into<String>) {
        if self.found.len() < MAX_VIOLATIONS {
            self.found.push(Violation { path: path.into(), why: why.into() });
        }
    }

    /// Whether a string contains a template tag, so that it cannot be judged before the workflow runs.
    fn is_filled_in(&self, text: &str) -> bool {
        self.templated && text.contains("{{")
    }

    /// Checks a value whose contents have the parent `parent`; `above` is the key above that.
    fn value(&mut self, value: &Value, path: &str, parent: &str, above: &str) {
        if self.found.len() >= MAX_VIOLATIONS {
            return;
        }
        match value {
            Value::Object(fields) => {
                images::gpus(self, fields, path);
                for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                    self.field(&folded(key), value, &join(path, &shown_key(key)), parent, above);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(item, &format!("{path}[{index}]"), parent, above);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn field(&mut self, key: &str, value: &Value, path: &str, parent: &str, above: &str) {
        match (key, value) {
            ("annotations", Value::Object(entries)) => annotations::annotations(self, entries, path),
            ("labels", Value::Object(entries)) => annotations::labels(self, entries, path),
            ("matchlabels", Value::Object(_)) => {}
            ("nodeselector", Value::Object(entries)) => placement::node_selector(self, entries, path),
            ("nodeaffinity", _) => placement::node_affinity(self, value, path),
            ("tolerations", Value::Array(list)) => placement::tolerations(self, list, path),
            ("volumes", Value::Array(list)) => storage::volumes(self, list, path),
            ("volumeclaimtemplates" | "volumeclaimtemplate", _) => storage::templates(self, value, path),
            ("image", _) => images::image(self, value, path),
            _ => match rules::refusal(key, value, parent, above) {
                Some(why) => self.note(path, why),
                None => self.value(value, path, key, parent),
            },
        }
    }
}

/// A key in the form in which it is looked up: Go's decoder, which controllers use for parts of an object, accepts
/// `HostNetwork` and `hoſtNetwork` as `hostNetwork`.
fn folded(key: &str) -> String {
    if key.is_ascii() { key.to_ascii_lowercase() } else { key.to_uppercase().to_lowercase() }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The field with this name, ignoring case.
fn member<'v>(fields: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    let found = fields.get(name).or_else(|| fields.iter().find(|(key, _)| folded(key) == folded(name)).map(|(_, v)| v));
    found.filter(|value| !value.is_null())
}

#[cfg(test)]
mod tests;
