//! The cluster's changes, reconciled into rows and events by one leading replica.
//!
//! The leader holds a session-level advisory lock and follows each kind that a room has registered with one watch; the
//! observations are collected into batches, and the room's reconciler writes them. Followers feed their subscribers
//! from the event log, just as the leader does.

mod batch;
mod follow;
mod health;
mod leader;
mod model;
mod settle;
mod source;

pub use health::Health;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};

use crate::cluster::Cluster;
use crate::db::{Db, error_chain};
use crate::error::ApiError;
use crate::reconcile::{Kinds, Reconciler, Watched};
use crate::tasks::{Duty, Tasks};

use self::batch::Sink;

/// How often the rooms' gauges are set.
const MEASURE: Duration = Duration::from_secs(15);

/// The rooms whose rows follow the cluster.
#[derive(Clone, Default)]
pub struct Rooms(Vec<Arc<dyn Lead>>);

impl Rooms {
    /// And this one.
    #[must_use]
    pub fn with<R: Reconciler>(mut self) -> Self {
        self.0.push(Arc::new(Room::<R>(PhantomData)));
        self
    }
}

/// Starts campaigning for leadership; the leader watches. The returned handle reports the health of the watch.
pub fn spawn(tasks: &Tasks, db: Db, cluster: Cluster, rooms: Rooms) -> Health {
    let health = Health::default();
    let told = health.clone();
    tasks.supervise("watch", Duty::Serving, move || {
        leader::stand(db.clone(), cluster.clone(), rooms.clone(), told.clone())
    });
    health
}

/// Everything the leader does, until it is dropped.
async fn lead(db: Db, cluster: Cluster, rooms: Rooms, health: Health) {
    join_all(rooms.0.iter().map(|room| room.lead(&db, &cluster, &health))).await;
}

/// What the leader does for a room.
trait Lead: Send + Sync {
    fn lead(&self, db: &Db, cluster: &Cluster, health: &Health) -> BoxFuture<'static, ()>;
}

struct Room<R>(PhantomData<fn() -> R>);

impl<R: Reconciler> Lead for Room<R> {
    fn lead(&self, db: &Db, cluster: &Cluster, health: &Health) -> BoxFuture<'static, ()> {
        let (sink, seen) = batch::queue::<R>();
        let writing = batch::run::<R>(settle::Rows::<R>::new(db.clone()), seen, health.of(R::ROOM));
        let mut following = Following { db: db.clone(), cluster: cluster.clone(), sink, kinds: Vec::new() };
        R::kinds(&mut following);
        let (measuring, kinds) = (measure::<R>(db.clone()), following.kinds);
        async move {
            tokio::join!(writing, join_all(kinds), measuring);
        }
        .boxed()
    }
}

/// Collects the kinds of a room that are to be followed.
struct Following<R: Reconciler> {
    db: Db,
    cluster: Cluster,
    sink: Sink<R>,
    kinds: Vec<BoxFuture<'static, ()>>,
}

impl<R: Reconciler> Kinds<R::Observation> for Following<R> {
    fn follow<W: Watched<Observation = R::Observation>>(&mut self) {
        let (db, cluster, sink) = (self.db.clone(), self.cluster.clone(), self.sink.clone());
        self.kinds.push(follow::follow::<R, W>(db, cluster, sink).boxed());
    }
}

async fn measure<R: Reconciler>(db: Db) {
    let measured = async || -> Result<(), ApiError> { Ok(R::measure(&mut *db.connection().await?).await?) };
    loop {
        if let Err(error) = measured().await {
            tracing::debug!(room = R::ROOM, error = %error_chain(&error), "the gauges were not set");
        }
        tokio::time::sleep(MEASURE).await;
    }
}
