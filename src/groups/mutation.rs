//! Mutations of groups.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{SubsecRound, Utc};
use serde_json::json;

use super::model;
use super::types::Group;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Changed, Done};
use crate::db::or_taken;
use crate::error::{ApiError, ApiErrors, Problems, both};
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::cost;
use crate::graphql::names::{self, MAX_DESCRIPTION};
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::{GroupId, GroupKind};
use crate::storage::model as storage;

/// Maximum number of projects that are named when a group cannot be deleted because of them.
const FEW: usize = 5;

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

/// Input for `updateGroup`. Omitted fields keep their value.
#[derive(Debug, InputObject)]
pub struct UpdateGroupInput {
    /// The ID of the group. You must be an admin of the group.
    pub group_id: GivenId<GroupKind>,
    /// The new name of the group, unique on the platform: 1 to 63 lowercase letters, digits and hyphens.
    pub name: Option<String>,
    /// The new description of the group: at most 2000 characters.
    pub description: Option<String>,
}

/// Result of `updateGroup`.
#[derive(Debug, SimpleObject)]
pub struct UpdateGroupPayload {
    /// The changed group.
    pub group: Group,
}

/// Input for `deleteGroup`.
#[derive(Debug, InputObject)]
pub struct DeleteGroupInput {
    /// The ID of the group.
    pub group_id: GivenId<GroupKind>,
    /// The name of the group, to confirm that this is the group that you want to delete.
    pub confirm_name: String,
}

/// Result of `deleteGroup`.
#[derive(Debug, SimpleObject)]
pub struct DeleteGroupPayload {
    /// The ID of the deleted group.
    pub group_id: ID,
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

    /// Changes the name or the description of a group.
    ///
    /// Fails with NOT_FOUND if the group does not exist or you are not a member of it, FORBIDDEN if you are not an admin
    /// of it, BAD_USER_INPUT for each invalid field, and CONFLICT if the name is already taken.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn update_group(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The group and its new values.")] input: UpdateGroupInput,
    ) -> ApiResult<Option<UpdateGroupPayload>> {
        update(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Deletes a group that has no projects, with its memberships.
    ///
    /// Fails with NOT_FOUND if the group does not exist or you cannot see it, FORBIDDEN if you are not a platform admin,
    /// BAD_USER_INPUT if `confirmName` is not the name of the group, and CONFLICT if the group still has projects or
    /// storage claims.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn delete_group(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The group to delete.")] input: DeleteGroupInput,
    ) -> ApiResult<Option<DeleteGroupPayload>> {
        delete(ctx, input).await.map(Some).graphql(ctx)
    }
}

fn taken(name: &str) -> ApiError {
    ApiError::conflict(format!("a group named {} already exists", names::shown(name))).at("input.name")
}

async fn create(ctx: &Context<'_>, input: CreateGroupInput) -> Result<CreateGroupPayload, ApiErrors> {
    let group = parse(input);
    let change = ctx.change(Action::CreateGroup, Scope::PLATFORM)?;
    let group = group?;
    change
        .commit(async |writes| {
            model::insert(writes, &group).await.map_err(or_taken("groups_name_key", || taken(&group.name)))?;
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
        max_members: None,
        storage_bytes: None,
    })
}

async fn update(ctx: &Context<'_>, input: UpdateGroupInput) -> Result<UpdateGroupPayload, ApiErrors> {
    ctx.caller().principal()?;
    let name = input.name.map(|name| names::name(name, "-", "input.name")).transpose();
    let description =
        input.description.map(|text| names::prose(text, MAX_DESCRIPTION, "input.description")).transpose();
    let texts = both(name, description);
    let id = match input.group_id.at("input.groupId") {
        Ok(id) => id,
        Err(problem) => return Err(problem.and_of(texts)),
    };
    let change = ctx.change(Action::UpdateGroup, Scope::group(id)).map_err(|error| error.at("input.groupId"))?;
    let (name, description) = texts?;
    let group = change
        .commit(async |writes| {
            let not_found = || ApiError::not_found("group", id).at("input.groupId");
            let before = model::lock(writes, id).await?.ok_or_else(not_found)?;
            let after = model::Group {
                name: name.unwrap_or_else(|| before.name.clone()),
                description: description.unwrap_or_else(|| before.description.clone()),
                ..before.clone()
            };
            if after == before {
                return Ok(Done::nothing().with(after));
            }
            model::update(writes, &after).await.map_err(or_taken("groups_name_key", || taken(&after.name)))?;
            let changed = Changed::default().field("name", &before.name, &after.name).field(
                "description",
                &before.description,
                &after.description,
            );
            Ok(Done::to(id, json!({ "name": after.name })).changed(changed).with(after))
        })
        .await?;
    Ok(UpdateGroupPayload { group: group.into() })
}

async fn delete(ctx: &Context<'_>, input: DeleteGroupInput) -> Result<DeleteGroupPayload, ApiErrors> {
    ctx.caller().principal()?;
    let id = input.group_id.at("input.groupId")?;
    let change = ctx.change(Action::DeleteGroup, Scope::group(id)).map_err(|error| error.at("input.groupId"))?;
    change
        .commit(async |writes| {
            let not_found = || ApiError::not_found("group", id).at("input.groupId");
            let group = model::lock_whole(writes, id).await?.ok_or_else(not_found)?;
            names::confirmed(&input.confirm_name, &group.name, "input.confirmName")?;
            let few = i64::try_from(FEW).unwrap_or(i64::MAX);
            let (count, projects) = model::projects_of(writes, id, few).await?;
            if count > 0 {
                return Err(still_has(count, &projects).at("input.groupId").into());
            }
            let claims = storage::of_group(writes, id, few).await?;
            if !claims.is_empty() {
                let claims = claims.join(", ");
                let message = format!("the group still has storage claims ({claims}); delete them first");
                return Err(ApiError::conflict(message).at("input.groupId").into());
            }
            model::delete(writes, id).await?;
            Ok(Done::to(id, json!({ "name": group.name })))
        })
        .await?;
    Ok(DeleteGroupPayload { group_id: ID(id.to_text()) })
}

/// The group has so many projects, of which the first few have these names.
fn still_has(count: i64, first: &[String]) -> ApiError {
    let projects = if count == 1 { "1 project".to_owned() } else { format!("{count} projects") };
    let more = if usize::try_from(count).is_ok_and(|count| count > first.len()) { ", …" } else { "" };
    let message = format!("the group still has {projects} ({}{more}); delete them first", first.join(", "));
    ApiError::conflict(message)
}
