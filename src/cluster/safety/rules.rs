//! The fields with restricted values: one row each.

use serde_json::Value;

use super::shown;

/// How a rejection is phrased.
enum Told {
    /// `was true; it must be false: …`, with the allowed value.
    May(&'static str),
    /// `is not allowed: …`
    Never,
    /// In the row's own words.
    Plainly,
}

/// One field: its place, its allowed values, and the reason.
struct Rule {
    /// Its name in lower case.
    field: &'static str,
    /// The parent fields to which the rule is limited; empty for all.
    within: &'static [&'static str],
    /// Whether this value, which is not null, is allowed.
    allows: fn(&Value) -> bool,
    told: Told,
    why: &'static str,
}

const fn rule(field: &'static str, allows: fn(&Value) -> bool, told: Told, why: &'static str) -> Rule {
    Rule { field, within: &[], allows, told, why }
}

const fn within(field: &'static str, within: &'static [&'static str], of: Rule) -> Rule {
    Rule { field, within, ..of }
}

const HOST: &str = "a pod may not share its node's namespaces";
const NODE: &str = "a container may not act as its node";
const TOKEN: &str = "jobs get no service-account token";
const QUEUE: &str = "the queue decides it";
const OUTSIDE: &str = "a template outside this document cannot be checked";

/// SELinux types of the baseline profile.
const SELINUX_TYPES: [&str; 5] = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];
/// Kernel parameters of the baseline profile: those that are namespaced.
const SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

const RULES: &[Rule] = &[
    // The baseline profile.
    rule("hostnetwork", is_false, Told::May("false"), HOST),
    rule("hostpid", is_false, Told::May("false"), HOST),
    rule("hostipc", is_false, Told::May("false"), HOST),
    rule("privileged", is_false, Told::May("false"), NODE),
    rule("hostprocess", is_false, Told::May("false"), NODE),
    rule("capabilities", adds_nothing, Told::Never, "a container may only drop capabilities"),
    rule("hostpath", never, Told::Never, "a pod may not see its node's files"),
    rule("hostport", is_zero, Told::May("0"), "a pod may not take its node's ports"),
    within(
        "host",
        &["httpget", "tcpsocket"],
        rule("", is_empty, Told::May("left out"), "a probe or a hook may only reach its own pod"),
    ),
    rule("apparmorprofile", is_confined, Told::Plainly, CONFINED),
    rule("seccompprofile", is_confined, Told::Plainly, CONFINED),
    rule("selinuxoptions", is_baseline_selinux, Told::Plainly, SELINUX),
    rule("procmount", is_default, Told::May("\"Default\""), "a container may not see all of /proc"),
    rule("sysctls", are_own_sysctls, Told::Plainly, SYSCTL),
    // The identity of a pod.
    rule("automountserviceaccounttoken", is_false, Told::May("false"), TOKEN),
    rule("serviceaccountname", is_default_account, Told::May("\"default\""), TOKEN),
    rule("serviceaccount", is_default_account, Told::May("\"default\""), TOKEN),
    rule("serviceaccounttoken", never, Told::Never, TOKEN),
    // Where and when it runs.
    rule("nodename", is_empty, Told::Never, "the scheduler chooses the node"),
    rule("matchfields", is_empty_list, Told::Never, "the scheduler chooses the node"),
    rule("namespaces", is_empty_list, Told::Never, OTHERS),
    rule("namespaceselector", never, Told::Never, OTHERS),
    rule("priority", never, Told::Never, QUEUE),
    rule("podpriority", never, Told::Never, QUEUE),
    rule("preemptionpolicy", never, Told::Never, QUEUE),
    rule("priorityclassname", is_not_system, Told::Never, SYSTEM),
    rule("podpriorityclassname", is_not_system, Told::Never, SYSTEM),
    rule("runtimeclassname", never, Told::Never, "the platform's nodes choose how they run pods"),
    rule("overhead", never, Told::Never, "only a runtime class may set it"),
    rule("schedulinggates", is_empty_list, Told::Never, "nothing would remove the gate"),
    rule("ephemeralcontainers", is_empty_list, Told::Never, "they can only be added to a running pod"),
    // What it is given.
    rule("resourceclaims", is_empty_list, Told::Never, DEVICES),
    within("claims", &["resources"], rule("", is_empty_list, Told::Never, DEVICES)),
    rule("mountpropagation", is_inward, Told::May("\"None\" or \"HostToContainer\""), "a mount may not reach its node"),
    // What would keep a pod from ever being deleted, or make it depend on a foreign object.
    within("finalizers", &["metadata"], rule("", is_empty_list, Told::Never, "nothing would remove it")),
    within("ownerreferences", &["metadata"], rule("", is_empty_list, Told::Never, "the platform owns the pod")),
    // What an Argo workflow can do beyond running the pods that it shows.
    rule("podspecpatch", never, Told::Never, "it could change what was checked"),
    rule("templateref", never, Told::Never, OUTSIDE),
    rule("workflowtemplateref", never, Told::Never, OUTSIDE),
    rule("resource", is_no_mapping, Told::Never, "a workflow may not create other objects"),
    rule("plugin", is_no_mapping, Told::Never, "a workflow may only run the containers that it shows"),
];

const CONFINED: &str = "must be of the type \"RuntimeDefault\" or \"Localhost\": a container may not be unconfined";
const SELINUX: &str = "may not set user or role, and its type must be one of: \"\", \"container_t\", \"container_init_t\", \"container_kvm_t\", \"container_engine_t\"";
const SYSCTL: &str = "is not allowed: a pod may not change its node's kernel; only kernel.shm_rmid_forced and the net.ipv4 parameters of the pod's own network are allowed";
const OTHERS: &str = "pods of other projects may not decide where a pod runs";
const SYSTEM: &str = "priority classes that begin with \"system-\" are reserved for the cluster";
const DEVICES: &str = "GPUs are requested as nvidia.com/gpu in limits";

/// Why this field, whose name is in lower case, may not have this value, which is not null. `parent` is the parent
/// field and `above` the one above that.
pub fn refusal(field: &str, value: &Value, parent: &str, above: &str) -> Option<String> {
    let rule =
        RULES.iter().find(|rule| rule.field == field && (rule.within.is_empty() || rule.within.contains(&parent)))?;
    // A document's own metadata is replaced by the platform; a template's is copied to the pods.
    let of_document = parent == "metadata" && above == super::DOCUMENT && rule.within == ["metadata"];
    if (rule.allows)(value) || of_document {
        return None;
    }
    Some(match rule.told {
        Told::May(allowed) => format!("was {}; it must be {allowed}: {}", shown(value), rule.why),
        Told::Never if field == "capabilities" => format!("may not add any: {}", rule.why),
        Told::Never => format!("is not allowed: {}", rule.why),
        Told::Plainly => rule.why.to_owned(),
    })
}

fn never(_: &Value) -> bool {
    false
}

fn is_false(value: &Value) -> bool {
    *value == false
}

fn is_zero(value: &Value) -> bool {
    value.as_i64() == Some(0)
}

fn is_empty(value: &Value) -> bool {
    value.as_str() == Some("")
}

fn is_default(value: &Value) -> bool {
    value.as_str() == Some("Default")
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

fn is_no_mapping(value: &Value) -> bool {
    !value.is_object()
}

fn is_default_account(value: &Value) -> bool {
    value.as_str().is_some_and(|name| ["", "default"].contains(&name))
}

fn is_not_system(value: &Value) -> bool {
    value.as_str().is_some_and(|name| !name.starts_with("system-") && !name.contains("{{"))
}

fn is_inward(value: &Value) -> bool {
    value.as_str().is_some_and(|mode| ["None", "HostToContainer"].contains(&mode))
}

fn adds_nothing(capabilities: &Value) -> bool {
    capabilities.as_object().is_some_and(|lists| super::member(lists, "add").is_none_or(is_empty_list))
}

fn is_confined(profile: &Value) -> bool {
    let of_type = profile.get("type").and_then(Value::as_str);
    of_type.is_some_and(|name| ["RuntimeDefault", "Localhost"].contains(&name))
}

fn is_baseline_selinux(options: &Value) -> bool {
    let Value::Object(options) = options else { return false };
    let text = |key: &str| super::member(options, key).map_or(Some(""), Value::as_str);
    text("user") == Some("") && text("role") == Some("") && text("type").is_some_and(|t| SELINUX_TYPES.contains(&t))
}

fn are_own_sysctls(sysctls: &Value) -> bool {
    let Value::Array(list) = sysctls else { return false };
    list.iter().all(|one| one.get("name").and_then(Value::as_str).is_some_and(|name| SYSCTLS.contains(&name)))
}
