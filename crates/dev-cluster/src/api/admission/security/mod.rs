//! Pod Security admission: what the labels of a namespace let its pods do, in the words of the real plugin.
//!
//! A pod is refused by the level of `enforce`; by the level of `warn` its author is told, of templates too. Every version is
//! judged as the latest one; `audit` has nothing to write to.

mod baseline;
mod restricted;

use super::core;
use crate::api::catalog::ResourceKind;
use crate::api::object;
use crate::api::status::{ApiError, ApiResult};
use crate::api::store::Key;
use crate::api::write::Write;
use serde_json::Value;

/// One rule that a pod breaks.
struct Breach {
    reason: String,
    detail: String,
}

impl Breach {
    fn new(reason: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { reason: reason.into(), detail: detail.into() }
    }
}

/// What a namespace asks of its pods.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Privileged,
    Baseline,
    Restricted,
}

/// A level and how the namespace words it: `baseline:latest`.
struct Policy {
    level: Level,
    text: String,
}

impl Policy {
    fn of(namespace: &Value, mode: &str) -> Option<Self> {
        let labels = object::meta(namespace).get("labels")?;
        let label = |name: String| labels.get(name).and_then(Value::as_str);
        let word = label(format!("pod-security.kubernetes.io/{mode}"))?;
        let level = match word {
            "baseline" => Level::Baseline,
            // As the real plugin does: a word that nobody knows is taken for the strictest.
            "privileged" => Level::Privileged,
            _ => Level::Restricted,
        };
        let version = label(format!("pod-security.kubernetes.io/{mode}-version")).unwrap_or("latest");
        Some(Self { level, text: format!("{word}:{version}") })
    }

    /// What is wrong with a pod, as one sentence.
    fn judge(&self, pod: &Pod<'_>) -> Option<String> {
        let breaches = match self.level {
            Level::Privileged => return None,
            Level::Baseline => baseline::check(pod, false),
            Level::Restricted => [baseline::check(pod, true), restricted::check(pod)].concat_all(),
        };
        let texts: Vec<_> = breaches.iter().map(|breach| format!("{} ({})", breach.reason, breach.detail)).collect();
        (!texts.is_empty()).then(|| format!("violate PodSecurity {:?}: {}", self.text, texts.join(", ")))
    }
}

trait ConcatAll {
    fn concat_all(self) -> Vec<Breach>;
}

impl<const N: usize> ConcatAll for [Vec<Breach>; N] {
    fn concat_all(self) -> Vec<Breach> {
        self.into_iter().flatten().collect()
    }
}

/// Refuses a pod that its namespace does not let be; warns of what it would rather not have.
pub fn check(write: &mut Write<'_>, value: &Value) -> ApiResult<()> {
    let Some(place) = pod_of(write.kind) else { return Ok(()) };
    let Some(spec) = value.pointer(&format!("{place}/spec")) else { return Ok(()) };
    let key = Key::new("", write.namespace.unwrap_or_default());
    let Some(namespace) = write.cluster.store.get(&core("namespaces"), &key) else { return Ok(()) };
    let pod = Pod { spec, meta: value.pointer(&format!("{place}/metadata")).unwrap_or(&Value::Null) };
    if place.is_empty()
        && let Some(why) = Policy::of(&namespace, "enforce").and_then(|policy| policy.judge(&pod))
    {
        let why = why.replacen("violate", "violates", 1);
        return Err(ApiError::forbidden(write.kind, object::name(value), &why));
    }
    if let Some(why) = Policy::of(&namespace, "warn").and_then(|policy| policy.judge(&pod)) {
        write.warnings.push(format!("would {why}"));
    }
    Ok(())
}

/// Where the pod of a kind is, for kinds that are or make pods.
fn pod_of(kind: &ResourceKind) -> Option<&'static str> {
    match (kind.group.as_str(), kind.plural.as_str()) {
        ("", "pods") => Some(""),
        ("apps", "deployments" | "replicasets") | ("batch", "jobs") => Some("/spec/template"),
        ("batch", "cronjobs") => Some("/spec/jobTemplate/spec/template"),
        _ => None,
    }
}

/// A pod to be judged.
struct Pod<'a> {
    spec: &'a Value,
    meta: &'a Value,
}

impl<'a> Pod<'a> {
    fn at(&self, pointer: &str) -> Option<&'a Value> {
        self.spec.pointer(pointer)
    }

    fn text(&self, pointer: &str) -> &'a str {
        self.at(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn is(&self, pointer: &str, wanted: bool) -> bool {
        self.at(pointer) == Some(&Value::Bool(wanted))
    }

    fn is_windows(&self) -> bool {
        self.text("/os/name") == "windows"
    }

    /// Whether root in the pod is nobody outside it.
    fn has_user_namespace(&self) -> bool {
        self.is("/hostUsers", false)
    }

    /// All its containers, init containers first.
    fn containers(&self) -> impl Iterator<Item = Container<'a>> + use<'a> {
        let lists = ["initContainers", "containers", "ephemeralContainers"];
        let spec = self.spec;
        lists.into_iter().filter_map(move |list| spec.get(list)?.as_array()).flatten().map(Container)
    }

    /// The names of the containers that something is true of.
    fn names_where(&self, is_bad: impl Fn(&Container<'a>) -> bool) -> Vec<&'a str> {
        self.containers().filter(is_bad).map(|container| container.name()).collect()
    }

    fn volumes(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.spec.get("volumes").and_then(Value::as_array).into_iter().flatten()
    }
}

/// One of its containers.
struct Container<'a>(&'a Value);

impl<'a> Container<'a> {
    fn name(&self) -> &'a str {
        self.0.get("name").and_then(Value::as_str).unwrap_or_default()
    }

    fn at(&self, pointer: &str) -> Option<&'a Value> {
        self.0.pointer(pointer)
    }

    fn text(&self, pointer: &str) -> &'a str {
        self.at(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn is(&self, pointer: &str, wanted: bool) -> bool {
        self.at(pointer) == Some(&Value::Bool(wanted))
    }

    fn words(&self, pointer: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.at(pointer).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }
}

/// `"a", "b"`
fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// `container "a"` or `containers "a", "b"`
fn containers(names: &[&str]) -> String {
    format!("{} {}", if names.len() == 1 { "container" } else { "containers" }, quoted(names))
}

/// Who set something, pod and containers: `pod and container "a"`; `None` where nobody did.
fn setters(pod: bool, names: &[&str]) -> Option<String> {
    let mut list = Vec::new();
    if pod {
        list.push("pod".to_owned());
    }
    if !names.is_empty() {
        list.push(containers(names));
    }
    (!list.is_empty()).then(|| list.join(" and "))
}

/// The capabilities that containers add and may not, with the containers.
fn forbidden_capabilities(pod: &Pod<'_>, allowed: &[&str]) -> Option<String> {
    let adds = |container: &Container<'_>| {
        container.words("/securityContext/capabilities/add").any(|capability| !allowed.contains(&capability))
    };
    let names = pod.names_where(adds);
    let mut added: Vec<_> = pod
        .containers()
        .flat_map(|container| container.words("/securityContext/capabilities/add"))
        .filter(|capability| !allowed.contains(capability))
        .collect();
    added.sort_unstable();
    added.dedup();
    let text =
        || format!("{} must not include {} in securityContext.capabilities.add", containers(&names), quoted(&added));
    (!names.is_empty()).then(text)
}
