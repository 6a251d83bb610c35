//! Requests and messages by ID, the messages of a request, and the pages of requests.

use std::sync::Arc;

use futures::{FutureExt, TryFutureExt};

use super::model::{self, Message, Request, Selection};
use crate::auth::policy::Visible;
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Read, one_by_one};
use crate::db::tables::request_messages;
use crate::error::ApiError;
use crate::graphql::connection::Page;
use crate::graphql::cursor::Position;
use crate::graphql::edges::ListEdge;
use crate::ids::{RequestId, RequestKind, RequestMessageId, UserId};

/// The request with an ID.
pub enum RequestsById {}

impl Read for RequestsById {
    type Key = RequestId;
    type Value = Arc<Request>;

    async fn read(lane: &Lane, keys: Vec<RequestId>) -> Result<ByKey<RequestId, Arc<Request>>, ApiError> {
        let found = model::find(&mut *lane.lookup().await?, &keys).await?;
        Ok(found.into_iter().map(|request| (request.id, Arc::new(request))).collect())
    }
}

/// The message with an ID.
pub enum MessagesById {}

impl Read for MessagesById {
    type Key = RequestMessageId;
    type Value = Arc<Message>;

    async fn read(lane: &Lane, keys: Vec<RequestMessageId>) -> Result<ByKey<RequestMessageId, Arc<Message>>, ApiError> {
        let found = model::messages(&mut *lane.lookup().await?, &keys).await?;
        Ok(found.into_iter().map(|message| (message.id, Arc::new(message))).collect())
    }
}

/// The messages of a request, oldest first.
pub enum MessagesOfRequest {}

impl ListEdge for MessagesOfRequest {
    type Parent = RequestKind;
    type Under = request_messages::request_id;
    type SortedBy = (request_messages::created_at, request_messages::id);
    type Row = Message;
    type Item = Message;
    type Filter = ();

    fn parent(message: &Message) -> RequestId {
        message.request_id
    }

    fn position(message: &Message, (): &()) -> Position {
        Position::at(message.created_at, message.id.uuid())
    }
}

/// A page of the requests that a viewer can see.
pub enum RequestPages {}

impl Read for RequestPages {
    type Key = (Visible, UserId, Selection, Page);
    type Value = Arc<Vec<Request>>;
    const CONNECTIONS: usize = 2;
    /// Each is a separate statement: others get their own connection.
    const BATCH: usize = 4;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        one_by_one(lane, keys, |conn, (visible, viewer, selection, page)| {
            model::page(conn, visible, *viewer, selection, page).map_ok(Arc::new).boxed()
        })
        .await
    }
}
