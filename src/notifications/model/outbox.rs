//! The notifications that have not been sent to their webhooks yet. They are written in the transaction of the notification, and
//! removed when the receiver has confirmed them, so that none is lost: one may be sent twice, with the same ID.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Notification;
use super::webhooks::{Secret, Webhook};
use crate::change::Writes;
use crate::db::tables::{notifications, webhook_deliveries, webhooks};
use crate::ids::{NotificationId, UserId};

/// A webhook with something to send, which the worker has claimed.
#[derive(Debug, Clone)]
pub struct Due {
    /// The webhook.
    pub webhook: Webhook,
    /// The key of its signatures.
    pub secret: Secret,
}

/// What is sent next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// A notification.
    Of(Notification),
    /// A test, with an ID of its own.
    Test(NotificationId, DateTime<Utc>),
}

impl Delivery {
    /// The ID, the same in every attempt.
    pub const fn id(&self) -> NotificationId {
        match self {
            Self::Of(notification) => notification.id,
            Self::Test(id, _) => *id,
        }
    }
}

/// Has these notifications sent, in this order.
///
/// # Errors
/// The database's.
pub(super) async fn put(conn: &mut AsyncPgConnection, sent: &[&Notification]) -> QueryResult<()> {
    if sent.is_empty() {
        return Ok(());
    }
    let row = |notification: &&Notification| {
        (
            webhook_deliveries::id.eq(notification.id),
            webhook_deliveries::user_id.eq(notification.user_id),
            webhook_deliveries::created_at.eq(notification.created_at),
        )
    };
    let rows: Vec<_> = sent.iter().map(row).collect();
    diesel::insert_into(webhook_deliveries::table).values(rows).execute(conn).await.map(drop)
}

/// Has a test sent.
///
/// # Errors
/// The database's.
pub async fn put_test(
    writes: &mut Writes<'_>,
    user: UserId,
    id: NotificationId,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    let row = (
        webhook_deliveries::id.eq(id),
        webhook_deliveries::user_id.eq(user),
        webhook_deliveries::is_test.eq(true),
        webhook_deliveries::created_at.eq(now),
    );
    diesel::insert_into(webhook_deliveries::table).values(row).execute(writes.conn()).await?;
    // Not after the pause of earlier failures: somebody waits for the outcome.
    diesel::update(webhooks::table.find(user))
        .set(webhooks::next_attempt_at.eq(now))
        .execute(writes.conn())
        .await
        .map(drop)
}

/// Claims webhooks with something to send for so many seconds, at most `most`, those first that have waited longest.
///
/// # Errors
/// The database's.
pub async fn claim(conn: &mut AsyncPgConnection, most: i64, lease_seconds: i64) -> QueryResult<Vec<Due>> {
    // The users with deliveries are read by one step in the index for each of them, however many deliveries they have.
    let claimed: Vec<Claimed> = diesel::sql_query(
        "WITH RECURSIVE waiting AS (
             (SELECT user_id FROM webhook_deliveries ORDER BY user_id LIMIT 1)
             UNION ALL
             SELECT (SELECT d.user_id FROM webhook_deliveries d WHERE d.user_id > waiting.user_id ORDER BY d.user_id LIMIT 1)
               FROM waiting WHERE waiting.user_id IS NOT NULL
         ), due AS (
             SELECT webhooks.user_id FROM webhooks JOIN users ON users.id = webhooks.user_id
              WHERE webhooks.user_id IN (SELECT user_id FROM waiting WHERE user_id IS NOT NULL)
                AND webhooks.disabled_at IS NULL AND webhooks.next_attempt_at <= now()
                AND (webhooks.claimed_until IS NULL OR webhooks.claimed_until <= now())
                AND users.disabled_at IS NULL AND users.deleted_at IS NULL
              ORDER BY webhooks.next_attempt_at LIMIT $1 FOR UPDATE OF webhooks SKIP LOCKED
         )
         UPDATE webhooks SET claimed_until = now() + $2 * interval '1 second' FROM due WHERE webhooks.user_id = due.user_id
         RETURNING webhooks.user_id",
    )
    .bind::<BigInt, _>(most)
    .bind::<BigInt, _>(lease_seconds)
    .load(conn)
    .await?;
    let users: Vec<UserId> = claimed.into_iter().map(|claimed| claimed.user_id).collect();
    let found: Vec<(Webhook, Vec<u8>)> = webhooks::table
        .filter(webhooks::user_id.eq_any(users))
        .select((Webhook::as_select(), webhooks::secret))
        .load(conn)
        .await?;
    Ok(found.into_iter().map(|(webhook, secret)| Due { webhook, secret: Secret::stored(secret) }).collect())
}

#[derive(QueryableByName)]
struct Claimed {
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    user_id: UserId,
}

/// What is sent next to a webhook: the oldest delivery. Nothing, if its URL was changed since it was claimed.
///
/// # Errors
/// The database's.
pub async fn next(conn: &mut AsyncPgConnection, webhook: &Webhook) -> QueryResult<Option<Delivery>> {
    let found: Option<(NotificationId, DateTime<Utc>, Option<Notification>)> = webhook_deliveries::table
        .inner_join(webhooks::table.on(webhooks::user_id.eq(webhook_deliveries::user_id)))
        .left_join(notifications::table.on(notifications::id.eq(webhook_deliveries::id)))
        .filter(webhooks::user_id.eq(webhook.user_id).and(webhooks::set_at.eq(webhook.set_at)))
        .filter(webhooks::disabled_at.is_null())
        .filter(webhook_deliveries::is_test.or(notifications::id.is_not_null()))
        .order((webhook_deliveries::created_at, webhook_deliveries::id))
        .select((webhook_deliveries::id, webhook_deliveries::created_at, Option::<Notification>::as_select()))
        .first(conn)
        .await
        .optional()?;
    Ok(found.map(|(id, at, notification)| notification.map_or(Delivery::Test(id, at), Delivery::Of)))
}

/// The receiver has confirmed this.
///
/// # Errors
/// The database's.
pub async fn delivered(
    conn: &mut AsyncPgConnection,
    webhook: &Webhook,
    id: NotificationId,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::delete(webhook_deliveries::table.find(id)).execute(conn).await?;
    diesel::update(webhooks::table.find(webhook.user_id).filter(webhooks::set_at.eq(webhook.set_at)))
        .set((
            webhooks::last_delivered_at.eq(Some(now)),
            webhooks::failures.eq(0),
            webhooks::last_error.eq(None::<String>),
        ))
        .execute(conn)
        .await
        .map(drop)
}

/// An attempt has failed: the claim is given back, and the next one is made after a pause.
///
/// # Errors
/// The database's.
pub async fn failed(
    conn: &mut AsyncPgConnection,
    webhook: &Webhook,
    error: &str,
    (now, next): (DateTime<Utc>, DateTime<Utc>),
) -> QueryResult<()> {
    diesel::update(webhooks::table.find(webhook.user_id).filter(webhooks::set_at.eq(webhook.set_at)))
        .set((
            webhooks::failures.eq(webhooks::failures + 1),
            webhooks::last_failed_at.eq(Some(now)),
            webhooks::last_error.eq(Some(error)),
            webhooks::next_attempt_at.eq(next),
            webhooks::claimed_until.eq(None::<DateTime<Utc>>),
        ))
        .execute(conn)
        .await
        .map(drop)
}

/// Failed attempts of a webhook since its last success.
///
/// # Errors
/// The database's.
pub async fn failures(conn: &mut AsyncPgConnection, webhook: &Webhook) -> QueryResult<i32> {
    let found = webhooks::table.find(webhook.user_id).select(webhooks::failures).first(conn).await;
    Ok(found.optional()?.unwrap_or_default())
}

/// Gives a claim back, so that whatever comes next is sent at once.
///
/// # Errors
/// The database's.
pub async fn release(conn: &mut AsyncPgConnection, webhook: &Webhook) -> QueryResult<()> {
    diesel::update(webhooks::table.find(webhook.user_id).filter(webhooks::set_at.eq(webhook.set_at)))
        .set(webhooks::claimed_until.eq(None::<DateTime<Utc>>))
        .execute(conn)
        .await
        .map(drop)
}

/// The number of deliveries that wait for a user's webhook, at most `most`.
///
/// # Errors
/// The database's.
pub async fn waiting(conn: &mut AsyncPgConnection, user: UserId, most: i64) -> QueryResult<i64> {
    let theirs = webhook_deliveries::table.filter(webhook_deliveries::user_id.eq(user)).select(webhook_deliveries::id);
    let found: Vec<NotificationId> = theirs.limit(most).load(conn).await?;
    Ok(i64::try_from(found.len()).unwrap_or(i64::MAX))
}

/// Forgets deliveries that nobody will send: those that are older than this, and those without a webhook.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut AsyncPgConnection, before: DateTime<Utc>) -> QueryResult<usize> {
    diesel::sql_query(
        "DELETE FROM webhook_deliveries d
          WHERE d.created_at < $1
             OR NOT EXISTS (SELECT FROM webhooks w WHERE w.user_id = d.user_id AND w.disabled_at IS NULL)",
    )
    .bind::<Timestamptz, _>(before)
    .execute(conn)
    .await
}
