//! Notices that the project which a feed follows was deleted.

use std::fmt;
use std::sync::Arc;

use async_graphql::Context;

use crate::db::Db;
use crate::error::ApiError;
use crate::events::{Member, Topics};
use crate::feeds::Channel;
use crate::feeds::parts::part;
use crate::graphql::context::RequestExt;
use crate::ids::ProjectId;
use crate::projects::model;
use crate::projects::types::ProjectEvent;

/// A project that a feed follows.
#[derive(Clone)]
pub struct Existence {
    project: ProjectId,
    field: &'static str,
    db: Db,
    heard: Arc<Member<ProjectEvent>>,
}

impl fmt::Debug for Existence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Existence").field("project", &self.project).finish_non_exhaustive()
    }
}

impl Existence {
    /// Hears of the end of the project from now on, so it must be read after this. `field` is where the subscriber named it.
    ///
    /// # Errors
    /// A part of the request is missing, which is a bug.
    pub fn watch(ctx: &Context<'_>, project: ProjectId, field: &'static str) -> Result<Self, ApiError> {
        let heard = Arc::new(part::<Channel<ProjectEvent>>(ctx)?.line().join(&Topics::Project(project)));
        Ok(Self { project, field, db: ctx.db()?.clone(), heard })
    }

    /// Resolves when the project was deleted, or if that cannot be determined.
    pub async fn ended(self) -> ApiError {
        loop {
            self.heard.heard().await;
            if let Err(error) = exists(&self.db, self.project, self.field).await {
                return error;
            }
        }
    }
}

/// `Ok` as long as the project exists.
///
/// # Errors
/// `NOT_FOUND`, or the database's.
pub async fn exists(db: &Db, project: ProjectId, field: &'static str) -> Result<(), ApiError> {
    let found = model::find(&mut *db.connection().await?, project).await?;
    found.map(drop).ok_or_else(|| ApiError::not_found("project", project).at(field))
}
