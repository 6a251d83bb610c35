//! The schema with async-graphql's own executor, without any extension of the server.

use std::any::TypeId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_graphql::{Data, Executor, Pos, Request, Response, Schema};
use async_stream::stream;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use platform::app::App;
use platform::auth::principal::Caller;
use platform::auth::scope::Scope;
use platform::error::ApiError;
use platform::graphql::errors::{RequestId, graphql_error};
use platform::graphql::feed::{Left, Operation, Running};
use platform::graphql::likeness::{Likeness, Outline};
use platform::graphql::loaders::Loaders;
use platform::graphql::shares::Told;
use platform::schema::{self, Mutation, Query, Subscription};

use super::loaders::StockLoaders;

/// The stock server without its transports.
#[derive(Clone)]
pub struct Stock(Arc<Inner>);

struct Inner {
    schema: Schema<Query, Mutation, Subscription>,
    parts: App,
}

impl Stock {
    /// The same rooms over `parts`.
    pub fn new(parts: App) -> Self {
        let schema = parts.put_in(schema::builder()).finish();
        Self(Arc::new(Inner { schema, parts }))
    }

    /// Who has these credentials: the value of an `Authorization` header.
    pub async fn authenticate(&self, credentials: Option<&str>) -> Result<Caller, ApiError> {
        self.0.parts.authenticator.authenticate(credentials).await
    }

    /// Executes for this caller; without one, for whom the connection's data names.
    pub fn executor(&self, caller: Option<Caller>) -> StockExecutor {
        StockExecutor { stock: self.clone(), caller }
    }

    /// The request with what the rooms look for in it.
    async fn complete(&self, request: Request, caller: Caller) -> Result<Request, ApiError> {
        let lane = self.0.parts.db.lane();
        let others = Arc::new(StockLoaders::new(lane.clone()));
        let loaders = Arc::new(Loaders::of_another_make(lane, others));
        let request = match request.query.contains("eventCursor") {
            true => schema::event_cursor::read(request, &self.0.parts.db).await?,
            false => request,
        };
        let (request, _) = schema::with_request_parts(request, loaders, None);
        Ok(request.data(caller).data(RequestId("stock".to_owned())))
    }
}

/// What is told of a failure outside of any field.
pub fn refused(error: ApiError) -> Response {
    Response::from_errors(vec![graphql_error(error, None).into_server_error(Pos::default())])
}

/// Executes what async-graphql-axum has read.
#[derive(Clone)]
pub struct StockExecutor {
    stock: Stock,
    caller: Option<Caller>,
}

impl Executor for StockExecutor {
    async fn execute(&self, request: Request) -> Response {
        let caller = self.caller.clone().unwrap_or(Caller::Anonymous);
        match self.stock.complete(request, caller).await {
            Ok(request) => self.stock.0.schema.execute(request).await,
            Err(error) => refused(error),
        }
    }

    /// A feed's resolver leaves the events of its subscriber (`graphql::feed`), who shares their execution with nobody here.
    fn execute_stream(&self, request: Request, session: Option<Arc<Data>>) -> BoxStream<'static, Response> {
        let said = session.and_then(|data| data.get(&TypeId::of::<Caller>())?.downcast_ref::<Caller>().cloned());
        let caller = self.caller.clone().or(said).unwrap_or(Caller::Anonymous);
        let stock = self.stock.clone();
        let again = Again { stock: stock.clone(), caller: caller.clone(), request: copy(&request) };
        stream! {
            let left = Arc::<Left<Scope>>::default();
            let likeness = again.likeness();
            let asked = match stock.complete(request.data(Arc::clone(&left)), caller).await {
                Ok(asked) => asked,
                Err(error) => {
                    yield refused(error);
                    return;
                }
            };
            let mut answers = stock.0.schema.execute_stream(asked);
            while let Some(answer) = answers.next().await {
                yield answer;
            }
            let (Some(feed), Some(likeness)) = (left.take(), likeness) else { return };
            let mut told = feed.follow(likeness, Box::new(again));
            while let Some(answer) = told.next().await {
                yield match answer {
                    Ok(rendition) => serde_json::from_str(&rendition.told.payload)
                        .unwrap_or_else(|error| refused(ApiError::internal(error))),
                    Err(error) => refused(error),
                };
            }
        }
        .boxed()
    }
}

fn copy(request: &Request) -> Request {
    let mut copy = Request::new(request.query.clone()).variables(request.variables.clone());
    copy.operation_name.clone_from(&request.operation_name);
    copy
}

/// What it takes to execute a subscription for its events.
struct Again {
    stock: Stock,
    caller: Caller,
    request: Request,
}

impl Again {
    /// Like no other; `None` for what does not parse, which has no feed.
    fn likeness(&self) -> Option<Likeness> {
        static SUBSCRIBERS: AtomicU64 = AtomicU64::new(0);
        let document = async_graphql::parser::parse_query(&self.request.query).ok()?;
        let mut request = copy(&self.request);
        request.query.push_str(&format!("# {}", SUBSCRIBERS.fetch_add(1, Ordering::Relaxed)));
        Some(Outline::of(&request, &document).likeness)
    }
}

impl Operation<Scope> for Again {
    fn start(&self, put: Box<dyn FnOnce(Request) -> Request + '_>) -> Box<dyn Running<Scope>> {
        let (stock, caller, request) = (self.stock.clone(), self.caller.clone(), put(copy(&self.request)));
        let answers = stream! {
            match stock.complete(request, caller).await {
                Ok(request) => {
                    let mut answers = stock.0.schema.execute_stream(request);
                    while let Some(answer) = answers.next().await {
                        yield answer;
                    }
                }
                Err(error) => yield refused(error),
            }
        };
        Box::new(Events(answers.boxed()))
    }
}

struct Events(BoxStream<'static, Response>);

impl Running<Scope> for Events {
    fn begin(&mut self) {}

    fn answer(&mut self) -> BoxFuture<'_, Option<Told<Scope>>> {
        async {
            let response = self.0.next().await?;
            let payload = serde_json::to_string(&response).ok()?.into();
            Some(Told { payload, cursor: None, scope: Scope::default(), sound: response.errors.is_empty() })
        }
        .boxed()
    }
}
