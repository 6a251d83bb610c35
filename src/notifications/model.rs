//! The rows of notifications and the SQL for them. Other rooms write them in the transaction of what they tell.

pub mod kinds;
pub mod outbox;
pub mod webhooks;

use async_graphql::Enum;
use chrono::{DateTime, SubsecRound, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};

use super::event::Notified;
use crate::auth::principal::GroupRole;
use crate::change::Writes;
use crate::db::tables::webhooks as webhook_rows;
use crate::db::tables::{group_members, notifications, user_settings, users};
use crate::events::About;
use crate::events::model::Record;
use crate::graphql::connection::Page;
use crate::graphql::keyset::{self, OrderDirection};
use crate::ids::{GroupId, NotificationId, UserId};
use crate::text_enum;

/// What a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, AsExpression, FromSqlRow, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum NotificationType {
    /// Somebody has answered your request, or changed its status.
    RequestAnswered,
    /// Your role in a group has changed.
    RoleChanged,
    /// A job that you submitted has ended.
    JobEnded,
    /// A project of a group that you manage uses 90 % of one of its limits.
    QuotaNearlyUsed,
    /// Your webhook was disabled, because it has failed for too long.
    WebhookDisabled,
}

text_enum!(NotificationType {
    RequestAnswered => "REQUEST_ANSWERED",
    RoleChanged => "ROLE_CHANGED",
    JobEnded => "JOB_ENDED",
    QuotaNearlyUsed => "QUOTA_NEARLY_USED",
    WebhookDisabled => "WEBHOOK_DISABLED",
});

/// A notification.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = notifications, check_for_backend(Pg))]
pub struct Notification {
    /// The ID.
    pub id: NotificationId,
    /// Whom it is for.
    pub user_id: UserId,
    /// What it is about.
    pub kind: NotificationType,
    /// The ID of what it is about.
    pub subject: String,
    /// A sentence for people.
    pub message: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it was marked as read.
    pub read_at: Option<DateTime<Utc>>,
}

/// Something that a user is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Whom.
    pub user: UserId,
    /// What it is about.
    pub kind: NotificationType,
    /// The ID of what it is about.
    pub subject: String,
    /// A sentence for people.
    pub message: String,
}

/// Writes the notices, and has them sent to the webhooks of their users. Returns their events, which the caller appends together
/// with the others of the transaction.
///
/// # Errors
/// The database's.
pub async fn write(conn: &mut AsyncPgConnection, notices: Vec<Notice>) -> QueryResult<Vec<Record>> {
    let wishes = wishes(conn, &notices).await?;
    let wish = |notice: &Notice| wishes.iter().find(|wish| wish.user == notice.user);
    let created_at = Utc::now().trunc_subsecs(6);
    let wanted = notices.into_iter().filter_map(|notice| {
        let wish = wish(&notice)?;
        let Notice { user, kind, subject, message } = notice;
        let id = NotificationId::generate();
        let row = Notification { id, user_id: user, kind, subject, message, created_at, read_at: None };
        let is_sent = wish.not_sent.as_ref().is_some_and(|muted| !kinds::is_muted(muted, kind));
        (!kinds::is_muted(&wish.muted, kind)).then_some((row, is_sent))
    });
    let (rows, are_sent): (Vec<Notification>, Vec<bool>) = wanted.unzip();
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    diesel::insert_into(notifications::table).values(&rows).execute(conn).await?;
    let sent: Vec<&Notification> = rows.iter().zip(are_sent).filter_map(|(row, sent)| sent.then_some(row)).collect();
    outbox::put(conn, &sent).await?;
    let event = |row: &Notification| Record::of(about(row.user_id, row.id), &Notified { kind: Some(row.kind) });
    rows.iter().map(event).collect()
}

fn about(user: UserId, notification: NotificationId) -> About {
    About { person: Some(user), ..About::subject(notification) }
}

/// What a user wants to be notified of.
struct Wish {
    user: UserId,
    /// The kinds that they do not want.
    muted: Vec<String>,
    /// The kinds that are not sent to their webhook; `None` without a webhook.
    not_sent: Option<Vec<String>>,
}

/// A user, the kinds that they do not want, those that are not sent to their webhook, and whether they can log in.
type WishRow = (UserId, Option<Vec<String>>, Option<Vec<String>>, bool);

/// What the users of these notices want, of those who still have an account.
async fn wishes(conn: &mut AsyncPgConnection, notices: &[Notice]) -> QueryResult<Vec<Wish>> {
    if notices.is_empty() {
        return Ok(Vec::new());
    }
    let of: Vec<UserId> = notices.iter().map(|notice| notice.user).collect();
    let webhook = webhook_rows::user_id.eq(users::id).and(webhook_rows::disabled_at.is_null());
    let found: Vec<WishRow> = users::table
        .left_join(user_settings::table)
        .left_join(webhook_rows::table.on(webhook))
        .filter(users::id.eq_any(of).and(users::deleted_at.is_null()))
        .select((
            users::id,
            user_settings::muted.nullable(),
            webhook_rows::muted.nullable(),
            users::disabled_at.is_null(),
        ))
        .load(conn)
        .await?;
    let wish = |(user, muted, not_sent, can_log_in): WishRow| Wish {
        user,
        muted: muted.unwrap_or_default(),
        not_sent: not_sent.filter(|_| can_log_in),
    };
    Ok(found.into_iter().map(wish).collect())
}

/// Writes the notices with a change, and their events.
///
/// # Errors
/// The database's.
pub async fn notify(writes: &mut Writes<'_>, notices: Vec<Notice>) -> QueryResult<()> {
    let events = write(writes.conn(), notices).await?;
    writes.tell_all(events);
    Ok(())
}

/// Tells the managers and admins of a group.
///
/// # Errors
/// The database's.
pub async fn notify_managers(
    writes: &mut Writes<'_>,
    group: GroupId,
    kind: NotificationType,
    subject: String,
    message: &str,
) -> QueryResult<()> {
    let roles = [GroupRole::Manager, GroupRole::Admin];
    let managers =
        group_members::table.filter(group_members::group_id.eq(group).and(group_members::role.eq_any(roles)));
    let managers: Vec<UserId> = managers.select(group_members::user_id).load(writes.conn()).await?;
    let notice = |user| Notice { user, kind, subject: subject.clone(), message: message.to_owned() };
    notify(writes, managers.into_iter().map(notice).collect()).await
}

/// Which notifications of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Only those that are not marked as read, or only those that are.
    pub unread: Option<bool>,
    /// Only of these kinds.
    pub kinds: Option<Vec<NotificationType>>,
}

fn selected<'a>(user: UserId, selection: &Selection) -> notifications::BoxedQuery<'a, Pg> {
    let mut query = notifications::table.filter(notifications::user_id.eq(user)).into_boxed();
    query = match selection.unread {
        Some(true) => query.filter(notifications::read_at.is_null()),
        Some(false) => query.filter(notifications::read_at.is_not_null()),
        None => query,
    };
    if let Some(kinds) = &selection.kinds {
        query = query.filter(notifications::kind.eq_any(kinds.clone()));
    }
    query
}

/// A page of a user's notifications, newest first, in the page's own direction.
///
/// # Errors
/// The database's.
pub async fn page(
    conn: &mut AsyncPgConnection,
    user: UserId,
    selection: &Selection,
    page: &Page,
) -> QueryResult<Vec<Notification>> {
    let mut query = selected(user, selection);
    for condition in keyset::between(page.bounds(OrderDirection::Desc), "notifications.created_at", "notifications.id")
    {
        query = query.filter(condition);
    }
    query = match page.ascending(OrderDirection::Desc) {
        true => query.order((notifications::created_at.asc(), notifications::id.asc())),
        false => query.order((notifications::created_at.desc(), notifications::id.desc())),
    };
    query.limit(page.limit).select(Notification::as_select()).load(conn).await
}

/// The number of a user's notifications.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut AsyncPgConnection, user: UserId, selection: &Selection) -> QueryResult<i64> {
    selected(user, selection).count().get_result(conn).await
}

/// The notifications with these IDs.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut AsyncPgConnection, ids: &[NotificationId]) -> QueryResult<Vec<Notification>> {
    notifications::table.filter(notifications::id.eq_any(ids)).select(Notification::as_select()).load(conn).await
}

/// The number of notifications that each of these users has not marked as read; those without any are left out.
///
/// # Errors
/// The database's.
pub async fn unread(conn: &mut AsyncPgConnection, users: &[UserId]) -> QueryResult<Vec<(UserId, i64)>> {
    notifications::table
        .filter(notifications::user_id.eq_any(users).and(notifications::read_at.is_null()))
        .group_by(notifications::user_id)
        .select((notifications::user_id, diesel::dsl::count_star()))
        .load(conn)
        .await
}

/// Marks a user's notifications as read: those with these IDs, or all. Returns the number of those that were not read
/// before, which the user's other clients are told of.
///
/// # Errors
/// The database's.
pub async fn mark_read(writes: &mut Writes<'_>, user: UserId, ids: Option<&[NotificationId]>) -> QueryResult<usize> {
    let unread = notifications::user_id.eq(user).and(notifications::read_at.is_null());
    let now = notifications::read_at.eq(Some(Utc::now().trunc_subsecs(6)));
    let marked = match ids {
        Some(ids) => {
            let theirs = notifications::table.filter(unread).filter(notifications::id.eq_any(ids));
            diesel::update(theirs).set(now).execute(writes.conn()).await?
        }
        None => diesel::update(notifications::table.filter(unread)).set(now).execute(writes.conn()).await?,
    };
    if marked > 0 {
        // About none of them: there may be thousands.
        writes.tell(about(user, NotificationId::generate()), &Notified { kind: None })?;
    }
    Ok(marked)
}
