//! The worker for the pods that show files: starts the pod of a claim that has a session, and stops it after the last one.
//!
//! Every replica has one, and keeps nothing in memory: what is due is a row with a lease, and every step can be repeated. A
//! row comes before its pod and goes after it, so nothing is left of a replica that dies in between.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use http::Request;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::model::{self, FilePodRow};
use super::phase::FilesPhase;
use crate::cluster::claims::Deleted;
use crate::cluster::file_pods::{self, FilePod, READ_PORT, State, WRITE_PORT};
use crate::cluster::names::{file_pod, tenant_of};
use crate::cluster::{Cluster, ClusterError, port_forward};
use crate::config::FilesConfig;
use crate::db::{Db, error_chain};
use crate::error::ApiError;
use crate::executor::Wake;
use crate::storage::model::{self as storage, mounts};
use crate::tasks::{Duty, Tasks};

/// Maximum number of pods that are worked on at a time.
const AT_ONCE: usize = 8;
/// Longer than the calls for a pod may take together, so that a lease outlives its work.
const LEASE_SECONDS: i64 = 90;
/// Interval of looking for due pods without a signal.
const LOOK: Duration = Duration::from_millis(500);
/// Interval of ending sessions that are not used.
const SWEEP: Duration = Duration::from_secs(10);
/// When to look again at a pod that starts or ends, in milliseconds: at first, and at most.
const SOON: i64 = 300;
const LATER: i64 = 5_000;
/// When to look again at a pod that is ready, or that the cluster rejects, in milliseconds.
const SETTLED: i64 = 60_000;
/// How long a file server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The signal for the worker: whoever commits work for it sends it.
#[derive(Debug, Clone, Default)]
pub struct FilesWake(pub Wake);

/// Starts the worker.
pub fn spawn(tasks: &Tasks, db: Db, cluster: Cluster, config: FilesConfig, wake: FilesWake) {
    let worker = Worker { db, cluster, config: Arc::new(config) };
    tasks.supervise("file pods", Duty::Serving, move || run(worker.clone(), wake.clone()));
}

async fn run(worker: Worker, FilesWake(wake): FilesWake) {
    let mut swept: Option<Instant> = None;
    loop {
        if swept.is_none_or(|swept| swept.elapsed() >= SWEEP) {
            if let Err(error) = worker.sweep().await {
                tracing::warn!(error = %error_chain(&error), "idle file sessions cannot be ended");
            }
            swept = Some(Instant::now());
        }
        let due = worker.due().await.unwrap_or_else(|error| {
            tracing::warn!(error = %error_chain(&error), "the file pods that are due cannot be found");
            Vec::new()
        });
        if due.is_empty() {
            wake.within(LOOK).await;
            continue;
        }
        stream::iter(due).for_each_concurrent(AT_ONCE, |pod| worker.handle(pod)).await;
    }
}

#[derive(Clone)]
struct Worker {
    db: Db,
    cluster: Cluster,
    config: Arc<FilesConfig>,
}

impl Worker {
    async fn sweep(&self) -> Result<(), ApiError> {
        let mut conn = self.db.connection().await?;
        let ended = model::end_idle(&mut conn, self.config.idle).await?;
        if ended > 0 {
            metrics::counter!("platform_file_sessions_expired_total").increment(ended as u64);
        }
        let (pods, sessions) = model::measure(&mut conn).await?;
        for phase in FilesPhase::ALL {
            let count = pods.iter().find(|(of, _)| of == phase).map_or(0, |(_, count)| *count);
            metrics::gauge!("platform_file_pods", "phase" => phase.as_str()).set(count as f64);
        }
        metrics::gauge!("platform_file_sessions").set(sessions as f64);
        Ok(())
    }

    async fn due(&self) -> Result<Vec<FilePodRow>, ApiError> {
        let most = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
        Ok(model::due_pods(&mut *self.db.connection().await?, most, LEASE_SECONDS).await?)
    }

    async fn handle(&self, pod: FilePodRow) {
        let handled = match self.is_wanted(&pod).await {
            Ok(true) => self.start(&pod).await,
            Ok(false) => self.stop(&pod).await,
            Err(error) => Err(error),
        };
        if let Err(error) = handled {
            // The lease expires, and the pod is looked at again.
            tracing::warn!(claim = %pod.claim_id, error = %error_chain(&error), "the outcome could not be written");
        }
    }

    async fn is_wanted(&self, pod: &FilePodRow) -> Result<bool, ApiError> {
        Ok(model::is_open(&mut *self.db.connection().await?, pod.claim_id).await?)
    }

    async fn stop(&self, pod: &FilePodRow) -> Result<(), ApiError> {
        // Whoever opens the files from now on waits for another pod.
        self.observed(pod, FilesPhase::Starting, None, SOON).await?;
        match file_pods::stop(&self.cluster, &pod.namespace, pod.claim_id).await {
            Ok(Deleted::Gone) => Ok(model::forget_pod(&mut *self.db.connection().await?, pod.claim_id).await?),
            Ok(Deleted::Going) => self.observed(pod, FilesPhase::Starting, None, soon(pod)).await,
            Err(error) => self.failed(pod, &error).await,
        }
    }

    async fn start(&self, pod: &FilePodRow) -> Result<(), ApiError> {
        let Some(tenant) = tenant_of(&pod.namespace) else {
            let message = "The claim is not in a namespace of the platform.";
            return self.observed(pod, FilesPhase::Failed, Some(message), SETTLED).await;
        };
        let wanted = FilePod {
            claim: pod.claim_id,
            namespace: pod.namespace.clone(),
            claim_name: pod.claim_name.clone(),
            tenant,
            read_only: pod.read_only,
            beside: self.beside(pod).await?,
        };
        match file_pods::ensure(&self.cluster, &wanted, &self.config).await {
            Ok(State::Running) => match self.answers(pod).await {
                Ok(()) => self.observed(pod, FilesPhase::Ready, None, SETTLED).await,
                Err(why) => self.observed(pod, FilesPhase::Starting, Some(&why), soon(pod)).await,
            },
            Ok(State::Starting(why)) => self.observed(pod, FilesPhase::Starting, Some(&why), soon(pod)).await,
            Ok(State::Ended(why)) => {
                // It is in the way of the next one.
                match file_pods::stop(&self.cluster, &pod.namespace, pod.claim_id).await {
                    Ok(_) => self.observed(pod, FilesPhase::Starting, Some(&why), soon(pod)).await,
                    Err(error) => self.failed(pod, &error).await,
                }
            }
            Err(error) => self.failed(pod, &error).await,
        }
    }

    /// A pod on the node where the claim must be mounted, if it can be on one only.
    async fn beside(&self, pod: &FilePodRow) -> Result<Option<String>, ApiError> {
        let mut conn = self.db.connection().await?;
        let claim = storage::find(&mut conn, &[pod.claim_id]).await?.pop();
        if claim.is_none_or(|claim| claim.access_mode.in_kubernetes() != "ReadWriteOnce") {
            return Ok(None);
        }
        let mounts = mounts::of_claims(&mut conn, &[pod.claim_id]).await?;
        Ok(mounts.into_iter().find(|mount| !mount.shows_files()).map(|mount| mount.pod))
    }

    /// Whether the file servers of a pod answer, or why not.
    async fn answers(&self, pod: &FilePodRow) -> Result<(), String> {
        let ports = if pod.read_only { &[READ_PORT][..] } else { &[READ_PORT, WRITE_PORT] };
        for port in ports {
            match tokio::time::timeout(PATIENCE, self.asked(pod, *port)).await {
                Ok(Ok(())) => {}
                Ok(Err(why)) => return Err(format!("The file server does not answer yet: {why}.")),
                Err(_) => return Err("The file server does not answer yet.".to_owned()),
            }
        }
        Ok(())
    }

    async fn asked(&self, pod: &FilePodRow, port: u16) -> Result<(), String> {
        let name = file_pod(pod.claim_id);
        let stream = port_forward::open(&self.cluster, &pod.namespace, &name, port).await;
        let stream = stream.map_err(|error| error.to_string())?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error_chain(&error))?;
        let path = format!("{}/__dufs__/health", file_pods::path_prefix(pod.claim_id));
        let request = Request::get(path).header(http::header::HOST, "files").body(Empty::<bytes::Bytes>::new());
        let request = request.map_err(|error| error.to_string())?;
        // Whatever it answers, it is there.
        tokio::select! {
            answer = sender.send_request(request) => answer.map(drop).map_err(|error| error_chain(&error)),
            ended = connection => match ended {
                Ok(()) => Err("the connection ended".to_owned()),
                Err(error) => Err(error_chain(&error)),
            },
        }
    }

    async fn failed(&self, pod: &FilePodRow, error: &ClusterError) -> Result<(), ApiError> {
        let (phase, message, again) = match error {
            ClusterError::Away(_) | ClusterError::Unconfigured(_) => {
                let message = "The cluster does not answer; the platform tries again.".to_owned();
                (FilesPhase::Starting, message, soon(pod))
            }
            ClusterError::OverQuota(why) => {
                (FilesPhase::Starting, format!("The quota of the namespace is exhausted: {why}."), LATER)
            }
            ClusterError::Forbidden(why) => {
                (FilesPhase::Failed, format!("The platform lacks a permission in the cluster: {why}."), SETTLED)
            }
            ClusterError::Invalid(_) | ClusterError::Denied(_) | ClusterError::AlreadyExists(_) => {
                (FilesPhase::Failed, format!("The cluster rejects the pod: {error}."), SETTLED)
            }
            ClusterError::Conflict(_)
            | ClusterError::NotFound(_)
            | ClusterError::KindMissing(_)
            | ClusterError::Refused(_) => {
                (FilesPhase::Starting, format!("The cluster refuses for now: {error}."), soon(pod))
            }
        };
        tracing::info!(claim = %pod.claim_id, %error, attempt = pod.attempts, "a file pod will be looked at again later");
        self.observed(pod, phase, Some(&message), again).await
    }

    async fn observed(
        &self,
        pod: &FilePodRow,
        phase: FilesPhase,
        message: Option<&str>,
        again_in: i64,
    ) -> Result<(), ApiError> {
        let mut conn = self.db.connection().await?;
        Ok(model::observed(&mut conn, pod, phase, message, again_in).await?)
    }
}

/// When to look again, in milliseconds: a pod mostly starts within seconds, or takes long.
fn soon(pod: &FilePodRow) -> i64 {
    let doubled = SOON.checked_shl(pod.attempts.clamp(0, 10).unsigned_abs() / 4).unwrap_or(LATER);
    doubled.min(LATER)
}
