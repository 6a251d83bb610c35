//! Sets the limits of a group.

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use serde_json::json;

use super::model;
use super::types::Group;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Changed, Done};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::cost;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::GroupKind;

/// Input for `setGroupLimits`. Omitted fields keep their value; null removes a limit.
#[derive(Debug, InputObject)]
pub struct SetGroupLimitsInput {
    /// The ID of the group.
    pub group_id: GivenId<GroupKind>,
    /// The number of members that the group can have: at least 1. If it has more, they stay, and nobody can be added.
    pub max_members: MaybeUndefined<i32>,
}

/// Result of `setGroupLimits`.
#[derive(Debug, SimpleObject)]
pub struct SetGroupLimitsPayload {
    /// The group.
    pub group: Group,
}

/// The mutation that sets the limits of groups.
#[derive(Debug, Default)]
pub struct GroupLimitsMutation;

#[Object]
impl GroupLimitsMutation {
    /// Sets the limits of a group. Members belong to groups, so this also limits who can use the projects of the group; the other
    /// limits of projects are set with `setProjectLimits`.
    ///
    /// Fails with NOT_FOUND if the group does not exist or you cannot see it, FORBIDDEN if you are not a platform admin, and
    /// BAD_USER_INPUT for each invalid field.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn set_group_limits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The group and its new limits.")] input: SetGroupLimitsInput,
    ) -> ApiResult<Option<SetGroupLimitsPayload>> {
        set(ctx, input).await.map(Some).graphql(ctx)
    }
}

async fn set(ctx: &Context<'_>, input: SetGroupLimitsInput) -> Result<SetGroupLimitsPayload, ApiErrors> {
    ctx.caller().principal()?;
    let wanted = match input.max_members {
        MaybeUndefined::Value(given) => members(given, "input.maxMembers").map(|()| Some(Some(given))),
        MaybeUndefined::Null => Ok(Some(None)),
        MaybeUndefined::Undefined => Ok(None),
    };
    let wanted = wanted.map_err(ApiErrors::from);
    let id = match input.group_id.at("input.groupId") {
        Ok(id) => id,
        Err(problem) => return Err(problem.and_of(wanted)),
    };
    let change = ctx.change(Action::SetGroupLimits, Scope::group(id)).map_err(|error| error.at("input.groupId"))?;
    let wanted = wanted?;
    let group = change
        .commit(async |writes| {
            let not_found = || ApiError::not_found("group", id).at("input.groupId");
            let before = model::lock(writes, id).await?.ok_or_else(not_found)?;
            let after = model::Group { max_members: wanted.unwrap_or(before.max_members), ..before.clone() };
            if after == before {
                return Ok(Done::nothing().with(after));
            }
            model::set_limits(writes, &after).await?;
            let changed = Changed::default().field("maxMembers", &before.max_members, &after.max_members);
            Ok(Done::to(id, json!({})).changed(changed).with(after))
        })
        .await?;
    Ok(SetGroupLimitsPayload { group: group.into() })
}

/// That a limit of members lets somebody in.
pub(super) fn members(given: i32, field: &'static str) -> Result<(), ApiError> {
    match given {
        1.. => Ok(()),
        _ => Err(ApiError::bad_input(field, format!("maxMembers was {given}; it must be at least 1"))),
    }
}
