//! What a resolver finds in its request.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::Context;

use super::errors::RequestId;
use super::loaders::Loaders;
use crate::db::Db;
use crate::error::ApiError;

/// The parts of a request that every room needs.
pub trait RequestExt {
    /// The database.
    ///
    /// # Errors
    /// The request carries none, which is a defect.
    fn db(&self) -> Result<&Db, ApiError>;

    /// The request's loaders, for work that outlives the resolver's borrow of the context.
    ///
    /// # Errors
    /// The request carries none, which is a defect.
    fn loaders(&self) -> Result<Arc<Loaders>, ApiError>;

    /// The request's id, where it has one.
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

/// Where a subscription resumes when its `after` argument does not say: what an SSE client sent as `Last-Event-ID`.
#[derive(Debug, Clone)]
pub struct ResumeAfter(pub Arc<str>);

/// The cursor of the event that a subscription is telling, for transports that put it beside the payload.
#[derive(Debug, Default)]
pub struct LastCursor(Mutex<Option<Arc<str>>>);

impl LastCursor {
    /// Notes the cursor of the event that is told next.
    pub fn set(&self, cursor: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(cursor.into());
    }

    /// The cursor of the event that was told last.
    pub fn get(&self) -> Option<Arc<str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
