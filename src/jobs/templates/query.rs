//! Queries for templates.

use async_graphql::{Context, Object};

use super::filter::{JobTemplateFilter, JobTemplateOrder, selection};
use super::loader::TemplatesById;
use super::model::{self, Template};
use super::types::JobTemplate;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope};
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::connection::{Connection, Page, PageArgs, TotalCount, connection};
use crate::graphql::context::RequestExt;
use crate::graphql::ids::GivenId;
use crate::graphql::keyset::SortType;
use crate::graphql::limits::InTime;
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::{TemplateId, TemplateKind};
use crate::projects::loader::{GroupOfProject, ProjectsById};

/// The queries for templates.
#[derive(Debug, Default)]
pub struct TemplateQuery;

#[Object]
impl TemplateQuery {
    /// Finds a job template by ID. You must be a member of its project's group.
    async fn job_template(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ID of the template: `template_` followed by 26 characters.")] id: GivenId<TemplateKind>,
    ) -> ApiResult<Option<AtOnce<JobTemplate>>> {
        async { find(ctx, id.at("id")?).await.map(AtOnce).map(Some) }.await.graphql(ctx)
    }

    /// What can be run in your groups' projects, newest first: every version of a config file that contains a Pod, a
    /// Job, a FlashJob or a Workflow. Platform admins see the templates of all projects.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn job_templates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the templates that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the templates that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which templates to return; all that you can see by default.")] filter: Option<
            JobTemplateFilter,
        >,
        #[graphql(desc = "The order of the list; newest first by default.")] order_by: Option<JobTemplateOrder>,
    ) -> ApiResult<Connection<JobTemplate>> {
        list(ctx, PageArgs { first, after, last, before }, filter, order_by).await.graphql(ctx)
    }
}

/// The template with this ID, if the caller can see its config file.
///
/// # Errors
/// `NOT_FOUND` if it does not exist or the caller cannot see it.
pub async fn find(ctx: &Context<'_>, id: TemplateId) -> Result<JobTemplate, ApiError> {
    // Checked first, so that unauthenticated clients cannot find out which IDs exist.
    ctx.caller().principal()?;
    let not_found = || ApiError::not_found("job template", id);
    let template = ctx.read::<TemplatesById>(id).await?.ok_or_else(not_found)?;
    let project = ctx.read::<ProjectsById>(template.project_id).await?.ok_or_else(not_found)?;
    let scope = Scope::within(project.group_id, template.config_file_id).in_project(project.id);
    policy::check(&ctx.caller(), Action::ViewConfigFile, scope).map_err(|_| not_found())?;
    ctx.know::<GroupOfProject>(project.id, project.group_id)?;
    Ok(template.into())
}

async fn list(
    ctx: &Context<'_>,
    args: PageArgs,
    filter: Option<JobTemplateFilter>,
    order: Option<JobTemplateOrder>,
) -> Result<Connection<JobTemplate>, ApiErrors> {
    let visible = policy::visible(&ctx.caller())?;
    let (selection, page) = both(selection(filter, order), Page::parse(args))?;
    let page = page.sorted_by(SortType::Time)?;
    let db = ctx.db()?.clone();
    let rows =
        async { Ok::<_, ApiError>(model::page(&mut *db.connection().await?, &visible, &selection, &page).await?) };
    let rows = rows.in_time(ctx).await?;
    for (template, group) in &rows {
        ctx.know::<GroupOfProject>(template.project_id, *group)?;
    }
    let rows = rows.into_iter().map(|(template, _)| template).collect();
    let total = TotalCount::by(move |_| {
        let (db, visible, selection) = (db.clone(), visible.clone(), selection.clone());
        async move { Ok(model::count(&mut *db.connection().await?, &visible, &selection).await?) }
    });
    Ok(connection(&page, rows, Template::position, JobTemplate::from, total))
}
