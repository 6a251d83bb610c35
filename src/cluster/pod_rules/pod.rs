//! A pod's own fields, and each of its containers.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::{PodDNSConfig, PodSpec};

use super::container::Role;
use super::names::{ADDRESS, LABEL, QUALIFIED, SEARCH_DOMAIN, SUBDOMAIN};
use super::report::{At, Report, quoted};
use super::{amounts, container, placement, security, volumes};

const MAX_NAMESERVERS: usize = 3;
const MAX_SEARCHES: usize = 32;
const MAX_SEARCH_CHARACTERS: usize = 2048;

pub(super) fn check(pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    containers(pod, at, report);
    volumes::check(pod, at, report);
    policies(pod, at, report);
    network(pod, at, report);
    placement::check(pod, at, report);
    security::of_pod(pod, at, report);
    if let Some(resources) = &pod.resources {
        amounts::of_pod(pod, resources, &at.field("resources"), report);
    }
}

fn containers(pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    if pod.containers.is_empty() {
        report.say(&at.field("containers"), "must have at least one container");
    }
    let mut names = HashSet::new();
    let init = pod.init_containers.as_deref().unwrap_or_default();
    for (field, role, containers) in
        [("initContainers", Role::Init, init), ("containers", Role::Main, pod.containers.as_slice())]
    {
        let at = at.field(field);
        for (index, container) in containers.iter().enumerate() {
            if report.is_full() {
                return;
            }
            let at = at.item(index);
            if !names.insert(&container.name) {
                report.say(&at.field("name"), format!("was {}, which is given twice", quoted(&container.name)));
            }
            container::check(container, role, pod, &at, report);
        }
    }
    if pod.ephemeral_containers.iter().flatten().next().is_some() {
        report.say(&at.field("ephemeralContainers"), "is not allowed: they can only be added to a running pod");
    }
}

fn policies(pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    report.choice(&at.field("restartPolicy"), pod.restart_policy.as_deref(), &["Always", "OnFailure", "Never"]);
    let policy = given(&pod.preemption_policy);
    report.choice(&at.field("preemptionPolicy"), policy.as_deref(), &["PreemptLowerPriority", "Never"]);
    report.at_least(&at.field("terminationGracePeriodSeconds"), pod.termination_grace_period_seconds, 0);
    report.range(&at.field("activeDeadlineSeconds"), pod.active_deadline_seconds, 1, i32::MAX.into());
    let names = [
        ("priorityClassName", &pod.priority_class_name),
        ("runtimeClassName", &pod.runtime_class_name),
        ("schedulerName", &pod.scheduler_name),
        ("serviceAccountName", &pod.service_account_name),
    ];
    for (field, name) in names {
        if let Some(name) = given(name) {
            report.form(&at.field(field), &name, &SUBDOMAIN);
        }
    }
    let secrets = at.field("imagePullSecrets");
    for (index, secret) in pod.image_pull_secrets.iter().flatten().enumerate() {
        report.required(&secrets.item(index).field("name"), Some(&secret.name), &SUBDOMAIN);
    }
    let gates = at.field("readinessGates");
    for (index, gate) in pod.readiness_gates.iter().flatten().enumerate() {
        report.required(&gates.item(index).field("conditionType"), Some(&gate.condition_type), &QUALIFIED);
    }
    let gates = at.field("schedulingGates");
    let mut seen = HashSet::new();
    for (index, gate) in pod.scheduling_gates.iter().flatten().enumerate() {
        let at = gates.item(index);
        let at = at.field("name");
        report.required(&at, Some(&gate.name), &QUALIFIED);
        if !seen.insert(&gate.name) {
            report.say(&at, format!("was {}, which is given twice", quoted(&gate.name)));
        }
    }
    let claims = at.field("resourceClaims");
    let mut seen = HashSet::new();
    for (index, claim) in pod.resource_claims.iter().flatten().enumerate() {
        let at = claims.item(index);
        report.required(&at.field("name"), Some(&claim.name), &LABEL);
        if !seen.insert(&claim.name) {
            report.say(&at.field("name"), format!("was {}, which is given twice", quoted(&claim.name)));
        }
        if claim.resource_claim_name.is_some() == claim.resource_claim_template_name.is_some() {
            report.say(&at, "must have exactly one of resourceClaimName and resourceClaimTemplateName");
        }
    }
    if let Some(os) = &pod.os {
        // Kubernetes also has "windows"; the platform's nodes run Linux.
        report.one_of(&at.field("os").field("name"), &os.name, &["linux"]);
    }
}

fn network(pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    for (field, name) in [("hostname", &pod.hostname), ("subdomain", &pod.subdomain)] {
        if let Some(name) = name.as_deref().filter(|name| !name.is_empty()) {
            report.form(&at.field(field), name, &LABEL);
        }
    }
    if let Some(name) = &pod.hostname_override {
        let at = at.field("hostnameOverride");
        report.form(&at, name, &SUBDOMAIN);
        if name.len() > 64 {
            report.say(&at, format!("has {} characters; Linux allows at most 64", name.len()));
        }
        if pod.set_hostname_as_fqdn == Some(true) {
            report.say(&at, "is not allowed together with setHostnameAsFQDN");
        }
    }
    if pod.share_process_namespace == Some(true) && pod.host_pid == Some(true) {
        report.say(&at.field("shareProcessNamespace"), "is not allowed together with hostPID");
    }
    let aliases = at.field("hostAliases");
    for (index, alias) in pod.host_aliases.iter().flatten().enumerate() {
        let at = aliases.item(index);
        report.form(&at.field("ip"), &alias.ip, &ADDRESS);
        let names = at.field("hostnames");
        for (index, name) in alias.hostnames.iter().flatten().enumerate() {
            report.form(&names.item(index), name, &SUBDOMAIN);
        }
    }
    let policy = pod.dns_policy.as_deref().filter(|policy| !policy.is_empty());
    let policies = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
    report.choice(&at.field("dnsPolicy"), policy, &policies);
    let servers = pod.dns_config.as_ref().and_then(|config| config.nameservers.as_deref()).unwrap_or_default();
    if policy == Some("None") && servers.is_empty() {
        report.say(&at.field("dnsConfig").field("nameservers"), "is required with dnsPolicy None");
    }
    if let Some(config) = &pod.dns_config {
        dns(config, &at.field("dnsConfig"), report);
    }
}

fn dns(config: &PodDNSConfig, at: &At<'_>, report: &mut Report) {
    let servers = config.nameservers.as_deref().unwrap_or_default();
    let places = at.field("nameservers");
    if servers.len() > MAX_NAMESERVERS {
        report.say(&places, format!("has {} addresses; at most {MAX_NAMESERVERS} are allowed", servers.len()));
    }
    for (index, server) in servers.iter().enumerate() {
        report.form(&places.item(index), server, &ADDRESS);
    }
    let searches = config.searches.as_deref().unwrap_or_default();
    let places = at.field("searches");
    if searches.len() > MAX_SEARCHES {
        report.say(&places, format!("has {} domains; at most {MAX_SEARCHES} are allowed", searches.len()));
    }
    let characters = searches.iter().map(String::len).sum::<usize>() + searches.len().saturating_sub(1);
    if characters > MAX_SEARCH_CHARACTERS {
        report.say(&places, format!("has {characters} characters; at most {MAX_SEARCH_CHARACTERS} are allowed"));
    }
    for (index, search) in searches.iter().enumerate() {
        report.form(&places.item(index), search, &SEARCH_DOMAIN);
    }
    let options = at.field("options");
    for (index, option) in config.options.iter().flatten().enumerate() {
        if option.name.as_deref().is_none_or(str::is_empty) {
            report.missing(&options.item(index).field("name"));
        }
    }
}
