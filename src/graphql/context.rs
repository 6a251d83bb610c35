//! What resolvers find in the request.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_graphql::Context;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::errors::RequestId;
use super::loaders::Loaders;
use crate::db::Db;
use crate::error::{ApiError, Denied};

/// The parts of a request that every module needs.
pub trait RequestExt {
    /// The database.
    ///
    /// # Errors
    /// The request has none, which is a bug.
    fn db(&self) -> Result<&Db, ApiError>;

    /// The loaders of the request, for work that outlives the resolver's borrow of the context.
    ///
    /// # Errors
    /// The request has none, which is a bug.
    fn loaders(&self) -> Result<Arc<Loaders>, ApiError>;

    /// The ID of the request, if it has one.
    fn request_id(&self) -> Option<&str>;

    /// Waits until no other field of the request has a turn: for work of which a request does one piece at a time, until
    /// the returned value is dropped.
    fn turn(&self) -> impl Future<Output = Option<SemaphorePermit<'_>>> + Send;
}

impl RequestExt for Context<'_> {
    fn db(&self) -> Result<&Db, ApiError> {
        self.data_opt::<Db>().ok_or_else(|| ApiError::internal("the request carries no database"))
    }

    fn loaders(&self) -> Result<Arc<Loaders>, ApiError> {
        self.data_opt::<Arc<Loaders>>().cloned().ok_or_else(|| ApiError::internal("the request carries no loaders"))
    }

    fn request_id(&self) -> Option<&str> {
        self.data_opt::<RequestId>().map(|id| id.0.as_str())
    }

    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.data_opt::<Turns>()?.0.acquire().await.ok()
    }
}

type Listener = dyn Fn(&ApiError, Denied) + Send + Sync;

/// What is told of everything that the fields of a mutation were denied; part of the data of such a request.
pub struct OnDenied(Box<Listener>);

impl OnDenied {
    /// Calls this.
    pub fn by(call: impl Fn(&ApiError, Denied) + Send + Sync + 'static) -> Self {
        Self(Box::new(call))
    }

    /// Tells of this error.
    pub fn tell(&self, error: &ApiError) {
        if let Some(denied) = error.denied {
            (self.0)(error, denied);
        }
    }
}

impl fmt::Debug for OnDenied {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OnDenied")
    }
}

/// Who has the turn among the fields of a request; part of the request data.
#[derive(Debug)]
pub struct Turns(Semaphore);

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(1))
    }
}

/// Where a subscription resumes, whatever its `after` argument is: the `Last-Event-ID` of an SSE client.
#[derive(Debug, Clone)]
pub struct ResumeAfter(pub Arc<str>);

/// The cursor of the event that a subscription is sending, for transports that send it next to the payload.
#[derive(Debug, Default)]
pub struct LastCursor {
    cursor: Mutex<Option<Arc<str>>>,
    standing: OnceLock<Standing>,
}

impl LastCursor {
    /// Records the cursor of the next event.
    pub fn set(&self, cursor: String) {
        *self.cursor.lock().unwrap_or_else(PoisonError::into_inner) = Some(cursor.into());
    }

    /// The cursor of the last event.
    pub fn get(&self) -> Option<Arc<str>> {
        self.cursor.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records how to find out where the subscription stands between events.
    pub fn moves_with(&self, standing: Standing) {
        // A subscription has one resolver, which does this once.
        let _ = self.standing.set(standing);
    }

    /// How to find out where the subscription stands between events, if that moves.
    pub fn standing(&self) -> Option<Standing> {
        self.standing.get().cloned()
    }
}

/// Where a subscription stands, which moves on while it has nothing to send. Asking costs next to nothing, and nobody
/// asks of most subscriptions most of the time.
#[derive(Clone)]
pub struct Standing(Arc<dyn Fn() -> Option<String> + Send + Sync>);

impl Standing {
    /// As `find` finds it.
    pub fn by(find: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    /// The cursor up to which the subscription has sent everything that it sends. `None` while it is sending something:
    /// then it is the cursor of the last event that was sent.
    pub fn cursor(&self) -> Option<String> {
        (self.0)()
    }
}

impl fmt::Debug for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Standing").field(&self.cursor()).finish()
    }
}

impl PartialEq for Standing {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Standing {}
