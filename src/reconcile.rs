//! What a room provides so that its rows follow the cluster; the watch does the rest.
//!
//! A room has one [`Reconciler`], which writes observations, and one [`Watched`] for each kind of object that it
//! watches. Both are types without values: what they need is passed to them.

use std::collections::HashMap;
use std::fmt::{Debug, Display};
use std::hash::Hash;

use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use kube::Resource;
use serde::de::DeserializeOwned;

use crate::cluster::Cluster;

/// How a room processes the observations of its objects.
pub trait Reconciler: Send + Sync + 'static {
    /// An observation.
    type Observation: Send + Sync + 'static;

    /// The room, for logs and metrics.
    const ROOM: &'static str;

    /// Registers the room's kinds with the watch. The observations of all of them are written in one order.
    fn kinds(kinds: &mut impl Kinds<Self::Observation>);

    /// The observation, cleaned for PostgreSQL.
    fn clean(observation: Self::Observation) -> Self::Observation;

    /// The subject of the observation, for the log.
    fn subject(observation: &Self::Observation) -> impl Display;

    /// Applies observations in order: rows and events in one transaction.
    ///
    /// # Errors
    /// The database's; nothing was changed in that case.
    fn apply(
        conn: &mut AsyncPgConnection,
        observations: &[Self::Observation],
    ) -> impl Future<Output = QueryResult<()>> + Send;

    /// Sets the room's gauges. Called four times a minute.
    ///
    /// # Errors
    /// The database's.
    fn measure(conn: &mut AsyncPgConnection) -> impl Future<Output = QueryResult<()>> + Send;
}

/// Where a room registers the kinds to follow.
pub trait Kinds<O> {
    /// Registers one more kind.
    fn follow<W: Watched<Observation = O>>(&mut self);
}

/// One kind of object that a room watches.
pub trait Watched: Send + Sync + 'static {
    /// The type of the objects.
    type Object: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static;
    /// The observation of one object.
    type Observation: Send + Sync + 'static;
    /// The key of an object in the room's rows.
    type Key: Eq + Hash + Send;
    /// An object that is expected in the cluster according to the room's rows.
    type Expected: Send;

    /// The kind, for logs and metrics.
    const KIND: &'static str;
    /// Whether disappeared objects are reported before the contents of a list.
    const VANISHED_FIRST: bool = false;

    /// The objects to follow, in all namespaces.
    fn selector() -> Selector;

    /// The key of an object; `None` for one that does not belong to the room.
    fn key(object: &Self::Object) -> Option<Self::Key>;

    /// The observation of an object, from a list or after a change.
    fn seen(
        cluster: &Cluster,
        object: Self::Object,
        listed: bool,
    ) -> impl Future<Output = Option<Self::Observation>> + Send;

    /// The observation that an object was deleted.
    fn deleted(object: Self::Object) -> Option<Self::Observation>;

    /// The objects that are expected in the cluster. Read before each list, which is compared with them.
    ///
    /// # Errors
    /// The database's.
    fn expected(
        conn: &mut AsyncPgConnection,
    ) -> impl Future<Output = QueryResult<HashMap<Self::Key, Self::Expected>>> + Send;

    /// The observation that an expected object is missing from a list; `None` if it exists after all: the client starts
    /// a streaming list before it reports that, and objects created between that and the reading of the table are only
    /// in the table.
    fn vanished(cluster: &Cluster, expected: Self::Expected) -> impl Future<Output = Option<Self::Observation>> + Send;
}

/// The selection of objects of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// All of them.
    All,
    /// Those that match the labels.
    Labels(String),
    /// Those that match the fields.
    Fields(String),
}
