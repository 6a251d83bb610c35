//! What a Kubernetes Job reports about its job, why its pods cannot be created, and which ones disappeared while the watch
//! was not running.

use std::collections::HashMap;

use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::Event;
use kube::ResourceExt;

use super::present_uid;
use crate::cluster::Cluster;
use crate::cluster::jobs::{Part, is_job, pods_of};
use crate::cluster::names::JOB_LABEL;
use crate::cluster::pods::{PodState, TaskPod};
use crate::executor::ExecutorMode;
use crate::ids::JobId;
use crate::jobs::life::{ObjectPhase, ObjectRef, ObjectState, Observation, PartState, Seen, reason, refused};
use crate::jobs::model::observed::{self, Expected};
use crate::jobs::model::task::Task;
use crate::reconcile::{Selector, Watched};

/// The reason of the event about a pod that the API server does not accept.
const FAILED_CREATE: &str = "FailedCreate";
/// The reasons of a Job that failed with one of its pods.
const OF_FAILED_PODS: [&str; 3] = ["BackoffLimitExceeded", "PodFailurePolicy", "FailedIndexes"];

fn observation(job: JobId, seen: Seen) -> Observation {
    Observation { job, executor: ExecutorMode::Local, seen }
}

/// The Kubernetes Jobs of all jobs.
pub(super) enum KubernetesJobs {}

impl Watched for KubernetesJobs {
    type Object = Job;
    type Observation = Observation;
    /// The job, and the number of the part.
    type Key = (JobId, usize);
    type Expected = Sought;
    const KIND: &'static str = "Job";

    fn selector() -> Selector {
        Selector::Labels(JOB_LABEL.to_owned())
    }

    fn key(object: &Job) -> Option<(JobId, usize)> {
        Some((job_of(object)?, part_of(object).map_or(0, |part| part.number)))
    }

    async fn seen(cluster: &Cluster, object: Job, listed: bool) -> Option<Observation> {
        let mut state = ObjectState { listed, ..state(&object) };
        // In a list, most of those that failed did so long ago.
        if !listed && state.reason.as_deref() == Some(reason::TASK_FAILED) {
            state.message = failed_task(cluster, &object).await;
        }
        told(&object, state)
    }

    fn deleted(object: Job) -> Option<Observation> {
        let job = job_of(&object)?;
        let (name, uid) = whole(&object)?;
        let whole = ObjectRef { name, uid: Some(uid) };
        let is_whole = part_of(&object).is_none_or(|part| part.number == 0);
        let name = object.name_any();
        Some(observation(job, if is_whole { Seen::Gone(whole) } else { Seen::PartGone { name, whole } }))
    }

    async fn expected(conn: &mut AsyncPgConnection) -> QueryResult<HashMap<(JobId, usize), Sought>> {
        let expected = observed::in_cluster(conn, ExecutorMode::Local).await?;
        Ok(expected.into_iter().flat_map(sought).collect())
    }

    /// Read by name: the list alone proves nothing.
    async fn vanished(cluster: &Cluster, Sought { job, namespace, name, uid, whole }: Sought) -> Option<Observation> {
        let found = present_uid::<Job>(cluster, job, &namespace, &name).await;
        let seen = match whole {
            Some(whole) => Seen::PartGone { name, whole },
            None => Seen::Gone(ObjectRef { name, uid: Some(uid.clone()) }),
        };
        (found != Some(uid)).then(|| observation(job, seen))
    }
}

/// A Job that is expected in the cluster.
pub(super) struct Sought {
    job: JobId,
    namespace: String,
    name: String,
    uid: String,
    /// The Job that stands for the job, if this is a later part.
    whole: Option<ObjectRef>,
}

fn sought(expected: Expected) -> Vec<((JobId, usize), Sought)> {
    let Expected { job, namespace, name, uid, parts } = expected;
    let whole = ObjectRef { name: name.clone(), uid: Some(uid.clone()) };
    let later = parts.0.into_iter().enumerate().skip(1).filter_map(|(number, part)| Some((number, part?)));
    let mut sought: Vec<_> = later
        .map(|(number, part)| {
            let (namespace, whole) = (namespace.clone(), Some(whole.clone()));
            ((job, number), Sought { job, namespace, name: part.name, uid: part.uid, whole })
        })
        .collect();
    sought.push(((job, 0), Sought { job, namespace, name, uid, whole: None }));
    sought
}

fn job_of(object: &Job) -> Option<JobId> {
    object.labels().get(JOB_LABEL)?.parse().ok()
}

fn part_of(object: &Job) -> Option<Part> {
    Part::read(object.annotations())
}

/// The name and uid of the Job that stands for the job: itself, or its owner if it is a later part.
fn whole(object: &Job) -> Option<(String, String)> {
    match part_of(object) {
        Some(part) if part.number > 0 => {
            let owner = object.owner_references().iter().find(|owner| is_job(owner))?;
            Some((owner.name.clone(), owner.uid.clone()))
        }
        _ => Some((object.name_any(), object.uid()?)),
    }
}

/// The observation of a Job's state.
fn told(object: &Job, state: ObjectState) -> Option<Observation> {
    let job = job_of(object)?;
    let (name, uid) = (state.name.clone(), state.uid.clone());
    let seen = match part_of(object) {
        None => Seen::Object(state),
        Some(Part { number, of }) => {
            let (whole, whole_uid) = whole(object)?;
            let state = ObjectState { name: whole, uid: whole_uid, ..state };
            Seen::Part(PartState { number, of, name, uid, state })
        }
    };
    Some(observation(job, seen))
}

/// The state of a job according to its Job.
fn state(object: &Job) -> ObjectState {
    let status = object.status.clone().unwrap_or_default();
    let holds = |kind: &str| {
        let conditions = status.conditions.iter().flatten();
        conditions.into_iter().find(|condition| condition.type_ == kind && condition.status == "True")
    };
    let count = |count: Option<i32>| count.unwrap_or(0);
    let (phase, why) = match (holds("Complete"), holds("Failed"), holds("Suspended")) {
        (Some(complete), _, _) => (ObjectPhase::Succeeded, Some(complete)),
        (None, Some(failed), _) => (ObjectPhase::Failed, Some(failed)),
        (None, None, Some(suspended)) => (ObjectPhase::Pending, Some(suspended)),
        // Which of its pods are placed is known from the pods.
        (None, None, None) if count(status.ready) > 0 => (ObjectPhase::Running, None),
        (None, None, None) => (ObjectPhase::Untold, None),
    };
    let (reason, message) = why.map_or((None, None), |condition| in_words(phase, condition));
    ObjectState {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
        version: object.resource_version().and_then(|version| version.parse().ok()).unwrap_or(0),
        listed: false,
        phase,
        reason,
        message,
        preempted: false,
        failed: count(status.failed),
        deleting: object.metadata.deletion_timestamp.is_some(),
    }
}

/// The reason and the message of a phase: the same as those of a FlashJob, where the controller's words say less.
fn in_words(phase: ObjectPhase, condition: &JobCondition) -> (Option<String>, Option<String>) {
    let word = condition.reason.clone().filter(|word| !word.is_empty());
    match phase {
        // Which task it was, is known from its pod.
        ObjectPhase::Failed if word.as_deref().is_some_and(|word| OF_FAILED_PODS.contains(&word)) => {
            (Some(reason::TASK_FAILED.to_owned()), None)
        }
        ObjectPhase::Pending => {
            (Some(reason::SUSPENDED.to_owned()), Some("the job is suspended in the cluster".to_owned()))
        }
        ObjectPhase::Untold | ObjectPhase::Running | ObjectPhase::Succeeded | ObjectPhase::Failed => {
            (word, condition.message.clone().filter(|message| !message.is_empty()))
        }
    }
}

/// Which task of a Job that failed has failed, and how; `None` if no pod says so.
async fn failed_task(cluster: &Cluster, object: &Job) -> Option<String> {
    let pods = match pods_of(cluster, object).await {
        Ok(pods) => pods,
        Err(error) => {
            tracing::debug!(%error, "the pods of a failed job could not be read");
            return None;
        }
    };
    let read = pods.iter().filter_map(TaskPod::read);
    let failed = read.filter(|pod| pod.state == PodState::Failed && pod.stopped.is_none());
    let first = failed.min_by_key(|pod| (pod.finished_at, pod.task))?;
    Some(Task::of_pod(&first, 1).sentence())
}

/// Events about pods that the API server does not accept from a Job's controller: the Job's status does not show it.
pub(super) enum RejectedPods {}

impl Watched for RejectedPods {
    type Object = Event;
    type Observation = Observation;
    type Key = ();
    type Expected = ();
    const KIND: &'static str = "Event";

    fn selector() -> Selector {
        Selector::Fields(format!("reason={FAILED_CREATE},involvedObject.kind=Job"))
    }

    fn key(_: &Event) -> Option<()> {
        None
    }

    async fn seen(cluster: &Cluster, event: Event, _: bool) -> Option<Observation> {
        let about = event.involved_object;
        let found = match cluster.find::<Job>(about.namespace.as_deref()?, about.name.as_deref()?).await {
            Ok(found) => found.filter(|job| job.metadata.uid == about.uid)?,
            Err(error) => {
                tracing::debug!(%error, "a Job that an event is about could not be read");
                return None;
            }
        };
        let now = state(&found);
        // Once all its pods exist, the event is about the past.
        let missing =
            found.spec.as_ref()?.parallelism.unwrap_or(1) > found.status.as_ref().and_then(|it| it.active).unwrap_or(0);
        if now.phase != ObjectPhase::Untold || !missing {
            return None;
        }
        let words = event.message.unwrap_or_default();
        let words = words.strip_prefix("Error creating: ").unwrap_or(&words).to_owned();
        let rejected = ObjectState {
            phase: ObjectPhase::Pending,
            reason: Some(refused::POD_REJECTED.to_owned()),
            message: Some(words),
            // The version is that of the Job's last state, about which this says more.
            listed: true,
            ..now
        };
        told(&found, rejected)
    }

    fn deleted(_: Event) -> Option<Observation> {
        None
    }

    async fn expected(_: &mut AsyncPgConnection) -> QueryResult<HashMap<(), ()>> {
        Ok(HashMap::new())
    }

    async fn vanished(_: &Cluster, (): ()) -> Option<Observation> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn job(annotations: Value, status: Value) -> Job {
        let owner =
            json!({ "apiVersion": "batch/v1", "kind": "Job", "name": "job-x", "uid": "u0", "controller": true });
        let object = json!({
            "metadata": { "name": "job-x-part-1", "uid": "u1", "resourceVersion": "7", "annotations": annotations,
                "labels": { "platform.job-id": JobId::generate().to_string() }, "ownerReferences": [owner] },
            "status": status,
        });
        serde_json::from_value(object).unwrap()
    }

    fn read(status: Value) -> (ObjectPhase, Option<String>, Option<String>) {
        let state = state(&job(json!({}), status));
        (state.phase, state.reason, state.message)
    }

    fn condition(kind: &str, reason: &str, message: &str) -> Value {
        json!({ "conditions": [{ "type": kind, "status": "True", "reason": reason, "message": message }] })
    }

    #[test]
    fn a_job_that_is_over_says_how() {
        let complete = read(condition("Complete", "CompletionsReached", "Reached expected number of succeeded pods"));
        assert_eq!(complete.0, ObjectPhase::Succeeded);
        let words = |text: &str| Some(text.to_owned());
        let failed = read(condition("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"));
        assert_eq!(failed, (ObjectPhase::Failed, words("TaskFailed"), None));
        let other = read(condition("Failed", "SomethingElse", "it is broken"));
        assert_eq!(other, (ObjectPhase::Failed, words("SomethingElse"), words("it is broken")));
    }

    #[test]
    fn a_job_is_not_over_while_its_pods_are_being_stopped() {
        assert_eq!(read(condition("FailureTarget", "BackoffLimitExceeded", "")).0, ObjectPhase::Untold);
        assert_eq!(read(condition("SuccessCriteriaMet", "CompletionsReached", "")).0, ObjectPhase::Untold);
    }

    #[test]
    fn a_job_runs_when_a_pod_is_ready_and_is_suspended_when_it_says_so() {
        assert_eq!(read(json!({ "active": 2, "ready": 0 })).0, ObjectPhase::Untold);
        assert_eq!(read(json!({ "active": 2, "ready": 1 })).0, ObjectPhase::Running);
        let suspended = read(condition("Suspended", "JobSuspended", "Job suspended"));
        assert_eq!((suspended.0, suspended.1.as_deref()), (ObjectPhase::Pending, Some("Suspended")));
    }

    #[test]
    fn a_later_part_is_told_under_the_name_of_the_whole() {
        let object = job(json!({ "platform.job-part": "1/3" }), json!({}));
        assert_eq!(KubernetesJobs::key(&object).unwrap().1, 1);
        let Some(Observation { seen: Seen::Part(part), .. }) = told(&object, state(&object)) else { panic!("no part") };
        assert_eq!((part.number, part.of, part.name.as_str(), part.uid.as_str()), (1, 3, "job-x-part-1", "u1"));
        assert_eq!((part.state.name.as_str(), part.state.uid.as_str()), ("job-x", "u0"));
        let Some(Observation { seen: Seen::PartGone { name, whole }, .. }) = KubernetesJobs::deleted(object) else {
            panic!("no part")
        };
        assert_eq!((name.as_str(), whole.name.as_str()), ("job-x-part-1", "job-x"));
    }
}
