//! What a FlashJob reports about its job, and which ones disappeared while the watch was not running.

use std::collections::HashMap;

use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use super::present_uid;
use crate::cluster::Cluster;
use crate::cluster::crd::{FlashJob, FlashJobPhase};
use crate::cluster::names::JOB_LABEL;
use crate::executor::ExecutorMode;
use crate::ids::JobId;
use crate::jobs::life::{ObjectPhase, ObjectRef, ObjectState, Observation, Seen, reason};
use crate::jobs::model::observed::{self, Expected};
use crate::reconcile::{Selector, Watched};

/// The FlashJobs of all jobs.
pub(super) enum FlashJobs {}

impl Watched for FlashJobs {
    type Object = FlashJob;
    type Observation = Observation;
    type Key = JobId;
    type Expected = Expected;
    const KIND: &'static str = "FlashJob";

    fn selector() -> Selector {
        Selector::Labels(JOB_LABEL.to_owned())
    }

    fn key(object: &FlashJob) -> Option<JobId> {
        job_of(object)
    }

    async fn seen(_: &Cluster, object: FlashJob, listed: bool) -> Option<Observation> {
        let seen = Seen::Object(ObjectState { listed, ..state(&object) });
        Some(Observation { job: job_of(&object)?, executor: ExecutorMode::Scheduler, seen })
    }

    fn deleted(object: FlashJob) -> Option<Observation> {
        let seen = Seen::Gone(ObjectRef { name: object.name_any(), uid: object.uid() });
        Some(Observation { job: job_of(&object)?, executor: ExecutorMode::Scheduler, seen })
    }

    async fn expected(conn: &mut AsyncPgConnection) -> QueryResult<HashMap<JobId, Expected>> {
        let expected = observed::in_cluster(conn, ExecutorMode::Scheduler).await?;
        Ok(expected.into_iter().map(|expected| (expected.job, expected)).collect())
    }

    /// Read by name: the list alone proves nothing.
    async fn vanished(cluster: &Cluster, Expected { job, namespace, name, uid, .. }: Expected) -> Option<Observation> {
        let found = present_uid::<FlashJob>(cluster, job, &namespace, &name).await;
        let seen = Seen::Gone(ObjectRef { name, uid: Some(uid.clone()) });
        (found != Some(uid)).then_some(Observation { job, executor: ExecutorMode::Scheduler, seen })
    }
}

fn job_of(object: &FlashJob) -> Option<JobId> {
    object.labels().get(JOB_LABEL)?.parse().ok()
}

/// The state of a job according to its object.
fn state(object: &FlashJob) -> ObjectState {
    let status = object.status.as_ref();
    let phase = match status.and_then(|status| status.phase) {
        None => ObjectPhase::Untold,
        Some(FlashJobPhase::Pending) => ObjectPhase::Pending,
        Some(FlashJobPhase::Running) => ObjectPhase::Running,
        Some(FlashJobPhase::Succeeded) => ObjectPhase::Succeeded,
        Some(FlashJobPhase::Failed) => ObjectPhase::Failed,
    };
    let condition = status.and_then(|status| telling(&status.conditions, phase));
    ObjectState {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
        version: object.resource_version().and_then(|version| version.parse().ok()).unwrap_or(0),
        listed: false,
        phase,
        reason: condition.map(|condition| condition.reason.clone()),
        message: condition.map(|condition| condition.message.clone()).filter(|message| !message.is_empty()),
        preempted: status.is_some_and(|status| status.conditions.iter().any(tells_preemption)),
        failed: status.map_or(0, |status| status.failed),
        deleting: object.metadata.deletion_timestamp.is_some(),
    }
}

/// The condition that explains the phase.
fn telling(conditions: &[Condition], phase: ObjectPhase) -> Option<&Condition> {
    let (kind, status) = match phase {
        ObjectPhase::Untold | ObjectPhase::Pending => ("Scheduled", "False"),
        ObjectPhase::Running => return None,
        ObjectPhase::Succeeded => ("Complete", "True"),
        ObjectPhase::Failed => ("Failed", "True"),
    };
    conditions.iter().find(|condition| condition.type_ == kind && condition.status == status)
}

/// Whether a condition reports that the job was preempted and has not run since.
fn tells_preemption(condition: &Condition) -> bool {
    match condition.type_.as_str() {
        reason::PREEMPTED => condition.status == "True",
        "Scheduled" => condition.status == "False" && condition.reason == reason::PREEMPTED,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(status: serde_json::Value) -> ObjectState {
        let object = json!({
            "apiVersion": "scheduling.flash-sched.io/v1alpha1",
            "kind": "FlashJob",
            "metadata": { "name": "job-x", "uid": "u1", "resourceVersion": "7" },
            "spec": { "minAvailable": 1, "tasks": [] },
            "status": status,
        });
        state(&serde_json::from_value(object).unwrap())
    }

    #[test]
    fn a_waiting_job_tells_why() {
        let state = read(json!({
            "phase": "Pending",
            "conditions": [{
                "type": "Scheduled", "status": "False", "reason": "GangShort",
                "message": "gang short by 2 of 4", "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        }));
        assert_eq!((state.phase, state.version), (ObjectPhase::Pending, 7));
        assert_eq!(state.reason.as_deref(), Some("GangShort"));
    }

    #[test]
    fn an_object_without_a_phase_does_not_say() {
        assert_eq!(read(json!({})).phase, ObjectPhase::Untold);
        assert_eq!(read(json!({ "phase": null, "active": 1 })).phase, ObjectPhase::Untold);
    }

    #[test]
    fn a_preemption_is_told_by_its_condition_until_it_is_over() {
        let condition = |kind: &str, status: &str, reason: &str| {
            let time = "2026-01-01T00:00:00Z";
            let it =
                json!({ "type": kind, "status": status, "reason": reason, "message": "", "lastTransitionTime": time });
            read(json!({ "phase": "Pending", "conditions": [it] })).preempted
        };
        assert!(condition("Preempted", "True", "Preempted"));
        assert!(condition("Scheduled", "False", "Preempted"));
        assert!(!condition("Preempted", "False", "Resumed"));
        assert!(!condition("Scheduled", "False", "GangShort"));
    }
}
