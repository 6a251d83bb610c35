//! Marking notifications as read.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use serde_json::json;

use super::model;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Done};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::ids::{self, GivenId};
use crate::graphql::limits::directives::cost;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::NotificationKind;

/// The maximum number of notifications that are marked by their IDs.
const MOST: usize = 1000;

/// Input for `markNotificationsRead`.
#[derive(Debug, InputObject)]
pub struct MarkNotificationsReadInput {
    /// The IDs of the notifications: at most 1000. If they are omitted, all of your notifications are marked.
    pub ids: Option<Vec<GivenId<NotificationKind>>>,
}

/// Result of `markNotificationsRead`.
#[derive(Debug, SimpleObject)]
pub struct MarkNotificationsReadPayload {
    /// The number of notifications that were not marked before.
    pub marked: i32,
}

/// The mutations of notifications.
#[derive(Debug, Default)]
pub struct NotificationMutation;

#[Object]
impl NotificationMutation {
    /// Marks notifications of yours as read. IDs of notifications that do not exist or are not yours are ignored.
    ///
    /// Fails with BAD_USER_INPUT for each ID that is malformed, and if there are too many.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn mark_notifications_read(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which notifications.")] input: MarkNotificationsReadInput,
    ) -> ApiResult<Option<MarkNotificationsReadPayload>> {
        mark(ctx, input).await.map(Some).graphql(ctx)
    }
}

async fn mark(ctx: &Context<'_>, input: MarkNotificationsReadInput) -> Result<MarkNotificationsReadPayload, ApiErrors> {
    let user = ctx.caller().principal()?.user;
    if let Some(count) = input.ids.as_ref().map(Vec::len).filter(|count| *count > MOST) {
        let message = format!("{count} IDs were given; at most {MOST} are allowed");
        return Err(ApiError::bad_input("input.ids", message).into());
    }
    let ids = input.ids.as_deref().map(|given| ids::each(given, "input.ids")).transpose()?;
    let change = ctx.change(Action::MarkNotificationsRead, Scope::person(user))?;
    let marked = change
        .commit(async |writes| {
            let marked = model::mark_read(writes, user, ids.as_deref()).await?;
            let done = if marked == 0 { Done::nothing() } else { Done::to(user, json!({ "count": marked })) };
            Ok(done.with(marked))
        })
        .await?;
    Ok(MarkNotificationsReadPayload { marked: i32::try_from(marked).unwrap_or(i32::MAX) })
}
