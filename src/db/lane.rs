//! What each serving thread has of the database for shared reads: connections whose sockets its runtime watches, and
//! the coalescers over them. Requests are answered on the thread that received them.

use std::sync::{Arc, PoisonError, RwLock};

use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::Pool;
use tokio::runtime::{EnterGuard, Handle, Id, RuntimeFlavor};

use super::Connection;
use super::coalesce::{ByKey, Coalescer, Coalescers, Read};
use crate::config::DatabaseConfig;
use crate::error::ApiError;
use crate::tasks::Tasks;

/// The maximum number of connections per thread: many requests share a statement, so a few are enough.
const MOST: u32 = 5;
/// The minimum number of connections per thread: one for each way of planning. `config::settings` starts no more
/// threads by default.
const LEAST: u32 = 2;

/// How reads by key are planned: when they are prepared, and not again for each array of keys, which takes a third of
/// the time in PostgreSQL; and along the indexes of the keys. The planner expects ten keys and pages that are on disk,
/// and would rather read the whole table if it is not large. Only reads that select by keys alone may be planned like
/// this: a value may be rare or frequent, so reads by value have to be planned for the value.
pub(super) const BY_KEYS: &str =
    "SET plan_cache_mode = force_generic_plan; SET random_page_cost = 1; SET enable_hashjoin = off";

/// The number of database connections that each thread has to itself; half are left for all threads. None if there are
/// too few to divide.
pub(super) fn connections_per_thread(config: &DatabaseConfig) -> u32 {
    match config.pool_size.get() / 2 / config.threads {
        0..LEAST => 0,
        connections => connections.min(MOST),
    }
}

/// The lanes of a database, by runtime.
pub(super) struct Lanes {
    known: RwLock<ByKey<Option<Id>, Lane>>,
    tasks: Tasks,
}

/// The database access of a thread. Clones are the same lane.
#[derive(Clone)]
pub struct Lane(Arc<Inner>);

struct Inner {
    connections: Connections,
    coalescers: Coalescers,
    /// `None` outside of any runtime, where nothing is read.
    runtime: Option<Handle>,
}

/// The connections of a lane.
pub(super) enum Connections {
    /// Its own, some for each way of planning.
    Own {
        /// Statements are planned for their values.
        lists: Pool<AsyncPgConnection>,
        /// Statements are planned when they are prepared.
        lookups: Pool<AsyncPgConnection>,
    },
    /// Those of all.
    Shared(Pool<AsyncPgConnection>),
}

impl Lanes {
    pub(super) fn new(tasks: Tasks) -> Self {
        Self { known: RwLock::default(), tasks }
    }

    /// The lane of the current runtime. On the first call, `connections` provides its connections; a runtime with
    /// several threads has none to itself.
    pub(super) fn here(&self, connections: impl FnOnce(Option<RuntimeFlavor>) -> Connections) -> Lane {
        let runtime = Handle::try_current().ok();
        let id = runtime.as_ref().map(Handle::id);
        if let Some(lane) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return lane.clone();
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let lane = known.entry(id).or_insert_with(|| {
            let connections = connections(runtime.as_ref().map(Handle::runtime_flavor));
            Lane(Arc::new(Inner { connections, coalescers: Coalescers::new(self.tasks.clone()), runtime }))
        });
        lane.clone()
    }

    /// The pools that are not shared.
    pub(super) fn pools(&self) -> Vec<Pool<AsyncPgConnection>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let own = known.values().filter_map(|lane| match &lane.0.connections {
            Connections::Own { lists, lookups } => Some([lists.clone(), lookups.clone()]),
            Connections::Shared(_) => None,
        });
        own.flatten().collect()
    }
}

impl Lane {
    /// A connection for a list.
    ///
    /// # Errors
    /// `DATABASE_UNAVAILABLE` if none is available within five seconds.
    pub async fn connection(&self) -> Result<Connection, ApiError> {
        let (Connections::Own { lists: pool, .. } | Connections::Shared(pool)) = &self.0.connections;
        pool.get().await.map_err(ApiError::database_unavailable)
    }

    /// A connection for a read by key: its statements keep their first plan, whatever the keys are.
    ///
    /// # Errors
    /// As [`Lane::connection`].
    pub async fn lookup(&self) -> Result<Connection, ApiError> {
        let (Connections::Own { lookups: pool, .. } | Connections::Shared(pool)) = &self.0.connections;
        pool.get().await.map_err(ApiError::database_unavailable)
    }

    /// The queue of one kind of read.
    pub(crate) fn coalescer<R: Read>(&self) -> Coalescer<R> {
        self.0.coalescers.of::<R>(self)
    }

    /// Tasks that are spawned until the guard is dropped run in the lane, wherever this is called.
    pub(super) fn enter(&self) -> Option<EnterGuard<'_>> {
        self.0.runtime.as_ref().map(Handle::enter)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::mpsc;

    use super::*;
    use crate::db::Db;

    fn config(connections: u32, threads: u32) -> DatabaseConfig {
        let number = |number| NonZeroU32::new(number).unwrap();
        DatabaseConfig { pool_size: number(connections), threads: number(threads), ..DatabaseConfig::nowhere() }
    }

    #[test]
    fn threads_share_half_of_the_connections_where_that_is_enough() {
        let each = |connections, threads| connections_per_thread(&config(connections, threads));
        assert_eq!([each(16, 1), each(16, 2), each(16, 4), each(16, 5), each(1, 1)], [5, 4, 2, 0, 0]);
        for (connections, threads) in (1..100).zip((1..20).cycle()) {
            assert!(each(connections, threads) * threads <= connections / 2);
        }
    }

    /// Returns the name of the thread that reads.
    enum Whereabouts {}

    impl Read for Whereabouts {
        type Key = ();
        type Value = Option<String>;

        async fn read(_: &Lane, _: Vec<()>) -> Result<ByKey<(), Option<String>>, ApiError> {
            Ok(ByKey::from_iter([((), std::thread::current().name().map(str::to_owned))]))
        }
    }

    #[test]
    fn a_read_runs_on_the_thread_of_its_lane_whoever_asks_first() {
        let tasks = Tasks::default();
        let db = Db::new(&config(16, 2), &tasks).unwrap();
        let (give, lane) = mpsc::channel();
        let (end, ends) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("lane".to_owned()).spawn({
            let db = db.clone();
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    give.send(db.lane()).unwrap();
                    drop(ends.await);
                });
            }
        });
        let lane = lane.recv().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let found = lane.coalescer::<Whereabouts>().load(vec![()]).await.unwrap();
            assert_eq!(found[&()].as_deref(), Some("lane"));
            // A runtime with several threads has no thread of its own to stay on.
            assert!(matches!(lane.0.connections, Connections::Own { .. }));
            assert!(matches!(db.lane().0.connections, Connections::Shared(_)));
        });
        end.send(()).unwrap();
        thread.unwrap().join().unwrap();
    }
}
