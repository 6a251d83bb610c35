//! Queries for config files.

use async_graphql::{Context, Object};

use super::loader::{CommitsById, ConfigFilesById};
use super::model::{self, SortBy};
use super::types::filter::{ConfigFileFilter, ConfigFileOrder, selection};
use super::types::{ConfigCommit, ConfigFile};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope};
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::connection::{Connection, Page, PageArgs, TotalCount, connection};
use crate::graphql::context::RequestExt;
use crate::graphql::ids::GivenId;
use crate::graphql::limits::InTime;
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::{CommitId, ConfigId, ConfigKind};
use crate::projects::loader::{GroupOfProject, ProjectsById};

/// The queries for config files.
#[derive(Debug, Default)]
pub struct ConfigQuery;

#[Object]
impl ConfigQuery {
    /// Finds a config file by ID. You must be a member of its project's group.
    async fn config_file(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ID of the config file: `config_` followed by 26 characters.")] id: GivenId<ConfigKind>,
    ) -> ApiResult<Option<AtOnce<ConfigFile>>> {
        async { find(ctx, id.at("id")?).await.map(AtOnce).map(Some) }.await.graphql(ctx)
    }

    /// The config files of your groups' projects, oldest first. Platform admins see all config files.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn config_files(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the config files that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the config files that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which config files to return; all that you can see by default.")] filter: Option<
            ConfigFileFilter,
        >,
        #[graphql(desc = "The order of the list; oldest first by default.")] order_by: Option<ConfigFileOrder>,
    ) -> ApiResult<Connection<ConfigFile>> {
        list(ctx, PageArgs { first, after, last, before }, filter, order_by).await.graphql(ctx)
    }
}

/// The config file with this ID, if the caller can see it.
///
/// # Errors
/// `NOT_FOUND` if it does not exist or the caller cannot see it.
pub async fn find(ctx: &Context<'_>, id: ConfigId) -> Result<ConfigFile, ApiError> {
    // Checked first, so that unauthenticated clients cannot find out which IDs exist.
    ctx.caller().principal()?;
    let not_found = || ApiError::not_found("config file", id);
    let file = ctx.read::<ConfigFilesById>(id).await?.filter(|file| file.deleted_at.is_none()).ok_or_else(not_found)?;
    let project = ctx.read::<ProjectsById>(file.project_id).await?.ok_or_else(not_found)?;
    policy::check(&ctx.caller(), Action::ViewConfigFile, Scope::within(project.group_id, id).in_project(project.id))?;
    ctx.know::<GroupOfProject>(project.id, project.group_id)?;
    Ok(ConfigFile(file))
}

/// The version of a config file with this ID, if the caller can see it.
///
/// # Errors
/// `NOT_FOUND` if it does not exist or the caller cannot see it.
pub async fn find_commit(ctx: &Context<'_>, id: CommitId) -> Result<ConfigCommit, ApiError> {
    ctx.caller().principal()?;
    let not_found = || ApiError::not_found("commit", id);
    let commit = ctx.read::<CommitsById>(id).await?.ok_or_else(not_found)?;
    let file = ctx.read::<ConfigFilesById>(commit.config_file_id).await?;
    let file = file.filter(|file| file.deleted_at.is_none()).ok_or_else(not_found)?;
    let project = ctx.read::<ProjectsById>(file.project_id).await?.ok_or_else(not_found)?;
    policy::check(&ctx.caller(), Action::ViewCommit, Scope::within(project.group_id, id).in_project(project.id))?;
    Ok(ConfigCommit(commit))
}

async fn list(
    ctx: &Context<'_>,
    args: PageArgs,
    filter: Option<ConfigFileFilter>,
    order: Option<ConfigFileOrder>,
) -> Result<Connection<ConfigFile>, ApiErrors> {
    let visible = policy::visible(&ctx.caller())?;
    let selection = selection(filter, order, SortBy::CreatedAt);
    let page = Page::parse(args);
    let (selection, page) = both(selection, page)?;
    let page = page.sorted_by(selection.order().sort)?;
    let db = ctx.db()?.clone();
    let rows =
        async { Ok::<_, ApiError>(model::page(&mut *db.connection().await?, &visible, &selection, &page).await?) };
    let rows = rows.in_time(ctx).await?;
    for (file, group) in &rows {
        ctx.know::<GroupOfProject>(file.project_id, *group)?;
    }
    let rows = rows.into_iter().map(|(file, _)| file).collect();
    let counted = selection.clone();
    let total = TotalCount::by(move |_| {
        let (db, visible, selection) = (db.clone(), visible.clone(), counted.clone());
        async move { Ok(model::count(&mut *db.connection().await?, &visible, &selection).await?) }
    });
    let position = |file: &model::ConfigFile| selection.position(file);
    Ok(connection(&page, rows, position, ConfigFile::from, total))
}
