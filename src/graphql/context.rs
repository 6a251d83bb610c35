//! What resolvers find in the request.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::Context;

use super::errors::RequestId;
use super::loaders::Loaders;
use crate::db::Db;
use crate::error::ApiError;

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
}

/// Where a subscription resumes, whatever its `after` argument is: the `Last-Event-ID` of an SSE client.
#[derive(Debug, Clone)]
pub struct ResumeAfter(pub Arc<str>);

/// The cursor of the event that a subscription is sending, for transports that send it next to the payload.
#[derive(Debug, Default)]
pub struct LastCursor(Mutex<Option<Arc<str>>>);

impl LastCursor {
    /// Records the cursor of the next event.
    pub fn set(&self, cursor: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(cursor.into());
    }

    /// The cursor of the last event.
    pub fn get(&self) -> Option<Arc<str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
