//! Queries for queues.

use async_graphql::{Context, Object};

use super::types::{Queue, queues};
use crate::auth::acting::PolicyExt;
use crate::auth::policy::{Action, Scope};
use crate::error::{ApiError, Code};
use crate::graphql::limits::directives::assumed_list;
use crate::graphql::names::shown;
use crate::graphql::{ApiResult, IntoGraphql};

/// The queries for queues.
#[derive(Debug, Default)]
pub struct QueueQuery;

#[Object]
impl QueueQuery {
    /// The queues of the cluster, highest priority first.
    #[graphql(directive = assumed_list::apply(10))]
    async fn queues(&self, ctx: &Context<'_>) -> ApiResult<Vec<Queue>> {
        all(ctx).graphql(ctx)
    }

    /// Finds a queue by name.
    async fn queue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The name of the queue, such as `default-batch`.")] name: String,
    ) -> ApiResult<Option<Queue>> {
        let found = || {
            ctx.check(Action::ViewQueues, Scope::PLATFORM)?;
            find(ctx, &name)?.ok_or_else(|| not_found(&name).at("name"))
        };
        found().map(Some).graphql(ctx)
    }
}

fn all(ctx: &Context<'_>) -> Result<Vec<Queue>, ApiError> {
    ctx.check(Action::ViewQueues, Scope::PLATFORM)?;
    let mut found: Vec<Queue> = queues(ctx)?.all().into_iter().map(Queue::of).collect();
    // Those of equal priority stay in the order of their names.
    found.sort_by_key(|queue| std::cmp::Reverse(queue.priority));
    Ok(found)
}

/// The queue with this name, if the cluster has one.
pub(super) fn find(ctx: &Context<'_>, name: &str) -> Result<Option<Queue>, ApiError> {
    let found = queues(ctx)?.lookup(name).ok();
    Ok(found.map(|traits| Queue::of((name.to_owned(), traits))))
}

pub(super) fn not_found(name: &str) -> ApiError {
    ApiError::new(Code::NotFound, format!("the cluster has no queue {}", shown(name)))
}
