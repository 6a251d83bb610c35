//! The schema with async-graphql's own executor: nothing of the server's is an extension of it.

use std::any::TypeId;
use std::sync::Arc;

use async_graphql::{Data, Executor, Pos, Request, Response, Schema};
use async_stream::stream;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use platform::auth::principal::Caller;
use platform::error::ApiError;
use platform::graphql::errors::{RequestId, graphql_error};
use platform::graphql::feed::Part;
use platform::graphql::loaders::Loaders;
use platform::schema::{self, Mutation, Query, Subscription};
use tokio::sync::mpsc;

use super::loaders::StockLoaders;
use super::parts::Parts;

/// The stock server without its transports.
#[derive(Clone)]
pub struct Stock(Arc<Inner>);

struct Inner {
    schema: Schema<Query, Mutation, Subscription>,
    parts: Arc<Parts>,
}

impl Stock {
    /// The same rooms over `parts`.
    pub fn new(parts: Arc<Parts>) -> Self {
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

    /// The resolvers of feeds play two parts (`graphql::feed`); here both are for one subscriber, who shares nothing.
    fn execute_stream(&self, request: Request, session: Option<Arc<Data>>) -> BoxStream<'static, Response> {
        let said = session.and_then(|data| data.get(&TypeId::of::<Caller>())?.downcast_ref::<Caller>().cloned());
        let caller = self.caller.clone().or(said).unwrap_or(Caller::Anonymous);
        let stock = self.stock.clone();
        let mut again = Request::new(request.query.clone()).variables(request.variables.clone());
        again.operation_name.clone_from(&request.operation_name);
        stream! {
            let part = Part::<Caller>::announce();
            let (items, given) = mpsc::channel(1);
            let asked = stock.complete(request.data(Arc::clone(&part)), caller.clone()).await;
            let told = stock.complete(again.data(Part::tell(given)), caller).await;
            let (asked, told) = match asked.and_then(|asked| Ok((asked, told?))) {
                Ok(requests) => requests,
                Err(error) => {
                    yield refused(error);
                    return;
                }
            };
            let mut answers = stock.0.schema.execute_stream(asked);
            while let Some(answer) = answers.next().await {
                yield answer;
            }
            let Some(mut feed) = part.left() else { return };
            let mut answers = stock.0.schema.execute_stream(told);
            while let Some(item) = feed.next().await {
                match item {
                    Ok(item) => {
                        let sent = items.send(item).await;
                        let Some(answer) = answers.next().await else { return };
                        yield answer;
                        if sent.is_err() {
                            return;
                        }
                    }
                    Err(error) => {
                        yield refused(error);
                        return;
                    }
                }
            }
        }
        .boxed()
    }
}
