//! Labels and annotations: users choose the keys, and some keys enable something or belong to the platform.

use serde_json::{Map, Value};

use super::shown::entry;
use super::{Walk, shown};
use crate::cluster::crd::{GROUP, PREEMPTABLE_ANNOTATION, QUEUE_ANNOTATION};

/// Allowed values of an annotation with an AppArmor or seccomp profile, besides a profile on the node (`localhost/…`).
const CONFINED: [&str; 3] = ["", "runtime/default", "docker/default"];
/// The annotations with such a profile, for Kubernetes versions before the fields existed.
const PROFILES: [&str; 3] = [
    "container.apparmor.security.beta.kubernetes.io/",
    "seccomp.security.alpha.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
];
/// Prefixes of annotations that only their owner may set, with the reason.
const FORBIDDEN_ANNOTATIONS: [(&str, &str); 8] = [
    ("kubernetes.io/config.", "only a kubelet may set it"),
    ("pv.kubernetes.io/", "only the cluster binds claims"),
    ("volume.kubernetes.io/", "only the cluster binds claims"),
    ("volume.beta.kubernetes.io/", "only the cluster binds claims"),
    ("io.kubernetes.cri-o.", "a pod may not change how its node runs it"),
    ("io.katacontainers.", "a pod may not change how its node runs it"),
    ("k8s.v1.cni.cncf.io/", "a pod may not choose its networks"),
    ("kueue.x-k8s.io/", "the platform chooses the queue"),
];
/// The same for labels.
const FORBIDDEN_LABELS: [(&str, &str); 1] = [("kueue.x-k8s.io/", "the platform chooses the queue")];
/// Keys without a domain and with this prefix are the platform's labels.
const OWN: &str = "platform.";

/// The annotations of an object or a template.
pub fn annotations(walk: &mut Walk, entries: &Map<String, Value>, path: &str) {
    for (key, value) in entries {
        if let Some(why) = forbidden_key(walk, key, &FORBIDDEN_ANNOTATIONS).or_else(|| forbidden_value(key, value)) {
            walk.note(format!("{path}{}", entry(key)), why);
        }
    }
}

/// The labels of an object or a template.
pub fn labels(walk: &mut Walk, entries: &Map<String, Value>, path: &str) {
    for key in entries.keys() {
        if let Some(why) = forbidden_key(walk, key, &FORBIDDEN_LABELS) {
            walk.note(format!("{path}{}", entry(key)), why);
        }
    }
}

fn forbidden_key(walk: &Walk, key: &str, forbidden: &[(&str, &str)]) -> Option<String> {
    // Kubernetes ignores the case of annotation keys where it checks them.
    let lower = key.to_ascii_lowercase();
    if walk.is_filled_in(key) {
        return Some("may not contain a template tag".to_owned());
    }
    if lower.starts_with(OWN) && !lower.contains('/') {
        return Some("is not allowed: keys that begin with \"platform.\" are reserved for the platform".to_owned());
    }
    let found = forbidden.iter().find(|(prefix, _)| lower.starts_with(prefix));
    found.map(|(_, why)| format!("is not allowed: {why}"))
}

fn forbidden_value(key: &str, value: &Value) -> Option<String> {
    let lower = key.to_ascii_lowercase();
    if PROFILES.iter().any(|prefix| lower.starts_with(prefix)) {
        let confined = value.as_str().is_some_and(|text| CONFINED.contains(&text) || text.starts_with("localhost/"));
        let why = || {
            let shown = shown(value);
            format!("was {shown}; it must be \"runtime/default\" or \"localhost/…\": a container may not be unconfined")
        };
        return (!confined).then(why);
    }
    // The platform overwrites these two; the user may not set anything else that the scheduler reads.
    let schedulers = lower.strip_prefix(GROUP).is_some_and(|rest| rest.starts_with('/'));
    (schedulers && ![QUEUE_ANNOTATION, PREEMPTABLE_ANNOTATION].contains(&key))
        .then(|| "is not allowed: only the platform gives instructions to the scheduler".to_owned())
}
