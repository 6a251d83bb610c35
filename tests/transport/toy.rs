//! A server with a toy schema behind the real transports, to test the transports and not the platform.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Object, Request, Schema, SimpleObject, Subscription};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _};
use platform::error::{ApiError, SignInReason};
use platform::graphql::deprecated::WithoutDeprecated;
use platform::graphql::limits::directives::{cost, list_size};
use platform::graphql::limits::{CallerLimits, CostTable, OperationLimits, Prepared, Principal, RateLimitQuery};
use platform::graphql::waves::Waves;
use platform::http::{
    Credentials, Deprecated, Endpoint, Frame, GraphqlService, HttpSettings, Lifecycle, Peer, ReadinessCheck,
    RequestMeta, Revocation, Threads, router, serve,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const THREADS: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

pub use crate::support::session::http_client as client;

#[derive(Default, async_graphql::MergedObject)]
pub struct Query(Greetings, RateLimitQuery);
#[derive(Default)]
pub struct Greetings;
pub struct Mutation;
pub struct Ticks;

#[derive(SimpleObject)]
struct Room {
    number: i32,
}

#[Object]
impl Greetings {
    /// Five rooms at the most, whatever is asked for.
    #[graphql(directive = list_size::apply(Some(10), Some(vec!["first".to_owned()]), None, false))]
    async fn rooms(&self, first: Option<i32>) -> Vec<Room> {
        (0..first.unwrap_or(10).min(5)).map(|number| Room { number }).collect()
    }
    #[graphql(directive = cost::apply("500".to_owned()))]
    async fn dear(&self) -> bool {
        true
    }
    #[graphql(deprecation = "say hello")]
    async fn greet(&self) -> String {
        "hello".to_owned()
    }
    async fn hello(&self, #[graphql(default_with = "\"world\".to_owned()")] name: String) -> String {
        format!("hello {name}")
    }
    async fn slow(&self, milliseconds: u64) -> Option<u64> {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        Some(milliseconds)
    }
    async fn panics(&self) -> i32 {
        [1].get(1).copied().expect("a defect that nobody should hear of")
    }
    async fn long(&self) -> String {
        "long ".repeat(2_000)
    }
}

#[Object]
impl Mutation {
    async fn add(&self, a: i32, b: i32) -> i32 {
        a + b
    }
}

#[Subscription]
impl Ticks {
    /// Counts from `after` + 1 to `to`, and stays open at the end when `stay` says so.
    async fn tick(
        &self,
        ctx: &async_graphql::Context<'_>,
        after: Option<u64>,
        to: u64,
        #[graphql(default)] stay: bool,
    ) -> impl Stream<Item = u64> + use<> {
        let resumed = ctx.data_opt::<ResumeAfter>().and_then(|resume| resume.0.as_deref()?.parse().ok());
        let numbers = stream::iter(after.or(resumed).unwrap_or(0) + 1..=to);
        if stay { numbers.chain(stream::pending()).boxed() } else { numbers.boxed() }
    }
    async fn breaks(&self) -> impl Stream<Item = i32> + use<> {
        stream::once(async { panic!("a defect in a subscription") })
    }
}

struct ResumeAfter(Option<Arc<str>>);

/// Credentials decide what happens: `Bearer good`, `Bearer short` (ends after 300 ms), anything else is refused.
#[derive(Clone)]
pub struct Toy {
    schema: Schema<Query, Mutation, Ticks>,
    limits: Arc<CallerLimits>,
    user_limits: Arc<CallerLimits>,
    costs: Arc<CostTable>,
}

#[derive(Clone, PartialEq)]
pub enum Caller {
    Nobody,
    Somebody { session_ends: bool },
}

impl GraphqlService for Toy {
    type Caller = Caller;

    async fn authenticate(&self, credentials: &Credentials<'_>, _: &Peer) -> Result<Caller, ApiError> {
        let Credentials::Authorization(text) = credentials else { return Ok(Caller::Nobody) };
        match text.as_ref() {
            "Bearer good" => Ok(Caller::Somebody { session_ends: false }),
            "Bearer short" => Ok(Caller::Somebody { session_ends: true }),
            _ => Err(ApiError::unauthenticated(SignInReason::TokenInvalid, "the access token is not valid")),
        }
    }

    fn is_same_session(&self, one: &Caller, other: &Caller) -> bool {
        one == other
    }

    fn principal(&self, caller: &Caller) -> Option<Principal> {
        (*caller != Caller::Nobody).then_some(Principal::User(7))
    }

    fn limits(&self, caller: &Caller) -> Arc<CallerLimits> {
        Arc::clone(if *caller == Caller::Nobody { &self.limits } else { &self.user_limits })
    }

    fn costs(&self) -> Arc<CostTable> {
        Arc::clone(&self.costs)
    }

    async fn execute(&self, _: &Caller, request: Request, _: &Prepared, _: RequestMeta) -> platform::http::Answer {
        self.schema.execute(request).await.into()
    }

    fn subscribe(&self, _: &Caller, request: Request, _: Prepared, meta: RequestMeta) -> BoxStream<'static, Frame> {
        let responses = self.schema.execute_stream(request.data(ResumeAfter(meta.resume_after)));
        responses
            .map(|response| {
                let cursor = response.data.clone().into_json().ok().and_then(|data| data["tick"].as_u64());
                Frame::from_response(&response, cursor.map(|tick| tick.to_string().into()))
            })
            .boxed()
    }

    fn revoked(&self, caller: &Caller) -> impl Future<Output = Revocation> + Send + 'static {
        let ends = matches!(caller, Caller::Somebody { session_ends: true });
        async move {
            tokio::time::sleep(if ends { Duration::from_millis(300) } else { Duration::MAX }).await;
            Revocation::SessionEnded
        }
    }

    async fn readiness(&self) -> Vec<ReadinessCheck> {
        vec![ReadinessCheck { name: "toy", healthy: true, detail: None, took: Duration::ZERO }]
    }

    fn public_keys(&self) -> serde_json::Value {
        serde_json::json!({ "keys": [] })
    }

    fn render_metrics(&self) -> String {
        "# no metrics\n".to_owned()
    }

    fn sdl(&self, deprecated: Deprecated) -> Arc<str> {
        match deprecated {
            Deprecated::Included => self.schema.sdl(),
            Deprecated::Removed => {
                Schema::build(Query::default(), Mutation, Ticks).directive(WithoutDeprecated).finish().sdl()
            }
        }
        .into()
    }

    fn playground(&self) -> Option<serde_json::Value> {
        Some(serde_json::json!({ "endpoint": "/graphql" }))
    }
}

/// What the toy schema says of its fields.
pub fn costs() -> CostTable {
    CostTable::read(&Schema::build(Query::default(), Mutation, Ticks).finish().sdl()).unwrap()
}

/// The toy schema behind the transports, without a server; with limits for nobody and for somebody.
pub fn endpoint(
    settings: HttpSettings,
    limits: CallerLimits,
    user_limits: CallerLimits,
    lifecycle: Lifecycle,
) -> Endpoint<Toy> {
    let schema = Schema::build(Query::default(), Mutation, Ticks).extension(Waves).finish();
    let costs = Arc::new(costs());
    let toy = Toy { schema, limits: Arc::new(limits), user_limits: Arc::new(user_limits), costs };
    Endpoint::new(toy, settings, lifecycle)
}

/// A running toy server; it is stopped when this is dropped.
pub struct Server {
    pub address: SocketAddr,
    pub shutdown: CancellationToken,
    pub served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub async fn start() -> Self {
        Self::with(HttpSettings::default()).await
    }

    pub async fn with(settings: HttpSettings) -> Self {
        Self::by_role(settings, CallerLimits::default(), CallerLimits::default()).await
    }

    pub async fn limited(settings: HttpSettings, limits: OperationLimits) -> Self {
        let limits = CallerLimits { operation: limits, ..CallerLimits::default() };
        Self::by_role(settings, limits.clone(), limits).await
    }

    /// A server with these limits for those who have not logged in and for those who have.
    pub async fn by_role(settings: HttpSettings, limits: CallerLimits, user_limits: CallerLimits) -> Self {
        let shutdown = CancellationToken::new();
        let lifecycle = Lifecycle::new(shutdown.clone(), settings.drain);
        let endpoint = endpoint(settings.clone(), limits, user_limits, lifecycle.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let threads = Threads::start(THREADS).unwrap();
        let stop = shutdown.clone();
        let served = tokio::spawn(async move {
            let served = serve(listener, router(endpoint), &threads, lifecycle, stop, settings).await;
            threads.join().await;
            served
        });
        Self { address, shutdown, served }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A POST of this operation, with these headers besides the content type.
    pub async fn post(&self, query: &str, headers: &[(&str, &str)]) -> Answer {
        let body = serde_json::json!({ "query": query }).to_string();
        self.send("POST", "/graphql", &[&[("content-type", "application/json")], headers].concat(), body).await
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let client = client();
        let mut request = client.request(method.parse().unwrap(), self.url(path)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// An answer; the request's id is replaced, so that it can be compared.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn body(&self) -> String {
        self.body.replace(self.header("x-request-id"), "ID")
    }

    /// Status, type and body on one line.
    pub fn told(&self) -> String {
        let kind = self.header("content-type").split(';').next().unwrap_or_default();
        format!("{} {} {}", self.status, kind, self.body())
    }
}
