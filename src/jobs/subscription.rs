//! Subscriptions to job events and to the logs of tasks.

use async_graphql::{Context, Subscription};
use futures::Stream;

use super::feed::{JobEventFilter, View};
use super::logs::open::{Asked, open};
use super::logs::types::LogChunk;
use super::types::JobEvent;
use crate::feeds;
use crate::graphql::ids::GivenId;
use crate::graphql::scalars::FeedCursor;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::JobKind;

/// The jobs part of the subscription root.
#[derive(Debug, Default)]
pub struct JobSubscription;

#[Subscription]
impl JobSubscription {
    /// The events of the jobs that you can see, in real time. Each event is sent once, and in order.
    ///
    /// Query `eventCursor` together with what you show, and pass it as `after`: the subscription sends all events since
    /// that query. With the cursor of the last event that you received, it sends all events since then, so nothing is
    /// lost when a connection drops. Without `after`, it starts with new events. The pings of a WebSocket and the
    /// heartbeats of a server-sent event stream tell the cursor to resume after while no event matches.
    ///
    /// If it can be resumed, it ends with a retryable error: subscribe again after `extensions.cursor`, or after the last
    /// cursor that you received. Such errors are SLOW_CONSUMER if you cannot keep up, and DATABASE_UNAVAILABLE. It ends
    /// with RESUME_EXPIRED if the event log no longer reaches back to the cursor, or was restored to an earlier state:
    /// query the current state again, with a new `eventCursor`.
    ///
    /// Your permissions are checked again whenever they change. You no longer receive events of a group that you have
    /// left, and the subscription ends with NOT_FOUND if you can no longer see a project, group or job that the filter
    /// names, or if the project was deleted.
    async fn job_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which events to return; those of all jobs that you can see by default.")] filter: Option<
            JobEventFilter,
        >,
        #[graphql(desc = "The cursor of the last event that you received, or `eventCursor`.")] after: Option<
            FeedCursor,
        >,
    ) -> async_graphql::Result<impl Stream<Item = ApiResult<JobEvent>> + use<>> {
        feeds::resolve(ctx, after, View::open(ctx, filter.unwrap_or_default())).await.graphql(ctx)
    }

    /// The log of a task of a job, in real time. Each line is sent once, and in order.
    ///
    /// By default all containers of the task are read: the init containers one after the other, then the other
    /// containers at the same time, each line as it arrives. Use `container` to read a single one. If a container was
    /// restarted, the log of its previous run is sent first, as far as the cluster still has it; the end INCOMPLETE
    /// means that lines are missing. Containers that are not part of the job's manifest, such as those added by a
    /// webhook of the cluster, are not read.
    ///
    /// If the task has not started yet, the subscription waits for it. If the task is stopped and restarted, the
    /// subscription continues with the new pod. The last chunk says how the log ended. Pass the cursor of the last
    /// chunk that you received as `after` to resume after that chunk. If you read slowly, only this log waits for you,
    /// not your other subscriptions.
    ///
    /// Lines are sent in the order in which they were written, regardless of their timestamps. In a log of more than
    /// 5000 lines, a cursor covers the minute before the latest timestamp, or less if very much is written. A line that
    /// is written later with a timestamp before that, for example after the clock of a node was set back, is sent to
    /// subscriptions that follow the log, but not to those that resume.
    ///
    /// The subscription ends with CLUSTER_UNAVAILABLE if the cluster does not respond: resume after the cursor in the
    /// error. It ends with NOT_FOUND if you can no longer see the job.
    async fn job_logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ID of the job.")] job_id: GivenId<JobKind>,
        #[graphql(desc = "The index of the task within the job; the first task (0) by default.")] task: Option<i32>,
        #[graphql(desc = "The name of the container to read; all containers of the task by default.")]
        container: Option<String>,
        #[graphql(
            desc = "The number of existing lines of each container to start with: 0 to 10000, all by default. Ignored if \
                    `after` is given."
        )]
        tail_lines: Option<i32>,
        #[graphql(desc = "The cursor of the last chunk that you received.")] after: Option<FeedCursor>,
    ) -> async_graphql::Result<impl Stream<Item = ApiResult<LogChunk>> + use<>> {
        open(ctx, Asked { job: &job_id, task: task.unwrap_or(0), container, tail_lines, after }).await.graphql(ctx)
    }
}
