//! A CronJob, and the Jobs that it creates. A submitted Job does not become a Kubernetes Job: `objects/batch.rs` says
//! which of its fields the platform implements.

use std::collections::HashSet;

use k8s_openapi::api::batch::v1::{
    CronJobSpec, JobSpec, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule, SuccessPolicyRule,
};

use super::schedule;
use crate::cluster::pod_rules::names::QUALIFIED;
use crate::cluster::pod_rules::report::{At, Report, quoted};

/// Maximum number of rules in a policy.
const MAX_RULES: usize = 20;
/// Maximum number of exit codes in a rule.
const MAX_CODES: usize = 255;
/// Maximum parallelism of an Indexed Job.
const MAX_PARALLELISM: i64 = 100_000;

pub(super) fn cron(cron: &CronJobSpec, at: &At<'_>, report: &mut Report) {
    schedule::check(&cron.schedule, &at.field("schedule"), report);
    if let Some(zone) = &cron.time_zone {
        schedule::zone(zone, &at.field("timeZone"), report);
    }
    let policy = cron.concurrency_policy.as_deref().filter(|policy| !policy.is_empty());
    report.choice(&at.field("concurrencyPolicy"), policy, &["Allow", "Forbid", "Replace"]);
    report.at_least(&at.field("startingDeadlineSeconds"), cron.starting_deadline_seconds, 0);
    for (field, number) in [
        ("successfulJobsHistoryLimit", cron.successful_jobs_history_limit),
        ("failedJobsHistoryLimit", cron.failed_jobs_history_limit),
    ] {
        report.at_least(&at.field(field), number.map(i64::from), 0);
    }
    let at = at.field("jobTemplate");
    let at = at.field("spec");
    match &cron.job_template.spec {
        Some(job) => self::job(job, &at, report),
        None => report.missing(&at),
    }
}

fn job(job: &JobSpec, at: &At<'_>, report: &mut Report) {
    for (field, number) in [
        ("parallelism", job.parallelism.map(i64::from)),
        ("completions", job.completions.map(i64::from)),
        ("activeDeadlineSeconds", job.active_deadline_seconds),
        ("backoffLimit", job.backoff_limit.map(i64::from)),
        ("ttlSecondsAfterFinished", job.ttl_seconds_after_finished.map(i64::from)),
        ("backoffLimitPerIndex", job.backoff_limit_per_index.map(i64::from)),
        ("maxFailedIndexes", job.max_failed_indexes.map(i64::from)),
    ] {
        report.at_least(&at.field(field), number, 0);
    }
    let mode = job.completion_mode.as_deref();
    report.choice(&at.field("completionMode"), mode, &["NonIndexed", "Indexed"]);
    let is_indexed = mode == Some("Indexed");
    if is_indexed {
        if job.completions.is_none() {
            report.say(&at.field("completions"), "is required for an Indexed Job");
        }
        report.range(&at.field("parallelism"), job.parallelism.map(i64::from).filter(|p| *p > 0), 0, MAX_PARALLELISM);
        let failed = job.max_failed_indexes.zip(job.completions).filter(|(failed, all)| failed > all);
        if let Some((failed, all)) = failed {
            report.say(
                &at.field("maxFailedIndexes"),
                format!("was {failed}; it may not be greater than completions, which is {all}"),
            );
        }
    }
    for (field, is_there) in [
        ("backoffLimitPerIndex", job.backoff_limit_per_index.is_some()),
        ("maxFailedIndexes", job.max_failed_indexes.is_some()),
        ("successPolicy", job.success_policy.is_some()),
    ] {
        if is_there && !is_indexed {
            report.say(&at.field(field), "is only allowed for an Indexed Job");
        }
    }
    if job.max_failed_indexes.is_some() && job.backoff_limit_per_index.is_none() {
        report.say(&at.field("maxFailedIndexes"), "is only allowed together with backoffLimitPerIndex");
    }
    if job.managed_by.is_some() {
        report.say(&at.field("managedBy"), "is not supported: the cluster's own controller runs the Jobs");
    }
    if job.manual_selector == Some(true) {
        report.say(&at.field("manualSelector"), "is not allowed: the cluster chooses the labels that select the pods");
    }
    if job.selector.is_some() {
        report.say(&at.field("selector"), "is not allowed: the cluster chooses the labels that select the pods");
    }
    policies(job, at, report);
}

fn policies(job: &JobSpec, at: &At<'_>, report: &mut Report) {
    let pod = job.template.spec.as_ref();
    let template = at.field("template");
    let of_pod = template.field("spec");
    let at_restart = of_pod.field("restartPolicy");
    let restart = pod.and_then(|pod| pod.restart_policy.as_deref()).filter(|policy| !policy.is_empty());
    match restart {
        Some(restart) => report.one_of(&at_restart, restart, &["OnFailure", "Never"]),
        None => report.say(&at_restart, "is required: \"OnFailure\" or \"Never\""),
    }
    let replacement = job.pod_replacement_policy.as_deref();
    let replacements: &[&str] =
        if job.pod_failure_policy.is_some() { &["Failed"] } else { &["TerminatingOrFailed", "Failed"] };
    report.choice(&at.field("podReplacementPolicy"), replacement, replacements);
    if let Some(policy) = &job.pod_failure_policy {
        if restart == Some("OnFailure") {
            report.say(&at_restart, "was \"OnFailure\"; it must be \"Never\" with a podFailurePolicy");
        }
        let at = at.field("podFailurePolicy");
        let at = at.field("rules");
        if policy.rules.len() > MAX_RULES {
            report.say(&at, format!("has {} rules; at most {MAX_RULES} are allowed", policy.rules.len()));
        }
        for (index, rule) in policy.rules.iter().enumerate() {
            failure(rule, job, &at.item(index), report);
        }
    }
    if let Some(policy) = &job.success_policy {
        let at = at.field("successPolicy");
        let at = at.field("rules");
        if policy.rules.is_empty() || policy.rules.len() > MAX_RULES {
            report.say(&at, format!("has {} rules; 1 to {MAX_RULES} are allowed", policy.rules.len()));
        }
        for (index, rule) in policy.rules.iter().enumerate() {
            success(rule, job.completions.unwrap_or(0), &at.item(index), report);
        }
    }
}

fn failure(rule: &PodFailurePolicyRule, job: &JobSpec, at: &At<'_>, report: &mut Report) {
    let at_action = at.field("action");
    report.one_of(&at_action, &rule.action, &["Count", "FailIndex", "FailJob", "Ignore"]);
    if rule.action == "FailIndex" && job.backoff_limit_per_index.is_none() {
        report.say(&at_action, "was \"FailIndex\"; it needs a backoffLimitPerIndex");
    }
    let conditions = rule.on_pod_conditions.as_deref().unwrap_or_default();
    if rule.on_exit_codes.is_some() != conditions.is_empty() {
        report.say(at, "must have exactly one of onExitCodes and onPodConditions");
    }
    let places = at.field("onPodConditions");
    if conditions.len() > MAX_RULES {
        report.say(&places, format!("has {} conditions; at most {MAX_RULES} are allowed", conditions.len()));
    }
    for (index, condition) in conditions.iter().enumerate() {
        let at = places.item(index);
        report.required(&at.field("type"), Some(&condition.type_), &QUALIFIED);
        let status = condition.status.as_deref().filter(|status| !status.is_empty());
        report.choice(&at.field("status"), status, &["False", "True", "Unknown"]);
    }
    if let Some(codes) = &rule.on_exit_codes {
        exit_codes(codes, job, &at.field("onExitCodes"), report);
    }
}

fn exit_codes(codes: &PodFailurePolicyOnExitCodesRequirement, job: &JobSpec, at: &At<'_>, report: &mut Report) {
    report.one_of(&at.field("operator"), &codes.operator, &["In", "NotIn"]);
    if let Some(name) = &codes.container_name {
        let pod = job.template.spec.iter();
        let mut containers = pod.flat_map(|pod| pod.init_containers.iter().flatten().chain(&pod.containers));
        if !containers.any(|container| container.name == *name) {
            report
                .say(&at.field("containerName"), format!("was {}, which is not a container of the pod", quoted(name)));
        }
    }
    let values = at.field("values");
    if codes.values.is_empty() || codes.values.len() > MAX_CODES {
        report.say(&values, format!("has {} codes; 1 to {MAX_CODES} are allowed", codes.values.len()));
    }
    let mut seen = HashSet::new();
    for (index, code) in codes.values.iter().enumerate() {
        if *code == 0 && codes.operator == "In" {
            report.say(&values.item(index), "was 0, which is not the exit code of a failure");
        }
        if !seen.insert(code) {
            report.say(&values.item(index), format!("was {code}, which is given twice"));
        }
    }
    if !codes.values.is_sorted() {
        report.say(&values, "must be in ascending order");
    }
}

fn success(rule: &SuccessPolicyRule, completions: i32, at: &At<'_>, report: &mut Report) {
    if rule.succeeded_count.is_none() && rule.succeeded_indexes.is_none() {
        report.say(at, "must have succeededCount, succeededIndexes or both");
    }
    let mut most = completions;
    if let Some(indexes) = &rule.succeeded_indexes {
        match number_of(indexes, completions) {
            Some(count) => most = count,
            None => {
                let allowed = "task numbers in ascending order, such as \"0,2-5\"";
                report.say(&at.field("succeededIndexes"), format!("was {}; it must be {allowed}", quoted(indexes)));
            }
        }
    }
    report.range(&at.field("succeededCount"), rule.succeeded_count.map(i64::from), 0, i64::from(most));
}

/// How many numbers below `completions` a list such as `0,2-5` contains.
fn number_of(indexes: &str, completions: i32) -> Option<i32> {
    let number = |text: &str| {
        text.parse::<i32>().ok().filter(|index| text.bytes().all(|b| b.is_ascii_digit()) && *index < completions)
    };
    let (mut count, mut before) = (0, -1);
    for part in indexes.split(',').filter(|_| !indexes.is_empty()) {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        if first <= before || (part.contains('-') && last <= first) {
            return None;
        }
        count += last - first + 1;
        before = last;
    }
    Some(count)
}
