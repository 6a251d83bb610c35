//! The parts of a running server, put together: the same for `serve`, `dev` and the tests.

mod collapsing;
mod following;
mod limits;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_graphql::parser::types::OperationType;
use async_graphql::{Pos, Request, Response};
use futures::stream::BoxStream;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::limits::{LimitsByRole, documents};
use crate::auth::Authenticator;
use crate::auth::attempts::ClientAddress;
use crate::auth::principal::Caller;
use crate::change;
use crate::cluster::Cluster;
use crate::cluster::queues::Queues;
use crate::config::Config;
use crate::db::{Db, migrations};
use crate::error::{ApiError, Code};
use crate::events::{self, Bus, Lines};
use crate::executor::{Executor, Scheduler, Wake};
use crate::feeds::Audience;
use crate::graphql::context::LastCursor;
use crate::graphql::errors::graphql_error;
use crate::graphql::limits::{AnswerBytes, CallerLimits, CostTable, InvalidCosts, Prepared, Principal};
use crate::graphql::loaders::Loaders;
use crate::http::{
    Answer, Deprecated, DocumentSettings, Endpoint, Frame, GraphqlService, HttpSettings, Lifecycle, Peer,
    ReadinessCheck, RequestMeta, Revocation, Threads, Transport, router, serve,
};
use crate::jobs::logs::{Chunk, Tails};
use crate::jobs::service::Submitter;
use crate::jobs::watched::Jobs;
use crate::jobs::worker;
use crate::schema::{self, Channels, Schema, event_cursor};
use crate::tasks::{Duty, Standing, Tasks};
use crate::watch;

use collapsing::Collapsing;

/// The log is looked at every few seconds; a replica that has not managed to for this long tells its subscribers nothing.
const LONGEST_SILENCE: Duration = Duration::from_secs(15);

/// How long background tasks get to finish after the last request.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running server without its transports. Clones are the same server.
#[derive(Clone)]
pub struct App(Arc<Parts>);

struct Parts {
    config: Config,
    schema: Schema,
    authenticator: Authenticator,
    db: Db,
    bus: Bus,
    cluster: Cluster,
    watch: watch::Health,
    costs: Arc<CostTable>,
    documents: DocumentSettings,
    limits: LimitsByRole,
    collapsing: Collapsing,
    demo_users: serde_json::Value,
    tasks: Tasks,
}

impl App {
    /// Waits for the database, migrates if told to, and starts the background work in `tasks`. The cluster may be away.
    ///
    /// # Errors
    /// A migration fails, or the configuration names no usable cluster.
    pub async fn start(config: Config, tasks: &Tasks, demo_users: serde_json::Value) -> anyhow::Result<Self> {
        metrics_handle();
        let costs = costs()?;
        let documents = documents(&config.limits, &costs)?;
        let db = Db::new(&config.database, tasks)?;
        db.wait_until_up().await;
        if config.database.migrate_on_start {
            let applied = migrations::run(&db).await?;
            if !applied.is_empty() {
                tracing::info!(migrations = applied.join(", "), "migrated");
            }
        }
        let cluster = Cluster::new(&config.cluster).await?;
        let mut lines = Lines::default();
        let channels = Channels::open(&mut lines);
        let bus = Bus::start(tasks, &db, config.events.retention, lines);
        let authenticator = Authenticator::new(db.clone(), bus.clone(), &config.auth, &config.limits.logins);
        let queues = Queues::default();
        let kept = (queues.clone(), cluster.clone());
        tasks.supervise("queues", Duty::Serving, move || kept.0.clone().keep(kept.1.clone()));
        let keys = db.clone();
        tasks.supervise("idempotency keys", Duty::Housekeeping, move || change::forget_old_keys(keys.clone()));
        let wake = Wake::default();
        let executor: Arc<dyn Executor> = Arc::new(Scheduler::new(cluster.clone()));
        worker::spawn(tasks, db.clone(), executor.clone(), wake.clone());
        let rooms = watch::Rooms::default().with::<Jobs>();
        let watch = watch::spawn(tasks, db.clone(), cluster.clone(), rooms);
        let scheduler = config.cluster.scheduler_name.as_str().into();
        let gpus = Arc::new(config.cluster.gpu_resources.clone());
        let submitter = Submitter { db: db.clone(), scheduler, queues, executor, gpus: Arc::clone(&gpus), wake };
        let tails = Tails::new(cluster.clone(), tasks);
        let log_chunks = Audience::<Chunk>::default();
        let schema = schema::build(|builder| {
            let builder = builder.data(db.clone()).data(bus.clone()).data(cluster.clone()).data(Arc::clone(&gpus));
            let builder = builder.data(authenticator.clone()).data(submitter.clone()).data(tails.clone());
            channels.put_in(builder).data(log_chunks.clone())
        });
        let limits = LimitsByRole::new(&config);
        let parts = Parts {
            config,
            schema,
            authenticator,
            db,
            bus,
            cluster,
            watch,
            costs,
            documents,
            limits,
            collapsing: Collapsing::default(),
            demo_users,
            tasks: tasks.clone(),
        };
        Ok(Self(Arc::new(parts)))
    }

    /// The database, for whoever started the server.
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// The accounts.
    pub fn authenticator(&self) -> &Authenticator {
        &self.0.authenticator
    }

    /// Serves on `listener` until `shutdown`, then drains and stops `tasks`.
    ///
    /// # Errors
    /// The listener fails.
    pub async fn serve(self, listener: TcpListener, tasks: Tasks, shutdown: CancellationToken) -> anyhow::Result<()> {
        let settings = HttpSettings::new(&self.0.config.http, &self.0.config.limits, self.0.documents.clone());
        let lifecycle = Lifecycle::new(shutdown.clone(), settings.drain);
        let threads = Threads::start(self.0.config.http.threads)?;
        let router = router(Endpoint::new(self, settings.clone(), lifecycle.clone()));
        serve(listener, router, &threads, lifecycle, shutdown, settings).await?;
        if !tasks.shutdown(PATIENCE).await {
            tracing::warn!("some background work did not stop in time");
        }
        // Not before that: some of it runs there.
        threads.join().await;
        Ok(())
    }
}

/// Whether all background work runs, and how often some of it had to be begun again.
fn background(tasks: &[Standing]) -> Result<String, String> {
    let down = |duty| -> Vec<String> {
        let tasks = tasks.iter().filter(|task| task.duty == duty);
        tasks.filter_map(|task| Some(format!("the task {} is down: {}", task.name, task.down.as_ref()?))).collect()
    };
    let (unserved, untidied) = (down(Duty::Serving), down(Duty::Housekeeping));
    if !unserved.is_empty() {
        return Err([unserved, untidied].concat().join("; "));
    }
    if !untidied.is_empty() {
        return Ok(untidied.join("; "));
    }
    let restarted = tasks.iter().filter(|task| task.restarts > 0);
    let restarted: Vec<_> = restarted.map(|task| format!("{} {}", task.name, task.restarts)).collect();
    Ok(match restarted.is_empty() {
        true => format!("{} tasks run", tasks.len()),
        false => format!("{} tasks run; restarts: {}", tasks.len(), restarted.join(", ")),
    })
}

/// What the schema's fields cost.
fn costs() -> Result<Arc<CostTable>, InvalidCosts> {
    static COSTS: OnceLock<Result<Arc<CostTable>, InvalidCosts>> = OnceLock::new();
    COSTS.get_or_init(|| CostTable::read(&sdl(Deprecated::Included)).map(Arc::new)).clone()
}

/// The schema as it is printed, which takes a while and never changes.
fn sdl(deprecated: Deprecated) -> Arc<str> {
    static INCLUDED: OnceLock<Arc<str>> = OnceLock::new();
    static REMOVED: OnceLock<Arc<str>> = OnceLock::new();
    Arc::clone(match deprecated {
        Deprecated::Included => INCLUDED.get_or_init(|| schema::sdl().into()),
        Deprecated::Removed => REMOVED.get_or_init(|| schema::sdl_without_deprecated().into()),
    })
}

/// The recorder is the process's; tests run several servers in one.
fn metrics_handle() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE.get_or_init(|| PrometheusBuilder::new().install_recorder().ok()).as_ref()
}

impl GraphqlService for App {
    type Caller = Caller;

    async fn authenticate(&self, credentials: Option<&str>, _peer: &Peer) -> Result<Caller, ApiError> {
        self.0.authenticator.authenticate(credentials).await
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
        // A socket may be older than a role; a request over HTTP was authenticated a moment ago.
        let caller = match meta.transport {
            Transport::WebSocket => match self.0.authenticator.renewed(caller).await {
                Ok(caller) => caller,
                Err(error) => {
                    let told = graphql_error(error, Some(&meta.request_id));
                    return Response::from_errors(vec![told.into_server_error(Pos::default())]).into();
                }
            },
            _ => caller.clone(),
        };
        let answer = collapsing::execute(self, &caller, request, prepared, meta).await;
        if prepared.operation_type() == OperationType::Mutation {
            // What comes after the answer is decided with the rights that it leaves.
            self.0.authenticator.rights_may_have_changed();
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
        // Without the database's word, up to where events were handed out here: that is never too new.
        let stands = match events::loader::tip(&self.0.db.lane()).await {
            Ok(tip) => Some(tip),
            Err(_) => *self.0.bus.tip().borrow(),
        };
        stands.map(|seq| seq.cursor().into())
    }

    fn revoked(&self, caller: &Caller) -> impl Future<Output = Revocation> + Send + 'static {
        let (authenticator, caller) = (self.0.authenticator.clone(), caller.clone());
        async move {
            let Caller::Known(principal) = caller else { return std::future::pending().await };
            let left = (principal.expires_at - chrono::Utc::now()).to_std().unwrap_or_default();
            tokio::select! {
                () = authenticator.revoked(principal) => Revocation::SessionEnded,
                () = tokio::time::sleep(left) => Revocation::TokenExpired,
            }
        }
    }

    async fn readiness(&self) -> Vec<ReadinessCheck> {
        let database = check("database", async { self.0.db.ping().await.map(|()| None) });
        let migrations = check("migrations", async {
            match migrations::is_current(&self.0.db).await? {
                true => Ok(None),
                false => Err(ApiError::conflict("the database lacks migrations of this version")),
            }
        });
        let cluster =
            check("cluster", async { self.0.cluster.version().await.map(Some).map_err(ApiError::cluster_unavailable) });
        let events = check("events", async {
            let silence = self.0.bus.silence();
            match *self.0.bus.tip().borrow() {
                Some(_) if silence > LONGEST_SILENCE => {
                    let message = format!("the event log was last read {} s ago", silence.as_secs());
                    Err(ApiError::new(Code::DatabaseUnavailable, message))
                }
                Some(tip) => Ok(Some(format!("at {tip}"))),
                None => Err(ApiError::database_unavailable("the event log was not read yet")),
            }
        });
        let watch = check("watch", async {
            self.0.watch.check().map(Some).map_err(|message| ApiError::new(Code::DatabaseUnavailable, message))
        });
        let background = check("background", async {
            background(&self.0.tasks.standing()).map(Some).map_err(|message| ApiError::new(Code::Internal, message))
        });
        let (database, migrations, cluster, events, watch, background) =
            tokio::join!(database, migrations, cluster, events, watch, background);
        vec![database, migrations, cluster, events, watch, background]
    }

    fn render_metrics(&self) -> String {
        let (in_use, open, most) = self.0.db.pool_usage();
        metrics::gauge!("platform_db_connections", "state" => "in_use").set(in_use as f64);
        metrics::gauge!("platform_db_connections", "state" => "open").set(open as f64);
        metrics::gauge!("platform_db_connections", "state" => "limit").set(most as f64);
        metrics::gauge!("platform_feed_subscribers").set(self.0.bus.subscribers() as f64);
        metrics::gauge!("platform_watch_behind_seconds").set(self.0.watch.behind().as_secs_f64());
        metrics::gauge!("platform_events_silence_seconds").set(self.0.bus.silence().as_secs_f64());
        metrics_handle().map(PrometheusHandle::render).unwrap_or_default()
    }

    fn sdl(&self, deprecated: Deprecated) -> Arc<str> {
        sdl(deprecated)
    }

    fn playground(&self) -> Option<serde_json::Value> {
        self.0.config.http.playground.then(
            || serde_json::json!({ "endpoint": "/graphql", "websocket": "/graphql", "demoUsers": self.0.demo_users }),
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
    ) -> Response {
        let (deadline, loaders) = (meta.deadline, Arc::new(Loaders::new(self.0.db.lane())));
        let request = match event_cursor::read_first(request, prepared, &self.0.db).await {
            Ok(request) => request,
            Err(error) => {
                let told = graphql_error(error, Some(&meta.request_id));
                return Response::from_errors(vec![told.into_server_error(Pos::default())]);
            }
        };
        let (request, _) = self.complete(caller, request, Arc::clone(&loaders), meta);
        self.0.schema.execute(request, prepared, &loaders, deadline).await
    }

    fn complete(
        &self,
        caller: &Caller,
        request: Request,
        loaders: Arc<Loaders>,
        meta: RequestMeta,
    ) -> (Request, Arc<LastCursor>) {
        let request = request.data(caller.clone()).data(ClientAddress(meta.peer.address));
        let answer = AnswerBytes::new(self.limits(caller).operation.answer_bytes);
        let (request, cursor) = schema::with_request_parts(request, loaders, meta.resume_after);
        (request.data(answer), cursor)
    }
}

async fn check(name: &'static str, probe: impl Future<Output = Result<Option<String>, ApiError>>) -> ReadinessCheck {
    let since = Instant::now();
    let (healthy, detail) = match tokio::time::timeout(Duration::from_secs(3), probe).await {
        Ok(Ok(detail)) => (true, detail),
        Ok(Err(error)) => (false, Some(error.to_string())),
        Err(_) => (false, Some("no answer within 3 s".to_owned())),
    };
    ReadinessCheck { name, healthy, detail, took: since.elapsed() }
}

/// Makes a platform admin, migrating first if told to; the id.
///
/// # Errors
/// The name or the password is not acceptable, or the name is taken.
pub async fn admin_create(
    config: &crate::config::DatabaseConfig,
    bcrypt_cost: crate::config::BcryptCost,
    admin: crate::users::service::NewAdmin,
) -> anyhow::Result<crate::ids::UserId> {
    let tasks = Tasks::default();
    let db = Db::new(config, &tasks)?;
    if config.migrate_on_start {
        migrations::run(&db).await?;
    }
    let passwords = crate::auth::passwords::Passwords::new(bcrypt_cost);
    let id = crate::users::service::create_admin(&db, &passwords, admin).await?;
    tasks.shutdown(PATIENCE).await;
    Ok(id)
}
