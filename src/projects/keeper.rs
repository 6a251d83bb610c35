//! Keeps the namespaces of projects in order: they follow the limits of their projects, what was changed by hand in the
//! cluster is repaired, and those of deleted projects go.
//!
//! Every replica has a worker. A claim is a lease on the row, not a transaction, so that the namespace of a worker that
//! dies goes to the next one, and every step can be repeated.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use rand::RngExt;
use serde_json::json;

use super::model;
use super::model::limits::{self, Limits};
use super::model::namespaces::{self, Due};
use crate::auth::policy::{Action, Permit};
use crate::change::{Change, Done};
use crate::cluster::names::Tenant;
use crate::cluster::namespaces::{Caps, Removed, Space, remove};
use crate::cluster::{Cluster, ClusterError};
use crate::config::GpuResources;
use crate::db::{Db, error_chain};
use crate::error::ApiError;
use crate::tasks::{Duty, Tasks};

/// Maximum number of namespaces that are looked at at a time.
const AT_ONCE: usize = 4;
/// Longer than the calls for a namespace may take together, so that a claim outlives its work.
const LEASE_SECONDS: i64 = 120;
/// Interval of looking for due namespaces.
const LOOK: Duration = Duration::from_millis(500);
/// Interval of looking at a namespace to which nothing has happened, in seconds.
const PERIOD: i64 = 600;
/// When to look again at a namespace that is being deleted, in seconds.
const DELETING: i64 = 2;
/// The longest pause after failed attempts, in seconds.
const LONGEST_PAUSE: i64 = 60;

/// Starts the worker.
pub fn spawn(tasks: &Tasks, db: Db, cluster: Cluster, gpus: Arc<GpuResources>) {
    let keeper = Keeper { db, cluster, gpus };
    tasks.supervise("namespaces", Duty::Housekeeping, move || run(keeper.clone()));
}

async fn run(keeper: Keeper) {
    loop {
        let due = keeper.claim().await.unwrap_or_else(|error| {
            tracing::warn!(error = %error_chain(&error), "cannot look for namespaces to keep in order");
            Vec::new()
        });
        if due.is_empty() {
            tokio::time::sleep(LOOK).await;
            continue;
        }
        stream::iter(due).for_each_concurrent(AT_ONCE, |due| keeper.keep(due)).await;
    }
}

#[derive(Clone)]
struct Keeper {
    db: Db,
    cluster: Cluster,
    gpus: Arc<GpuResources>,
}

impl Keeper {
    async fn claim(&self) -> Result<Vec<Due>, ApiError> {
        let most = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
        Ok(namespaces::claim(&mut *self.db.connection().await?, most, LEASE_SECONDS).await?)
    }

    async fn keep(&self, due: Due) {
        let kept = if due.removing { self.remove(&due).await } else { self.follow(&due).await };
        if let Err(error) = kept {
            // The lease expires, and the namespace is looked at again.
            tracing::warn!(namespace = due.namespace, error = %error_chain(&error), "the outcome could not be written");
        }
    }

    async fn remove(&self, due: &Due) -> Result<(), ApiError> {
        let removed = remove(&self.cluster, &due.namespace, due.project_id).await;
        let mut conn = self.db.connection().await?;
        match removed {
            Ok(Removed::Gone) => {
                tracing::info!(namespace = due.namespace, "the namespace of a deleted project has gone");
                Ok(namespaces::finish(&mut conn, due).await?)
            }
            Ok(Removed::Going) => Ok(namespaces::put_off(&mut conn, due, DELETING).await?),
            Err(error) => self.later(due, &error).await,
        }
    }

    async fn follow(&self, due: &Due) -> Result<(), ApiError> {
        let (limits, group) = {
            let mut conn = self.db.connection().await?;
            let limits = limits::find(&mut conn, due.project_id).await?.unwrap_or_default();
            (limits, model::find(&mut conn, due.project_id).await?.map(|project| project.group_id))
        };
        // Deleted in the meantime: the row says so by now.
        let Some(group) = group else { return Ok(()) };
        let space = Space::of(&due.namespace, Tenant::Project(due.project_id), &caps(&limits), &self.gpus);
        let digest = space.digest();
        let parts = match space.differences(&self.cluster).await {
            Ok(parts) => parts,
            Err(error) => return self.later(due, &error).await,
        };
        if !parts.is_empty() {
            if let Err(error) = space.apply(&self.cluster).await {
                return self.later(due, &error).await;
            }
            if due.applied.as_ref() == Some(&digest) {
                // The platform had this applied before: somebody else has changed it since.
                metrics::counter!("platform_namespace_repairs_total").increment(1);
                tracing::warn!(namespace = due.namespace, parts = parts.join(", "), "repaired a namespace");
                let permit = Permit::of_platform(Action::RepairNamespace);
                let repaired = Change::new(&self.db, permit, None).commit(async |_| {
                    let detail = json!({ "namespace": due.namespace, "group": group.to_string(), "repaired": parts });
                    Ok(Done::to(due.project_id, detail))
                });
                repaired.await.map_err(|errors| ApiError::internal(errors.to_string()))?;
            }
        }
        // Spread, so that projects that were created together are not always looked at together.
        let period = rand::rng().random_range(PERIOD * 9 / 10..=PERIOD);
        Ok(namespaces::in_order(&mut *self.db.connection().await?, due, &digest, period).await?)
    }

    async fn later(&self, due: &Due, error: &ClusterError) -> Result<(), ApiError> {
        let pause = 1_i64.checked_shl(due.attempts.clamp(0, 10).unsigned_abs()).unwrap_or(LONGEST_PAUSE);
        tracing::info!(namespace = due.namespace, %error, attempt = due.attempts, "will be tried again later");
        let pause = pause.min(LONGEST_PAUSE);
        Ok(namespaces::put_off(&mut *self.db.connection().await?, due, pause).await?)
    }
}

fn caps(limits: &Limits) -> Caps {
    Caps {
        gpu: limits.gpu.map(i64::from),
        cpu_millis: limits.cpu_millis,
        memory_bytes: limits.memory_bytes,
        storage_bytes: limits.storage_bytes,
    }
}
