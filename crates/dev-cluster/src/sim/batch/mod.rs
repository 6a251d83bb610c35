//! The pretend batch controllers: a Job gets its pods, counts how they end, and comes to its own end.
//!
//! Not played: `podFailurePolicy`, `successPolicy`, adopting pods that somebody else made. Backoffs, deadlines and times to
//! live are divided by the speed.

mod decide;
mod indexes;
mod orphans;
mod pods;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::batch::v1::{Job, JobStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Selector;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::control::{self, Trigger, gone_is_fine};
use super::informer::{Change, Informer};
use super::recorder::{Note, Recorder};
use super::speed::Speed;
use super::to_trigger;
use decide::{Plan, decide, settle};
use pods::{TRACKING, Wanted};
use verdict::{finished_at, is_finished};

/// The source of the events.
const COMPONENT: &str = "job-controller";
/// Who a Job without `managedBy` belongs to.
const MANAGER: &str = "kubernetes.io/job-controller";
/// The first and the longest wait after pods could not be made.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(600);

/// What every reconciliation needs.
struct Controller {
    client: Client,
    speed: Speed,
    recorder: Recorder,
    jobs: Informer<Job>,
    /// How often in a row the pods of a Job could not be made, by its uid.
    refusals: Mutex<HashMap<String, u32>>,
}

impl Controller {
    fn jobs(&self, job: &Job) -> Api<Job> {
        Api::namespaced(self.client.clone(), &job.namespace().unwrap_or_default())
    }

    fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace)
    }

    fn refused(&self, job: &Job) -> Duration {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let times = refusals.entry(job.uid().unwrap_or_default()).or_insert(0);
        let wait = (FIRST_RETRY * 2_u32.pow((*times).min(16))).min(LONGEST_RETRY);
        *times += 1;
        wait
    }

    fn accepted(&self, job: &Job) {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).remove(&job.uid().unwrap_or_default());
    }
}

/// Starts the controller of Jobs.
pub(super) fn start(
    client: Client,
    speed: Speed,
    recorder: Recorder,
    pods: Informer<Pod>,
    tasks: &TaskTracker,
    cancel: CancellationToken,
) {
    let jobs = Informer::<Job>::start(Api::all(client.clone()), tasks, cancel.clone());
    let of_jobs = job_triggers(&jobs, &pods);
    let of_orphans = orphans::triggers(&jobs, &pods);
    let (job_store, pod_store) = (jobs.store(), pods.store());
    let controller = Arc::new(Controller { client, speed, recorder, jobs, refusals: Mutex::default() });
    tasks.spawn(async move {
        let all_known = async { controller.jobs.ready().await && pods.ready().await };
        if cancel.run_until_cancelled(all_known).await != Some(true) {
            return;
        }
        let for_orphans = controller.clone();
        tokio::join!(
            control::run("jobs", controller, job_store, of_jobs, reconcile, cancel.clone()),
            control::run("pods of jobs", for_orphans, pod_store, of_orphans, orphans::reconcile, cancel.clone()),
        );
    });
}

fn job_triggers(jobs: &Informer<Job>, pods: &Informer<Pod>) -> impl Stream<Item = Trigger<Job>> + Send + 'static {
    let by_pod = pods.changes().filter_map(|change| {
        std::future::ready(match change {
            Change::One(pod) => owner(&pod).map(|(name, _)| {
                Trigger::One(ObjectRef::new(&name).within(pod.metadata.namespace.as_deref().unwrap_or_default()))
            }),
            Change::All => Some(Trigger::All),
        })
    });
    stream::select(jobs.changes().map(to_trigger), by_pod)
}

/// Name and uid of the Job that a pod belongs to.
fn owner(pod: &Pod) -> Option<(String, String)> {
    let mut owners = pod.owner_references().iter();
    let owner = owners.find(|owner| owner.controller == Some(true) && owner.kind == "Job")?;
    owner.api_version.starts_with("batch/").then(|| (owner.name.clone(), owner.uid.clone()))
}

/// Brings one Job forward.
async fn reconcile(cached: Arc<Job>, controller: Arc<Controller>) -> Result<Action, kube::Error> {
    let name = cached.name_any();
    // Job and pods are asked for and not taken from the caches: these may not know yet what the last turn did.
    let Some(job) = controller.jobs(&cached).get_opt(&name).await? else {
        controller.accepted(&cached);
        return Ok(Action::await_change());
    };
    let managed_by = job.spec.as_ref().and_then(|spec| spec.managed_by.as_deref());
    if managed_by.is_some_and(|manager| manager != MANAGER) {
        return Ok(Action::await_change());
    }
    let pods = pods_of(&job, &controller).await?;
    if is_finished(&job) {
        return after_the_end(&job, &pods, &controller).await;
    }
    let plan = decide(&job, &pods, Timestamp::now(), controller.speed);
    let again = plan.again;
    let made = carry_out(&job, plan, &controller).await?;
    let wait = if made { again } else { Some(controller.refused(&job)) };
    Ok(wait.map_or_else(Action::await_change, Action::requeue))
}

async fn pods_of(job: &Job, controller: &Controller) -> Result<Vec<Pod>, kube::Error> {
    let selector = job.spec.as_ref().and_then(|spec| spec.selector.clone()).unwrap_or_default();
    let selector = Selector::try_from(selector).unwrap_or_default();
    let params = ListParams::default().labels_from(&selector);
    let mut pods = controller.pods(&job.namespace().unwrap_or_default()).list(&params).await?.items;
    let uid = job.uid();
    pods.retain(|pod| owner(pod).map(|(_, uid)| uid) == uid);
    Ok(pods)
}

/// Does what was decided; false when pods could not be made.
async fn carry_out(job: &Job, mut plan: Plan<'_>, controller: &Controller) -> Result<bool, kube::Error> {
    for pod in &plan.surplus {
        let_go(pod, controller).await?;
        stop(job, pod, controller).await?;
    }
    for pod in &plan.stop {
        stop(job, pod, controller).await?;
    }
    let mut made = true;
    for wanted in &plan.create {
        if !make(job, *wanted, controller).await? {
            made = false;
            plan.status.active = plan.status.active.map(|active| active - 1).filter(|active| *active > 0);
        }
    }
    if made && !plan.create.is_empty() {
        controller.accepted(job);
    }
    let job = write_status(job, plan.status, controller).await?;
    for note in plan.notes {
        controller.recorder.tell(&job, COMPONENT, note);
    }
    for pod in &plan.ended {
        let_go(pod, controller).await?;
    }
    let (status, note) = settle(job.status.clone().unwrap_or_default(), Timestamp::now());
    let job = write_status(&job, status, controller).await?;
    if let Some(note) = note {
        controller.recorder.tell(&job, COMPONENT, note);
    }
    Ok(made)
}

/// Writes a status that differs; a conflict if the Job is not what it was decided about.
async fn write_status(job: &Job, status: JobStatus, controller: &Controller) -> Result<Job, kube::Error> {
    let mut next = job.clone();
    next.status = Some(status);
    let text = |job: &Job| serde_json::to_value(&job.status).map_err(kube::Error::SerdeError);
    if text(job)? == text(&next)? {
        return Ok(next);
    }
    controller.jobs(job).replace_status(&job.name_any(), &PostParams::default(), &next).await
}

/// Makes a pod; false when the API server refuses it.
async fn make(job: &Job, wanted: Wanted, controller: &Controller) -> Result<bool, kube::Error> {
    let pods = controller.pods(&job.namespace().unwrap_or_default());
    let note = match pods.create(&PostParams::default(), &wanted.pod(job)).await {
        Ok(pod) => Note::normal("SuccessfulCreate", format!("Created pod: {}", pod.name_any())),
        Err(kube::Error::Api(refusal)) if matches!(refusal.code, 400..=499) => {
            Note::warning("FailedCreate", format!("Error creating: {}", refusal.message))
        }
        Err(error) => return Err(error),
    };
    let made = note.reason == "SuccessfulCreate";
    controller.recorder.tell(job, COMPONENT, note);
    Ok(made)
}

async fn stop(job: &Job, pod: &Pod, controller: &Controller) -> Result<(), kube::Error> {
    let this_pod = Preconditions { uid: pod.uid(), resource_version: None };
    let params = DeleteParams { preconditions: Some(this_pod), ..DeleteParams::default() };
    let pods = controller.pods(&pod.namespace().unwrap_or_default());
    gone_is_fine(pods.delete(&pod.name_any(), &params).await)?;
    let note = Note::normal("SuccessfulDelete", format!("Deleted pod: {}", pod.name_any()));
    controller.recorder.tell(job, COMPONENT, note);
    Ok(())
}

/// Takes the tracking finalizer off a pod.
async fn let_go(pod: &Pod, controller: &Controller) -> Result<(), kube::Error> {
    let left: Vec<_> = pod.finalizers().iter().filter(|name| *name != TRACKING).collect();
    if left.len() == pod.finalizers().len() {
        return Ok(());
    }
    let patch = json!({"metadata": {"uid": pod.uid(), "$deleteFromPrimitiveList/finalizers": [TRACKING]}});
    let pods = controller.pods(&pod.namespace().unwrap_or_default());
    gone_is_fine(pods.patch(&pod.name_any(), &PatchParams::default(), &Patch::Strategic(&patch)).await)
}

/// A finished Job lets its pods go and, after its time to live, goes itself.
async fn after_the_end(job: &Job, pods: &[Pod], controller: &Controller) -> Result<Action, kube::Error> {
    controller.accepted(job);
    for pod in pods {
        let_go(pod, controller).await?;
    }
    let ttl = job.spec.as_ref().and_then(|spec| spec.ttl_seconds_after_finished);
    let (Some(ttl), Some(finished)) = (ttl, finished_at(job)) else { return Ok(Action::await_change()) };
    if job.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let lives = controller.speed.scale(Duration::from_secs(ttl.unsigned_abs().into()));
    let lived: Duration = Timestamp::now().duration_since(finished).try_into().unwrap_or_default();
    if let Some(left) = lives.checked_sub(lived).filter(|left| !left.is_zero()) {
        return Ok(Action::requeue(left));
    }
    let this_job = Preconditions { uid: job.uid(), resource_version: None };
    let params = DeleteParams { preconditions: Some(this_job), ..DeleteParams::foreground() };
    gone_is_fine(controller.jobs(job).delete(&job.name_any(), &params).await)?;
    Ok(Action::await_change())
}
