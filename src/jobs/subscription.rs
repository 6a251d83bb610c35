//! Subscriptions to job events and to the logs of tasks.

use async_graphql::{Context, Subscription};
use futures::Stream;

use super::feed::{JobEventFilter, View};
use super::logs::open::{Asked, open};
use super::logs::types::LogChunk;
use super::types::JobEvent;
use crate::feeds;
use crate::graphql::scalars::Cursor;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::JobId;

/// The jobs part of the subscription root.
#[derive(Debug, Default)]
pub struct JobSubscription;

#[Subscription]
impl JobSubscription {
    /// What happens to the jobs you can see, as it happens, each event once and in order.
    ///
    /// Without `after` it begins now. With the cursor of the last event you got it first tells everything since, so a
    /// dropped connection loses nothing. With that of `eventCursor` it tells everything since that query. RESUME_EXPIRED:
    /// the log no longer reaches back to the cursor, or was restored to a state before it: query anew. SLOW_CONSUMER: you
    /// fell behind; resume after the cursor in the error.
    ///
    /// Your rights are looked at again whenever they change: you are told no more of a group that you have left, and the
    /// subscription ends with NOT_FOUND when you may no longer see a project, group or job that the filter names.
    async fn job_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which events; all that you can see when left out.")] filter: Option<JobEventFilter>,
        #[graphql(desc = "The cursor of the last event you got.")] after: Option<Cursor>,
    ) -> async_graphql::Result<impl Stream<Item = ApiResult<JobEvent>> + use<>> {
        feeds::resolve(ctx, after, View::open(ctx, filter.unwrap_or_default())).await.graphql(ctx)
    }

    /// What a task of a job writes, as it writes it, each line once and in order.
    ///
    /// Of a task with several containers all are read: init containers one after the other, then the others together, each
    /// line as it comes; `container` reads one alone. Of a container that was started again the run before is told first, as
    /// far as the cluster keeps it; the end INCOMPLETE says that lines are missing.
    /// A container that is not in the job's manifest, as a webhook of the cluster may add one, is not read.
    ///
    /// It waits for a task that has not begun, goes on with the next pod when the task is stopped and started anew, and
    /// completes after a last chunk that says how the log ended. With the cursor of the last chunk you got it goes on
    /// behind that chunk. If you read slowly, the log waits for you; no other subscription does.
    ///
    /// Lines are told in the order in which they were written, whatever their times. In a log of more than 5000 lines a
    /// cursor reaches back one minute before the newest time, less where very much is written: a line that comes after the
    /// cursor with a time further back, as when the clock of a node is set back, is told to who follows and not to who resumes.
    ///
    /// CLUSTER_UNAVAILABLE: the cluster does not answer; resume after the cursor in the error. NOT_FOUND ends it when
    /// you may no longer see the job.
    async fn job_logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job.")] job_id: JobId,
        #[graphql(desc = "Which of its tasks, by its place among them: the first (0) when left out.")] task: Option<
            i32,
        >,
        #[graphql(desc = "Which of the task's containers, by its name: all when left out.")] container: Option<String>,
        #[graphql(
            desc = "With how many of the lines that are there, of each container, to begin: 0 to 10000, all when left out. Of no \
                    effect beside `after`."
        )]
        tail_lines: Option<i32>,
        #[graphql(desc = "The cursor of the last chunk you got.")] after: Option<Cursor>,
    ) -> async_graphql::Result<impl Stream<Item = ApiResult<LogChunk>> + use<>> {
        open(ctx, Asked { job: job_id, task: task.unwrap_or(0), container, tail_lines, after }).await.graphql(ctx)
    }
}
