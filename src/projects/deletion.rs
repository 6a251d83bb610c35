//! Deletes projects.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use serde_json::json;

use super::event::{ProjectEvent, ProjectEventKind, about};
use super::model::{self, deletion};
use super::mutation::group_of;
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Done};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::cost;
use crate::graphql::names;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::ProjectKind;

/// Input for `deleteProject`.
#[derive(Debug, InputObject)]
pub struct DeleteProjectInput {
    /// The ID of the project. You must be an admin of its group.
    pub project_id: GivenId<ProjectKind>,
    /// The name of the project, to confirm that this is the project that you want to delete.
    pub confirm_name: String,
}

/// Result of `deleteProject`.
#[derive(Debug, SimpleObject)]
pub struct DeleteProjectPayload {
    /// The ID of the deleted project.
    pub project_id: ID,
}

/// The mutation that deletes projects.
#[derive(Debug, Default)]
pub struct DeletionMutation;

#[Object]
impl DeletionMutation {
    /// Deletes a project with its jobs, its config files, its storage claims and its Kubernetes namespace. `Project.deletionPreview` shows
    /// what that is. The namespace is deleted in the background; if the cluster is unavailable, it is deleted later.
    ///
    /// Only a project whose jobs have all finished can be deleted, so subscriptions have received the last event of each
    /// job before. `quotaUsage` of the project ends with NOT_FOUND; subscriptions to job events receive nothing more.
    ///
    /// Fails with NOT_FOUND if the project does not exist or you are not a member of its group, FORBIDDEN if you are not
    /// an admin of its group, BAD_USER_INPUT if `confirmName` is not the name of the project, and CONFLICT if the project
    /// has jobs that have not finished.
    #[graphql(directive = cost::apply("100".to_owned()))]
    async fn delete_project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The project to delete.")] input: DeleteProjectInput,
    ) -> ApiResult<Option<DeleteProjectPayload>> {
        delete(ctx, input).await.map(Some).graphql(ctx)
    }
}

async fn delete(ctx: &Context<'_>, input: DeleteProjectInput) -> Result<DeleteProjectPayload, ApiErrors> {
    let (id, group) = group_of(ctx, &input.project_id).await?;
    let change =
        ctx.change(Action::DeleteProject, Scope::within(group, id)).map_err(|error| error.at("input.projectId"))?;
    change
        .commit(async |writes| {
            let not_found = || ApiError::not_found("project", id).at("input.projectId");
            let project = model::lock_whole(writes, id).await?.ok_or_else(not_found)?;
            names::confirmed(&input.confirm_name, &project.name, "input.confirmName")?;
            let unfinished = deletion::unfinished_jobs(writes, id).await?;
            if unfinished > 0 {
                return Err(still_works(unfinished).at("input.projectId").into());
            }
            let jobs = deletion::delete(writes, project.id).await?;
            writes.tell(about(id, group), &ProjectEvent { kind: ProjectEventKind::Deleted })?;
            let detail = json!({ "name": project.name, "group": group.to_string(), "jobs": jobs });
            Ok(Done::to(id, detail))
        })
        .await?;
    Ok(DeleteProjectPayload { project_id: ID(id.to_text()) })
}

fn still_works(unfinished: i64) -> ApiError {
    let jobs = if unfinished == 1 { "1 job that has".to_owned() } else { format!("{unfinished} jobs that have") };
    ApiError::conflict(format!("the project has {jobs} not finished; cancel them and wait until they have ended"))
}
