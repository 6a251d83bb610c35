//! A task's log across pods: waits for the task to start, reads its pod, continues with the next, and ends with the
//! last.
//!
//! The state of the task is read from its job's row, which the watch updates; the event bus signals when to read it
//! again. So a waiting reader costs the cluster nothing, and all readers of the same log share one connection.

use std::sync::Arc;
use std::time::Duration;

use async_stream::stream;
use futures::Stream;
use tokio::time::Instant;

use super::course::{self, LogEnd, Next, Progress, Sight};
use super::cursor::Place;
use super::readings::{Heard as Told, Readings};
use super::stages::Stages;
use super::tails::{Passage, Tails};
use crate::auth::policy::{self, Action, Scope};
use crate::auth::principal::Caller;
use crate::auth::rights::Rights;
use crate::cluster::logs::{After, Line};
use crate::cluster::{Cluster, ClusterError};
use crate::db::Db;
use crate::error::ApiError;
use crate::events::{Line as Events, Member, Topics};
use crate::graphql::feed::Item;
use crate::jobs::event::JobEvent;
use crate::jobs::model::log;

/// How long a reader waits without news before it reads the row again, in case it missed some.
pub(super) const LOOK: Duration = Duration::from_secs(10);
/// The same when something has happened that the row must show in a moment.
pub(super) const SOON: Duration = Duration::from_millis(500);
/// How long a log may continue after its task has ended or moved: the logs of a lost node never end.
const LINGER: Duration = Duration::from_secs(5);
/// A log that broke off after this long is not counted as a repeated failure.
const SETTLED: Duration = Duration::from_secs(60);

/// A piece of a task's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The position after its last line.
    pub place: Place,
    /// The pod that wrote it; `None` if the task never had one.
    pub pod: Option<String>,
    /// The container that wrote it; empty in the last chunk.
    pub container: String,
    /// The lines.
    pub lines: Arc<[Line]>,
    /// Set in the last chunk, which has no lines.
    pub end: Option<LogEnd>,
}

/// The server, job and client of a reader.
pub struct Request {
    /// The database.
    pub db: Db,
    /// Signals when to read the row again.
    pub line: Events<JobEvent>,
    /// The cluster of the pods.
    pub cluster: Cluster,
    /// The logs that several readers share.
    pub tails: Tails,
    /// The client's rights.
    pub rights: Rights,
    /// What the client must be allowed to see throughout.
    pub scope: Scope,
    /// The namespace of the pods.
    pub namespace: String,
    /// The containers to read.
    pub stages: Stages,
    /// Where to start.
    pub place: Place,
    /// The number of lines of each container to start with if the task is already running; all if `None`.
    pub tail: Option<usize>,
}

/// Reads until the task has ended for good. An error is the last item, with the cursor to resume after. Items that are
/// equal for several readers have the same number.
pub fn follow(request: Request) -> impl Stream<Item = Result<Item<Caller, Chunk>, ApiError>> + Send {
    stream! {
        let news = request.line.join(&Topics::subjects(&[request.place.job]));
        let mut reader = Reader { request, progress: Progress::Open, told: false, failures: 0, pod: None };
        loop {
            let (pod, uid, ended) = match reader.next().await {
                Ok(Next::Read { pod, uid, ended }) => (pod, uid, ended),
                Ok(Next::Wait) => {
                    // The client was already here before anything that follows, so it gets all of it.
                    reader.request.tail = None;
                    if let Err(error) = reader.wait(&news, LOOK).await {
                        yield Err(error);
                        return;
                    }
                    continue;
                }
                Ok(Next::End(end)) => {
                    yield Ok(reader.end(end));
                    return;
                }
                Err(error) => {
                    yield Err(error);
                    return;
                }
            };
            reader.turn_to(pod.clone(), uid);
            let mut readings = Readings::of(&reader.request, pod, ended);
            let (since, mut until) = (Instant::now(), None::<Instant>);
            let broke = loop {
                if let Err(error) = readings.open_due(&mut reader.request).await {
                    break Broke::Failed(error);
                }
                if reader.request.place.strands.iter().all(|strand| strand.whole) {
                    if reader.request.stages.go_on(&mut reader.request.place) {
                        readings.begin(&reader.request);
                        continue;
                    }
                    break Broke::Ended;
                }
                let wake = [until, readings.next_opening()].into_iter().flatten().min();
                let heard = tokio::select! {
                    biased;
                    () = reader.request.rights.may_have_changed() => Heard::Rights,
                    told = readings.next() => Heard::Told(told),
                    () = news.heard(), if until.is_none() => Heard::News,
                    () = sleep_until(wake) => match until {
                        Some(end) if end <= Instant::now() => break Broke::Lingers,
                        Some(_) | None => continue,
                    },
                };
                let judged = match heard {
                    Heard::Told(Told::Passage(strand, passage)) => {
                        until = until.map(|_| Instant::now() + LINGER);
                        yield Ok(reader.chunk(strand, passage));
                        Ok(())
                    }
                    Heard::Told(Told::Ended(strand)) => {
                        readings.ended(&mut reader.request.place, strand);
                        Ok(())
                    }
                    Heard::Told(Told::Broken(strand, error)) => {
                        match readings.broken(&mut reader.request.place, strand, error) {
                            Ok(()) => Ok(()),
                            Err(error) => break Broke::Failed(error),
                        }
                    }
                    Heard::News => reader.goes_on().await.map(|goes_on| {
                        until = (!goes_on).then(|| Instant::now() + LINGER);
                    }),
                    Heard::Rights => reader.judge().await,
                };
                if let Err(error) = judged {
                    yield Err(error);
                    return;
                }
            };
            let is_last = reader.request.stages.is_last(&reader.request.place);
            reader.told |= is_last && readings.all_ended();
            drop(readings);
            let paused = match reader.after(broke, ended, since.elapsed()) {
                Ok(None) => Ok(()),
                Ok(Some(pause)) => reader.wait(&news, pause).await,
                Err(error) => Err(error),
            };
            if let Err(error) = paused {
                yield Err(error);
                return;
            }
        }
    }
}

/// What happens while a pod is read.
enum Heard {
    Told(Told),
    News,
    Rights,
}

/// Why reading a pod has stopped.
#[derive(Debug)]
enum Broke {
    /// Its logs have ended.
    Ended,
    /// The task has moved on, and a log has not ended.
    Lingers,
    /// A log could not be opened, or its connection broke.
    Failed(ClusterError),
}

struct Reader {
    request: Request,
    progress: Progress,
    /// Whether all of the pod's logs that exist have been read to the end.
    told: bool,
    /// Failures since the last line.
    failures: u32,
    pod: Option<String>,
}

impl Reader {
    fn place(&self) -> &Place {
        &self.request.place
    }

    async fn sight(&self) -> Result<Sight, ApiError> {
        let Place { job, task, .. } = *self.place();
        let mut conn = self.request.db.connection().await?;
        let found = log::sight(&mut conn, job, task).await?;
        found.ok_or_else(|| ApiError::not_found("job", job))
    }

    async fn next(&self) -> Result<Next, ApiError> {
        let sight = self.sight().await.map_err(|error| self.resumable(error))?;
        Ok(course::next(&sight, self.place(), self.progress, self.request.stages.begins_early()))
    }

    /// Whether the pod being read is still that of the task, and running.
    async fn goes_on(&self) -> Result<bool, ApiError> {
        Ok(match self.next().await? {
            Next::Read { uid, ended, .. } => !ended && self.place().pod.as_ref() == Some(&uid),
            Next::Wait | Next::End(_) => false,
        })
    }

    fn turn_to(&mut self, pod: String, uid: String) {
        self.pod = Some(pod);
        let Request { place, stages, .. } = &mut self.request;
        if place.pod.as_ref() != Some(&uid) {
            // Whatever the previous pod wrote after the last delivered line is lost if that pod no longer exists.
            let lost = place.pod.is_some() && !place.whole && !self.told;
            let Place { job, task, missing, .. } = *place;
            *place = Place { pod: Some(uid), missing: missing || lost, ..Place::start(job, task) };
            self.progress = Progress::Open;
            self.told = false;
        }
        stages.enter(place);
    }

    fn chunk(&mut self, strand: usize, Passage { number, lines }: Passage) -> Item<Caller, Chunk> {
        (self.failures, self.told) = (0, false);
        let Request { place, tails, rights, .. } = &mut self.request;
        place.missing |= lines.iter().any(|line| line.after_gap);
        // Readers of several containers have different positions although they receive the same lines.
        let is_shared = place.strands.len() == 1 && !place.missing;
        let container = place.strands.get_mut(strand).map(|strand| {
            if let Some(last) = lines.last() {
                strand.after = After::Mark(last.mark);
            }
            strand.container.clone()
        });
        let number = if is_shared { number } else { tails.number() };
        let container = container.unwrap_or_default();
        let chunk = Chunk { place: place.clone(), pod: self.pod.clone(), container, lines, end: None };
        Item { number, event: Arc::new(chunk), reader: rights.caller().clone() }
    }

    fn end(mut self, end: LogEnd) -> Item<Caller, Chunk> {
        self.request.place.whole = self.place().pod.is_some() && end == LogEnd::Complete;
        let Request { place, rights, tails, .. } = self.request;
        let end = if place.missing && end == LogEnd::Complete { LogEnd::Incomplete } else { end };
        let chunk = Chunk { place, pod: self.pod, container: String::new(), lines: Arc::default(), end: Some(end) };
        Item { number: tails.number(), event: Arc::new(chunk), reader: rights.caller().clone() }
    }

    /// The consequence of the end of a reading; how long to wait before the next, if that helps.
    fn after(&mut self, broke: Broke, ended: bool, lasted: Duration) -> Result<Option<Duration>, ApiError> {
        match broke {
            Broke::Ended if ended => self.request.place.whole = true,
            // Its containers have ended: the row will tell.
            Broke::Ended => return Ok(Some(SOON)),
            Broke::Lingers => {}
            Broke::Failed(ClusterError::NotFound(_)) => self.progress = Progress::Gone { told: self.told },
            Broke::Failed(error) => {
                self.failures = if lasted > SETTLED { 1 } else { self.failures + 1 };
                if self.failures > 1 {
                    return Err(self.resumable(ApiError::cluster_unavailable(error)));
                }
                tracing::debug!(job = %self.place().job, task = self.place().task, %error, "a log broke off");
                return Ok(Some(SOON));
            }
        }
        Ok(None)
    }

    /// Waits for news of the job, at most `pause`.
    async fn wait(&mut self, news: &Member<JobEvent>, pause: Duration) -> Result<(), ApiError> {
        let end = Instant::now() + pause;
        loop {
            tokio::select! {
                biased;
                () = self.request.rights.may_have_changed() => {}
                () = news.heard() => return Ok(()),
                () = tokio::time::sleep_until(end) => return Ok(()),
            }
            self.judge().await?;
        }
    }

    /// Whether the client may still read.
    async fn judge(&mut self) -> Result<(), ApiError> {
        let looked = self.request.rights.look().await;
        looked.map_err(|error| self.resumable(error))?;
        policy::check(self.request.rights.caller(), Action::ViewJob, self.request.scope).map(drop)
    }

    fn resumable(&self, error: ApiError) -> ApiError {
        error.resuming_after(self.place().cursor())
    }
}

async fn sleep_until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}
