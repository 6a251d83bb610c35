//! A Deployment: which pods belong to it, and how they are replaced.

use k8s_openapi::api::apps::v1::{DeploymentSpec, DeploymentStrategy};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::cluster::pod_rules::report::{At, Report, quoted};
use crate::cluster::pod_rules::selectors;

/// Default of `progressDeadlineSeconds`.
const PROGRESS_DEADLINE: i32 = 600;

pub(super) fn check(spec: Option<&DeploymentSpec>, at: &At<'_>, report: &mut Report) {
    let Some(spec) = spec else {
        report.missing(at);
        return;
    };
    for (field, number) in [
        ("replicas", spec.replicas),
        ("minReadySeconds", spec.min_ready_seconds),
        ("revisionHistoryLimit", spec.revision_history_limit),
        ("progressDeadlineSeconds", spec.progress_deadline_seconds),
    ] {
        report.at_least(&at.field(field), number.map(i64::from), 0);
    }
    let (ready, deadline) =
        (spec.min_ready_seconds.unwrap_or(0), spec.progress_deadline_seconds.unwrap_or(PROGRESS_DEADLINE));
    if deadline >= 0 && deadline <= ready {
        let why = format!("was {deadline}; it must be greater than minReadySeconds, which is {ready}");
        report.say(&at.field("progressDeadlineSeconds"), why);
    }
    selector(spec, at, report);
    if let Some(strategy) = &spec.strategy {
        self::strategy(strategy, &at.field("strategy"), report);
    }
    let (template, pod) = (at.field("template"), spec.template.spec.as_ref());
    let at = template.field("spec");
    if let Some(policy) = pod.and_then(|pod| pod.restart_policy.as_deref()) {
        report.one_of(&at.field("restartPolicy"), policy, &["Always"]);
    }
    if pod.is_some_and(|pod| pod.active_deadline_seconds.is_some()) {
        report.say(&at.field("activeDeadlineSeconds"), "is not allowed: the pods of a Deployment do not end");
    }
}

fn selector(spec: &DeploymentSpec, at: &At<'_>, report: &mut Report) {
    let at_selector = at.field("selector");
    let of_labels = spec.selector.match_labels.iter().flatten().next();
    let of_expressions = spec.selector.match_expressions.iter().flatten().next();
    if of_labels.is_none() && of_expressions.is_none() {
        report.say(&at_selector, "is required: it must select the labels of the template");
        return;
    }
    let mut broken = Report::default();
    selectors::labels(&spec.selector, &at_selector, &mut broken);
    let metadata = spec.template.metadata.as_ref();
    let labels = metadata.and_then(|metadata| metadata.labels.as_ref());
    if broken.is_empty() && !selectors::selects(&spec.selector, labels) {
        let template = at.field("template");
        let at = template.field("metadata");
        report.say(
            &at.field("labels"),
            "are not selected by spec.selector; the template must have the labels that it selects",
        );
    }
    report.take(broken);
}

fn strategy(strategy: &DeploymentStrategy, at: &At<'_>, report: &mut Report) {
    let named = strategy.type_.as_deref().filter(|name| !name.is_empty()).unwrap_or("RollingUpdate");
    report.one_of(&at.field("type"), named, &["Recreate", "RollingUpdate"]);
    let Some(update) = &strategy.rolling_update else { return };
    let at = at.field("rollingUpdate");
    if named == "Recreate" {
        report.say(&at, "is not allowed for the type Recreate");
        return;
    }
    let fields = [("maxUnavailable", &update.max_unavailable), ("maxSurge", &update.max_surge)];
    let sizes = fields.map(|(field, size)| size.as_ref().map(|size| share(size, &at.field(field), report)));
    if let [Some(Some((0, _))), Some(Some((0, _)))] = sizes {
        report.say(&at.field("maxUnavailable"), "was 0; it must be greater than 0 when maxSurge is 0");
    }
    if let [Some(Some((percent, true))), _] = sizes
        && percent > 100
    {
        report.say(&at.field("maxUnavailable"), format!("was {percent}%; it must be at most 100%"));
    }
}

/// A number or a percentage of pods.
fn share(size: &IntOrString, at: &At<'_>, report: &mut Report) -> Option<(i32, bool)> {
    match size {
        IntOrString::Int(number) => {
            report.at_least(at, Some(i64::from(*number)), 0);
            Some((*number, false))
        }
        IntOrString::String(text) => {
            let digits = text.strip_suffix('%').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
            let percent = digits.and_then(|digits| digits.parse().ok());
            if percent.is_none() {
                report.say(
                    at,
                    format!("was {}; it must be a whole number, or a percentage such as \"25%\"", quoted(text)),
                );
            }
            percent.map(|percent| (percent, true))
        }
    }
}
