//! A batch Job as a workload: which of its fields the platform implements, and which it rejects.
//!
//! Every field of `JobSpec` is named here, so that a new one does not go unnoticed.
//! <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/>

use k8s_openapi::api::batch::v1::{Job, JobSpec};

use super::workload::{MAX_TASKS, Refusals, Tasks, Workload, name_of};

/// Maximum number of retries of a job.
const MAX_RETRIES: i32 = 10;

/// The workload of the Job; fields that the platform does not implement are recorded as problems.
pub(super) fn workload(job: Job, refusals: &mut Refusals<'_>) -> Workload {
    let JobSpec {
        active_deadline_seconds,
        backoff_limit,
        backoff_limit_per_index,
        completion_mode,
        completions,
        managed_by,
        manual_selector,
        max_failed_indexes,
        parallelism,
        pod_failure_policy,
        // The tasks are replaced together, after those of the last attempt are gone: that satisfies both values.
        pod_replacement_policy: _,
        selector,
        success_policy,
        suspend,
        template,
        ttl_seconds_after_finished,
    } = job.spec.unwrap_or_default();

    let parallelism = parallelism.unwrap_or(1);
    refusals.range("spec.parallelism", parallelism, 1, MAX_TASKS);
    if let Some(completions) = completions.filter(|&completions| completions != parallelism) {
        let what = format!(
            "was {completions}; it must be {parallelism}, the same as parallelism: every task starts at once and runs once"
        );
        refusals.refuse("spec.completions", what);
    }
    // Kubernetes would retry six times; here a job runs once unless its owner says otherwise.
    let retries = backoff_limit.unwrap_or(0);
    refusals.range("spec.backoffLimit", retries, 0, MAX_RETRIES);
    if let Some(seconds) = active_deadline_seconds {
        refusals.range("spec.activeDeadlineSeconds", seconds, 1, i64::from(i32::MAX));
    }
    if let Some(seconds) = ttl_seconds_after_finished {
        refusals.range("spec.ttlSecondsAfterFinished", seconds, 0, i32::MAX);
    }
    let indexed = match completion_mode.as_deref() {
        None | Some("" | "NonIndexed") => false,
        Some("Indexed") => {
            if completions.is_none() {
                refusals.refuse(
                    "spec.completions",
                    "is missing; an Indexed Job requires it, with the value of parallelism",
                );
            }
            true
        }
        Some(other) => {
            let what = format!("was {other:?}; it must be NonIndexed or Indexed");
            refusals.refuse("spec.completionMode", what);
            false
        }
    };

    let mut unsupported = |given: bool, field: &str, why: &str| {
        if given {
            refusals.refuse(&format!("spec.{field}"), format!("is not supported: {why}"));
        }
    };
    unsupported(suspend == Some(true), "suspend", "a job starts when it is submitted; submit it when it should run");
    unsupported(
        backoff_limit_per_index.is_some(),
        "backoffLimitPerIndex",
        "a job is tried again as a whole; use backoffLimit",
    );
    unsupported(max_failed_indexes.is_some(), "maxFailedIndexes", "a job fails as soon as one of its tasks fails");
    unsupported(pod_failure_policy.is_some(), "podFailurePolicy", "all failures of a task count the same");
    unsupported(success_policy.is_some(), "successPolicy", "a job succeeds when all of its tasks do");
    unsupported(managed_by.is_some(), "managedBy", "the platform runs the job itself");
    unsupported(manual_selector == Some(true), "manualSelector", "the platform chooses the labels that select tasks");
    unsupported(selector.is_some(), "selector", "the platform chooses the labels that select tasks");

    Workload {
        name: name_of(&job.metadata),
        tasks: Tasks::Equal(Box::new(template), usize::try_from(parallelism).unwrap_or(1)),
        min_available: None,
        deadline_seconds: active_deadline_seconds,
        ttl_seconds: ttl_seconds_after_finished.map(i64::from),
        retries,
        indexed,
    }
}
