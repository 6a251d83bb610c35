//! PostgreSQL: the pool, dedicated connections, transactions, migrations and the coalescing of reads.

pub mod coalesce;
mod connect;
mod lane;
pub mod migrations;
mod prepared;
pub(crate) mod tables;
pub(crate) mod text_enum;
mod trust;

pub use lane::Lane;
pub use prepared::{Prepared, prepared};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backon::Retryable;
use diesel::connection::{Instrumentation, InstrumentationEvent};
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures::FutureExt;
use tokio::runtime::RuntimeFlavor;

use lane::{Connections, Lanes};
use trust::Trust;

use crate::config::DatabaseConfig;
use crate::error::ApiError;
use crate::tasks::{Tasks, pauses};

/// A connection from the pool, returned when dropped.
pub type Connection = Object<AsyncPgConnection>;

/// Closes a connection instead of returning it: it was left in the middle of something, or does not respond.
pub fn discard(connection: Connection) {
    drop(Object::take(connection));
}

/// How long a request waits for a connection before it fails with `DATABASE_UNAVAILABLE`.
const POOL_PATIENCE: Duration = Duration::from_secs(5);

/// The database of one server. Clones share the pool.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    pool: Pool<AsyncPgConnection>,
    lanes: Lanes,
    /// The number of connections of each thread's lane; 0 if all lanes use the pool.
    lane_size: u32,
    url: crate::config::DatabaseUrl,
    statements: Arc<AtomicU64>,
    trust: Trust,
}

impl Db {
    /// A pool that connects on first use. Background reads run in `tasks`.
    ///
    /// # Errors
    /// The pool's settings contradict each other.
    pub fn new(config: &DatabaseConfig, tasks: &Tasks) -> Result<Self, ApiError> {
        let (url, statements, trust) = (config.primary.clone(), Arc::new(AtomicU64::new(0)), Trust::new());
        let lane_size = lane::connections_per_thread(config);
        if lane_size == 0 && config.threads.get() > 1 {
            tracing::warn!(
                threads = config.threads,
                connections = config.pool_size,
                "fewer than four database connections per thread: increase DB_POOL_SIZE, or decrease SERVE_THREADS"
            );
        }
        let shared = config.pool_size.get() - lane_size * config.threads.get();
        let pool = pool(&url, &statements, &trust, shared, None)?;
        Ok(Self(Arc::new(Inner { pool, lanes: Lanes::new(tasks.clone()), lane_size, url, statements, trust })))
    }

    /// A connection from the pool.
    ///
    /// # Errors
    /// `DATABASE_UNAVAILABLE` if none is available within five seconds.
    pub async fn connection(&self) -> Result<Connection, ApiError> {
        self.0.pool.get().await.map_err(ApiError::database_unavailable)
    }

    /// The lane of the current thread.
    pub fn lane(&self) -> Lane {
        self.0.lanes.here(|flavor| {
            let own = flavor == Some(RuntimeFlavor::CurrentThread) && self.0.lane_size > 0;
            // Contradictory settings were rejected when the server started.
            own.then(|| self.connections_of_a_thread().ok())
                .flatten()
                .unwrap_or(Connections::Shared(self.0.pool.clone()))
        })
    }

    fn connections_of_a_thread(&self) -> Result<Connections, ApiError> {
        let Inner { url, statements, trust, lane_size, .. } = &*self.0;
        let for_lists = lane_size / 2;
        Ok(Connections::Own {
            lists: pool(url, statements, trust, for_lists, None)?,
            lookups: pool(url, statements, trust, lane_size - for_lists, Some(lane::BY_KEYS))?,
        })
    }

    /// A connection outside the pool, for long-lived uses: LISTEN, session-level locks.
    ///
    /// # Errors
    /// `DATABASE_UNAVAILABLE` if the server does not respond within five seconds.
    pub async fn dedicated(&self) -> Result<AsyncPgConnection, ApiError> {
        match tokio::time::timeout(POOL_PATIENCE, connect::establish(&self.0.url)).await {
            Ok(connected) => connected.map_err(ApiError::database_unavailable),
            Err(elapsed) => Err(ApiError::database_unavailable(elapsed)),
        }
    }

    /// Replaces every connection in the pools before its next use, and closes those in use within ten seconds. Called
    /// when a connection did not respond: it may be dead without anyone noticing, and the others too.
    pub fn renew(&self) {
        self.0.trust.renew();
    }

    /// Waits until the database responds, and logs while it does not. Never gives up.
    pub async fn wait_until_up(&self) {
        let waiting = |error: &ApiError, pause: Duration| {
            tracing::warn!(
                database = %self.0.url,
                error = %error_chain(error),
                retry_in_ms = pause.as_millis() as u64,
                "waiting for the database"
            );
        };
        let pauses = pauses(Duration::from_millis(100), Duration::from_secs(5));
        // The pauses never run out, so the last answer is a good one.
        let _: Result<(), ApiError> = (|| self.ping()).retry(pauses).sleep(tokio::time::sleep).notify(waiting).await;
    }

    /// Checks that the database responds.
    ///
    /// # Errors
    /// `DATABASE_UNAVAILABLE` if it does not respond.
    pub async fn ping(&self) -> Result<(), ApiError> {
        let mut connection = self.connection().await?;
        diesel::sql_query("SELECT 1").execute(&mut connection).await?;
        Ok(())
    }

    /// The number of statements sent over the pool so far, without transaction control.
    pub fn statements(&self) -> u64 {
        AtomicU64::load(&self.0.statements, Ordering::Relaxed)
    }

    /// The connections of the pools: (in use, open, maximum).
    pub fn pool_usage(&self) -> (usize, usize, usize) {
        let lanes = self.0.lanes.pools();
        let pools = std::iter::once(&self.0.pool).chain(&lanes).map(Pool::status);
        pools.fold((0, 0, 0), |(in_use, open, most), pool| {
            (in_use + pool.size.saturating_sub(pool.available), open + pool.size, most + pool.max_size)
        })
    }
}

/// A pool that connects on first use, and runs `setup` on each connection.
fn pool(
    url: &crate::config::DatabaseUrl,
    statements: &Arc<AtomicU64>,
    trust: &Trust,
    size: u32,
    setup: Option<&'static str>,
) -> Result<Pool<AsyncPgConnection>, ApiError> {
    let (url, statements, trusted) = (url.clone(), Arc::clone(statements), trust.clone());
    let mut manager = ManagerConfig::default();
    // The default is to ping on every checkout, which costs as much as a read; a dead connection is noticed on its
    // first use.
    manager.recycling_method = RecyclingMethod::Fast;
    manager.custom_setup = Box::new(move |_| {
        let (url, statements, trusted) = (url.clone(), Arc::clone(&statements), trusted.clone());
        async move {
            let mut connection = connect::establish_trusted(&url, &trusted).await?;
            if let Some(setup) = setup {
                let set = connection.batch_execute(setup).await;
                set.map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
            }
            connection.set_instrumentation(StatementCounter(statements));
            Ok(connection)
        }
        .boxed()
    });
    Pool::builder(AsyncDieselConnectionManager::new_with_config("", manager))
        .max_size(size as usize)
        .wait_timeout(Some(POOL_PATIENCE))
        .create_timeout(Some(POOL_PATIENCE))
        .runtime(deadpool::Runtime::Tokio1)
        .pre_recycle(trust.hook())
        .build()
        .map_err(ApiError::internal)
}

/// Interprets a database error: `taken` if a row was rejected because another one has the same value under the unique
/// `constraint`.
pub fn or_taken(constraint: &str, taken: impl FnOnce() -> ApiError) -> impl FnOnce(diesel::result::Error) -> ApiError {
    use diesel::result::{DatabaseErrorKind, Error};
    move |error| match &error {
        Error::DatabaseError(DatabaseErrorKind::UniqueViolation, info)
            if info.constraint_name() == Some(constraint) =>
        {
            taken()
        }
        _ => error.into(),
    }
}

/// An error with all its causes, for the log.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

struct StatementCounter(Arc<AtomicU64>);

impl Instrumentation for StatementCounter {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if let InstrumentationEvent::StartQuery { .. } = event {
            self.0.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("platform_sql_statements_total").increment(1);
        }
    }
}
