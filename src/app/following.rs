//! Subscriptions, executed once for all subscribers that receive the same data.
//!
//! The resolver of a feed runs for each subscriber, checks what they may follow and registers their feed. Its events
//! are then executed by the share of the subscriber (`graphql::shares`), for the first subscriber, and sent to all
//! others with the same scope. A subscription that is not such a feed is executed for its subscriber alone.

use std::sync::Arc;

use async_graphql::{Pos, Request, Response, Value, Variables};
use futures::future::{self, BoxFuture};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};

use super::App;
use crate::auth::principal::Caller;
use crate::auth::scope::{Scope, ScopeRecorder};
use crate::error::ApiError;
use crate::graphql::context::LastCursor;
use crate::graphql::errors::{RequestId, complete, graphql_error, without_suggestions};
use crate::graphql::feed::{Left, Operation, Running};
use crate::graphql::likeness::{Outline, Place};
use crate::graphql::limits::{AnswerBytes, Prepared};
use crate::graphql::loaders::Loaders;
use crate::graphql::shares::Told;
use crate::http::{Frame, GraphqlService as _, RequestMeta, answer};
use crate::schema;

/// What is sent to `caller`.
pub(super) fn follow(
    app: &App,
    caller: &Caller,
    request: Request,
    prepared: Prepared,
    meta: RequestMeta,
) -> BoxStream<'static, Frame> {
    let request_id = meta.request_id.clone();
    let Outline { likeness, place } = Outline::of(&request, prepared.document().parsed());
    let template = Template::of(app, caller, &request, prepared, request_id.clone());
    let suggests = app.limits(caller).operation.introspection;
    let left = Arc::<Left<Scope>>::default();
    let request = request.data(Arc::clone(&left)).data(request_id.clone());
    let (request, cursor) = app.complete(caller, request, Arc::new(Loaders::new(app.db.lane())), meta);
    let begins_after = Arc::clone(&cursor);
    let responses = app.0.schema.execute_stream(request);
    let prepared = template.prepared.clone();
    let id = request_id.clone();
    let answers = responses.map(move |mut response| {
        complete(&mut response, &id);
        if !suggests {
            without_suggestions(&mut response);
        }
        prepared.shape().settle(&mut response);
        // The resolver of a feed has no other answer: it could not be started.
        if response.data == Value::Null && !response.errors.is_empty() {
            Frame::failed(&response, None)
        } else {
            Frame::from_response(&response, cursor.get())
        }
    });
    let events = future::lazy(move |_| match left.take() {
        Some(feed) => {
            let standing = begins_after.standing();
            let begun = begins_after.get().map(|cursor| Frame::Begun { cursor, standing });
            let told = feed.follow(likeness, Box::new(template)).map(move |answer| match answer {
                Ok(rendition) => {
                    let told = &rendition.told;
                    Frame::Next { payload: Arc::clone(&told.payload), cursor: told.cursor.clone() }
                }
                Err(error) => ended(error, &place, &request_id),
            });
            stream::iter(begun).chain(told).boxed()
        }
        None => stream::empty().boxed(),
    });
    // Boxed separately: the state that was needed to find out what the subscriber may follow is not kept while they
    // follow it.
    answers.boxed().chain(events.boxed().flatten_stream()).boxed()
}

/// The last frame of a feed, which contains `error`.
fn ended(error: ApiError, place: &Place, request_id: &RequestId) -> Frame {
    let cursor = error.cursor.as_deref().map(Arc::from);
    let error = graphql_error(error, Some(request_id)).into_server_error(Pos::default());
    let response = Response::from_errors(vec![place.put(error)]);
    Frame::failed(&response, cursor)
}

/// What is needed to execute a subscription for others.
struct Template {
    schema: schema::Schema,
    db: crate::db::Db,
    prepared: Prepared,
    operation: Option<String>,
    variables: Variables,
    request_id: RequestId,
    answer_bytes: u64,
}

impl Template {
    fn of(app: &App, caller: &Caller, request: &Request, prepared: Prepared, request_id: RequestId) -> Self {
        Self {
            answer_bytes: app.limits(caller).operation.answer_bytes,
            schema: app.0.schema.clone(),
            db: app.db.clone(),
            prepared,
            operation: request.operation_name.clone(),
            variables: request.variables.clone(),
            request_id,
        }
    }
}

impl Operation<Scope> for Template {
    fn start(&self, put: Box<dyn FnOnce(Request) -> Request + '_>) -> Box<dyn Running<Scope>> {
        let recorder = Arc::<ScopeRecorder>::default();
        let mut request = Request::new("").variables(self.variables.clone());
        request.operation_name = self.operation.clone();
        request.set_parsed_query(self.prepared.executable(&self.variables));
        // Executed for nobody until an event says for whom.
        let request = put(request.data(Caller::Anonymous).data(Arc::clone(&recorder)));
        let request = request.data(self.request_id.clone());
        let (request, cursor) = schema::with_request_parts(request, Arc::new(Loaders::new(self.db.lane())), None);
        let answers = self.schema.execute_stream(request.data(AnswerBytes::new(self.answer_bytes)));
        let (request_id, prepared) = (self.request_id.clone(), self.prepared.clone());
        Box::new(EventExecution { answers, recorder, cursor, request_id, prepared })
    }
}

/// An operation of the schema that executes the events it is given.
struct EventExecution {
    answers: BoxStream<'static, Response>,
    recorder: Arc<ScopeRecorder>,
    cursor: Arc<LastCursor>,
    request_id: RequestId,
    prepared: Prepared,
}

impl Running<Scope> for EventExecution {
    fn begin(&mut self) {
        drop(self.recorder.take());
    }

    fn answer(&mut self) -> BoxFuture<'_, Option<Told<Scope>>> {
        async {
            let mut response = self.answers.next().await?;
            complete(&mut response, &self.request_id);
            self.prepared.shape().settle(&mut response);
            Some(Told {
                payload: answer::serialize(&response).into(),
                cursor: self.cursor.get(),
                scope: self.recorder.take(),
                sound: response.errors.is_empty(),
            })
        }
        .boxed()
    }
}
