//! The events of jobs, in their histories and in the feed.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use super::{Job, JobPhase};
use crate::events::Logged;
use crate::graphql::connection::Edge;
use crate::graphql::scalars::FeedCursor;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::jobs::event::JobEvent as Happened;
use crate::jobs::phase::JobEventKind;

/// An event in the history of a job.
#[derive(Debug, Clone)]
pub struct JobEvent(pub Arc<Logged<Happened>>);

impl From<Arc<Logged<Happened>>> for JobEvent {
    fn from(event: Arc<Logged<Happened>>) -> Self {
        Self(event)
    }
}

/// An event in the history of a job.
#[Object]
impl JobEvent {
    /// The ID of the event: `event_` followed by 26 characters. It is for caches; `node` does not find events.
    async fn id(&self) -> ID {
        ID(self.0.seq.id().to_text())
    }

    /// The position of the event in the event log. Pass it as `after` to `jobEvents` to resume after this event. It is not
    /// the cursor of an edge.
    async fn cursor(&self) -> FeedCursor {
        FeedCursor(self.0.seq.cursor())
    }

    /// When the event happened.
    async fn at(&self) -> DateTime<Utc> {
        self.0.at
    }

    /// The kind of event.
    async fn kind(&self) -> JobEventKind {
        self.0.event.kind
    }

    /// The phase of the job after the event.
    async fn phase(&self) -> JobPhase {
        self.0.event.phase
    }

    /// The phase of the job before the event, if the event changed it.
    async fn previous_phase(&self) -> Option<JobPhase> {
        self.0.event.previous_phase
    }

    /// Machine-readable reason for the event.
    async fn reason(&self) -> Option<&str> {
        self.0.event.reason.as_deref()
    }

    /// Human-readable explanation of the reason.
    async fn message(&self) -> Option<&str> {
        self.0.event.message.as_deref()
    }

    /// The job in its current state, which is at least as recent as the event.
    async fn job(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<Job>> {
        Job::load(ctx, self.0.subject()).await.map(AtOnce).graphql(ctx)
    }

    /// The job as an edge of the connection `jobs` in its default order, for clients that insert it into a list that they
    /// have loaded, such as Relay with `@prependEdge`.
    async fn job_edge(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<Edge<Job>>> {
        Job::edge(ctx, self.0.subject()).await.map(AtOnce).graphql(ctx)
    }
}
