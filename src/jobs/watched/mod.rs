//! The kinds that the jobs room watches: FlashJobs, Kubernetes Jobs, the pods of their tasks, and events about
//! those.

mod clean;
mod flashjobs;
mod kubernetes_jobs;
mod pods;

use std::fmt::{Debug, Display};
use std::time::Duration;

use chrono::Utc;
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use serde::de::DeserializeOwned;

use super::life::Observation;
use super::model::observed;
use super::phase::JobPhase;
use crate::cluster::Cluster;
use crate::ids::JobId;
use crate::reconcile::{Kinds, Reconciler};

/// How long to wait before the cluster is asked again.
const RETRY: Duration = Duration::from_millis(500);

/// The uid of an object of a job, if it exists; asked until the cluster answers.
async fn present_uid<K>(cluster: &Cluster, job: JobId, namespace: &str, name: &str) -> Option<String>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    loop {
        match cluster.uid_of::<K>(namespace, name).await {
            Ok(found) => return found,
            Err(error) => {
                tracing::warn!(%job, %error, "the watch cannot tell whether a job's object exists");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// The reconciler of jobs.
#[derive(Debug)]
pub enum Jobs {}

impl Reconciler for Jobs {
    type Observation = Observation;
    const ROOM: &'static str = "jobs";

    fn kinds(kinds: &mut impl Kinds<Observation>) {
        kinds.follow::<flashjobs::FlashJobs>();
        kinds.follow::<kubernetes_jobs::KubernetesJobs>();
        kinds.follow::<kubernetes_jobs::RejectedPods>();
        kinds.follow::<pods::Pods>();
        kinds.follow::<pods::FailedMounts>();
    }

    fn clean(observation: Observation) -> Observation {
        clean::clean(observation)
    }

    fn subject(observation: &Observation) -> impl Display {
        observation.job
    }

    async fn apply(conn: &mut AsyncPgConnection, observations: &[Observation]) -> QueryResult<()> {
        observed::apply(conn, observations, Utc::now()).await.map(drop)
    }

    async fn measure(conn: &mut AsyncPgConnection) -> QueryResult<()> {
        let found = observed::phases(conn).await?;
        for phase in JobPhase::ALL.iter().filter(|phase| !phase.is_terminal()) {
            let jobs = found.iter().find(|(known, _)| known == phase).map_or(0, |(_, jobs)| *jobs);
            metrics::gauge!("platform_jobs", "phase" => phase.as_str()).set(jobs as f64);
        }
        Ok(())
    }
}
