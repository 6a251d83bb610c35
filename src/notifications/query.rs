//! Queries for notifications.

use async_graphql::{Context, InputObject, Object};

use super::loader::{NotificationPages, NotificationsById};
use super::model::{self, NotificationType, Selection};
use super::types::Notification;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::connection::{Connection, Page, PageArgs, TotalCount, connection};
use crate::graphql::context::RequestExt;
use crate::graphql::cursor::Position;
use crate::graphql::keyset::SortType;
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::NotificationId;

/// Filters for your notifications. Omitted fields do not filter; a notification must match all fields that are given:
/// `{unread: true}`.
#[derive(Debug, Default, InputObject)]
pub struct NotificationFilter {
    /// If true, only return notifications that you have not marked as read; if false, only those that you have.
    pub unread: Option<bool>,
    /// Only return notifications of these kinds.
    pub kinds: Option<Vec<NotificationType>>,
}

/// The queries for notifications.
#[derive(Debug, Default)]
pub struct NotificationQuery;

#[Object]
impl NotificationQuery {
    /// Your notifications, newest first. The number of unread ones is the `totalCount` with the filter `{unread: true}`.
    #[graphql(directive = connection_size::apply())]
    async fn notifications(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the notifications that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the notifications that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which notifications to return; all of yours by default.")] filter: Option<NotificationFilter>,
    ) -> ApiResult<Connection<Notification>> {
        list(ctx, PageArgs { first, after, last, before }, filter).await.graphql(ctx)
    }
}

/// The notification with this ID, if it is for the caller.
///
/// # Errors
/// `NOT_FOUND` if it does not exist or is not for the caller.
pub async fn find(ctx: &Context<'_>, id: NotificationId) -> Result<Notification, ApiError> {
    ctx.caller().principal()?;
    let found = ctx.read::<NotificationsById>(id).await?.ok_or_else(|| ApiError::not_found("notification", id))?;
    policy::check(&ctx.caller(), Action::ViewNotification, Scope::owned(found.user_id, id))?;
    Ok(Notification(found))
}

async fn list(
    ctx: &Context<'_>,
    args: PageArgs,
    filter: Option<NotificationFilter>,
) -> Result<Connection<Notification>, ApiErrors> {
    let user = ctx.caller().principal()?.user;
    policy::check(&ctx.caller(), Action::ViewNotification, Scope::person(user))?;
    let NotificationFilter { unread, kinds } = filter.unwrap_or_default();
    let (selection, page) = (Selection { unread, kinds }, Page::parse(args)?.sorted_by(SortType::Time)?);
    let db = ctx.db()?.clone();
    let rows = ctx.read::<NotificationPages>((user, selection.clone(), page.clone())).await?.unwrap_or_default();
    let total = TotalCount::by(move |_| {
        let (db, selection) = (db.clone(), selection.clone());
        async move { Ok(model::count(&mut *db.connection().await?, user, &selection).await?) }
    });
    let position = |row: &model::Notification| Position::at(row.created_at, row.id.uuid());
    Ok(connection(&page, rows.to_vec(), position, Notification::from, total))
}
