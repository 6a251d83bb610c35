//! The modes in which jobs are run, and the executor of each.

use std::sync::Arc;

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;

use super::capacity::Nodes;
use super::{Executor, Local, Scheduler};
use crate::cluster::Cluster;
use crate::text_enum;

/// How jobs are run in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, async_graphql::Enum, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum ExecutorMode {
    /// As FlashJobs, which the Flash scheduler of the cluster queues and places as a gang.
    Scheduler,
    /// As plain Kubernetes Jobs, whose pods the cluster's own scheduler places.
    Local,
}

text_enum!(ExecutorMode { Scheduler => "SCHEDULER", Local => "LOCAL" });

/// The executors of all modes: a job stays with the one that it was submitted for, whatever the mode is now. Clones are
/// handles to the same ones.
#[derive(Clone)]
pub struct Executors {
    scheduler: Arc<dyn Executor>,
    local: Arc<dyn Executor>,
}

impl Executors {
    /// The executors for `cluster`, whose nodes are `nodes`.
    pub fn new(cluster: &Cluster, nodes: &Nodes) -> Self {
        Self {
            scheduler: Arc::new(Scheduler::new(cluster.clone(), nodes.clone())),
            local: Arc::new(Local::new(cluster.clone(), nodes.clone())),
        }
    }

    /// The executor of jobs of this mode.
    pub fn of(&self, mode: ExecutorMode) -> &dyn Executor {
        match mode {
            ExecutorMode::Scheduler => &*self.scheduler,
            ExecutorMode::Local => &*self.local,
        }
    }
}
