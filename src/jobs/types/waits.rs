//! What a job waits for, and where it stands in its queue.

use async_graphql::{Context, SimpleObject};

use super::{Job, JobPhase};
use crate::error::ApiError;
use crate::graphql::loaders::ReadExt;
use crate::jobs::loader::JobsAhead;

/// What is ahead of a waiting job in its queue, in all projects together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SimpleObject)]
pub struct JobQueuePosition {
    /// The number of jobs that are ahead; 0 for the first job of the queue.
    pub jobs_ahead: i32,
    /// The number of GPUs that they request together.
    pub gpus_ahead: i32,
}

impl Job {
    /// What it is known to wait for, or else the job's position in its queue.
    pub(super) async fn waits_for(&self, ctx: &Context<'_>) -> Result<Option<String>, ApiError> {
        let job = self.whole(ctx).await?;
        match job.phase {
            JobPhase::Submitted | JobPhase::Queued if job.cancel_requested_at.is_some() => {
                Ok(Some("It is being cancelled.".to_owned()))
            }
            _ if job.pending_reason.is_some() => Ok(job.pending_reason.clone()),
            JobPhase::Submitted => Ok(Some("It is being sent to the cluster.".to_owned())),
            JobPhase::Queued => {
                let ahead = ctx.read::<JobsAhead>(job.id).await?.unwrap_or_default().jobs;
                let queue = &job.queue;
                Ok(Some(match ahead {
                    0 => format!("It is first in the queue {queue}."),
                    1 => format!("It is waiting in the queue {queue} behind 1 other job."),
                    many => format!("It is waiting in the queue {queue} behind {many} other jobs."),
                }))
            }
            JobPhase::Running | JobPhase::Succeeded | JobPhase::Failed | JobPhase::Cancelled => Ok(None),
        }
    }

    /// Where it stands in its queue while it waits.
    pub(super) async fn position_in_queue(&self, ctx: &Context<'_>) -> Result<Option<JobQueuePosition>, ApiError> {
        if !matches!(self.row.phase(), JobPhase::Submitted | JobPhase::Queued) {
            return Ok(None);
        }
        let ahead = ctx.read::<JobsAhead>(self.row.id()).await?;
        let narrow = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
        Ok(ahead.map(|ahead| JobQueuePosition { jobs_ahead: narrow(ahead.jobs), gpus_ahead: narrow(ahead.gpus) }))
    }
}
