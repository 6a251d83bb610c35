//! The kinds that the jobs room watches: FlashJobs, Kubernetes Jobs, the pods of their tasks, and events about
//! those.

mod clean;
mod flashjobs;
mod kubernetes_jobs;
mod pods;

use std::fmt::Display;

use chrono::Utc;
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use super::life::Observation;
use super::model::observed;
use super::phase::JobPhase;
use crate::reconcile::{Kinds, Reconciler};

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
