//! The columns of what runs pods: jobs, deployments and their like.

use super::ColumnType;
use super::age;
use super::builtin::{AGE, Column, NAME, wide};
use super::cell::{Row, list, number, selector, text, walk};
use serde_json::Value;

const TEMPLATE: &str = "/spec/template/spec";
const JOB_TEMPLATE: &str = "/spec/jobTemplate/spec/template/spec";

/// The columns of a kind of the groups `batch` and `apps`.
pub(super) fn columns(group: &str, kind: &str) -> Option<&'static [Column]> {
    Some(match (group, kind) {
        ("batch", "Job") => JOB,
        ("batch", "CronJob") => CRON_JOB,
        ("apps", "Deployment") => DEPLOYMENT,
        ("apps", "ReplicaSet") => REPLICA_SET,
        ("apps", "StatefulSet") => STATEFUL_SET,
        ("apps", "DaemonSet") => DAEMON_SET,
        _ => return None,
    })
}

const CONTAINERS: Column = wide("Containers", |row| row.containers(TEMPLATE));
const IMAGES: Column = wide("Images", |row| row.images(TEMPLATE));
const SELECTOR: Column = wide("Selector", |row| selector(row.object, "/spec/selector").into());

const JOB: &[Column] = &[
    NAME,
    Column::text("Status", job_status),
    Column::text("Completions", job_completions),
    Column::text("Duration", job_duration),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

fn job_status(row: &Row) -> Value {
    let has = |kind: &str| {
        list(row.object, "/status/conditions")
            .any(|condition| condition["type"] == kind && condition["status"] == "True")
    };
    let ended = ["Complete", "Failed"].into_iter().find(|kind| has(kind));
    let word = ended.unwrap_or_else(|| {
        if text(row.object, "/metadata/deletionTimestamp").is_some() {
            return "Terminating";
        }
        let halfway = ["Suspended", "FailureTarget", "SuccessCriteriaMet"].into_iter().find(|kind| has(kind));
        halfway.unwrap_or("Running")
    });
    word.into()
}

fn job_completions(row: &Row) -> Value {
    let succeeded = number(row.object, "/status/succeeded").unwrap_or(0);
    let parallelism = number(row.object, "/spec/parallelism").unwrap_or(1);
    match number(row.object, "/spec/completions") {
        Some(completions) => format!("{succeeded}/{completions}").into(),
        None if parallelism > 1 => format!("{succeeded}/1 of {parallelism}").into(),
        None => format!("{succeeded}/1").into(),
    }
}

fn job_duration(row: &Row) -> Value {
    let Some(start) = text(row.object, "/status/startTime").and_then(age::parse) else { return "".into() };
    let failed = || {
        let failure = list(row.object, "/status/conditions")
            .find(|condition| condition["type"] == "Failed" && condition["status"] == "True");
        failure.and_then(|condition| text(condition, "/lastTransitionTime"))
    };
    let end = text(row.object, "/status/completionTime").or_else(failed).and_then(age::parse);
    age::human(end.unwrap_or(row.now) - start).into()
}

const CRON_JOB: &[Column] = &[
    NAME,
    Column::text("Schedule", |row| row.text_or("/spec/schedule", "")),
    Column::text("Timezone", |row| row.text_or("/spec/timeZone", "<none>")),
    Column::of("Suspend", ColumnType::Boolean, |row| {
        let is_suspended = row.object["spec"]["suspend"] == true;
        if is_suspended { "True".into() } else { "False".into() }
    }),
    Column::of("Active", ColumnType::Integer, |row| list(row.object, "/status/active").count().into()),
    Column::text("Last Schedule", |row| match walk(row.object, "/status/lastScheduleTime") {
        None => "<none>".into(),
        last => age::since(last, row.now).into(),
    }),
    AGE,
    wide("Containers", |row| row.containers(JOB_TEMPLATE)),
    wide("Images", |row| row.images(JOB_TEMPLATE)),
    wide("Selector", |row| selector(row.object, "/spec/jobTemplate/spec/selector").into()),
];

const DEPLOYMENT: &[Column] = &[
    NAME,
    Column::text("Ready", ready_of_wanted),
    Column::text("Up-to-date", |row| row.number("/status/updatedReplicas")),
    Column::text("Available", |row| row.number("/status/availableReplicas")),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

fn ready_of_wanted(row: &Row) -> Value {
    let ready = number(row.object, "/status/readyReplicas").unwrap_or(0);
    format!("{ready}/{}", number(row.object, "/spec/replicas").unwrap_or(1)).into()
}

const REPLICA_SET: &[Column] = &[
    NAME,
    Column::of("Desired", ColumnType::Integer, |row| number(row.object, "/spec/replicas").unwrap_or(1).into()),
    Column::of("Current", ColumnType::Integer, |row| row.number("/status/replicas")),
    Column::of("Ready", ColumnType::Integer, |row| row.number("/status/readyReplicas")),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

const STATEFUL_SET: &[Column] = &[NAME, Column::text("Ready", ready_of_wanted), AGE, CONTAINERS, IMAGES];

const DAEMON_SET: &[Column] = &[
    NAME,
    Column::of("Desired", ColumnType::Integer, |row| row.number("/status/desiredNumberScheduled")),
    Column::of("Current", ColumnType::Integer, |row| row.number("/status/currentNumberScheduled")),
    Column::of("Ready", ColumnType::Integer, |row| row.number("/status/numberReady")),
    Column::of("Up-to-date", ColumnType::Integer, |row| row.number("/status/updatedNumberScheduled")),
    Column::of("Available", ColumnType::Integer, |row| row.number("/status/numberAvailable")),
    Column::text("Node Selector", |row| super::cell::labels(row.object, "/spec/template/spec/nodeSelector").into()),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
