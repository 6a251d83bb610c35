//! Queries for queues.

use async_graphql::{Context, Object, SimpleObject};

use crate::auth::acting::PolicyExt;
use crate::auth::policy::{Action, Scope};
use crate::cluster::queues::Queues;
use crate::error::ApiError;
use crate::graphql::limits::directives::assumed_list;
use crate::graphql::{ApiResult, IntoGraphql};

/// A queue of the cluster, which decides in which order waiting jobs start.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub struct Queue {
    /// The name of the queue: the name of a ClusterResourceQueue in the cluster.
    pub name: String,
    /// The priority of the jobs in the queue: jobs in a queue with a higher priority start first.
    pub priority: i32,
    /// Whether running jobs in the queue can be stopped to make room for jobs in a queue with a higher priority.
    pub preemptible: bool,
}

/// The queries for queues.
#[derive(Debug, Default)]
pub struct QueueQuery;

#[Object]
impl QueueQuery {
    /// The queues that you can submit jobs to, highest priority first.
    #[graphql(directive = assumed_list::apply(10))]
    async fn queues(&self, ctx: &Context<'_>) -> ApiResult<Vec<Queue>> {
        all(ctx).graphql(ctx)
    }
}

fn all(ctx: &Context<'_>) -> Result<Vec<Queue>, ApiError> {
    ctx.check(Action::ViewQueues, Scope::PLATFORM)?;
    let queues = ctx.data_opt::<Queues>().ok_or_else(|| ApiError::internal("the request carries no queues"))?;
    let narrow = |priority: i64| i32::try_from(priority).unwrap_or(if priority < 0 { i32::MIN } else { i32::MAX });
    let queue = |(name, traits): (String, crate::cluster::queues::Traits)| Queue {
        name,
        priority: narrow(traits.priority),
        preemptible: traits.preemptible,
    };
    let mut queues: Vec<Queue> = queues.all().into_iter().map(queue).collect();
    // Those of equal priority stay in the order of their names.
    queues.sort_by_key(|queue| std::cmp::Reverse(queue.priority));
    Ok(queues)
}
