//! The LISTEN connection of a replica: reads new events from the log, once for all of its subscribers.
//!
//! A connection may be dead without knowing it, and then no notification arrives. So the log is also read every few
//! seconds, over the same connection; if there is no answer in time it is replaced, and missed events are read from the
//! log.

use std::time::Duration;

use backon::BackoffBuilder;
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use futures::StreamExt;
use tokio::time::{Instant, timeout, timeout_at};

use super::bus::{Bus, Notice};
use super::cursor::Seq;
use super::model::{self, EVENTS_CHANNEL, REVOCATIONS_CHANNEL};
use crate::db::{Db, error_chain};
use crate::error::ApiError;
use crate::tasks::{Duty, Tasks, pauses};

/// Number of events read in one statement.
const PAGE: i64 = 1000;
/// Number of notifications handled together.
const NOTIFICATIONS: usize = 256;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often the log is read without a notification.
const LOOK: Duration = Duration::from_secs(3);
/// A connection that has not answered by then is considered dead.
const PATIENCE: Duration = Duration::from_secs(5);

/// Feeds the bus for as long as the server runs.
pub(super) fn spawn(tasks: &Tasks, db: &Db, bus: &Bus) {
    let (db, bus) = (db.clone(), ClosedAtTheEnd(bus.clone()));
    tasks.supervise("event listener", Duty::Serving, move || run(db.clone(), bus.0.clone()));
}

/// Reconnects after a database outage.
async fn run(db: Db, bus: Bus) {
    // Events delivered by a run that panicked are not delivered again, and those it missed are.
    let mut seen = *bus.tip().borrow();
    let mut pauses = pauses(FIRST_PAUSE, LONGEST_PAUSE).build();
    loop {
        if let Err(error) = follow(&db, &bus, &mut seen).await {
            tracing::warn!(error = %error_chain(&error), "the event listener lost the database");
            // Whatever happened to this connection may have happened to others.
            db.renew();
        }
        // Once it has followed the log, the connection is likely to be there again at once.
        let pause = if seen.is_some() { FIRST_PAUSE } else { pauses.next().unwrap_or(LONGEST_PAUSE) };
        tokio::time::sleep(pause).await;
    }
}

/// Without its listener the bus delivers nothing more, and its feeds must be told.
struct ClosedAtTheEnd(Bus);

impl Drop for ClosedAtTheEnd {
    fn drop(&mut self) {
        self.0.close();
    }
}

async fn follow(db: &Db, bus: &Bus, seen: &mut Option<Seq>) -> Result<(), ApiError> {
    let mut listener = db.dedicated().await?;
    // Listening starts before the log is read: what commits in between is both read and notified, and dropped once.
    answered(model::listen(&mut listener)).await?;
    if seen.is_some() {
        bus.announce(Notice::Resynchronise);
    }
    loop {
        // Read over the listening connection, so that a connection that is dead without knowing it is detected.
        let tip = answered(model::extent(&mut listener)).await?.tip;
        match *seen {
            None => {
                bus.reached(tip);
                *seen = Some(tip);
            }
            Some(last) if last > tip => {
                tracing::warn!(%last, %tip, "the event log was restored to an earlier state");
                bus.restored(tip);
                *seen = Some(tip);
            }
            Some(last) if last < tip => catch_up(&mut listener, bus, seen).await?,
            Some(_) => {}
        }
        bus.heard();
        let next_look = Instant::now() + LOOK;
        while let Ok(grown) = timeout_at(next_look, grown(&mut listener, bus)).await {
            grown?;
            catch_up(&mut listener, bus, seen).await?;
        }
    }
}

/// Resolves when the log has grown; other notices are delivered at once.
async fn grown(listener: &mut AsyncPgConnection, bus: &Bus) -> Result<(), ApiError> {
    // One read of the log covers all pending notifications.
    let mut notifications = std::pin::pin!(listener.notifications_stream().ready_chunks(NOTIFICATIONS));
    while let Some(notifications) = notifications.next().await {
        let mut grown = false;
        for notification in notifications {
            let notification = notification?;
            match notification.channel.as_str() {
                EVENTS_CHANNEL => grown = true,
                REVOCATIONS_CHANNEL => bus.announce(Notice::Revoked(notification.payload.into())),
                other => tracing::debug!(channel = other, "ignoring a notification on an unknown channel"),
            }
        }
        if grown {
            return Ok(());
        }
    }
    Err(ApiError::database_unavailable("the connection ended"))
}

/// Delivers everything after `seen` to the bus.
async fn catch_up(listener: &mut AsyncPgConnection, bus: &Bus, seen: &mut Option<Seq>) -> Result<(), ApiError> {
    loop {
        let rows = answered(model::after(listener, seen.unwrap_or_default(), PAGE)).await?;
        let full = rows.len() as i64 == PAGE;
        for row in &rows {
            *seen = Some(row.seq());
            bus.publish(row);
        }
        if !full {
            return Ok(());
        }
    }
}

/// The database's answer, if it comes in time.
async fn answered<T>(asked: impl Future<Output = QueryResult<T>>) -> Result<T, ApiError> {
    match timeout(PATIENCE, asked).await {
        Ok(answer) => Ok(answer?),
        Err(elapsed) => Err(ApiError::database_unavailable(elapsed)),
    }
}
