//! The position of the event log, for a client that first queries a list and then subscribes.

use async_graphql::{Context, Object, Request};

use crate::auth::acting::CallerExt;
use crate::db::Db;
use crate::error::ApiError;
use crate::events::{self, Seq};
use crate::graphql::limits::Prepared;
use crate::graphql::scalars::FeedCursor;
use crate::graphql::{ApiResult, IntoGraphql};

/// The field.
const FIELD: &str = "eventCursor";

/// The position of the log before the operation read anything; part of the request data.
#[derive(Debug, Clone, Copy)]
struct EventCursor(Seq);

/// The request with the position of the event log, if it may contain that field. Must be awaited before the operation
/// is executed, so that everything it reads is at least as recent. This takes a statement for each operation whose
/// document contains the word.
///
/// # Errors
/// The database's.
pub async fn read_first(request: Request, prepared: &Prepared, db: &Db) -> Result<Request, ApiError> {
    if !prepared.document().text().contains(FIELD) {
        return Ok(request);
    }
    read(request, db).await
}

/// The same, whether the request may contain the field or not.
///
/// # Errors
/// The database's.
pub async fn read(request: Request, db: &Db) -> Result<Request, ApiError> {
    Ok(request.data(EventCursor(events::loader::tip(&db.lane()).await?)))
}

/// The query for the event log.
#[derive(Debug, Default)]
pub struct EventCursorQuery;

#[Object]
impl EventCursorQuery {
    /// The current position in the event log. Everything else that the same operation reads is at least as recent. To
    /// follow a list without missing a change, query it together with `eventCursor`, then subscribe with this cursor as
    /// `after`.
    async fn event_cursor(&self, ctx: &Context<'_>) -> ApiResult<FeedCursor> {
        event_cursor(ctx).graphql(ctx)
    }
}

fn event_cursor(ctx: &Context<'_>) -> Result<FeedCursor, ApiError> {
    ctx.caller().principal()?;
    let stood =
        ctx.data_opt::<EventCursor>().ok_or_else(|| ApiError::internal("the request carries no event cursor"))?;
    Ok(FeedCursor(stood.0.cursor()))
}
