//! What the Flash scheduler sees: the caches, corrected by what it did itself and the caches do not show yet.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Pod, PodTemplateSpec};
use kube::{Resource, ResourceExt};

use super::super::informer::Informer;
use super::super::kubelet::is_finished;
use super::super::resources::{Resources, unknown_requests};
use super::super::scheduler::fit::{eligible, is_open};
use super::failure;
use super::snapshot::{Job, JobKey, NodeRoom, Queue, Reach, Snapshot, Task, TaskState};
use super::status::{Tally, is_final};
use cluster_resources::crd::{ClusterResourceQueue, FlashJob, FlashJobStatus, QUEUE_ANNOTATION};

/// The label with the name of a task pod's job.
pub const JOB_LABEL: &str = "scheduling.flash-sched.io/job-name";
/// The label with the task's position in its job.
pub const TASK_LABEL: &str = "scheduling.flash-sched.io/task-index";
/// The queue of a job that names none.
const DEFAULT_QUEUE: &str = "default-batch";

/// The caches.
#[derive(Clone)]
pub(in super::super) struct Caches {
    pub(in super::super) jobs: Informer<FlashJob>,
    pub(in super::super) queues: Informer<ClusterResourceQueue>,
    pub(in super::super) pods: Informer<Pod>,
    pub(in super::super) nodes: Informer<Node>,
}

/// What was done and is not in the caches yet.
#[derive(Debug, Default)]
pub(super) struct Assumed {
    /// Pods made, by uid.
    pub(super) made: HashMap<String, Arc<Pod>>,
    /// Uids of pods whose deletion was asked for.
    pub(super) deleted: HashSet<String>,
    /// Nodes that pods were put on, by the pod's uid.
    pub(super) bound: HashMap<String, String>,
    /// The status that was last written, by the job's uid. What somebody else writes over it is mended.
    pub(super) statuses: HashMap<String, Written>,
}

/// A status that was written.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// The version that the object got by it.
    pub(super) version: u64,
    pub(super) status: FlashJobStatus,
}

impl Assumed {
    /// The cache has heard of this pod since.
    pub(super) fn seen(&mut self, pod: &Pod) {
        if let Some(uid) = &pod.metadata.uid {
            self.made.remove(uid);
            if pod.metadata.deletion_timestamp.is_some() {
                self.deleted.remove(uid);
            }
        }
    }
}

/// A job with everything known of it.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    pub(super) object: Arc<FlashJob>,
    /// What was last said of it.
    pub(super) status: FlashJobStatus,
    /// What stands in the cluster, which somebody else may have changed.
    pub(super) shown: FlashJobStatus,
    pub(super) tally: Tally,
    /// The pod of each task that has one.
    pub(super) pods: BTreeMap<usize, Arc<Pod>>,
}

/// Everything at one moment.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) snapshot: Snapshot,
    /// The jobs of the snapshot.
    pub(super) open: HashMap<JobKey, Observed>,
    /// Jobs that are over.
    pub(super) finished: Vec<(Arc<FlashJob>, FlashJobStatus)>,
    /// Those of them whose status somebody else has changed.
    pub(super) spoiled: Vec<(Arc<FlashJob>, FlashJobStatus)>,
}

/// The key of a job.
pub(super) fn key_of(job: &FlashJob) -> JobKey {
    JobKey { namespace: job.namespace().unwrap_or_default(), name: job.name_any() }
}

/// The queue that a job names.
pub(super) fn queue_of(job: &FlashJob) -> String {
    let annotations = job.spec.tasks.first().and_then(|task| task.metadata.as_ref()?.annotations.as_ref());
    let queue = annotations.and_then(|annotations| annotations.get(QUEUE_ANNOTATION));
    queue.cloned().unwrap_or_else(|| DEFAULT_QUEUE.to_owned())
}

/// Looks at everything.
pub(super) fn observe(caches: &Caches, assumed: &mut Assumed) -> View {
    let mut view = View::default();
    let mut pods = caches.pods.all();
    let known: HashSet<_> = pods.iter().filter_map(|pod| pod.uid()).collect();
    assumed.made.retain(|uid, _| !known.contains(uid));
    assumed.deleted.retain(|uid| known.contains(uid));
    pods.extend(assumed.made.values().cloned());
    assume_bound(&mut pods, assumed);

    let nodes = Nodes::of(caches.nodes.all());
    for node in &nodes.all {
        let room = NodeRoom { free: Resources::of_node(node), leaving: Resources::default() };
        view.snapshot.nodes.insert(node.name_any(), room);
    }
    let mut of_jobs: HashMap<String, BTreeMap<usize, Arc<Pod>>> = HashMap::new();
    for pod in pods {
        hold_room(&mut view.snapshot.nodes, &pod, is_leaving(&pod, assumed));
        if let Some((uid, task)) = task_of(&pod) {
            of_jobs.entry(uid).or_default().insert(task, pod);
        }
    }
    for queue in caches.queues.all() {
        let known = Queue {
            priority: queue.spec.priority,
            preemptible: queue.spec.is_preemptible,
            max_concurrent: usize::try_from(queue.spec.max_concurrent).ok().filter(|limit| *limit > 0),
        };
        view.snapshot.queues.insert(queue.name_any(), known);
    }
    let mut living = HashSet::new();
    for object in caches.jobs.all() {
        let Some(uid) = object.uid() else { continue };
        let written = assumed.statuses.get(&uid);
        let shown = match written {
            Some(written) if version_of(&object) < written.version => written.status.clone(),
            _ => object.status.clone().unwrap_or_default(),
        };
        let status = written.map_or_else(|| shown.clone(), |written| written.status.clone());
        let pods = of_jobs.remove(&uid).unwrap_or_default();
        if object.meta().deletion_timestamp.is_some() {
            continue;
        }
        living.insert(uid);
        if status.phase.is_some_and(is_final) {
            if shown != status {
                view.spoiled.push((object.clone(), status.clone()));
            }
            view.finished.push((object, status));
            continue;
        }
        let job = job_of(&object, &pods, assumed, &nodes);
        let tally = tally(&pods, assumed);
        view.open.insert(job.key.clone(), Observed { object, status, shown, tally, pods });
        view.snapshot.jobs.push(job);
    }
    assumed.statuses.retain(|uid, _| living.contains(uid));
    view
}

/// Puts pods on the nodes that they were bound to where the cache does not show it yet.
fn assume_bound(pods: &mut [Arc<Pod>], assumed: &mut Assumed) {
    let mut waiting = HashSet::new();
    for pod in pods.iter_mut().filter(|pod| !is_placed(pod)) {
        let Some(node) = pod.metadata.uid.as_ref().and_then(|uid| assumed.bound.get(uid)) else { continue };
        waiting.extend(pod.uid());
        let mut placed = Pod::clone(pod);
        placed.spec.get_or_insert_default().node_name = Some(node.clone());
        *pod = Arc::new(placed);
    }
    assumed.bound.retain(|uid, _| waiting.contains(uid));
}

/// Whether a pod is on a node.
pub(super) fn is_placed(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some())
}

/// The version of an object, 0 if it says none.
pub(super) fn version_of(object: &FlashJob) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// The nodes, and whether any pod that does not choose may go to each of them.
struct Nodes {
    all: Vec<Arc<Node>>,
    are_open: bool,
}

impl Nodes {
    fn of(all: Vec<Arc<Node>>) -> Self {
        Self { are_open: all.iter().all(|node| is_open(node)), all }
    }

    fn reach(&self, template: &PodTemplateSpec) -> Reach {
        let Some(spec) = &template.spec else { return Reach::Everywhere };
        let chooses = spec.node_selector.is_some() || spec.affinity.is_some();
        if self.are_open && !chooses && unknown_requests(spec).is_empty() {
            return Reach::Everywhere;
        }
        match eligible(spec, &self.all) {
            Ok(nodes) => Reach::Only(Arc::new(nodes)),
            Err(why) => Reach::Nowhere(why.into()),
        }
    }
}

fn is_leaving(pod: &Pod, assumed: &Assumed) -> bool {
    let deleted = pod.metadata.uid.as_ref().is_some_and(|uid| assumed.deleted.contains(uid));
    deleted || pod.metadata.deletion_timestamp.is_some()
}

fn hold_room(nodes: &mut BTreeMap<String, NodeRoom>, pod: &Pod, leaving: bool) {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
    if let Some(room) = node.and_then(|node| nodes.get_mut(node))
        && !is_finished(pod)
    {
        let held = Resources::of_pod(pod);
        room.free -= held;
        if leaving {
            room.leaving += held;
        }
    }
}

/// The uid of the FlashJob that a pod belongs to, and its task.
fn task_of(pod: &Pod) -> Option<(String, usize)> {
    let owner =
        pod.owner_references().iter().find(|owner| owner.kind == "FlashJob" && owner.controller == Some(true))?;
    let task: usize = pod.labels().get(TASK_LABEL)?.parse().ok()?;
    // Whoever may create pods can write labels and owners: its own pods bear the name that it gave them.
    (pod.name_any() == format!("{}-{task}", owner.name)).then(|| (owner.uid.clone(), task))
}

fn job_of(object: &FlashJob, pods: &BTreeMap<usize, Arc<Pod>>, assumed: &Assumed, nodes: &Nodes) -> Job {
    let task = |(index, template): (usize, &PodTemplateSpec)| Task {
        needs: template.spec.as_ref().map(Resources::of_spec).unwrap_or_default(),
        reach: nodes.reach(template),
        state: match pods.get(&index) {
            None => TaskState::Waiting,
            Some(pod) if is_leaving(pod, assumed) => TaskState::Leaving,
            Some(pod) if is_finished(pod) => TaskState::Finished,
            Some(pod) => match pod.spec.as_ref().and_then(|spec| spec.node_name.clone()) {
                Some(node) => TaskState::Placed(node),
                None => TaskState::Waiting,
            },
        },
    };
    let created = object.meta().creation_timestamp.as_ref().map_or(0, |time| time.0.as_second());
    Job {
        key: key_of(object),
        created: (created, object.uid().unwrap_or_default()),
        queue: queue_of(object),
        min_available: usize::try_from(object.spec.min_available).unwrap_or(0),
        tasks: object.spec.tasks.iter().enumerate().map(task).collect(),
        refused: false,
    }
}

fn tally(pods: &BTreeMap<usize, Arc<Pod>>, assumed: &Assumed) -> Tally {
    let mut tally = Tally::default();
    for (task, pod) in pods.iter().filter(|(_, pod)| !is_leaving(pod, assumed)) {
        match pod.status.as_ref().and_then(|status| status.phase.as_deref()) {
            Some("Succeeded") => tally.succeeded += 1,
            Some("Failed") => {
                tally.failed += 1;
                tally.first_failure.get_or_insert_with(|| failure::of(*task, pod));
            }
            _ => {}
        }
    }
    tally
}
