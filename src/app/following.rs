//! Subscriptions, executed once for all who are told the same.
//!
//! A feed's resolver runs for each subscriber, checks what they may follow and leaves their feed. Its events are then
//! executed by the subscriber's share (`graphql::shares`), for whoever comes first, and told to all others with the same
//! scope. A subscription that is no such feed is executed for its subscriber alone.

use std::sync::Arc;

use async_graphql::{Pos, Request, Response, Variables};
use async_stream::stream;
use futures::future::{self, BoxFuture};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, Stream, StreamExt};
use tokio::sync::mpsc;

use super::App;
use crate::auth::principal::Caller;
use crate::auth::scope::{Scope, ScopeRecorder};
use crate::error::ApiError;
use crate::graphql::context::LastCursor;
use crate::graphql::errors::{RequestId, complete, graphql_error, without_suggestions};
use crate::graphql::feed::{Feed, Item, Part};
use crate::graphql::likeness::{Likeness, Outline, Place};
use crate::graphql::limits::{AnswerBytes, Prepared};
use crate::graphql::loaders::Loaders;
use crate::graphql::shares::{Broken, Execution, Follower, Shares, Told};
use crate::http::{Frame, GraphqlService as _, RequestMeta, answer};
use crate::schema;

/// The shares of a server's subscriptions.
pub(super) type Following = Shares<Likeness, Scope>;

/// What `caller` is told.
pub(super) fn follow(
    app: &App,
    caller: &Caller,
    mut request: Request,
    prepared: Prepared,
    meta: RequestMeta,
) -> BoxStream<'static, Frame> {
    let request_id = meta.request_id.clone();
    let Outline { likeness, place } = Outline::of(&mut request);
    let template = Template::of(app, caller, &request, prepared, request_id.clone());
    let suggests = app.limits(caller).operation.introspection;
    let part = Part::<Caller>::announce();
    let request = request.data(Arc::clone(&part)).data(request_id.clone());
    let (request, cursor) = app.complete(caller, request, Arc::new(Loaders::new(app.0.db.lane())), meta);
    let responses = app.0.schema.execute_stream(request);
    let prepared = template.prepared.clone();
    let id = request_id.clone();
    let answers = responses.map(move |mut response| {
        complete(&mut response, &id);
        if !suggests {
            without_suggestions(&mut response);
        }
        prepared.shape().settle(&mut response);
        Frame::from_response(&response, cursor.get())
    });
    let following = app.0.following.clone();
    let events = future::lazy(move |_| match part.left() {
        Some(feed) => {
            let follower = following.join(likeness, move || Box::new(template.start()));
            Follows { feed: Some(feed), follower, place, request_id }.frames().boxed()
        }
        None => stream::empty().boxed(),
    });
    // Boxed each by itself: what it took to find out what the subscriber may follow is not kept while they follow it.
    answers.boxed().chain(events.boxed().flatten_stream()).boxed()
}

/// One subscriber that follows a feed.
struct Follows {
    /// `None` when it has ended with an error.
    feed: Option<Feed<Caller>>,
    follower: Follower<Scope>,
    place: Place,
    request_id: RequestId,
}

impl Follows {
    fn frames(mut self) -> impl Stream<Item = Frame> + Send {
        stream! {
            while let Some(frame) = self.next().await {
                yield frame;
            }
        }
    }

    async fn next(&mut self) -> Option<Frame> {
        let item = match self.feed.as_mut()?.next().await? {
            Ok(item) => item,
            Err(error) => return Some(self.ended(error)),
        };
        match self.follower.tell(item).await {
            Ok(rendition) => {
                let told = &rendition.told;
                Some(Frame::Next { payload: Arc::clone(&told.payload), cursor: told.cursor.clone() })
            }
            Err(Broken) => Some(self.ended(ApiError::internal("an event could not be executed"))),
        }
    }

    /// The last frame, which tells `error`.
    fn ended(&mut self, error: ApiError) -> Frame {
        self.feed = None;
        let cursor = error.cursor.as_deref().map(Arc::from);
        let error = graphql_error(error, Some(&self.request_id)).into_server_error(Pos::default());
        let response = Response::from_errors(vec![self.place.put(error)]);
        Frame::Next { payload: answer::serialize(&response).into(), cursor }
    }
}

/// What it takes to execute a subscription for others.
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
            db: app.0.db.clone(),
            prepared,
            operation: request.operation_name.clone(),
            variables: request.variables.clone(),
            request_id,
        }
    }

    fn start(&self) -> EventExecution {
        let (items, given) = mpsc::channel(1);
        let recorder = Arc::<ScopeRecorder>::default();
        let mut request = Request::new("").variables(self.variables.clone());
        request.operation_name = self.operation.clone();
        request.set_parsed_query(self.prepared.document().parsed().clone());
        // Nobody's, until an event says whose it is.
        let request = request.data(Caller::Anonymous).data(Part::tell(given)).data(Arc::clone(&recorder));
        let request = request.data(self.request_id.clone());
        let (request, cursor) = schema::with_request_parts(request, Arc::new(Loaders::new(self.db.lane())), None);
        let answers = self.schema.execute_stream(request.data(AnswerBytes::new(self.answer_bytes)));
        let (request_id, prepared) = (self.request_id.clone(), self.prepared.clone());
        EventExecution { items, answers, recorder, cursor, request_id, prepared }
    }
}

/// One operation of the schema that executes the events it is given.
struct EventExecution {
    items: mpsc::Sender<Item<Caller>>,
    answers: BoxStream<'static, Response>,
    recorder: Arc<ScopeRecorder>,
    cursor: Arc<LastCursor>,
    request_id: RequestId,
    prepared: Prepared,
}

impl Execution<Scope> for EventExecution {
    fn tell(&mut self, item: Item<Caller>) -> BoxFuture<'_, Option<Told<Scope>>> {
        async {
            drop(self.recorder.take());
            self.items.send(item).await.ok()?;
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
