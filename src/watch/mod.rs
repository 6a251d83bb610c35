//! The cluster's changes, reconciled into rows and events by one leading replica.
//!
//! The leader holds a session-level advisory lock and follows each kind with one watch; what it sees is gathered into
//! batches and goes through `jobs::life`. Followers feed their subscribers from the event log like the leader does.

mod batch;
mod clean;
mod flashjobs;
mod health;
mod leader;
mod model;
mod pods;
mod settle;
mod source;

pub use health::Health;

use std::time::Duration;

use crate::cluster::Cluster;
use crate::db::Db;
use crate::jobs::model::observed;
use crate::tasks::Tasks;

/// How often the phases are counted for the metrics.
const COUNT: Duration = Duration::from_secs(15);

/// Starts standing for leader; the leader watches. How that goes is told by what is returned.
pub fn spawn(tasks: &Tasks, db: Db, cluster: Cluster) -> Health {
    let health = Health::default();
    let told = health.clone();
    tasks.supervise("watch", move || leader::stand(db.clone(), cluster.clone(), told.clone()));
    health
}

/// Everything the leader does, until it is dropped.
async fn lead(db: Db, cluster: Cluster, health: Health) {
    let (observations, seen) = batch::queue();
    tokio::join!(
        batch::run(db.clone(), seen, health),
        flashjobs::follow(db.clone(), cluster.clone(), observations.clone()),
        pods::follow(db.clone(), cluster.clone(), observations.clone()),
        pods::follow_mounts(cluster, observations),
        count(db),
    );
}

async fn count(db: Db) {
    loop {
        if let Ok(mut conn) = db.connection().await
            && let Ok(phases) = observed::phases(&mut conn).await
        {
            for phase in ["SUBMITTED", "QUEUED", "RUNNING"] {
                let jobs = phases.iter().find(|(known, _)| known.as_str() == phase).map_or(0, |(_, jobs)| *jobs);
                metrics::gauge!("platform_jobs", "phase" => phase).set(jobs as f64);
            }
        }
        tokio::time::sleep(COUNT).await;
    }
}
