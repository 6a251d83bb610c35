//! The deadline of an operation: a field that is not ready in time becomes an error, and the rest is returned.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_graphql::extensions::{ExtensionContext, NextResolve, ResolveInfo};
use async_graphql::{
    Context, ErrorExtensionValues, PathSegment, QueryPathNode, QueryPathSegment, Response, ServerError, ServerResult,
    Value,
};
use tokio::time::Instant;

use crate::error::{ApiError, Code};

/// When an operation must be answered; part of the request data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// The moment.
    pub at: Instant,
    /// The duration of the deadline, for the message.
    pub allowed: Duration,
}

impl Deadline {
    /// A deadline `allowed` from now.
    pub fn after(allowed: Duration) -> Self {
        Self { at: Instant::now() + allowed, allowed }
    }

    /// The error of what was not ready in time.
    pub fn passed(&self) -> ApiError {
        ApiError::new(Code::Timeout, self.message())
    }

    fn message(&self) -> String {
        format!("the operation exceeded its deadline of {} ms before this was ready", self.allowed.as_millis())
    }
}

/// Work of a resolver that waits for something other than the loaders of the request.
pub trait InTime<T, E> {
    /// The result, if it is ready before the deadline of the request.
    ///
    /// # Errors
    /// Its own, or `TIMEOUT`.
    fn in_time(self, ctx: &Context<'_>) -> impl Future<Output = Result<T, E>> + Send;
}

impl<T, E, F> InTime<T, E> for F
where
    F: Future<Output = Result<T, E>> + Send,
    T: Send,
    E: From<ApiError> + Send,
{
    async fn in_time(self, ctx: &Context<'_>) -> Result<T, E> {
        match ctx.data_opt::<Deadline>() {
            Some(deadline) => {
                tokio::time::timeout_at(deadline.at, self).await.unwrap_or_else(|_| Err(deadline.passed().into()))
            }
            None => self.await,
        }
    }
}

/// Ends all fields of an operation that are still waiting when the [`Deadline`] of the request passes, from the inside
/// out: a nullable field is null, with an error, and everything that was ready in time is returned. Without a deadline
/// it changes nothing. `graphql::waves` drives it.
#[derive(Debug, Default)]
pub struct Operation {
    late: Mutex<Vec<ServerError>>,
}

impl Operation {
    /// Adds the errors of late fields to the response of the operation.
    pub fn tell(&self, response: &mut Response) {
        response.errors.append(&mut self.late.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Resolves a field before the deadline, or returns an error for it.
    pub async fn in_time(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let (path, nullable) = (info.path_node, !info.return_type.ends_with('!'));
        let mut field = pin!(next.run(ctx, info));
        // Most fields are ready immediately and need no timer.
        if let Poll::Ready(result) = futures::poll!(field.as_mut()) {
            return result;
        }
        let Some(deadline) = ctx.data_opt::<Deadline>().copied() else { return field.await };
        match tokio::time::timeout_at(deadline.at, field).await {
            Ok(result) => result,
            Err(_) if nullable => {
                self.late.lock().unwrap_or_else(PoisonError::into_inner).push(late(deadline, path));
                Ok(Some(Value::Null))
            }
            Err(_) => Err(late(deadline, path)),
        }
    }
}

fn late(deadline: Deadline, path: &QueryPathNode<'_>) -> ServerError {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", Code::Timeout.as_str());
    extensions.set("retryable", Code::Timeout.is_retryable());
    let mut error = ServerError::new(deadline.message(), None);
    error.extensions = Some(extensions);
    let mut segments: Vec<PathSegment> = path.parents().map(segment).collect();
    segments.reverse();
    segments.push(segment(path));
    error.with_path(segments)
}

fn segment(node: &QueryPathNode<'_>) -> PathSegment {
    match node.segment {
        QueryPathSegment::Index(index) => PathSegment::Index(index),
        QueryPathSegment::Name(name) => PathSegment::Field(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::waves::Waves;
    use async_graphql::{EmptyMutation, EmptySubscription, Object, Request, Schema};

    struct Query;
    struct Room;

    #[Object]
    impl Query {
        async fn quick(&self) -> i32 {
            1
        }
        async fn slow(&self) -> Option<i32> {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Some(2)
        }
        async fn rooms(&self) -> Vec<Room> {
            vec![Room, Room]
        }
    }

    #[Object]
    impl Room {
        async fn name(&self) -> &str {
            "blue"
        }
        async fn guests(&self) -> Option<i32> {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Some(3)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_in_time_is_answered_and_the_rest_is_null_with_an_error_each() {
        let schema = Schema::build(Query, EmptyMutation, EmptySubscription).extension(Waves).finish();
        let request =
            Request::new("{ quick slow rooms { name guests } }").data(Deadline::after(Duration::from_secs(2)));
        let response = schema.execute(request).await;
        insta::assert_snapshot!(
            response.data,
            @"{quick: 1, slow: null, rooms: [{name: \"blue\", guests: null}, {name: \"blue\", guests: null}]}"
        );
        let told: Vec<_> = response.errors.iter().map(|error| format!("{:?}: {}", error.path, error.message)).collect();
        insta::assert_debug_snapshot!(told, @r#"
        [
            "[Field(\"slow\")]: the operation exceeded its deadline of 2000 ms before this was ready",
            "[Field(\"rooms\"), Index(0), Field(\"guests\")]: the operation exceeded its deadline of 2000 ms before this was ready",
            "[Field(\"rooms\"), Index(1), Field(\"guests\")]: the operation exceeded its deadline of 2000 ms before this was ready",
        ]
        "#);
    }
}
