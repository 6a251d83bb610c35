//! Leader election: the leader is the replica whose connection holds the lock, for as long as that connection answers.

use std::time::Duration;

use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use super::{Health, Rooms, lead, model};
use crate::cluster::Cluster;
use crate::db::{Db, error_chain};
use crate::error::ApiError;

/// How often a follower tries to become the leader, and the leader checks whether it still is.
const PULSE: Duration = Duration::from_secs(1);
/// A connection that takes longer than this to answer is considered dead.
const PATIENCE: Duration = Duration::from_secs(3);

/// Campaigns for leadership for as long as the server runs.
pub(super) async fn stand(db: Db, cluster: Cluster, rooms: Rooms, health: Health) {
    loop {
        // It may have led before, and panicked.
        health.leads(false);
        metrics::gauge!("platform_watch_leader").set(0.0);
        if let Err(error) = term(&db, &cluster, &rooms, &health).await {
            tracing::warn!(error = %error_chain(&error), "the watch lost its database connection");
        }
        tokio::time::sleep(PULSE).await;
    }
}

/// Waits for the lock, leads, and ends with the connection.
async fn term(db: &Db, cluster: &Cluster, rooms: &Rooms, health: &Health) -> Result<(), ApiError> {
    let mut conn = db.dedicated().await?;
    answered(model::prepare(&mut conn)).await?;
    while !answered(model::try_lock(&mut conn)).await? {
        tokio::time::sleep(PULSE).await;
    }
    tracing::info!("this replica watches the cluster now");
    health.leads(true);
    metrics::gauge!("platform_watch_leader").set(1.0);
    tokio::select! {
        () = lead(db.clone(), cluster.clone(), rooms.clone(), health.clone()) => Ok(()),
        lost = pulse(&mut conn) => lost,
    }
}

async fn pulse(conn: &mut AsyncPgConnection) -> Result<(), ApiError> {
    loop {
        tokio::time::sleep(PULSE).await;
        answered(model::ping(conn)).await?;
    }
}

/// The database's answer, if it comes in time: a connection may be dead without knowing it. The leader releases the
/// lock by closing the connection; a follower would otherwise never learn that the lock is free.
async fn answered<T>(asked: impl Future<Output = QueryResult<T>>) -> Result<T, ApiError> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => Ok(answer?),
        Err(elapsed) => Err(ApiError::database_unavailable(elapsed)),
    }
}
