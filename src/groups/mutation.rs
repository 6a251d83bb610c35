//! Mutations of groups.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{SubsecRound, Utc};
use serde_json::json;

use super::model;
use super::types::Group;
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Done};
use crate::db::or_taken;
use crate::error::{ApiError, ApiErrors, Problems};
use crate::graphql::limits::directives::cost;
use crate::graphql::names::{self, MAX_DESCRIPTION};
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::GroupId;

/// Input for `createGroup`.
#[derive(Debug, InputObject)]
pub struct CreateGroupInput {
    /// The name of the group, unique on the platform: 1 to 63 lowercase letters, digits and hyphens.
    pub name: String,
    /// A description of the group: at most 2000 characters.
    #[graphql(default_with = "Some(String::new())")]
    pub description: Option<String>,
}

/// Result of `createGroup`.
#[derive(Debug, SimpleObject)]
pub struct CreateGroupPayload {
    /// The new group.
    pub group: Group,
}

/// The mutations of groups.
#[derive(Debug, Default)]
pub struct GroupMutation;

#[Object]
impl GroupMutation {
    /// Creates a group.
    ///
    /// Fails with FORBIDDEN if you are not a platform admin, BAD_USER_INPUT for each invalid field, and CONFLICT if the
    /// name is already taken.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn create_group(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new group.")] input: CreateGroupInput,
    ) -> ApiResult<Option<CreateGroupPayload>> {
        create(ctx, input).await.map(Some).graphql(ctx)
    }
}

async fn create(ctx: &Context<'_>, input: CreateGroupInput) -> Result<CreateGroupPayload, ApiErrors> {
    let group = parse(input);
    let change = ctx.change(Action::CreateGroup, Scope::PLATFORM)?;
    let group = group?;
    change
        .commit(async |writes| {
            let taken = || {
                let name = names::shown(&group.name);
                ApiError::conflict(format!("a group named {name} already exists")).at("input.name")
            };
            model::insert(writes, &group).await.map_err(or_taken("groups_name_key", taken))?;
            Ok(Done::to(group.id, json!({ "name": group.name })))
        })
        .await?;
    Ok(CreateGroupPayload { group: group.into() })
}

fn parse(input: CreateGroupInput) -> Result<model::Group, ApiErrors> {
    let mut problems = Problems::default();
    let name = problems.take(names::name(input.name, "-", "input.name"));
    let description =
        problems.take(names::prose(input.description.unwrap_or_default(), MAX_DESCRIPTION, "input.description"));
    problems.finish()?;
    Ok(model::Group {
        id: GroupId::generate(),
        name: name.unwrap_or_default(),
        description: description.unwrap_or_default(),
        created_at: Utc::now().trunc_subsecs(6),
    })
}
