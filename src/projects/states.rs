//! Archives and restores projects.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{SubsecRound, Utc};
use serde_json::json;

use super::event::{ProjectEvent, ProjectEventKind, about};
use super::model::{self, ProjectState};
use super::mutation::group_of;
use super::types::Project;
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Changed, Done};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::cost;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::ProjectKind;

/// Input for `archiveProject`.
#[derive(Debug, InputObject)]
pub struct ArchiveProjectInput {
    /// The ID of the project. You must be a manager or an admin of its group.
    pub project_id: GivenId<ProjectKind>,
}

/// Result of `archiveProject`.
#[derive(Debug, SimpleObject)]
pub struct ArchiveProjectPayload {
    /// The archived project.
    pub project: Project,
}

/// Input for `restoreProject`.
#[derive(Debug, InputObject)]
pub struct RestoreProjectInput {
    /// The ID of the project. You must be a manager or an admin of its group.
    pub project_id: GivenId<ProjectKind>,
}

/// Result of `restoreProject`.
#[derive(Debug, SimpleObject)]
pub struct RestoreProjectPayload {
    /// The restored project.
    pub project: Project,
}

/// The mutations of the state of a project.
#[derive(Debug, Default)]
pub struct StateMutation;

#[Object]
impl StateMutation {
    /// Archives a project: it can still be seen, but no jobs can be submitted and no config files created in it. Jobs that
    /// were submitted before continue. Has no effect if the project is already archived.
    ///
    /// Fails with NOT_FOUND if the project does not exist or you are not a member of its group, and FORBIDDEN if you are
    /// not a manager or an admin of its group.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn archive_project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The project to archive.")] input: ArchiveProjectInput,
    ) -> ApiResult<Option<ArchiveProjectPayload>> {
        let entered = enter(ctx, &input.project_id, ProjectState::Archived).await;
        entered.map(|project| Some(ArchiveProjectPayload { project })).graphql(ctx)
    }

    /// Restores an archived project, so that jobs can be submitted in it again. Has no effect if the project is not
    /// archived.
    ///
    /// Fails with NOT_FOUND if the project does not exist or you are not a member of its group, and FORBIDDEN if you are
    /// not a manager or an admin of its group.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn restore_project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The project to restore.")] input: RestoreProjectInput,
    ) -> ApiResult<Option<RestoreProjectPayload>> {
        let entered = enter(ctx, &input.project_id, ProjectState::Active).await;
        entered.map(|project| Some(RestoreProjectPayload { project })).graphql(ctx)
    }
}

async fn enter(ctx: &Context<'_>, given: &GivenId<ProjectKind>, state: ProjectState) -> Result<Project, ApiErrors> {
    let (id, group) = group_of(ctx, given).await?;
    let (action, kind, archived_at) = match state {
        ProjectState::Archived => {
            (Action::ArchiveProject, ProjectEventKind::Archived, Some(Utc::now().trunc_subsecs(6)))
        }
        ProjectState::Active => (Action::RestoreProject, ProjectEventKind::Restored, None),
    };
    let change = ctx.change(action, Scope::within(group, id)).map_err(|error| error.at("input.projectId"))?;
    let project = change
        .commit(async |writes| {
            let not_found = || ApiError::not_found("project", id).at("input.projectId");
            let before = model::lock(writes, id).await?.ok_or_else(not_found)?;
            if before.archived_at.is_some() == archived_at.is_some() {
                return Ok(Done::nothing().with(before));
            }
            let changed = Changed::default().field("archivedAt", &before.archived_at, &archived_at);
            let after = model::Project { archived_at, ..before };
            model::update(writes, &after).await?;
            writes.tell(about(id, group), &ProjectEvent { kind })?;
            Ok(Done::to(id, json!({ "name": after.name })).changed(changed).with(after))
        })
        .await?;
    Ok(project.into())
}
