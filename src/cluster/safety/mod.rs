//! Pod safety: what no pod of a user may ask for, wherever in a payload its spec stands.
//!
//! The rules are those of the Pod Security Standards' baseline profile
//! (<https://kubernetes.io/docs/concepts/security/pod-security-standards/>) and the platform's own: no service-account
//! token, no node of one's choice, storage by claims only, GPUs asked for as they are limited. `docs/pod-safety.md` lists
//! the decision for every field. They read the payload as it stands and not as Kubernetes' types, so that nothing hides in
//! a field of another type or in a kind whose type the platform does not have.

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

/// Violations that are told of one payload at most.
const MAX_VIOLATIONS: usize = 50;

/// The field that a whole document stands in.
const DOCUMENT: &str = "";

/// Something that a pod may not ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where it stands: `spec.template.spec.hostNetwork`.
    pub path: String,
    /// What is wrong with it, to be read behind the path.
    pub why: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.why)
    }
}

/// What a payload is, as far as the rules differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// A pod spec, or an object that pods are made of.
    Pods,
    /// An Argo Workflow: pods, whose texts may have `{{parameters}}` that are filled in when it runs.
    Workflow,
    /// A PersistentVolumeClaim.
    Claim,
    /// An object that makes neither pods nor storage: only its labels and annotations are looked at.
    Other,
}

/// Everything in `payload`, whose own place is `path` (empty for a whole document), that no pod may ask for; the first
/// fifty.
pub fn violations(payload: &Value, path: &str) -> Vec<Violation> {
    violations_in(payload, path, Payload::Pods)
}

/// A path and those of everything that it is a part of, but not of lists: `a.b[0].c`, `a.b[0]`, `a`.
pub fn self_and_above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once('.').map(|(above, _)| above))
}

/// [`violations`] of a payload of this kind.
pub fn violations_in(payload: &Value, path: &str, kind: Payload) -> Vec<Violation> {
    let mut walk = Walk { templated: kind == Payload::Workflow, found: Vec::new() };
    match kind {
        // Below a document its metadata is the document's own; below a template it goes to the pods.
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

/// One walk through a payload.
struct Walk {
    /// Whether texts may have `{{parameters}}`.
    templated: bool,
    found: Vec<Violation>,
}

impl Walk {
    /// Notes that what stands at `path` is not allowed.
    fn note(&mut self, path: impl Into<String>, why: impl Into<String>) {
        if self.found.len() < MAX_VIOLATIONS {
            self.found.push(Violation { path: path.into(), why: why.into() });
        }
    }

    /// Whether a text is filled in by the workflow when it runs, so that it cannot be judged now.
    fn is_filled_in(&self, text: &str) -> bool {
        self.templated && text.contains("{{")
    }

    /// Looks at a value that is the `parent` of what is in it; `above` is the key over that.
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

/// A key as it is looked up: Go's decoder, by which controllers read parts of an object, takes `HostNetwork` and
/// `hoſtNetwork` for `hostNetwork`.
fn folded(key: &str) -> String {
    if key.is_ascii() { key.to_ascii_lowercase() } else { key.to_uppercase().to_lowercase() }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The field of that name, however its case is written.
fn member<'v>(fields: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    let found = fields.get(name).or_else(|| fields.iter().find(|(key, _)| folded(key) == folded(name)).map(|(_, v)| v));
    found.filter(|value| !value.is_null())
}

#[cfg(test)]
mod tests;
