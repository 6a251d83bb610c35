//! The watch of FlashJobs: what each says of its job, and which have vanished while nobody looked.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::watcher::Event;
use kube::{Api, ResourceExt};

use super::batch::Sink;
use super::source;
use crate::cluster::Cluster;
use crate::cluster::crd::{FlashJob, FlashJobPhase};
use crate::cluster::names::JOB_LABEL;
use crate::db::{Db, error_chain};
use crate::error::ApiError;
use crate::ids::JobId;
use crate::jobs::life::{ObjectPhase, ObjectRef, ObjectState, Observation, Seen, reason};
use crate::jobs::model::observed::{self, Expected};

const RETRY: Duration = Duration::from_millis(500);
/// Missing objects that are asked for at a time.
const ASKED_AT_ONCE: usize = 16;

/// Follows all FlashJobs of ours. After a restart or a 410 the list is compared with the table, and what the table has and
/// the list has not is asked for by name. The list alone proves nothing: the client begins a streaming list before it says
/// so, and what is created between that and our reading of the table is in the table only.
pub(super) async fn follow(db: Db, cluster: Cluster, sink: Sink) {
    let mut events = pin!(source::events::<FlashJob>(&cluster, "FlashJob").await);
    let mut expected = HashMap::new();
    while let Some(event) = events.next().await {
        let goes_on = match event {
            Event::Init => {
                expected = in_cluster(&db).await;
                true
            }
            Event::InitApply(object) => match job_of(&object) {
                Some(job) => {
                    expected.remove(&job);
                    put(&sink, job, Seen::Object(ObjectState { listed: true, ..state(&object) })).await
                }
                None => true,
            },
            Event::InitDone => tell_vanished(&cluster, &sink, expected.drain().map(|(_, missing)| missing)).await,
            Event::Apply(object) => match job_of(&object) {
                Some(job) => put(&sink, job, Seen::Object(state(&object))).await,
                None => true,
            },
            Event::Delete(object) => match job_of(&object) {
                Some(job) => {
                    put(&sink, job, Seen::Gone(ObjectRef { name: object.name_any(), uid: object.uid() })).await
                }
                None => true,
            },
        };
        if !goes_on {
            return;
        }
    }
}

async fn put(sink: &Sink, job: JobId, seen: Seen) -> bool {
    sink.put(Observation { job, seen }).await
}

/// Tells which of the objects that the list had not are not in the cluster.
async fn tell_vanished(cluster: &Cluster, sink: &Sink, missing: impl Iterator<Item = Expected>) -> bool {
    let asked = stream::iter(missing)
        .map(|missing| async move { has_vanished(cluster, &missing).await.then_some(missing) })
        .buffer_unordered(ASKED_AT_ONCE);
    let mut vanished = pin!(asked.filter_map(std::future::ready));
    while let Some(Expected { job, name, uid, .. }) = vanished.next().await {
        if !put(sink, job, Seen::Gone(ObjectRef { name, uid: Some(uid) })).await {
            return false;
        }
    }
    true
}

async fn has_vanished(cluster: &Cluster, missing: &Expected) -> bool {
    let objects = Api::<FlashJob>::namespaced(cluster.client(), &missing.namespace);
    loop {
        match cluster.call(objects.get_metadata_opt(&missing.name)).await {
            Ok(found) => return found.is_none_or(|found| found.uid().as_ref() != Some(&missing.uid)),
            Err(error) => {
                tracing::warn!(job = %missing.job, %error, "the watch cannot tell whether a job's object is there");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn in_cluster(db: &Db) -> HashMap<JobId, Expected> {
    loop {
        match read(db).await {
            Ok(expected) => return expected,
            Err(error) => {
                tracing::warn!(error = %error_chain(&error), "the watch waits for the database");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn read(db: &Db) -> Result<HashMap<JobId, Expected>, ApiError> {
    let expected = observed::in_cluster(&mut *db.connection().await?).await?;
    Ok(expected.into_iter().map(|expected| (expected.job, expected)).collect())
}

fn job_of(object: &FlashJob) -> Option<JobId> {
    object.labels().get(JOB_LABEL)?.parse().ok()
}

/// What an object says of its job.
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

/// Whether a condition says that the job was stopped to make room and has not run since.
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
