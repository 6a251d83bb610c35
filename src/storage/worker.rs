//! The storage worker: brings accepted claims to the cluster, makes them larger, and deletes them.
//!
//! Every replica has one. What is claimed is a lease on the row, not a transaction, so that the work of one that dies goes
//! to the next, and every step can be repeated.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;

use super::event::PvcEvent;
use super::life;
use super::model::{self, Claim, due, leftovers, observed};
use super::phase::PvcPhase;
use crate::cluster::claims::{self, ClaimState, Deleted, ObjectKey, Seen, Wanted};
use crate::cluster::names::Tenant;
use crate::cluster::shares::{self, Share, ShareError};
use crate::cluster::{Cluster, ClusterError};
use crate::db::{Db, error_chain};
use crate::error::ApiError;
use crate::executor::Wake;
use crate::tasks::{Duty, Tasks};

/// Maximum number of claims that are worked on at a time.
const AT_ONCE: usize = 8;
/// Longer than the calls for a claim may take together, so that a lease outlives its work.
const LEASE_SECONDS: i64 = 60;
/// Interval of looking for due claims without a signal.
const LOOK: Duration = Duration::from_millis(500);
/// When to look again at a claim that is being deleted: the watch tells of most before.
const DELETING: i64 = 5_000;
/// The first and the longest pause after failed attempts, in milliseconds.
const FIRST_PAUSE: i64 = 250;
const LONGEST_PAUSE: i64 = 30_000;

/// The signal for the worker: whoever commits work for it sends it.
#[derive(Debug, Clone, Default)]
pub struct StorageWake(pub Wake);

/// Starts the worker.
pub fn spawn(tasks: &Tasks, db: Db, cluster: Cluster, shared_drivers: Arc<[String]>, wake: StorageWake) {
    let worker = Worker { db, cluster, shared_drivers };
    tasks.supervise("storage worker", Duty::Serving, move || run(worker.clone(), wake.clone()));
}

async fn run(worker: Worker, StorageWake(wake): StorageWake) {
    loop {
        let due = worker.due().await.unwrap_or_else(|error| {
            tracing::warn!(error = %error_chain(&error), "the storage worker cannot look for work");
            Vec::new()
        });
        let cleaned = worker.clean_up().await.unwrap_or_else(|error| {
            tracing::warn!(error = %error_chain(&error), "the storage worker cannot look for what is left of shares");
            false
        });
        if due.is_empty() {
            if !cleaned {
                wake.within(LOOK).await;
            }
            continue;
        }
        stream::iter(due).for_each_concurrent(AT_ONCE, |claim| worker.handle(claim)).await;
    }
}

#[derive(Clone)]
struct Worker {
    db: Db,
    cluster: Cluster,
    /// Drivers whose volumes an operator lets share.
    shared_drivers: Arc<[String]>,
}

/// What a due claim needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Create,
    Share,
    Resize,
    Delete,
    Nothing,
}

fn need(claim: &Claim) -> Need {
    match claim.phase {
        _ if claim.delete_requested_at.is_some() => Need::Delete,
        PvcPhase::Submitted if claim.object_uid.is_none() && claim.source_id.is_some() => Need::Share,
        PvcPhase::Submitted if claim.object_uid.is_none() => Need::Create,
        // The cluster makes only bound claims larger.
        PvcPhase::Bound if claim.sent_bytes < claim.size_bytes => Need::Resize,
        PvcPhase::Submitted
        | PvcPhase::Pending
        | PvcPhase::Bound
        | PvcPhase::Lost
        | PvcPhase::Failed
        | PvcPhase::Deleting => Need::Nothing,
    }
}

fn key_of(claim: &Claim) -> ObjectKey {
    ObjectKey { namespace: claim.namespace.clone(), name: claim.name.clone() }
}

/// What the namespace of a claim belongs to; `None` for one without an owner, which the database does not allow.
fn tenant(claim: &Claim) -> Option<Tenant> {
    match (claim.project_id, claim.group_id, claim.user_id) {
        (Some(project), ..) => Some(Tenant::Project(project)),
        (None, Some(group), _) => Some(Tenant::Group(group)),
        (None, None, Some(user)) => Some(Tenant::User(user)),
        (None, None, None) => None,
    }
}

fn in_millis(millis: i64) -> DateTime<Utc> {
    Utc::now() + chrono::Duration::milliseconds(millis)
}

impl Worker {
    async fn due(&self) -> Result<Vec<Claim>, ApiError> {
        let most = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
        Ok(due::claim(&mut *self.db.connection().await?, most, LEASE_SECONDS).await?)
    }

    async fn handle(&self, claim: Claim) {
        let handled = match need(&claim) {
            Need::Create => self.create(&claim).await,
            Need::Share => self.share(&claim).await,
            Need::Resize if claim.source_id.is_some() => self.grow_share(&claim).await,
            Need::Resize => self.resize(&claim).await,
            Need::Delete => self.delete(&claim).await,
            Need::Nothing => {
                self.change(&claim, |claim| {
                    rests(claim);
                    Vec::new()
                })
                .await
            }
        };
        if let Err(error) = handled {
            // The lease expires, and the claim is looked at again.
            tracing::warn!(claim = %claim.id, error = %error_chain(&error), "the outcome could not be written");
        }
    }

    async fn change(
        &self,
        claim: &Claim,
        change: impl FnOnce(&mut Claim) -> Vec<PvcEvent> + Send,
    ) -> Result<(), ApiError> {
        let change = |claim: &mut Claim| {
            let events = change(claim);
            keep_due(claim);
            events
        };
        Ok(due::change(&mut *self.db.connection().await?, claim.id, change).await?)
    }

    async fn create(&self, claim: &Claim) -> Result<(), ApiError> {
        let Some(tenant) = tenant(claim) else { return Ok(()) };
        let wanted = Wanted {
            id: claim.id,
            tenant,
            key: key_of(claim),
            class: claim.storage_class.clone(),
            access_mode: claim.access_mode.in_kubernetes(),
            size: claim.size.clone(),
        };
        match claims::create(&self.cluster, &wanted).await {
            Ok(object) => self.created(claim, &object).await,
            Err(error) => self.not_created(claim, error).await,
        }
    }

    async fn created(&self, claim: &Claim, object: &PersistentVolumeClaim) -> Result<(), ApiError> {
        // It may have been made larger in the meantime.
        let sent = claim.size_bytes;
        self.change(claim, |claim| {
            claim.sent_bytes = sent;
            settled(claim);
            Vec::new()
        })
        .await?;
        // As the watch would tell: whoever asks next need not wait for it.
        let seen: Vec<Seen> = ClaimState::read(object, false).map(Seen::Claim).into_iter().collect();
        Ok(observed::apply(&mut *self.db.connection().await?, &seen, Utc::now()).await?)
    }

    async fn not_created(&self, claim: &Claim, error: ClusterError) -> Result<(), ApiError> {
        match error {
            ClusterError::AlreadyExists(_) => {
                let message = format!("The namespace already has a claim named {} that is not this one.", claim.name);
                self.change(claim, |claim| life::refused(claim, "NameTaken", message)).await
            }
            ClusterError::Invalid(refusal) | ClusterError::Denied(refusal) => {
                let message = format!("The cluster rejected the claim: {refusal}");
                self.change(claim, |claim| life::refused(claim, "Rejected", message)).await
            }
            error => self.later(claim, &error).await,
        }
    }

    async fn resize(&self, claim: &Claim) -> Result<(), ApiError> {
        let Some(uid) = claim.object_uid.as_deref() else {
            return self
                .change(claim, |claim| {
                    settled(claim);
                    Vec::new()
                })
                .await;
        };
        let wanted = claim.size_bytes;
        match claims::resize(&self.cluster, &key_of(claim), uid, &claim.size).await {
            Ok(_) => {
                self.change(claim, |claim| {
                    claim.sent_bytes = claim.sent_bytes.max(wanted);
                    settled(claim);
                    Vec::new()
                })
                .await
            }
            Err(ClusterError::Invalid(refusal) | ClusterError::Denied(refusal)) => {
                let why = format!("The cluster rejected the new size: {refusal}");
                self.change(claim, |claim| life::resize_refused(claim, why)).await
            }
            // It was deleted: the watch tells.
            Err(ClusterError::NotFound(_) | ClusterError::Conflict(_)) => {
                Ok(due::put_off(&mut *self.db.connection().await?, claim.id, DELETING).await?)
            }
            Err(error) => self.later(claim, &error).await,
        }
    }

    async fn delete(&self, claim: &Claim) -> Result<(), ApiError> {
        match claims::delete(&self.cluster, &key_of(claim), claim.object_uid.as_deref(), claim.id).await {
            Ok(Deleted::Gone) => Ok(due::remove(&mut *self.db.connection().await?, claim.id).await?),
            Ok(Deleted::Going) => Ok(due::put_off(&mut *self.db.connection().await?, claim.id, DELETING).await?),
            Err(error) => self.later(claim, &error).await,
        }
    }

    /// Tries again later, and says so on the claim.
    async fn later(&self, claim: &Claim, error: &ClusterError) -> Result<(), ApiError> {
        let (reason, message) = match error {
            ClusterError::Away(_) | ClusterError::Unconfigured(_) => {
                ("ClusterUnavailable", "The cluster does not answer; the platform tries again.".to_owned())
            }
            ClusterError::OverQuota(why) => {
                ("QuotaExceeded", format!("The quota of the namespace is exhausted: {why}"))
            }
            ClusterError::Forbidden(why) => {
                ("PermissionMissing", format!("The platform lacks a permission in the cluster: {why}"))
            }
            other => ("Refused", format!("The cluster refuses for now: {other}")),
        };
        tracing::info!(claim = %claim.id, %error, attempt = claim.attempts, "will be tried again later");
        let pause = FIRST_PAUSE.checked_shl(claim.attempts.clamp(0, 20).unsigned_abs()).unwrap_or(LONGEST_PAUSE);
        self.change(claim, |claim| {
            claim.next_attempt_at = Some(in_millis(pause.min(LONGEST_PAUSE)));
            life::waits(claim, reason, message)
        })
        .await
    }
}

impl Worker {
    /// Makes the volume and the claim of a share.
    async fn share(&self, claim: &Claim) -> Result<(), ApiError> {
        let source = match claim.source_id {
            Some(source) => model::find(&mut *self.db.connection().await?, &[source]).await?.pop(),
            None => None,
        };
        let (Some(source), Some(tenant)) = (source, tenant(claim)) else { return Ok(()) };
        let share = Share {
            id: claim.id,
            source: source.id,
            key: key_of(claim),
            owner: tenant.label(),
            read_only: claim.read_only,
        };
        match shares::make(&self.cluster, &key_of(&source), &share, tenant, &self.shared_drivers).await {
            Ok(object) => self.created(claim, &object).await,
            Err(ShareError::Unshareable(why)) => {
                let message = format!("The claim {} cannot be shared: {why}.", source.name);
                self.change(claim, |claim| life::refused(claim, "Unshareable", message)).await
            }
            Err(ShareError::NotBound) => {
                let message = format!("Waiting for the volume of the claim {}.", source.name);
                self.change(claim, |claim| {
                    claim.next_attempt_at = Some(in_millis(DELETING));
                    life::waits(claim, "SourceNotBound", message)
                })
                .await
            }
            Err(ShareError::Cluster(error)) => self.not_created(claim, error).await,
        }
    }

    /// The volume of a share says how large it is.
    async fn grow_share(&self, claim: &Claim) -> Result<(), ApiError> {
        let wanted = claim.size_bytes;
        match shares::grow(&self.cluster, claim.id, &claim.size).await {
            Ok(()) | Err(ClusterError::NotFound(_)) => {
                self.change(claim, |claim| {
                    claim.sent_bytes = claim.sent_bytes.max(wanted);
                    settled(claim);
                    Vec::new()
                })
                .await
            }
            Err(error) => self.later(claim, &error).await,
        }
    }

    /// Removes what is left of shares that are gone. Returns whether there was something.
    async fn clean_up(&self) -> Result<bool, ApiError> {
        let found = leftovers::claim(&mut *self.db.connection().await?, LEASE_SECONDS).await?;
        let Some(left) = found else { return Ok(false) };
        let source = ObjectKey { namespace: left.source_namespace.clone(), name: left.source_name.clone() };
        let is_last = leftovers::is_last(&mut *self.db.connection().await?, left.source_id).await?;
        match shares::remove(&self.cluster, left.share_id, is_last.then_some(&source)).await {
            Ok(Deleted::Gone) => leftovers::finish(&mut *self.db.connection().await?, left.share_id).await?,
            // The lease expires, and it is looked at again.
            Ok(Deleted::Going) => {}
            Err(error) => tracing::info!(share = %left.share_id, %error, "will be tried again later"),
        }
        Ok(true)
    }
}

/// The cluster has done what was requested.
fn settled(claim: &mut Claim) {
    claim.reason = None;
    claim.message = None;
    rests(claim);
}

fn rests(claim: &mut Claim) {
    claim.next_attempt_at = None;
    claim.attempts = 0;
}

/// Whoever requested more while the worker had the claim, or saw that it is bound, relied on the worker looking again:
/// the outcome of older work must not take the claim off its list.
fn keep_due(claim: &mut Claim) {
    match need(claim) {
        Need::Resize | Need::Delete => drop(claim.next_attempt_at.get_or_insert_with(Utc::now)),
        // One that was created is known by its uid when the object is observed.
        Need::Create | Need::Share | Need::Nothing => {}
    }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
