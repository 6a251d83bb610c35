//! Pod safety: what no pod of a user may ask for, wherever in a payload its spec stands.
//!
//! The rules are those of the Pod Security Standards' baseline profile
//! (<https://kubernetes.io/docs/concepts/security/pod-security-standards/>) and the platform's own: no service-account
//! token, no node of one's choice, storage by claims only, GPUs asked for as they are limited. They read the payload as
//! it stands and not as Kubernetes' types, so that nothing hides in a field of another type or in a kind whose type the
//! platform does not have: whatever is not known to be harmless is refused.

use std::fmt;

use serde_json::{Map, Value};

use super::image::ImageReference;
use crate::quantity::Quantity;

/// The resource a GPU is asked for as.
pub const GPU: &str = "nvidia.com/gpu";
/// Violations that are told of one payload at most.
const MAX_VIOLATIONS: usize = 50;
/// What a pod may mount: its own scratch space, objects of its namespace and claims.
const VOLUMES: [&str; 7] =
    ["configMap", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];
/// Mappings whose keys people choose and whose values are texts.
const FREE_KEYS: [&str; 4] = ["annotations", "labels", "matchLabels", "nodeSelector"];
/// SELinux types of the baseline profile.
const SELINUX_TYPES: [&str; 5] = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

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

/// Everything in `payload`, whose own place is `path` (empty for a whole document), that no pod may ask for; the first
/// fifty.
pub fn violations(payload: &Value, path: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    walk(payload, path, &mut found);
    found
}

fn walk(value: &Value, path: &str, found: &mut Vec<Violation>) {
    if found.len() >= MAX_VIOLATIONS {
        return;
    }
    match value {
        Value::Object(fields) => {
            gpus(fields, path, found);
            for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                let path = if path.is_empty() { shown_key(key) } else { format!("{path}.{}", shown_key(key)) };
                match (key.as_str(), value) {
                    (key, _) if FREE_KEYS.contains(&key) => {}
                    ("volumes", Value::Array(volumes)) => all_volumes(volumes, &path, found),
                    (key, value) => match refused(key, value) {
                        Some(why) => note(found, path, why),
                        None => walk(value, &path, found),
                    },
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{path}[{index}]"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn note(found: &mut Vec<Violation>, path: String, why: String) {
    if found.len() < MAX_VIOLATIONS {
        found.push(Violation { path, why });
    }
}

fn all_volumes(volumes: &[Value], path: &str, found: &mut Vec<Violation>) {
    for (index, volume) in volumes.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Value::Object(fields) = volume else {
            note(found, path, format!("was {}; a volume is a mapping", shown(volume)));
            continue;
        };
        for (key, value) in fields.iter().filter(|(key, value)| *key != "name" && !value.is_null()) {
            let path = format!("{path}.{}", shown_key(key));
            match key.as_str() {
                "hostPath" => note(found, path, "is not allowed: a pod may not see its node's files".to_owned()),
                key if VOLUMES.contains(&key) => walk(value, &path, found),
                _ => note(found, path, format!("is not allowed; a volume may be one of: {}", VOLUMES.join(", "))),
            }
        }
    }
}

/// Why this field may not have this value, which is not null.
fn refused(key: &str, value: &Value) -> Option<String> {
    const TOKEN: &str = "jobs get no service-account token";
    const HOST: &str = "a pod may not share its node's namespaces";
    let was = |allowed: &str, why: &str| Some(format!("was {}; it may be {allowed}: {why}", shown(value)));
    let text = value.as_str();
    match key {
        "hostNetwork" | "hostPID" | "hostIPC" if *value != false => was("false", HOST),
        "privileged" | "hostProcess" if *value != false => was("false", "a container may not act as its node"),
        "automountServiceAccountToken" if *value != false => was("false", TOKEN),
        "serviceAccountName" | "serviceAccount" if !text.is_some_and(|name| ["", "default"].contains(&name)) => {
            was("\"default\"", TOKEN)
        }
        "serviceAccountToken" => Some(format!("is not allowed: {TOKEN}")),
        "hostPath" => Some("is not allowed: a pod may not see its node's files".to_owned()),
        "nodeName" => Some("is not allowed: the scheduler chooses the node".to_owned()),
        "hostPort" if value.as_i64() != Some(0) => was("0", "a pod may not take its node's ports"),
        "procMount" if text != Some("Default") => was("\"Default\"", "a container may not see all of /proc"),
        "sysctls" if !value.as_array().is_some_and(Vec::is_empty) => {
            Some("is not allowed: a pod may not change its node's kernel".to_owned())
        }
        "capabilities" if !adds_nothing(value) => {
            Some("is not allowed to add any: a container may only drop capabilities".to_owned())
        }
        "seccompProfile" | "appArmorProfile" if !value.get("type").is_some_and(is_confined) => Some(
            "must be of the type \"RuntimeDefault\" or \"Localhost\": a container may not be unconfined".to_owned(),
        ),
        "seLinuxOptions" if !is_baseline_selinux(value) => {
            let types = SELINUX_TYPES.map(|name| format!("{name:?}")).join(", ");
            Some(format!("may have no user and no role, and of the types only one of: {types}"))
        }
        "image" if !text.is_some_and(is_image) => Some(image_problem(value)),
        // What an Argo workflow can do beyond running the pods that it shows.
        "podSpecPatch" => Some("is not allowed: it could change what was checked".to_owned()),
        "templateRef" | "workflowTemplateRef" => {
            Some("is not allowed: a template outside of this document cannot be checked".to_owned())
        }
        "resource" if value.is_object() => {
            Some("is not allowed: a workflow may not make objects of its own".to_owned())
        }
        _ => None,
    }
}

fn adds_nothing(capabilities: &Value) -> bool {
    let Value::Object(capabilities) = capabilities else { return false };
    match capabilities.get("add") {
        None | Some(Value::Null) => true,
        Some(added) => added.as_array().is_some_and(Vec::is_empty),
    }
}

fn is_confined(of_type: &Value) -> bool {
    of_type.as_str().is_some_and(|name| ["RuntimeDefault", "Localhost"].contains(&name))
}

fn is_baseline_selinux(options: &Value) -> bool {
    let Value::Object(options) = options else { return false };
    let text = |key: &str| match options.get(key) {
        None | Some(Value::Null) => Some(""),
        Some(value) => value.as_str(),
    };
    text("user") == Some("") && text("role") == Some("") && text("type").is_some_and(|t| SELINUX_TYPES.contains(&t))
}

/// Whether it is an image reference, or one that a workflow puts together when it runs.
fn is_image(text: &str) -> bool {
    text.contains("{{") || text.parse::<ImageReference>().is_ok()
}

fn image_problem(image: &Value) -> String {
    match image.as_str().map(str::parse::<ImageReference>) {
        Some(Err(error)) => {
            let shown = shown(image);
            format!("was {shown}, which is not an image reference: {}", error.problem)
        }
        Some(Ok(_)) | None => format!("was {}; it may be an image reference such as \"python:3.12\"", shown(image)),
    }
}

/// Kubernetes does not divide GPUs between what is asked for and what is allowed. A limit alone is both.
fn gpus(fields: &Map<String, Value>, path: &str, found: &mut Vec<Violation>) {
    let amount = |list: &str| fields.get(list)?.get(GPU).filter(|amount| !amount.is_null());
    let Some(asked) = amount("requests") else { return };
    let allowed = amount("limits");
    let equal = allowed.is_some_and(|allowed| matches!((parsed(asked), parsed(allowed)), (Some(a), Some(b)) if a == b));
    if !equal {
        let limit = allowed.map_or("no limit".to_owned(), |allowed| format!("a limit of {}", shown(allowed)));
        let why =
            format!("asks for {} GPUs with {limit}; a pod must limit GPUs to exactly what it asks for", shown(asked));
        note(found, path.to_owned(), why);
    }
}

fn parsed(amount: &Value) -> Option<Quantity> {
    match amount {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A value as it stands in an error, cut where it is long.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "a mapping".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(text) => cut(text, |start| format!("{start:?}")),
        Value::Null | Value::Bool(_) | Value::Number(_) => cut(&value.to_string(), str::to_owned),
    }
}

fn shown_key(key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_/.".contains(&byte));
    if plain { cut(key, str::to_owned) } else { cut(key, |start| format!("{start:?}")) }
}

fn cut(text: &str, show: impl Fn(&str) -> String) -> String {
    let start: String = text.chars().take(80).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    format!("{}{more}", show(&start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn told(payload: &Value) -> String {
        violations(payload, "spec").iter().map(|violation| format!("{violation}\n")).collect()
    }

    #[test]
    fn an_ordinary_pod_is_safe() {
        let pod = json!({
            "hostNetwork": false, "serviceAccountName": "default", "automountServiceAccountToken": null,
            "securityContext": { "seccompProfile": { "type": "RuntimeDefault" }, "runAsUser": 0 },
            "containers": [{
                "name": "a", "image": "python:3.12", "ports": [{ "containerPort": 80 }],
                "securityContext": { "capabilities": { "drop": ["ALL"] }, "privileged": false },
                "resources": { "limits": { "nvidia.com/gpu": "1" } },
                "env": [{ "name": "A", "valueFrom": { "resourceFieldRef": { "resource": "limits.cpu" } } }],
            }],
            "volumes": [{ "name": "scratch", "emptyDir": {} }, { "name": "c", "persistentVolumeClaim": { "claimName": "x" } }],
            "nodeSelector": { "hostPath": "a name that people chose" },
        });
        assert_eq!(told(&pod), "");
    }

    #[test]
    fn everything_unsafe_is_told_at_once() {
        let pod = json!({
            "hostNetwork": true, "hostPID": "false", "hostIPC": 1, "nodeName": "n", "serviceAccountName": "root",
            "serviceAccount": "root", "automountServiceAccountToken": true,
            "securityContext": { "sysctls": [{ "name": "kernel.msgmax", "value": "1" }],
                "seccompProfile": { "type": "Unconfined" }, "seLinuxOptions": { "type": "spc_t" } },
            "volumes": [{ "name": "h", "hostPath": { "path": "/" } }, { "name": "n", "nfs": {} }, 7,
                { "name": "p", "projected": { "sources": [{ "serviceAccountToken": { "path": "t" } }] } }],
            "initContainers": [{ "name": "i", "image": "a", "securityContext": { "privileged": true } }],
            "ephemeralContainers": [{ "name": "e", "image": 5, "securityContext": { "procMount": "Unmasked" } }],
            "containers": [{ "name": "a", "image": "A", "ports": [{ "containerPort": 1, "hostPort": 1 }],
                "securityContext": { "capabilities": { "add": ["NET_ADMIN"] } },
                "resources": { "requests": { "nvidia.com/gpu": "1" }, "limits": { "nvidia.com/gpu": 2 } } }],
        });
        insta::assert_snapshot!(told(&pod));
    }

    #[test]
    fn an_argo_workflow_does_nothing_but_run_its_own_pods() {
        let workflow = json!({
            "podSpecPatch": "hostNetwork: true", "workflowTemplateRef": { "name": "other" },
            "templates": [
                { "name": "make", "resource": { "action": "create", "manifest": "kind: Pod" } },
                { "name": "script", "script": { "image": "{{inputs.parameters.image}}", "securityContext": { "privileged": true } } },
                { "name": "dag", "dag": { "tasks": [{ "name": "t", "templateRef": { "name": "other" } }] } },
                { "name": "steps", "steps": [[{ "name": "s", "inline": { "container": { "image": "a" }, "hostNetwork": true } }]] },
            ],
        });
        insta::assert_snapshot!(told(&workflow), @r#"
        spec.podSpecPatch is not allowed: it could change what was checked
        spec.workflowTemplateRef is not allowed: a template outside of this document cannot be checked
        spec.templates[0].resource is not allowed: a workflow may not make objects of its own
        spec.templates[1].script.securityContext.privileged was true; it may be false: a container may not act as its node
        spec.templates[2].dag.tasks[0].templateRef is not allowed: a template outside of this document cannot be checked
        spec.templates[3].steps[0][0].inline.hostNetwork was true; it may be false: a pod may not share its node's namespaces
        "#);
    }

    #[test]
    fn gpus_are_compared_by_value() {
        let resources = |asked: Value, allowed: Value| json!({ "resources": { "requests": { GPU: asked }, "limits": { GPU: allowed } } });
        assert_eq!(told(&resources(json!("1"), json!(1))), "");
        assert_eq!(told(&resources(json!("1"), json!("1000m"))), "");
        assert_eq!(told(&resources(json!([1]), json!([1]))).lines().count(), 1, "what cannot be read is refused");
        insta::assert_snapshot!(told(&json!({ "resources": { "requests": { GPU: "2" } } })), @r#"spec.resources asks for "2" GPUs with no limit; a pod must limit GPUs to exactly what it asks for"#);
    }

    #[test]
    fn a_flood_is_told_in_part_and_long_values_are_cut() {
        let pods: Vec<Value> = (0..1000).map(|_| json!({ "hostNetwork": "x".repeat(10_000) })).collect();
        let found = violations(&json!(pods), "spec");
        assert_eq!(found.len(), MAX_VIOLATIONS);
        assert!(found.iter().all(|violation| violation.to_string().len() < 300));
    }

    /// Any nesting of lists and mappings around a value.
    fn wrapped() -> impl Strategy<Value = Vec<Option<String>>> {
        let key = proptest::sample::select(vec!["spec", "template", "tasks", "jobTemplate", "<<", "ä", "containers"]);
        proptest::collection::vec(proptest::option::of(key.prop_map(str::to_owned)), 0..20)
    }

    proptest! {
        #[test]
        fn nothing_unsafe_hides_however_deep_it_stands(
            wrapping in wrapped(),
            unsafe_field in proptest::sample::select(vec![
                ("hostNetwork", json!(true)), ("hostPID", json!("yes")), ("privileged", json!({})),
                ("hostPath", json!({ "path": "/" })), ("capabilities", json!({ "add": "ALL" })),
                ("serviceAccountName", json!(["root"])), ("nodeName", json!("n")), ("hostPort", json!("80")),
            ]),
        ) {
            let mut payload = json!({ unsafe_field.0: unsafe_field.1 });
            for wrap in wrapping {
                payload = match wrap {
                    Some(key) => json!({ key: payload }),
                    None => json!([null, payload]),
                };
            }
            prop_assert_eq!(violations(&payload, "spec").len(), 1);
        }
    }
}
