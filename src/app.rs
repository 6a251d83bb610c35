//! The parts of a running server, assembled in the same way for `serve`, `dev` and the tests.

mod collapsing;
mod following;
mod limits;
mod origin;
mod parts;
mod readiness;
mod sign_in;

use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Pos, Request, Response};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http::HeaderMap;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::limits::LimitsByRole;
use self::origin::origin;
pub use self::parts::{AppBuilder, Parts};
use crate::audit;
use crate::auth::attempts::ClientAddress;
use crate::auth::principal::{Caller, Credential};
use crate::auth::{SessionCookie, cookie, policy};
use crate::config::Config;
use crate::db::{Db, migrations};
use crate::error::ApiError;
use crate::events;
use crate::graphql::context::{LastCursor, OnDenied};
use crate::graphql::errors::graphql_error;
use crate::graphql::executable::Executed;
use crate::graphql::limits::{AnswerBytes, CallerLimits, CostTable, InvalidCosts, Prepared, Principal};
use crate::graphql::loaders::Loaders;
use crate::http::{
    Answer, Credentials, Deprecated, DocumentSettings, Endpoint, Frame, GraphqlService, HttpSettings, Lifecycle, Lines,
    Peer, ReadinessCheck, Redirection, RequestMeta, Revocation, SignInRequest, SignInStep, Span, Threads, Transport,
    router, serve,
};
use crate::ids::{self, Id, Kind as _, ProjectKind};
use crate::objects::Store;
use crate::schema::{self, Schema, event_cursor};
use crate::tasks::Tasks;
use crate::trail::{Entry, Object};
use crate::users::mutation::{END_SESSION, WITHOUT_SESSION};

use collapsing::Collapsing;

/// How long background tasks get to finish after the last request.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running server without its transports; its parts are fields. Clones are the same server.
#[derive(Clone)]
pub struct App(Arc<Running>);

struct Running {
    parts: Parts,
    schema: Schema,
    costs: Arc<CostTable>,
    documents: DocumentSettings,
    limits: LimitsByRole,
    collapsing: Collapsing,
    demo_users: serde_json::Value,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}

impl App {
    /// A server with this configuration, whose background work is in `tasks`.
    pub fn builder(config: Config, tasks: &Tasks) -> AppBuilder {
        AppBuilder::new(config, tasks)
    }

    /// Executes operations.
    pub fn schema(&self) -> &Schema {
        &self.0.schema
    }

    /// Serves on `listener` until `shutdown`, then drains and stops its background work.
    ///
    /// # Errors
    /// The listener fails.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        let settings = HttpSettings {
            cookie_sessions: self.config.auth.cookie_sessions,
            ..HttpSettings::new(&self.config.http, &self.config.limits, self.0.documents.clone())
        };
        let lifecycle = Lifecycle::new(shutdown.clone(), settings.drain);
        let threads = Threads::start(self.config.http.threads)?;
        let tasks = self.tasks.clone();
        let router = router(Endpoint::new(self, settings.clone(), lifecycle.clone()));
        serve(listener, router, &threads, lifecycle, shutdown, settings).await?;
        if !tasks.shutdown(PATIENCE).await {
            tracing::warn!("some background tasks did not stop in time");
        }
        // Not earlier: some of the work runs there.
        threads.join().await;
        Ok(())
    }
}

/// The costs of the fields in the schema.
fn costs() -> Result<Arc<CostTable>, InvalidCosts> {
    static COSTS: OnceLock<Result<Arc<CostTable>, InvalidCosts>> = OnceLock::new();
    COSTS.get_or_init(|| CostTable::read(&sdl(Deprecated::Included)).map(Arc::new)).clone()
}

/// The printed schema. Printing takes a while, and the result never changes.
fn sdl(deprecated: Deprecated) -> Arc<str> {
    static INCLUDED: OnceLock<Arc<str>> = OnceLock::new();
    static REMOVED: OnceLock<Arc<str>> = OnceLock::new();
    Arc::clone(match deprecated {
        Deprecated::Included => INCLUDED.get_or_init(|| schema::sdl().into()),
        Deprecated::Removed => REMOVED.get_or_init(|| schema::sdl_without_deprecated().into()),
    })
}

/// The recorder is shared by the process; tests run several servers in one process.
fn metrics_handle() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE.get_or_init(|| PrometheusBuilder::new().install_recorder().ok()).as_ref()
}

impl GraphqlService for App {
    type Caller = Caller;

    async fn authenticate(&self, credentials: &Credentials<'_>, _peer: &Peer) -> Result<Caller, ApiError> {
        match credentials {
            Credentials::Nothing => Ok(Caller::Anonymous),
            Credentials::Authorization(text) => self.authenticator.authenticate(Some(text)).await,
            Credentials::Cookie(cookie) => self.authenticator.authenticate_cookie(cookie).await,
        }
    }

    async fn authenticate_anyway(
        &self,
        credentials: &Credentials<'_>,
        operation: &Prepared,
    ) -> Option<Result<Caller, ApiError>> {
        if operation.mutates_only(&WITHOUT_SESSION) {
            return Some(Ok(Caller::Anonymous));
        }
        match credentials {
            Credentials::Authorization(text) if operation.mutates_only(&[END_SESSION]) => {
                Some(self.authenticator.authenticate_to_leave(text).await)
            }
            Credentials::Nothing | Credentials::Authorization(_) | Credentials::Cookie(_) => None,
        }
    }

    fn cookie<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        if self.config.auth.cookie_sessions { cookie::token(headers) } else { None }
    }

    fn is_same_session(&self, one: &Caller, other: &Caller) -> bool {
        let credential = |caller: &Caller| caller.principal().ok().map(|principal| principal.credential.id());
        credential(one).is_some() && credential(one) == credential(other)
    }

    fn principal(&self, caller: &Caller) -> Option<Principal> {
        caller.principal().ok().map(|principal| Principal::User(principal.user.uuid().as_u128()))
    }

    fn limits(&self, caller: &Caller) -> Arc<CallerLimits> {
        Arc::clone(self.0.limits.of(caller))
    }

    fn costs(&self) -> Arc<CostTable> {
        Arc::clone(&self.0.costs)
    }

    async fn execute(&self, caller: &Caller, request: Request, prepared: &Prepared, meta: RequestMeta) -> Answer {
        // A WebSocket may have been opened before a role changed; an HTTP request was authenticated a moment ago.
        let caller = match meta.transport {
            Transport::WebSocket => match self.authenticator.renewed(caller).await {
                Ok(caller) => caller,
                Err(_) if prepared.mutates_only(&WITHOUT_SESSION) => Caller::Anonymous,
                Err(error) => {
                    let told = graphql_error(error, Some(&meta.request_id));
                    return Response::from_errors(vec![told.into_server_error(Pos::default())]).into();
                }
            },
            _ => caller.clone(),
        };
        let answer = collapsing::execute(self, &caller, request, prepared, meta).await;
        if prepared.operation_type() == OperationType::Mutation {
            // What follows the response is decided with the permissions after it.
            self.authenticator.rights_may_have_changed();
        }
        answer
    }

    fn subscribe(
        &self,
        caller: &Caller,
        request: Request,
        prepared: Prepared,
        meta: RequestMeta,
    ) -> BoxStream<'static, Frame> {
        following::follow(self, caller, request, prepared, meta)
    }

    async fn event_cursor(&self, caller: &Caller) -> Option<Arc<str>> {
        caller.principal().ok()?;
        // If the database cannot be asked, up to where events were handed out here, which is never too new.
        let stands = match events::loader::tip(&self.db.lane()).await {
            Ok(tip) => Some(tip),
            Err(_) => *self.bus.tip().borrow(),
        };
        stands.map(|seq| seq.cursor().into())
    }

    fn expired(&self, caller: &Caller) -> impl Future<Output = ()> + Send + 'static {
        let expires_at = caller.principal().ok().map(|principal| principal.expires_at);
        let expires_at = expires_at.filter(|_| self.config.auth.sockets_end_with_token);
        async move {
            match expires_at {
                Some(at) => tokio::time::sleep((at - chrono::Utc::now()).to_std().unwrap_or_default()).await,
                None => std::future::pending().await,
            }
        }
    }

    fn revoked(&self, caller: &Caller) -> impl Future<Output = Revocation> + Send + 'static {
        let (authenticator, caller, expired) = (self.authenticator.clone(), caller.clone(), self.expired(caller));
        async move {
            let Caller::Known(principal) = caller else { return std::future::pending().await };
            let ended = match principal.credential {
                Credential::Session { .. } => Revocation::SessionEnded,
                Credential::ApiToken { .. } => Revocation::ApiTokenEnded,
            };
            tokio::select! {
                () = authenticator.revoked(principal) => ended,
                () = expired => Revocation::TokenExpired,
            }
        }
    }

    async fn sign_in(&self, step: SignInStep, request: SignInRequest<'_>) -> Result<Redirection, ApiError> {
        sign_in::step(self, step, request).await
    }

    async fn readiness(&self) -> Vec<ReadinessCheck> {
        readiness::checks(self).await
    }

    fn render_metrics(&self) -> String {
        let (in_use, open, most) = self.db.pool_usage();
        metrics::gauge!("platform_db_connections", "state" => "in_use").set(in_use as f64);
        metrics::gauge!("platform_db_connections", "state" => "open").set(open as f64);
        metrics::gauge!("platform_db_connections", "state" => "limit").set(most as f64);
        metrics::gauge!("platform_feed_subscribers").set(self.bus.subscribers() as f64);
        metrics::gauge!("platform_watch_behind_seconds").set(self.watch.behind().as_secs_f64());
        metrics::gauge!("platform_events_silence_seconds").set(self.bus.silence().as_secs_f64());
        metrics_handle().map(PrometheusHandle::render).unwrap_or_default()
    }

    async fn files(&self, request: http::Request<axum::body::Body>) -> axum::response::Response {
        self.files.answer(request).await
    }

    async fn audit_log(&self, caller: &Caller, span: Span, meta: &RequestMeta) -> Result<Option<Lines>, ApiError> {
        let lines = audit::export::lines(&self.db, caller, origin(caller, meta), (span.from, span.to)).await?;
        Ok(Some(lines.boxed()))
    }

    fn objects(&self) -> Option<&Store> {
        self.objects.as_ref()
    }

    fn sdl(&self, deprecated: Deprecated) -> Arc<str> {
        sdl(deprecated)
    }

    fn public_keys(&self) -> serde_json::Value {
        self.authenticator.public_keys()
    }

    fn playground(&self) -> Option<serde_json::Value> {
        self.config.http.playground.then(
            || {
                let provider = |provider: &crate::config::OidcProvider| {
                    serde_json::json!({ "key": provider.key, "name": provider.name })
                };
                let providers: Vec<_> = self.sign_ins.providers().map(provider).collect();
                serde_json::json!({
                    "endpoint": "/graphql",
                    "websocket": "/graphql",
                    "demoUsers": self.0.demo_users,
                    "signInProviders": providers,
                })
            },
        )
    }
}

impl App {
    async fn execute_alone(
        &self,
        caller: &Caller,
        request: Request,
        prepared: &Prepared,
        meta: RequestMeta,
    ) -> Executed {
        let (deadline, loaders) = (meta.deadline, Arc::new(Loaders::new(self.db.lane())));
        let request = match event_cursor::read_first(request, prepared, &self.db).await {
            Ok(request) => request,
            Err(error) => {
                let told = graphql_error(error, Some(&meta.request_id));
                let response = Response::from_errors(vec![told.into_server_error(Pos::default())]);
                return Executed { response, cost: 0 };
            }
        };
        let request = match prepared.operation_type() {
            OperationType::Mutation => request.data(self.on_denied(caller, &meta)),
            OperationType::Query | OperationType::Subscription => request,
        };
        let (request, _) = self.complete(caller, request, Arc::clone(&loaders), meta);
        self.0.schema.execute(request, prepared, &loaders, deadline).await
    }

    /// Puts everything that the fields of a mutation are denied into the audit log.
    fn on_denied(&self, caller: &Caller, meta: &RequestMeta) -> OnDenied {
        let (refusals, origin) = (self.refusals.clone(), origin(caller, meta));
        let actor = caller.principal().ok().map(|principal| principal.user);
        OnDenied::by(move |error, denied| {
            let object = Object {
                subject: denied.subject.map(|(prefix, uuid)| ids::text_of(prefix, uuid)),
                group: denied.group.map(Id::from_uuid),
                project: denied
                    .subject
                    .filter(|(prefix, _)| *prefix == ProjectKind::PREFIX)
                    .map(|(_, uuid)| Id::from_uuid(uuid)),
            };
            let entry = Entry::done(actor, policy::name_of(denied.action), object, origin.clone());
            refusals.note(entry.with(serde_json::json!({ "code": error.code.as_str() })));
        })
    }

    fn complete(
        &self,
        caller: &Caller,
        request: Request,
        loaders: Arc<Loaders>,
        meta: RequestMeta,
    ) -> (Request, Arc<LastCursor>) {
        let request = request.data(caller.clone()).data(ClientAddress(meta.peer.address));
        let mut request = request.data(origin(caller, &meta));
        if let Some(cookie) = meta.cookie {
            request = request.data(SessionCookie(cookie));
        }
        let answer = AnswerBytes::new(self.limits(caller).operation.answer_bytes);
        let (request, cursor) = schema::with_request_parts(request, loaders, meta.resume_after);
        (request.data(answer), cursor)
    }
}

/// Creates a platform admin and returns the ID, migrating first if configured.
///
/// # Errors
/// The username or the password is invalid, or the username is taken.
pub async fn admin_create(
    config: &crate::config::DatabaseConfig,
    bcrypt_cost: crate::config::BcryptCost,
    admin: crate::users::service::NewAdmin,
) -> anyhow::Result<ids::UserId> {
    let tasks = Tasks::default();
    let db = Db::new(config, &tasks)?;
    if config.migrate_on_start {
        migrations::run(&db).await?;
    }
    let passwords = crate::auth::passwords::Passwords::new(bcrypt_cost)?;
    let id = crate::users::service::create_admin(&db, &passwords, admin).await?;
    tasks.shutdown(PATIENCE).await;
    Ok(id)
}
