//! Sets the limits of a group.

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use serde_json::json;

use super::model;
use super::types::Group;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Changed, Done};
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::cost;
use crate::graphql::names;
use crate::graphql::scalars::Quantity;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::GroupKind;
use crate::quantity;

/// Input for `setGroupLimits`. Omitted fields keep their value; null removes a limit.
#[derive(Debug, InputObject)]
pub struct SetGroupLimitsInput {
    /// The ID of the group.
    pub group_id: GivenId<GroupKind>,
    /// The number of members that the group can have: at least 1. If it has more, they stay, and nobody can be added.
    pub max_members: MaybeUndefined<i32>,
    /// The storage that the claims of the group itself can have together: `"10Ti"`. If they have more, they stay, and none can
    /// be created or made larger.
    pub storage: MaybeUndefined<Quantity>,
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
    let wanted = both(wanted, storage(input.storage));
    let id = match input.group_id.at("input.groupId") {
        Ok(id) => id,
        Err(problem) => return Err(problem.and_of(wanted)),
    };
    let change = ctx.change(Action::SetGroupLimits, Scope::group(id)).map_err(|error| error.at("input.groupId"))?;
    let (most, storage_bytes) = wanted?;
    let group = change
        .commit(async |writes| {
            let not_found = || ApiError::not_found("group", id).at("input.groupId");
            let before = model::lock(writes, id).await?.ok_or_else(not_found)?;
            let after = model::Group {
                max_members: most.unwrap_or(before.max_members),
                storage_bytes: storage_bytes.unwrap_or(before.storage_bytes),
                ..before.clone()
            };
            if after == before {
                return Ok(Done::nothing().with(after));
            }
            model::set_limits(writes, &after).await?;
            let changed = Changed::default().field("maxMembers", &before.max_members, &after.max_members).field(
                "storageBytes",
                &before.storage_bytes,
                &after.storage_bytes,
            );
            Ok(Done::to(id, json!({})).changed(changed).with(after))
        })
        .await?;
    Ok(SetGroupLimitsPayload { group: group.into() })
}

/// A limit of storage in bytes.
fn storage(given: MaybeUndefined<Quantity>) -> Result<Option<Option<i64>>, ApiError> {
    let MaybeUndefined::Value(Quantity(text)) = given else {
        return Ok(if given == MaybeUndefined::Null { Some(None) } else { None });
    };
    let quantity = text.trim().parse::<quantity::Quantity>().ok().filter(|quantity| !quantity.is_negative());
    let bytes = quantity.and_then(|quantity| i64::try_from(quantity.units()).ok());
    let refused = || {
        let message =
            format!("storage was {}; it must be a size such as 500Gi or 10Ti, at least 0", names::shown(&text));
        ApiError::bad_input("input.storage", message)
    };
    bytes.map(|bytes| Some(Some(bytes))).ok_or_else(refused)
}

/// That a limit of members lets somebody in.
pub(super) fn members(given: i32, field: &'static str) -> Result<(), ApiError> {
    match given {
        1.. => Ok(()),
        _ => Err(ApiError::bad_input(field, format!("maxMembers was {given}; it must be at least 1"))),
    }
}
