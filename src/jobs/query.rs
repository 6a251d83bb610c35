//! Queries for jobs.

use async_graphql::{Context, Object};

use super::input::SubmitJobInput;
use super::loader::{BriefById, JobPages};
use super::model::list;
use super::preview::{JobPreview, preview_in_turn};
use super::types::filter::{JobFilter, JobOrder, selection};
use super::types::{Job, columns, position};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope};
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::connection::{Connection, Page, PageArgs, TotalCount, connection};
use crate::graphql::context::RequestExt;
use crate::graphql::ids::GivenId;
use crate::graphql::keyset::SortType;
use crate::graphql::later::Later;
use crate::graphql::limits::directives::{connection_size, cost};
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::{JobId, JobKind};

/// The jobs part of the query root.
#[derive(Debug, Default)]
pub struct JobQuery;

#[Object]
impl JobQuery {
    /// Finds a job by ID. You must be a member of its project's group.
    async fn job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ID of the job: `job_` followed by 26 characters.")] id: GivenId<JobKind>,
    ) -> ApiResult<Option<AtOnce<Job>>> {
        async { find(ctx, id.at("id")?).await.map(AtOnce).map(Some) }.await.graphql(ctx)
    }

    /// The jobs of your groups' projects, newest first. Platform admins see the jobs of all projects.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the jobs that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the jobs that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which jobs to return; all that you can see by default.")] filter: Option<JobFilter>,
        #[graphql(desc = "The order of the list; newest first by default.")] order_by: Option<JobOrder>,
    ) -> ApiResult<Connection<Job>> {
        page(ctx, PageArgs { first, after, last, before }, filter, order_by).await.graphql(ctx)
    }

    /// Returns what `submitJob` would do with the same input, without changing anything: the verdict on each admission
    /// rule, the Kubernetes objects and the remaining quota of the project. `idempotencyKey` is only checked.
    ///
    /// If all other rules pass, the cluster is asked too, with a dry run of the job and its pods (rule CLUSTER). This
    /// takes a few seconds at most. If the cluster does not respond, the rule is skipped and the job is not rejected
    /// because of it.
    ///
    /// Invalid input is not reported as an error, but as a rule with the outcome FAILED. The exception is the ID of the
    /// project: if it is malformed, all problems are reported as errors, because nothing can be previewed without a
    /// project.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn preview_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job that you want to submit.")] input: Later<SubmitJobInput>,
    ) -> ApiResult<Option<JobPreview>> {
        preview_in_turn(ctx, input).await.map(Some).graphql(ctx)
    }
}

/// The job with this id, if the caller may see it.
///
/// # Errors
/// `NOT_FOUND` if there is none that the caller may see.
pub async fn find(ctx: &Context<'_>, id: JobId) -> Result<Job, ApiError> {
    ctx.caller().principal()?;
    let (job, group) = Job::with_group(ctx, id).await?;
    let scope = Scope::within(group, id).in_project(job.project_id());
    policy::check(&ctx.caller(), Action::ViewJob, scope)?;
    Ok(job)
}

/// The job, for a decision about it.
///
/// # Errors
/// `NOT_FOUND` if there is no such job.
pub async fn scope_of(ctx: &Context<'_>, id: JobId) -> Result<Scope, ApiError> {
    let found = ctx.read::<BriefById>(id).await?.ok_or_else(|| ApiError::not_found("job", id))?;
    Ok(Scope::within(found.group(), id).in_project(found.job.project_id))
}

async fn page(
    ctx: &Context<'_>,
    args: PageArgs,
    filter: Option<JobFilter>,
    order: Option<JobOrder>,
) -> Result<Connection<Job>, ApiErrors> {
    let visible = policy::visible(&ctx.caller())?;
    let me = ctx.caller().principal()?.user;
    let page = Page::parse(args).and_then(|page| page.sorted_by(SortType::Time));
    let (selection, page) = both(selection(filter, order, me), page)?;
    let key = (visible.clone(), selection.clone(), page.clone(), columns(&ctx.field()));
    let rows = ctx.read::<JobPages>(key).await?.unwrap_or_default();
    let db = ctx.db()?.clone();
    let total = TotalCount::by(move |_| {
        let (db, visible, selection) = (db.clone(), visible.clone(), selection.clone());
        async move { Ok(list::count(&mut *db.connection().await?, &visible, &selection).await?) }
    });
    Ok(connection(&page, rows.to_vec(), |(row, _)| position(row), Job::from, total))
}
