//! The rows of notifications and the SQL for them. Other rooms write them in the transaction of what they tell.

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
use crate::db::tables::{group_members, notifications, user_settings};
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
}

text_enum!(NotificationType {
    RequestAnswered => "REQUEST_ANSWERED",
    RoleChanged => "ROLE_CHANGED",
    JobEnded => "JOB_ENDED",
    QuotaNearlyUsed => "QUOTA_NEARLY_USED",
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

/// Writes the notices in one statement, and returns their events, which the caller appends together with the others of the
/// transaction.
///
/// # Errors
/// The database's.
pub async fn write(conn: &mut AsyncPgConnection, notices: Vec<Notice>) -> QueryResult<Vec<Record>> {
    let notices = wanted(conn, notices).await?;
    if notices.is_empty() {
        return Ok(Vec::new());
    }
    let created_at = Utc::now().trunc_subsecs(6);
    let row = |Notice { user, kind, subject, message }| {
        let id = NotificationId::generate();
        Notification { id, user_id: user, kind, subject, message, created_at, read_at: None }
    };
    let rows: Vec<Notification> = notices.into_iter().map(row).collect();
    diesel::insert_into(notifications::table).values(&rows).execute(conn).await?;
    let event = |row: &Notification| {
        Record::of(About { person: Some(row.user_id), ..About::subject(row.id) }, &Notified { kind: row.kind })
    };
    rows.iter().map(event).collect()
}

/// The notices of kinds that their users have not turned off.
async fn wanted(conn: &mut AsyncPgConnection, notices: Vec<Notice>) -> QueryResult<Vec<Notice>> {
    if notices.is_empty() {
        return Ok(notices);
    }
    let users: Vec<UserId> = notices.iter().map(|notice| notice.user).collect();
    let muted: Vec<(UserId, Vec<String>)> = user_settings::table
        .filter(user_settings::user_id.eq_any(users))
        .select((user_settings::user_id, user_settings::muted))
        .load(conn)
        .await?;
    let is_muted = |notice: &Notice| {
        muted.iter().any(|(user, kinds)| *user == notice.user && kinds.iter().any(|kind| kind == notice.kind.as_str()))
    };
    Ok(notices.into_iter().filter(|notice| !is_muted(notice)).collect())
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

/// Marks a user's notifications as read: those with these IDs, or all. Returns the number of those that were not read
/// before.
///
/// # Errors
/// The database's.
pub async fn mark_read(writes: &mut Writes<'_>, user: UserId, ids: Option<&[NotificationId]>) -> QueryResult<usize> {
    let unread = notifications::user_id.eq(user).and(notifications::read_at.is_null());
    let now = notifications::read_at.eq(Some(Utc::now().trunc_subsecs(6)));
    match ids {
        Some(ids) => {
            let theirs = notifications::table.filter(unread).filter(notifications::id.eq_any(ids));
            diesel::update(theirs).set(now).execute(writes.conn()).await
        }
        None => diesel::update(notifications::table.filter(unread)).set(now).execute(writes.conn()).await,
    }
}
