//! The one driver of every resumable feed: scan the log, then follow the bus, with no gap and no repeat.
//!
//! The subscriber joins the bus first and pins the tip after that: everything up to the tip is scanned from the log,
//! and everything later is delivered by the bus. Duplicates are dropped by number. A subscriber that falls behind the
//! bus is ended with SLOW_CONSUMER and the cursor of the last event it received; it never slows down the others, and
//! resuming from that cursor loses nothing. While nothing concerns it, its position moves on with the log
//! ([`super::Whereabouts`]), so that a rare filter does not become impossible to resume.

use std::sync::Arc;

use super::cursor::Seq;
use super::event::{Event, Logged};
use super::inbox::News;
use super::line::{Line, Member};
use super::model::{self, Extent, Page};
use super::topic::Topics;
use crate::db::Db;
use crate::error::{ApiError, Code};
use async_stream::{stream, try_stream};
use futures::{Stream, StreamExt as _};

/// Number of events scanned in one statement.
const PAGE: i64 = 500;

/// Follows these topics of the line's events from `after`, or from now on. Ends only with an error; the caller filters
/// further.
pub fn follow<E: Event>(
    db: Db,
    line: &Line<E>,
    topics: Topics,
    after: Option<Seq>,
) -> impl Stream<Item = Result<Arc<Logged<E>>, ApiError>> + Send + use<E> {
    let live = line.join(&topics);
    follow_from(db, topics, live, after)
}

/// Follows these topics of the log from `after`, or else everything delivered to `live`, which has joined the line for
/// them.
pub fn follow_from<E: Event>(
    db: Db,
    topics: Topics,
    live: Member<E>,
    after: Option<Seq>,
) -> impl Stream<Item = Result<Arc<Logged<E>>, ApiError>> + Send + use<E> {
    stream! {
        // A subscriber is idle nearly all the time: what it briefly needs of the database is not kept.
        let (mut last, tip) = match Box::pin(start(&db, &live, after)).await {
            Ok(start) => start,
            Err(error) => {
                ended("refused");
                yield Err(error);
                return;
            }
        };
        if last < tip {
            let mut missed = Box::pin(missed(db, topics, last, tip));
            while let Some(event) = missed.next().await {
                match event {
                    Ok(event) => {
                        last = event.seq;
                        yield Ok(event);
                    }
                    Err(error) => {
                        ended("refused");
                        yield Err(resumable(error, last));
                        return;
                    }
                }
            }
            // What else there is up to the tip is of no concern to this subscriber.
            last = tip;
        }
        loop {
            match live.take(last).await {
                News::Event(event) if event.seq <= last => {}
                News::Event(event) => {
                    last = event.seq;
                    yield Ok(event);
                }
                News::Overflowed => {
                    ended("slow_consumer");
                    metrics::counter!("platform_slow_consumers_total").increment(1);
                    let message = "the client does not keep up with the events; resume with the cursor in this error as after";
                    yield Err(resumable(ApiError::new(Code::SlowConsumer, message), last.max(live.settled())));
                    return;
                }
                News::Restored => {
                    ended("restored");
                    yield Err(restored());
                    return;
                }
                News::Closed => {
                    ended("closed");
                    let message = "the server is restarting; resume with the cursor in this error as after";
                    yield Err(resumable(ApiError::new(Code::RateLimited, message), last.max(live.settled())));
                    return;
                }
            }
        }
    }
}

/// The error with the cursor to resume after, if subscribing again can help.
pub fn resumable(error: ApiError, last: Seq) -> ApiError {
    if error.code.is_retryable() { error.resuming_after(last.cursor()) } else { error }
}

/// The events in the log after `last`, up to `tip`.
fn missed<E: Event>(
    db: Db,
    topics: Topics,
    mut last: Seq,
    tip: Seq,
) -> impl Stream<Item = Result<Arc<Logged<E>>, ApiError>> + Send {
    try_stream! {
        while last < tip {
            let page = scan::<E>(&db, &topics, last, tip).await?;
            let Some(reached) = page.reached else { break };
            last = reached;
            for event in page.events {
                yield Arc::new(event);
            }
        }
    }
}

fn ended(reason: &'static str) {
    metrics::counter!("platform_feeds_ended_total", "reason" => reason).increment(1);
}

/// Where the subscriber starts and how far it scans: from its cursor to the end of the log, which is read after joining
/// the bus, so that later events are waiting in `live`; or where it joined, with nothing to scan.
async fn start<E>(db: &Db, live: &Member<E>, after: Option<Seq>) -> Result<(Seq, Seq), ApiError> {
    // Before the end of the log is read: the bus delivers what comes after the first event that it has read itself.
    let joined = live.since().await;
    let Some(after) = after else { return Ok((joined, joined)) };
    // From the database and not from the bus: another replica may have delivered an event that this one has not heard
    // of yet.
    let Extent { forgotten, tip } = extent(db).await.map_err(|error| resumable(error, after))?;
    if after < forgotten {
        return Err(expired());
    }
    // An event commits before anyone receives it, so no cursor of this log is beyond its end.
    if after > tip { Err(restored()) } else { Ok((after, tip)) }
}

async fn extent(db: &Db) -> Result<Extent, ApiError> {
    Ok(model::extent(&mut *db.connection().await?).await?)
}

fn expired() -> ApiError {
    ApiError::new(
        Code::ResumeExpired,
        "the log no longer has every event after this cursor; query the current state and subscribe after its eventCursor",
    )
}

fn restored() -> ApiError {
    ApiError::new(
        Code::ResumeExpired,
        "the event log was restored to a state before this cursor; query the current state and subscribe after its eventCursor",
    )
}

async fn scan<E: Event>(db: &Db, topics: &Topics, after: Seq, tip: Seq) -> Result<Page<E>, ApiError> {
    let mut conn = db.connection().await?;
    let page = model::between(&mut conn, topics, after, tip, PAGE).await?;
    // Retention may have removed some of it since the subscriber has begun to read.
    if after < model::extent(&mut conn).await?.forgotten { Err(expired()) } else { Ok(page) }
}
