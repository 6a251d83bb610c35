//! Watching jobs live.

use std::sync::Arc;

use async_graphql::{Context, Subscription};
use futures::{Stream, StreamExt};

use super::feed::{JobEventFilter, View};
use super::query;
use super::types::JobEvent;
use crate::auth::policy::{self, Action};
use crate::auth::principal::CallerExt;
use crate::error::ApiError;
use crate::events::{Bus, Seq, resume};
use crate::graphql::context::{LastCursor, RequestExt, ResumeAfter};
use crate::graphql::errors::{RequestId, graphql_error};
use crate::graphql::loaders::ReadExt;
use crate::graphql::scalars::Cursor;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::projects::loader::ProjectsById;

/// The jobs part of the subscription root.
#[derive(Debug, Default)]
pub struct JobSubscription;

#[Subscription]
impl JobSubscription {
    /// What happens to the jobs you can see, as it happens, each event once and in order.
    ///
    /// Without `after` it begins now. With the cursor of the last event you got it first tells everything since, so a
    /// dropped connection loses nothing. RESUME_EXPIRED: the log no longer reaches back to the cursor. SLOW_CONSUMER:
    /// you fell behind; resume after the cursor in the error.
    async fn job_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which events; all that you can see when left out.")] filter: Option<JobEventFilter>,
        #[graphql(desc = "The cursor of the last event you got.")] after: Option<Cursor>,
    ) -> async_graphql::Result<impl Stream<Item = ApiResult<JobEvent>> + use<>> {
        job_events(ctx, filter.unwrap_or_default(), after).await.graphql(ctx)
    }
}

async fn job_events(
    ctx: &Context<'_>,
    filter: JobEventFilter,
    after: Option<Cursor>,
) -> Result<impl Stream<Item = ApiResult<JobEvent>> + use<>, ApiError> {
    let caller = ctx.caller();
    let view = View { viewer: caller.principal()?.user, visible: policy::visible(caller)?, filter };
    check_filter(ctx, &view.filter).await?;
    let after =
        after.map(|Cursor(text)| text).or_else(|| ctx.data_opt::<ResumeAfter>().map(|after| after.0.to_string()));
    let after = after.as_deref().map(Seq::from_cursor).transpose()?;
    let bus = ctx.data_opt::<Bus>().cloned().ok_or_else(|| ApiError::internal("the request carries no bus"))?;
    let loaders = ctx.loaders()?;
    let last = ctx.data_opt::<Arc<LastCursor>>().cloned();
    let request = ctx.data_opt::<RequestId>().cloned();
    let events = resume::follow(ctx.db()?.clone(), bus, view.topics(), after);
    Ok(events.filter_map(move |event| {
        let told = match event {
            Ok(event) if view.shows(&event) => {
                // What was loaded for the event before may be older than this one.
                loaders.forget();
                if let Some(last) = &last {
                    last.set(Seq(event.seq).cursor());
                }
                Some(Ok(JobEvent(event)))
            }
            Ok(_) => None,
            Err(error) => Some(Err(graphql_error(error, request.as_ref()))),
        };
        std::future::ready(told)
    }))
}

/// Asking for what one cannot see is an error, not an eternal silence.
async fn check_filter(ctx: &Context<'_>, filter: &JobEventFilter) -> Result<(), ApiError> {
    if let Some(project) = filter.project_id {
        let not_found = || ApiError::not_found("project", project).at("filter.projectId");
        let found = ctx.read::<ProjectsById>(project).await?.ok_or_else(not_found)?;
        policy::check(ctx.caller(), Action::ViewProject { project, group: found.group_id })
            .map_err(|error| error.at("filter.projectId"))?;
    }
    if let Some(group) = filter.group_id {
        policy::check(ctx.caller(), Action::ViewGroup { group }).map_err(|error| error.at("filter.groupId"))?;
    }
    for job in filter.job_ids.iter().flatten() {
        query::find(ctx, *job).await.map_err(|error| error.at("filter.jobIds"))?;
    }
    Ok(())
}
