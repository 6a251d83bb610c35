//! The one driver of every resumable feed: scan the log, then follow the bus, with no gap and no repeat.
//!
//! The subscriber joins the bus first and pins the tip after that: everything up to the tip is scanned from the log,
//! and everything later is delivered by the bus. Duplicates are dropped by number. A subscriber that falls behind the
//! bus is ended with SLOW_CONSUMER and the cursor of the last event it received; it never slows down the others, and
//! resuming from that cursor loses nothing.

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
                        yield Err(error.resuming_after(last.cursor()));
                        return;
                    }
                }
            }
        }
        loop {
            match live.take().await {
                News::Event(event) if event.seq <= last => {}
                News::Event(event) => {
                    last = event.seq;
                    yield Ok(event);
                }
                News::Overflowed => {
                    ended("slow_consumer");
                    metrics::counter!("platform_slow_consumers_total").increment(1);
                    let message = "the client does not keep up with the events; resume with the cursor in this error as after";
                    yield Err(ApiError::new(Code::SlowConsumer, message).resuming_after(last.cursor()));
                    return;
                }
                News::Restored => {
                    ended("restored");
                    yield Err(restored());
                    return;
                }
                News::Closed => {
                    ended("closed");
                    return;
                }
            }
        }
    }
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
    let Some(after) = after else {
        let joined = live.since().await;
        return Ok((joined, joined));
    };
    // From the database and not from the bus: another replica may have delivered an event that this one has not heard
    // of yet.
    let Extent { forgotten, tip } = model::extent(&mut *db.connection().await?).await?;
    if after < forgotten {
        return Err(ApiError::new(
            Code::ResumeExpired,
            "the log no longer has every event after this cursor; query the current state and subscribe without after",
        ));
    }
    // An event commits before anyone receives it, so no cursor of this log is beyond its end.
    if after > tip { Err(restored()) } else { Ok((after, tip)) }
}

fn restored() -> ApiError {
    ApiError::new(
        Code::ResumeExpired,
        "the event log was restored to a state before this cursor; query the current state and subscribe without after",
    )
}

async fn scan<E: Event>(db: &Db, topics: &Topics, after: Seq, tip: Seq) -> Result<Page<E>, ApiError> {
    Ok(model::between(&mut *db.connection().await?, topics, after, tip, PAGE).await?)
}
