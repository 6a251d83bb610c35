//! Queries for projects.

use async_graphql::{Context, Object};

use super::loader::{ProjectPages, ProjectsById};
use super::model;
use super::types::Project;
use super::types::filter::{ProjectFilter, ProjectOrder, selection};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope};
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::connection::{Connection, Page, PageArgs, TotalCount, connection};
use crate::graphql::context::RequestExt;
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::{ProjectId, ProjectKind};
use crate::jobs::types::foresee_jobs_of_project;

/// The queries for projects.
#[derive(Debug, Default)]
pub struct ProjectQuery;

#[Object]
impl ProjectQuery {
    /// Finds a project by ID. You must be a member of its group.
    async fn project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ID of the project: `project_` followed by 26 characters.")] id: GivenId<ProjectKind>,
    ) -> ApiResult<Option<AtOnce<Project>>> {
        async { find(ctx, id.at("id")?).await.map(AtOnce).map(Some) }.await.graphql(ctx)
    }

    /// The projects of your groups. Platform admins see all projects.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn projects(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the projects that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the projects that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which projects to return; all that you can see by default.")] filter: Option<ProjectFilter>,
        #[graphql(desc = "The order of the list; by name by default.")] order_by: Option<ProjectOrder>,
    ) -> ApiResult<Connection<Project>> {
        list(ctx, PageArgs { first, after, last, before }, filter, order_by).await.graphql(ctx)
    }
}

/// The project with this ID, if the caller can see it.
///
/// # Errors
/// `NOT_FOUND` if it does not exist or the caller cannot see it.
pub async fn find(ctx: &Context<'_>, id: ProjectId) -> Result<Project, ApiError> {
    // Checked first, so that unauthenticated clients cannot find out which IDs exist.
    ctx.caller().principal()?;
    // They are not shown to callers who cannot see the project, and all others do not have to wait twice.
    foresee_jobs_of_project(ctx, id)?;
    let project = ctx.read::<ProjectsById>(id).await?.ok_or_else(|| ApiError::not_found("project", id))?;
    policy::check(&ctx.caller(), Action::ViewProject, Scope::within(project.group_id, id))?;
    Ok(Project(project))
}

async fn list(
    ctx: &Context<'_>,
    args: PageArgs,
    filter: Option<ProjectFilter>,
    order: Option<ProjectOrder>,
) -> Result<Connection<Project>, ApiErrors> {
    let visible = policy::visible(&ctx.caller())?;
    let (selection, page) = both(selection(filter, order), Page::parse(args))?;
    let page = page.sorted_by(selection.order().sort)?;
    let db = ctx.db()?.clone();
    let key = (visible.clone(), selection.clone(), page.clone());
    let rows = ctx.read::<ProjectPages>(key).await?.unwrap_or_default();
    let counted = selection.clone();
    let total = TotalCount::by(move |_| {
        let (db, visible, selection) = (db.clone(), visible.clone(), counted.clone());
        async move { Ok(model::count(&mut *db.connection().await?, &visible, &selection).await?) }
    });
    let position = |project: &model::Project| selection.position(project);
    Ok(connection(&page, rows.to_vec(), position, Project::from, total))
}
