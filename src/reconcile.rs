//! What a room brings along so that its rows follow the cluster. The watch does the following.
//!
//! A room has one [`Reconciler`], which writes what was seen, and one [`Watched`] for each kind of object that it looks at.
//! Both are types without values: what they need they are given.

use std::collections::HashMap;
use std::fmt::{Debug, Display};
use std::hash::Hash;

use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use kube::Resource;
use serde::de::DeserializeOwned;

use crate::cluster::Cluster;

/// How a room takes in what the watch sees of its objects.
pub trait Reconciler: Send + Sync + 'static {
    /// Something that was seen.
    type Observation: Send + Sync + 'static;

    /// The room, for logs and metrics.
    const ROOM: &'static str;

    /// Has the watch follow the room's kinds. What is seen of all of them is written in one order.
    fn kinds(kinds: &mut impl Kinds<Self::Observation>);

    /// The observation, cleaned of what PostgreSQL cannot store.
    fn clean(observation: Self::Observation) -> Self::Observation;

    /// What it is about, for the log.
    fn subject(observation: &Self::Observation) -> impl Display;

    /// Takes in what was seen, in order: rows and events in one transaction.
    ///
    /// # Errors
    /// The database's; nothing was changed then.
    fn apply(
        conn: &mut AsyncPgConnection,
        observations: &[Self::Observation],
    ) -> impl Future<Output = QueryResult<()>> + Send;

    /// Sets the room's gauges. Asked four times a minute.
    ///
    /// # Errors
    /// The database's.
    fn measure(conn: &mut AsyncPgConnection) -> impl Future<Output = QueryResult<()>> + Send;
}

/// Where a room names the kinds that it wants followed.
pub trait Kinds<O> {
    /// Follows one more.
    fn follow<W: Watched<Observation = O>>(&mut self);
}

/// One kind of object that a room looks at.
pub trait Watched: Send + Sync + 'static {
    /// The objects.
    type Object: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static;
    /// What is seen of one.
    type Observation: Send + Sync + 'static;
    /// What tells the objects of the room's rows apart.
    type Key: Eq + Hash + Send;
    /// An object that must be in the cluster by the room's rows.
    type Expected: Send;

    /// The kind, for logs and metrics.
    const KIND: &'static str;
    /// Whether what has vanished is told before what a list has.
    const VANISHED_FIRST: bool = false;

    /// Which objects are followed, in whichever namespace.
    fn selector() -> Selector;

    /// Which of the room's an object is; `None` for one that is not the room's.
    fn key(object: &Self::Object) -> Option<Self::Key>;

    /// What an object tells, by a list or after it has changed.
    fn seen(
        cluster: &Cluster,
        object: Self::Object,
        listed: bool,
    ) -> impl Future<Output = Option<Self::Observation>> + Send;

    /// What it tells that an object was deleted.
    fn deleted(object: Self::Object) -> Option<Self::Observation>;

    /// The objects that must be in the cluster. Read before each list, which is compared with it.
    ///
    /// # Errors
    /// The database's.
    fn expected(
        conn: &mut AsyncPgConnection,
    ) -> impl Future<Output = QueryResult<HashMap<Self::Key, Self::Expected>>> + Send;

    /// What it tells that a list had not what was expected; `None` if it is there all the same: the client begins a
    /// streaming list before it says so, and what is created between that and the reading of the table is in the table only.
    fn vanished(cluster: &Cluster, expected: Self::Expected) -> impl Future<Output = Option<Self::Observation>> + Send;
}

/// Which objects of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Those whose labels are like this.
    Labels(String),
    /// Those whose fields are like this.
    Fields(String),
}
