//! What the Flash scheduler knows at one moment, reduced to what its decision depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::resources::Resources;

/// A job's namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct JobKey {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// The cluster at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Nodes by name.
    pub(crate) nodes: BTreeMap<String, NodeRoom>,
    /// Queues by name.
    pub(crate) queues: BTreeMap<String, Queue>,
    /// Jobs that are not finished.
    pub(crate) jobs: Vec<Job>,
}

/// A node's room for pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodeRoom {
    /// What nobody holds.
    pub(crate) free: Resources,
    /// What pods that are on their way out still hold.
    pub(crate) leaving: Resources,
}

/// A queue, as its object says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queue {
    /// Higher goes first.
    pub(crate) priority: i64,
    /// Whether its running jobs may be stopped for a job of a higher queue.
    pub(crate) preemptible: bool,
    /// How many of its jobs may run at a time, if that is limited.
    pub(crate) max_concurrent: Option<usize>,
}

/// A job that is not finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) key: JobKey,
    /// The order within a queue: when it was created, and its uid for those of the same second.
    pub(crate) created: (i64, String),
    /// The queue it names.
    pub(crate) queue: String,
    /// How many tasks must be placed together.
    pub(crate) min_available: usize,
    /// Its tasks in order.
    pub(crate) tasks: Vec<Task>,
    /// Whether the API server does not take its pods at present: it takes no room and holds no place.
    pub(crate) refused: bool,
}

/// One task of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// What its pod needs.
    pub(crate) needs: Resources,
    /// Where its pod may be.
    pub(crate) reach: Reach,
    /// Where it stands.
    pub(crate) state: TaskState,
}

/// The nodes that a task's pod may be on by its selector, affinity and tolerations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All.
    Everywhere,
    /// These.
    Only(Arc<BTreeSet<String>>),
    /// None; the sentence says why.
    Nowhere(Arc<str>),
}

impl Reach {
    /// Whether a node is among them.
    pub(crate) fn holds(&self, node: &str) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Only(nodes) => nodes.contains(node),
            Self::Nowhere(_) => false,
        }
    }

    /// How many of `all` nodes.
    pub(crate) fn size(&self, all: usize) -> usize {
        match self {
            Self::Everywhere => all,
            Self::Only(nodes) => nodes.len(),
            Self::Nowhere(_) => 0,
        }
    }
}

/// Where a task stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TaskState {
    /// It has no pod, or one that is on no node yet.
    Waiting,
    /// Its pod holds room on this node.
    Placed(String),
    /// Its pod is being deleted; the room it holds is counted as leaving.
    Leaving,
    /// Its pod succeeded or failed and holds nothing.
    Finished,
}

impl Job {
    /// Whether it holds room in the cluster for tasks that are to go on.
    pub(crate) fn is_running(&self) -> bool {
        self.tasks.iter().any(|task| matches!(task.state, TaskState::Placed(_)))
    }

    /// Whether a part of the gang has been started already, so that the rest may follow one by one.
    pub(crate) fn is_started(&self) -> bool {
        let started = |task: &&Task| matches!(task.state, TaskState::Placed(_) | TaskState::Finished);
        self.tasks.iter().filter(started).count() >= self.min_available.max(1)
    }
}
