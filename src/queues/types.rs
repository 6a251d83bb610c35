//! Queues as shown by the API.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, SimpleObject};
use chrono::{DateTime, Utc};

use super::loader::{LoadOfQueue, PauseOfQueue};
use super::model::{Load, Pause};
use crate::auth::acting::{CallerExt, PolicyExt};
use crate::auth::policy::{self, Action, Scope};
use crate::cluster::queues::{Queues, Traits};
use crate::error::ApiError;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::users::types::User;

/// A queue of the cluster, which decides in which order waiting jobs start.
///
/// The numbers of jobs and GPUs are those of the whole platform, including projects that you cannot see.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(complex)]
pub struct Queue {
    /// The name of the queue: the name of a ClusterResourceQueue in the cluster.
    pub name: String,
    /// The priority of the jobs in the queue: jobs in a queue with a higher priority start first.
    pub priority: i32,
    /// Whether running jobs in the queue can be stopped to make room for jobs in a queue with a higher priority.
    pub preemptible: bool,
    /// How many jobs of the queue can run at the same time; null if there is no limit.
    pub max_concurrent: Option<i32>,
    /// The number of seconds after which the scheduler removes the objects of finished jobs from the cluster; null if it
    /// keeps them. The jobs themselves remain available in the API.
    pub ttl_seconds: Option<i32>,
}

impl Queue {
    /// The queue with this name and these properties.
    pub fn of((name, traits): (String, Traits)) -> Self {
        let limit = |amount: i64| Some(narrow(amount)).filter(|amount| *amount > 0);
        Self {
            name,
            priority: narrow(traits.priority),
            preemptible: traits.preemptible,
            max_concurrent: limit(traits.max_concurrent),
            ttl_seconds: limit(traits.ttl_seconds),
        }
    }

    async fn load(&self, ctx: &Context<'_>) -> Result<Load, ApiError> {
        Ok(ctx.read::<LoadOfQueue>(self.name.clone()).await?.unwrap_or_default())
    }

    async fn pause(&self, ctx: &Context<'_>) -> Result<Option<Arc<Pause>>, ApiError> {
        ctx.read::<PauseOfQueue>(self.name.clone()).await
    }
}

/// The queues of the cluster, as the request carries them.
///
/// # Errors
/// It does not, which is a bug.
pub fn queues<'c>(ctx: &Context<'c>) -> Result<&'c Queues, ApiError> {
    ctx.data_opt::<Queues>().ok_or_else(|| ApiError::internal("the request carries no queues"))
}

fn narrow(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })
}

#[ComplexObject]
impl Queue {
    /// Whether you can submit jobs to the queue, in the projects of at least one of your groups. The operator of the
    /// platform can restrict a queue to managers, to admins of groups or to platform admins.
    async fn viewer_can_submit(&self, ctx: &Context<'_>) -> ApiResult<bool> {
        let role = queues(ctx).graphql(ctx)?.role(&self.name);
        policy::may_in_some_group(&ctx.caller(), Action::SubmitToQueue, |scope| scope.queue(role)).graphql(ctx)
    }

    /// The number of jobs that wait in the queue, that is, those that are SUBMITTED or QUEUED.
    async fn depth(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        self.load(ctx).await.map(|load| narrow(load.waiting)).graphql(ctx)
    }

    /// The number of jobs of the queue that are RUNNING.
    async fn running(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        self.load(ctx).await.map(|load| narrow(load.running)).graphql(ctx)
    }

    /// The number of GPUs that the waiting jobs of the queue request together.
    async fn gpus_requested(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        self.load(ctx).await.map(|load| narrow(load.gpus_requested)).graphql(ctx)
    }

    /// The number of GPUs that the running jobs of the queue have together.
    async fn gpus_in_use(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        self.load(ctx).await.map(|load| narrow(load.gpus_in_use)).graphql(ctx)
    }

    /// Since when the queue is paused; null if it is not. The jobs of a paused queue are not sent to the cluster.
    async fn paused_at(&self, ctx: &Context<'_>) -> ApiResult<Option<DateTime<Utc>>> {
        self.pause(ctx).await.map(|pause| pause.map(|pause| pause.paused_at)).graphql(ctx)
    }

    /// Who paused the queue; null if it is not paused. Only platform admins see it; for others, it is always null.
    async fn paused_by(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<User>>> {
        if ctx.check(Action::PauseQueue, Scope::PLATFORM).is_err() {
            return Ok(None);
        }
        match self.pause(ctx).await.graphql(ctx)? {
            Some(pause) => User::load(ctx, pause.paused_by).await.map(AtOnce).map(Some).graphql(ctx),
            None => Ok(None),
        }
    }

    /// Why the queue is paused, in the words of who paused it; null if it is not paused.
    async fn pause_note(&self, ctx: &Context<'_>) -> ApiResult<Option<String>> {
        self.pause(ctx).await.map(|pause| pause.map(|pause| pause.note.clone())).graphql(ctx)
    }

    /// Whether you can pause and resume the queue: only platform admins can.
    async fn viewer_can_pause(&self, ctx: &Context<'_>) -> bool {
        ctx.check(Action::PauseQueue, Scope::PLATFORM).is_ok()
    }
}
