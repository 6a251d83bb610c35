//! Queries for jobs.

use async_graphql::{Context, Enum, InputObject, Object};

use super::loader::{BriefById, JobPages};
use super::model::list::{self, Selection};
use super::phase::JobPhase;
use super::types::{Job, columns, position};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::connection::{Connection, Page, PageArgs, TotalCount, connection};
use crate::graphql::context::RequestExt;
use crate::graphql::keyset::{OrderDirection, SortType};
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::{GroupId, JobId, ProjectId, UserId};

/// Which jobs; conditions that are left out do not count, several are joined by "and":
/// `{projectId: "project_01h455vb4pex5vsknk084sn02q", mine: true, phases: [QUEUED, RUNNING]}`.
#[derive(Debug, Clone, Default, InputObject)]
pub struct JobFilter {
    /// Jobs of this project only.
    pub project_id: Option<ProjectId>,
    /// Jobs of this group's projects only.
    pub group_id: Option<GroupId>,
    /// Jobs submitted by this person only.
    pub submitted_by: Option<UserId>,
    /// Jobs in one of these phases only.
    pub phases: Option<Vec<JobPhase>>,
    /// Your own jobs only.
    #[graphql(default = false)]
    pub mine: bool,
}

/// What jobs can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum JobOrderField {
    /// When they were submitted.
    SubmittedAt,
}

/// The order of a list of jobs.
#[derive(Debug, Clone, InputObject)]
pub struct JobOrder {
    /// What to order by.
    pub field: JobOrderField,
    /// Which end comes first.
    #[graphql(default_with = "OrderDirection::Desc")]
    pub direction: OrderDirection,
}

/// The jobs part of the query root.
#[derive(Debug, Default)]
pub struct JobQuery;

#[Object]
impl JobQuery {
    /// The job with this id, if you are in its project's group.
    async fn job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job's id: `job_` and 26 characters.")] id: JobId,
    ) -> ApiResult<AtOnce<Job>> {
        find(ctx, id).await.map(AtOnce).graphql(ctx)
    }

    /// The jobs of your groups' projects, newest first; of all projects for platform admins.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start: 0 to 100, 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Begin after the job with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before the job with this cursor.")] before: Option<String>,
        #[graphql(desc = "Which jobs; all that you can see when left out.")] filter: Option<JobFilter>,
        #[graphql(desc = "The order; newest first when left out.")] order_by: Option<JobOrder>,
    ) -> ApiResult<Connection<Job>> {
        page(ctx, PageArgs { first, after, last, before }, filter, order_by).await.graphql(ctx)
    }
}

/// The job with this id, if the caller may see it.
///
/// # Errors
/// `NOT_FOUND` if there is none that the caller may see.
pub async fn find(ctx: &Context<'_>, id: JobId) -> Result<Job, ApiError> {
    ctx.caller().principal()?;
    let (job, group) = Job::with_group(ctx, id).await?;
    policy::check(&ctx.caller(), Action::ViewJob, Scope::within(group, id))?;
    Ok(job)
}

/// The group of the job's project, for a decision about the job.
///
/// # Errors
/// `NOT_FOUND` if there is no such job.
pub async fn group_of(ctx: &Context<'_>, id: JobId) -> Result<GroupId, ApiError> {
    let found = ctx.read::<BriefById>(id).await?.ok_or_else(|| ApiError::not_found("job", id))?;
    Ok(found.group())
}

async fn page(
    ctx: &Context<'_>,
    args: PageArgs,
    filter: Option<JobFilter>,
    order: Option<JobOrder>,
) -> Result<Connection<Job>, ApiErrors> {
    let visible = policy::visible(&ctx.caller())?;
    let me = ctx.caller().principal()?.user;
    let filter = filter.unwrap_or_default();
    if filter.mine && filter.submitted_by.is_some_and(|user| user != me) {
        let problem =
            ApiError::bad_input("filter.submittedBy", "mine cannot be combined with another person's submittedBy");
        return Err(problem.into());
    }
    let page = Page::parse(args)?.sorted_by(SortType::Time)?;
    let selection = Selection {
        project: filter.project_id,
        group: filter.group_id,
        submitted_by: if filter.mine { Some(me) } else { filter.submitted_by },
        phases: filter.phases,
        oldest_first: order.is_some_and(|order| order.direction == OrderDirection::Asc),
    };
    let key = (visible.clone(), selection.clone(), page.clone(), columns(&ctx.field()));
    let rows = ctx.read::<JobPages>(key).await?.unwrap_or_default();
    let db = ctx.db()?.clone();
    let total = TotalCount::by(move |_| {
        let (db, visible, selection) = (db.clone(), visible.clone(), selection.clone());
        async move { Ok(list::count(&mut *db.connection().await?, &visible, &selection).await?) }
    });
    Ok(connection(&page, rows.to_vec(), position, Job::from, total))
}
