//! Who watches: the replica whose connection holds the lock, for as long as that connection answers.

use std::time::Duration;

use diesel_async::AsyncPgConnection;

use super::{lead, model};
use crate::cluster::Cluster;
use crate::db::{Db, error_chain};
use crate::error::ApiError;

/// How often a follower tries to become the leader, and the leader looks whether it still is.
const PULSE: Duration = Duration::from_secs(1);
/// A connection that takes longer than this to answer is as good as dead.
const PATIENCE: Duration = Duration::from_secs(3);

/// Stands for leader for as long as the server runs.
pub(super) async fn stand(db: Db, cluster: Cluster) {
    loop {
        if let Err(error) = term(&db, &cluster).await {
            tracing::warn!(error = %error_chain(&error), "the watch lost its database connection");
        }
        metrics::gauge!("platform_watch_leader").set(0.0);
        tokio::time::sleep(PULSE).await;
    }
}

/// Waits for the lock, leads, and ends with the connection.
async fn term(db: &Db, cluster: &Cluster) -> Result<(), ApiError> {
    let mut conn = db.dedicated().await?;
    model::prepare(&mut conn).await?;
    while !model::try_lock(&mut conn).await? {
        tokio::time::sleep(PULSE).await;
    }
    tracing::info!("this replica watches the cluster now");
    metrics::gauge!("platform_watch_leader").set(1.0);
    tokio::select! {
        () = lead(db.clone(), cluster.clone()) => Ok(()),
        lost = pulse(&mut conn) => lost,
    }
}

async fn pulse(conn: &mut AsyncPgConnection) -> Result<(), ApiError> {
    loop {
        tokio::time::sleep(PULSE).await;
        match tokio::time::timeout(PATIENCE, model::ping(conn)).await {
            Ok(alive) => alive?,
            Err(elapsed) => return Err(ApiError::database_unavailable(elapsed)),
        }
    }
}
