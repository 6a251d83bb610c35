//! Where a pod may run: node selector, affinity, tolerations, topology spread.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::{Affinity, NodeAffinity, PodAffinityTerm, PodSpec, TopologySpreadConstraint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::names::{LABEL, LABEL_VALUE, QUALIFIED};
use super::report::{At, Report, quoted};
use super::selectors;

pub(super) fn check(pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    let selector = at.field("nodeSelector");
    for (key, value) in pod.node_selector.iter().flatten() {
        if !(QUALIFIED.fits)(key) {
            report.say(&selector, format!("has the key {}; it must be {}", quoted(key), QUALIFIED.allowed));
        }
        report.form(&selector.key(key), value, &LABEL_VALUE);
    }
    if let Some(affinity) = &pod.affinity {
        self::affinity(affinity, &at.field("affinity"), report);
    }
    let tolerations = at.field("tolerations");
    for (index, toleration) in pod.tolerations.iter().flatten().enumerate() {
        selectors::toleration(toleration, &tolerations.item(index), report);
    }
    let constraints = at.field("topologySpreadConstraints");
    let mut seen = HashSet::new();
    for (index, constraint) in pod.topology_spread_constraints.iter().flatten().enumerate() {
        let at = constraints.item(index);
        if !seen.insert((&constraint.topology_key, &constraint.when_unsatisfiable)) {
            report.say(&at, "repeats the topologyKey and whenUnsatisfiable of an earlier constraint");
        }
        spread(constraint, &at, report);
    }
}

fn affinity(affinity: &Affinity, at: &At<'_>, report: &mut Report) {
    if let Some(node) = &affinity.node_affinity {
        node_affinity(node, &at.field("nodeAffinity"), report);
    }
    let pods = affinity.pod_affinity.as_ref().map(|pods| {
        (
            "podAffinity",
            &pods.required_during_scheduling_ignored_during_execution,
            &pods.preferred_during_scheduling_ignored_during_execution,
        )
    });
    let other = affinity.pod_anti_affinity.as_ref().map(|pods| {
        (
            "podAntiAffinity",
            &pods.required_during_scheduling_ignored_during_execution,
            &pods.preferred_during_scheduling_ignored_during_execution,
        )
    });
    for (name, required, preferred) in pods.into_iter().chain(other) {
        let at = at.field(name);
        let terms = at.field("requiredDuringSchedulingIgnoredDuringExecution");
        for (index, term) in required.iter().flatten().enumerate() {
            pod_term(term, &terms.item(index), report);
        }
        let terms = at.field("preferredDuringSchedulingIgnoredDuringExecution");
        for (index, weighted) in preferred.iter().flatten().enumerate() {
            let at = terms.item(index);
            report.range(&at.field("weight"), Some(weighted.weight.into()), 1, 100);
            pod_term(&weighted.pod_affinity_term, &at.field("podAffinityTerm"), report);
        }
    }
}

fn node_affinity(affinity: &NodeAffinity, at: &At<'_>, report: &mut Report) {
    if let Some(required) = &affinity.required_during_scheduling_ignored_during_execution {
        let at = at.field("requiredDuringSchedulingIgnoredDuringExecution");
        let terms = at.field("nodeSelectorTerms");
        if required.node_selector_terms.is_empty() {
            report.say(&terms, "must have at least one term");
        }
        for (index, term) in required.node_selector_terms.iter().enumerate() {
            selectors::node_term(term, &terms.item(index), report);
        }
    }
    let preferred = at.field("preferredDuringSchedulingIgnoredDuringExecution");
    for (index, term) in affinity.preferred_during_scheduling_ignored_during_execution.iter().flatten().enumerate() {
        let at = preferred.item(index);
        report.range(&at.field("weight"), Some(term.weight.into()), 1, 100);
        selectors::node_term(&term.preference, &at.field("preference"), report);
    }
}

fn pod_term(term: &PodAffinityTerm, at: &At<'_>, report: &mut Report) {
    report.required(&at.field("topologyKey"), Some(&term.topology_key), &QUALIFIED);
    for (name, selector) in [("labelSelector", &term.label_selector), ("namespaceSelector", &term.namespace_selector)] {
        if let Some(selector) = selector {
            selectors::labels(selector, &at.field(name), report);
        }
    }
    let namespaces = at.field("namespaces");
    for (index, namespace) in term.namespaces.iter().flatten().enumerate() {
        report.form(&namespaces.item(index), namespace, &LABEL);
    }
    for (name, keys) in [("matchLabelKeys", &term.match_label_keys), ("mismatchLabelKeys", &term.mismatch_label_keys)] {
        label_keys(keys.as_deref(), term.label_selector.as_ref(), &at.field(name), report);
    }
    let differing = at.field("mismatchLabelKeys");
    for (index, key) in term.mismatch_label_keys.iter().flatten().enumerate() {
        if term.match_label_keys.iter().flatten().any(|equal| equal == key) {
            report.say(&differing.item(index), format!("was {}, which matchLabelKeys has as well", quoted(key)));
        }
    }
}

/// Keys whose values on the pod itself are added to a selector.
fn label_keys(keys: Option<&[String]>, selector: Option<&LabelSelector>, at: &At<'_>, report: &mut Report) {
    let keys = keys.unwrap_or_default();
    let selects = |key: &String| {
        let expressions = selector.and_then(|selector| selector.match_expressions.as_ref());
        let labels = selector.and_then(|selector| selector.match_labels.as_ref());
        labels.is_some_and(|labels| labels.contains_key(key))
            || expressions.into_iter().flatten().any(|expression| &expression.key == key)
    };
    if !keys.is_empty() && selector.is_none() {
        report.say(at, "is only allowed with a labelSelector");
    }
    let mut seen = HashSet::new();
    for (index, key) in keys.iter().enumerate() {
        let at = at.item(index);
        report.form(&at, key, &QUALIFIED);
        if !seen.insert(key) {
            report.say(&at, format!("was {}, which is given twice", quoted(key)));
        }
        // The documentation forbids it; the API server accepts it.
        if selects(key) {
            report.say(&at, format!("was {}, which the labelSelector has as well", quoted(key)));
        }
    }
}

fn spread(constraint: &TopologySpreadConstraint, at: &At<'_>, report: &mut Report) {
    report.at_least(&at.field("maxSkew"), Some(constraint.max_skew.into()), 1);
    report.required(&at.field("topologyKey"), Some(&constraint.topology_key), &QUALIFIED);
    let unsatisfiable = &constraint.when_unsatisfiable;
    report.one_of(&at.field("whenUnsatisfiable"), unsatisfiable, &["DoNotSchedule", "ScheduleAnyway"]);
    if let Some(domains) = constraint.min_domains {
        let at = at.field("minDomains");
        report.at_least(&at, Some(domains.into()), 1);
        if unsatisfiable != "DoNotSchedule" {
            report.say(&at, "is only allowed with whenUnsatisfiable DoNotSchedule");
        }
    }
    let policies = ["Honor", "Ignore"];
    report.choice(&at.field("nodeAffinityPolicy"), constraint.node_affinity_policy.as_deref(), &policies);
    report.choice(&at.field("nodeTaintsPolicy"), constraint.node_taints_policy.as_deref(), &policies);
    if let Some(selector) = &constraint.label_selector {
        selectors::labels(selector, &at.field("labelSelector"), report);
    }
    let (keys, selector) = (constraint.match_label_keys.as_deref(), constraint.label_selector.as_ref());
    label_keys(keys, selector, &at.field("matchLabelKeys"), report);
}
