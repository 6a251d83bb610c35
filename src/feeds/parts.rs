//! The common parts of every subscription's resolver: its two roles, and where it starts.

use std::sync::Arc;

use async_graphql::Context;
use async_stream::stream;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::Audience;
use crate::auth::Authenticator;
use crate::auth::acting::CallerExt;
use crate::auth::principal::Caller;
use crate::auth::rights::Rights;
use crate::auth::scope::Scope;
use crate::error::ApiError;
use crate::graphql::ApiResult;
use crate::graphql::context::{LastCursor, RequestExt, ResumeAfter, Standing};
use crate::graphql::feed::{Feed, Given, Item, Left};
use crate::graphql::limits::AnswerBytes;
use crate::graphql::scalars::FeedCursor;

/// A value from the request or the schema.
///
/// # Errors
/// The value is missing, which is a bug.
pub fn part<'c, T: Send + Sync + 'static>(ctx: &Context<'c>) -> Result<&'c T, ApiError> {
    let missing = || ApiError::internal(format!("the request carries no {}", std::any::type_name::<T>()));
    ctx.data_opt::<T>().ok_or_else(missing)
}

/// The subscriber's rights, which are updated from now on.
///
/// # Errors
/// `UNAUTHENTICATED`, or the rights cannot be determined.
pub async fn rights(ctx: &Context<'_>) -> Result<Rights, ApiError> {
    let caller = ctx.caller();
    caller.principal()?;
    Rights::of(part::<Authenticator>(ctx)?, caller).await
}

/// The cursor to resume after: the one from the transport, because a client that reconnects sends the argument that it
/// started with again, or else the argument.
pub fn resumed(ctx: &Context<'_>, after: Option<FeedCursor>) -> Option<String> {
    ctx.data_opt::<ResumeAfter>().map(|last| last.0.to_string()).or(after.map(|FeedCursor(text)| text))
}

/// Reports to the transport where the feed starts, so that a client that is disconnected before its first event can
/// resume.
pub fn begins_after(ctx: &Context<'_>, cursor: String) {
    if let Some(last) = ctx.data_opt::<Arc<LastCursor>>() {
        last.set(cursor);
    }
}

/// Reports to the transport how to find out where the feed stands while it sends nothing.
pub fn moves_with(ctx: &Context<'_>, standing: Standing) {
    if let Some(last) = ctx.data_opt::<Arc<LastCursor>>() {
        last.moves_with(standing);
    }
}

/// Stores a subscriber's feed, to be delivered together with the others in `audience`.
///
/// # Errors
/// There is no place to store it, which is a bug.
pub fn leave<E: Send + Sync + 'static>(
    ctx: &Context<'_>,
    feed: Feed<Caller, E>,
    audience: Audience<E>,
) -> Result<(), ApiError> {
    part::<Arc<Left<Scope>>>(ctx)?.leave(feed, audience);
    Ok(())
}

/// In an execution that subscribers share: the items for the events that it receives, each as its reader sees it.
/// `tell` returns an event's cursor and its item.
///
/// # Errors
/// The request carries no loaders, which is a bug.
pub fn executed<E: Send + Sync + 'static, T: Send + 'static>(
    ctx: &Context<'_>,
    tell: impl Fn(Arc<E>) -> (String, T) + Send + 'static,
) -> Result<Option<BoxStream<'static, ApiResult<T>>>, ApiError> {
    let Some(mut items) = ctx.data_opt::<Given<Caller, E>>().and_then(Given::take) else { return Ok(None) };
    let (acting, loaders, last) = (ctx.acting(), ctx.loaders()?, ctx.data_opt::<Arc<LastCursor>>().cloned());
    let answer = ctx.data_opt::<AnswerBytes>().cloned().unwrap_or_default();
    let events = stream! {
        while let Some(Item { event, reader, .. }) = items.recv().await {
            acting.switch(reader);
            // What was loaded for the previous event may be older than this one.
            loaders.forget();
            answer.begin();
            let (cursor, told) = tell(event);
            if let Some(last) = &last {
                last.set(cursor);
            }
            yield Ok(told);
        }
    };
    Ok(Some(events.boxed()))
}
