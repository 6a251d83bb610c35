//! Deletes config files.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use serde_json::json;

use super::model;
use super::versions::place_of;
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Done};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::cost;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::ConfigKind;

/// Input for `deleteConfigFile`.
#[derive(Debug, InputObject)]
pub struct DeleteConfigFileInput {
    /// The ID of the config file. You must be a manager or an admin of its project's group.
    pub id: GivenId<ConfigKind>,
}

/// Result of `deleteConfigFile`.
#[derive(Debug, SimpleObject)]
pub struct DeleteConfigFilePayload {
    /// The ID of the deleted config file.
    pub config_file_id: ID,
}

/// The mutation that deletes config files.
#[derive(Debug, Default)]
pub struct ConfigDeletionMutation;

#[Object]
impl ConfigDeletionMutation {
    /// Deletes a config file with all its versions: they cannot be found, listed or submitted any more, and its name can
    /// be used again. This cannot be undone.
    ///
    /// Jobs that were created from the config file are not affected: they continue to run, and `Job.commit` still
    /// returns the version.
    ///
    /// Fails with NOT_FOUND if the config file does not exist or you cannot see it, BAD_USER_INPUT for an invalid ID, and
    /// FORBIDDEN if you are not a manager or an admin of its project's group.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn delete_config_file(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The config file to delete.")] input: DeleteConfigFileInput,
    ) -> ApiResult<Option<DeleteConfigFilePayload>> {
        delete(ctx, input).await.map(Some).graphql(ctx)
    }
}

async fn delete(ctx: &Context<'_>, input: DeleteConfigFileInput) -> Result<DeleteConfigFilePayload, ApiErrors> {
    let (id, project, group) = place_of(ctx, &input.id).await?;
    let scope = Scope::within(group, id).in_project(project);
    let change = ctx.change(Action::DeleteConfigFile, scope).map_err(|error| error.at("input.id"))?;
    change
        .commit(async |writes| {
            let not_found = || ApiError::not_found("config file", id).at("input.id");
            let file = model::lock(writes, id).await?.ok_or_else(not_found)?;
            model::delete(writes, id).await?;
            Ok(Done::to(id, json!({ "name": file.name })))
        })
        .await?;
    Ok(DeleteConfigFilePayload { config_file_id: ID(id.to_text()) })
}
