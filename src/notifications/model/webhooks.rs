//! Where users want to have their notifications sent.

use std::fmt;

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::change::Writes;
use crate::db::tables::{webhook_deliveries, webhooks};
use crate::ids::UserId;

/// A webhook, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = webhooks, check_for_backend(Pg))]
pub struct Webhook {
    /// Whose it is.
    pub user_id: UserId,
    /// Where the notifications are sent.
    pub url: String,
    /// The kinds of notifications that are not sent.
    pub muted: Vec<String>,
    /// When the URL was set.
    pub set_at: DateTime<Utc>,
    /// Failed attempts since the last success.
    pub failures: i32,
    /// The last success.
    pub last_delivered_at: Option<DateTime<Utc>>,
    /// The last failure.
    pub last_failed_at: Option<DateTime<Utc>>,
    /// Why the last attempt failed, for people; `None` if it succeeded.
    pub last_error: Option<String>,
    /// Since when nothing is sent any more, because it failed for too long.
    pub disabled_at: Option<DateTime<Utc>>,
}

/// The key of the signatures of a webhook.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// 32 random bytes.
    pub fn generate() -> Self {
        Self(rand::random::<[u8; 32]>().to_vec())
    }

    /// The stored bytes.
    pub(super) const fn stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// A known one.
    #[cfg(test)]
    pub fn of_test(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The webhooks of these users.
///
/// # Errors
/// The database's.
pub async fn of_users(conn: &mut AsyncPgConnection, users: &[UserId]) -> QueryResult<Vec<Webhook>> {
    webhooks::table.filter(webhooks::user_id.eq_any(users)).select(Webhook::as_select()).load(conn).await
}

/// The webhook of a user, locked until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(writes: &mut Writes<'_>, user: UserId) -> QueryResult<Option<Webhook>> {
    let found = webhooks::table.find(user).select(Webhook::as_select()).for_update();
    found.first(writes.conn()).await.optional()
}

/// Has the notifications of a user sent to another URL from now on. Those that wait for the URL before are forgotten.
///
/// # Errors
/// The database's.
pub async fn set(
    writes: &mut Writes<'_>,
    user: UserId,
    (url, secret, muted): (&str, &Secret, &[String]),
    now: DateTime<Utc>,
) -> QueryResult<Webhook> {
    forget_deliveries(writes, user).await?;
    let row = (
        webhooks::url.eq(url),
        webhooks::secret.eq(secret.bytes()),
        webhooks::muted.eq(muted),
        webhooks::set_at.eq(now),
        webhooks::failures.eq(0),
        webhooks::next_attempt_at.eq(now),
        webhooks::claimed_until.eq(None::<DateTime<Utc>>),
        webhooks::last_delivered_at.eq(None::<DateTime<Utc>>),
        webhooks::last_failed_at.eq(None::<DateTime<Utc>>),
        webhooks::last_error.eq(None::<String>),
        webhooks::disabled_at.eq(None::<DateTime<Utc>>),
    );
    diesel::insert_into(webhooks::table)
        .values((webhooks::user_id.eq(user), row.clone()))
        .on_conflict(webhooks::user_id)
        .do_update()
        .set(row)
        .returning(Webhook::as_returning())
        .get_result(writes.conn())
        .await
}

/// Changes which kinds of notifications are sent.
///
/// # Errors
/// The database's.
pub async fn set_muted(writes: &mut Writes<'_>, user: UserId, muted: &[String]) -> QueryResult<Webhook> {
    diesel::update(webhooks::table.find(user))
        .set(webhooks::muted.eq(muted))
        .returning(Webhook::as_returning())
        .get_result(writes.conn())
        .await
}

/// Disables a webhook whose URL was set then, unless it is disabled already. What waits to be sent is forgotten. Returns whether
/// it was.
///
/// # Errors
/// The database's.
pub async fn disable(writes: &mut Writes<'_>, webhook: &Webhook, now: DateTime<Utc>) -> QueryResult<bool> {
    let this = webhooks::table.find(webhook.user_id).filter(webhooks::set_at.eq(webhook.set_at));
    let disabled = diesel::update(this.filter(webhooks::disabled_at.is_null()))
        .set(webhooks::disabled_at.eq(Some(now)))
        .execute(writes.conn())
        .await?;
    if disabled == 1 {
        forget_deliveries(writes, webhook.user_id).await?;
    }
    Ok(disabled == 1)
}

/// Removes the webhook of a user, and what waits to be sent to it. Returns whether there was one.
///
/// # Errors
/// The database's.
pub async fn remove(writes: &mut Writes<'_>, user: UserId) -> QueryResult<bool> {
    forget_deliveries(writes, user).await?;
    Ok(diesel::delete(webhooks::table.find(user)).execute(writes.conn()).await? == 1)
}

async fn forget_deliveries(writes: &mut Writes<'_>, user: UserId) -> QueryResult<()> {
    let theirs = webhook_deliveries::table.filter(webhook_deliveries::user_id.eq(user));
    diesel::delete(theirs).execute(writes.conn()).await.map(drop)
}
