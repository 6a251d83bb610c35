//! The one LISTEN connection of a replica: reads what the log has new, once for all of its subscribers.

use std::time::Duration;

use futures::StreamExt;

use super::bus::{Bus, Notice};
use super::cursor::Seq;
use super::model::{self, EVENTS_CHANNEL, REVOCATIONS_CHANNEL};
use crate::db::{Db, error_chain};
use crate::error::ApiError;

/// Events read in one statement.
const PAGE: i64 = 1000;
/// Notifications taken together.
const NOTIFICATIONS: usize = 256;
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Feeds the bus for as long as the server runs, connecting again when the database was away.
pub(super) async fn run(db: Db, bus: Bus) {
    let bus = ClosedAtTheEnd(bus);
    let mut seen = None;
    let mut pause = Duration::from_millis(50);
    loop {
        let error = match follow(&db, &bus.0, &mut seen).await {
            Ok(()) => "the connection ended".to_owned(),
            Err(error) => error_chain(&error),
        };
        tracing::warn!(error, "the event listener lost the database");
        tokio::time::sleep(pause).await;
        pause = if seen.is_some() { Duration::from_millis(50) } else { (pause * 2).min(LONGEST_PAUSE) };
    }
}

/// Without its listener the bus tells nothing more, and its feeds should know.
struct ClosedAtTheEnd(Bus);

impl Drop for ClosedAtTheEnd {
    fn drop(&mut self) {
        self.0.close();
    }
}

async fn follow(db: &Db, bus: &Bus, seen: &mut Option<Seq>) -> Result<(), ApiError> {
    let mut listener = db.dedicated().await?;
    // Listening begins before the log is read: what commits in between is read and notified, and dropped once.
    model::listen(&mut listener).await?;
    if seen.is_none() {
        let tip = model::tip(&mut *db.connection().await?).await?;
        bus.reached(tip);
        *seen = Some(tip);
    } else {
        bus.announce(Notice::Resynchronise);
    }
    catch_up(db, bus, seen).await?;
    // One look at the log serves all the notifications that are there.
    let mut notifications = std::pin::pin!(listener.notifications_stream().ready_chunks(NOTIFICATIONS));
    while let Some(notifications) = notifications.next().await {
        let mut grown = false;
        for notification in notifications {
            let notification = notification?;
            match notification.channel.as_str() {
                EVENTS_CHANNEL => grown = true,
                REVOCATIONS_CHANNEL => bus.announce(Notice::Revoked(notification.payload.into())),
                other => tracing::debug!(channel = other, "a notification nobody waits for"),
            }
        }
        if grown {
            catch_up(db, bus, seen).await?;
        }
    }
    Ok(())
}

/// Puts everything after `seen` on the bus.
async fn catch_up(db: &Db, bus: &Bus, seen: &mut Option<Seq>) -> Result<(), ApiError> {
    loop {
        let events = {
            let mut connection = db.connection().await?;
            model::after(&mut connection, seen.unwrap_or_default(), PAGE).await?
        };
        let full = events.len() as i64 == PAGE;
        for event in events {
            *seen = Some(Seq(event.seq));
            bus.publish(event);
        }
        if !full {
            return Ok(());
        }
    }
}
