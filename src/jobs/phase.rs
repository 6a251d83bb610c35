//! The life of a job as a state machine: SUBMITTED, QUEUED, RUNNING, and one of three ends that never change.

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use serde::{Deserialize, Serialize};

use crate::text_enum;

/// The phase of a job.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    async_graphql::Enum,
    AsExpression,
    FromSqlRow,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum JobPhase {
    /// The job was accepted and stored, but has not been sent to the cluster yet.
    Submitted,
    /// The job is in the cluster but not running yet: it is waiting for resources, or its tasks have been placed and
    /// are starting. See `pendingReason`.
    Queued,
    /// At least one task is running or has run.
    Running,
    /// All tasks finished successfully. Final.
    Succeeded,
    /// The job could not start, a task failed, or the deadline passed; `reason` says which. Final.
    Failed,
    /// The job was cancelled. Final.
    Cancelled,
}

text_enum!(JobPhase {
    Submitted => "SUBMITTED",
    Queued => "QUEUED",
    Running => "RUNNING",
    Succeeded => "SUCCEEDED",
    Failed => "FAILED",
    Cancelled => "CANCELLED",
});

/// The kind of a job event.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, async_graphql::Enum, AsExpression, FromSqlRow, Serialize, Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum JobEventKind {
    /// The job was accepted.
    Submitted,
    /// The job moved from one phase to another.
    PhaseChanged,
    /// The job was stopped to make room for a job with a higher priority, and is waiting again.
    Preempted,
    /// Cancellation was requested, and the job's tasks are being stopped.
    CancelRequested,
    /// The reason why the job is waiting changed; its phase is unchanged.
    Waiting,
    /// The state of a task changed: it started, finished, was stopped or is being set up again, or its container
    /// crashed and is being restarted. The phase of the job is unchanged. Each change is reported once, before the job
    /// event (if any) that stops or finishes the task. After the job has finished no further task events are sent,
    /// although `tasks` may still be updated with how the tasks finished.
    TaskChanged,
    /// An attempt failed, and the job is being retried.
    Retrying,
    /// The priority of the job was changed, before it was sent to the cluster.
    PriorityChanged,
}

text_enum!(JobEventKind {
    Submitted => "SUBMITTED",
    PhaseChanged => "PHASE_CHANGED",
    Preempted => "PREEMPTED",
    CancelRequested => "CANCEL_REQUESTED",
    Waiting => "WAITING",
    TaskChanged => "TASK_CHANGED",
    Retrying => "RETRYING",
    PriorityChanged => "PRIORITY_CHANGED",
});

/// A transition that is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {from:?} cannot become {to:?}")]
pub struct Illegal {
    /// The current phase.
    pub from: JobPhase,
    /// The requested phase.
    pub to: JobPhase,
}

impl JobPhase {
    /// Whether the phase is final.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Submitted | Self::Queued | Self::Running => false,
            Self::Succeeded | Self::Failed | Self::Cancelled => true,
        }
    }

    /// The phase after observing `to`. RUNNING returns to QUEUED on preemption, or when the last running task is
    /// stopped; a retry does so by itself.
    ///
    /// # Errors
    /// The transition is not allowed.
    pub const fn next(self, to: Self) -> Result<Self, Illegal> {
        use JobPhase::{Cancelled, Failed, Queued, Running, Submitted, Succeeded};
        match (self, to) {
            // A watch may miss the phases in between: a job may first be observed when it is running or has ended.
            (Submitted, Submitted | Queued | Running | Succeeded | Failed | Cancelled)
            | (Queued, Queued | Running | Succeeded | Failed | Cancelled)
            | (Running, Running | Queued | Succeeded | Failed | Cancelled)
            | (Succeeded, Succeeded)
            | (Failed, Failed)
            | (Cancelled, Cancelled) => Ok(to),
            (Queued | Running, Submitted)
            | (Succeeded, Submitted | Queued | Running | Failed | Cancelled)
            | (Failed, Submitted | Queued | Running | Succeeded | Cancelled)
            | (Cancelled, Submitted | Queued | Running | Succeeded | Failed) => Err(Illegal { from: self, to }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_table_of_steps() {
        let table: String = JobPhase::ALL
            .iter()
            .map(|from| {
                let to: Vec<_> =
                    JobPhase::ALL.iter().filter(|to| from.next(**to).is_ok()).map(|to| to.as_str()).collect();
                format!("{} -> {}\n", from.as_str(), to.join(" "))
            })
            .collect();
        insta::assert_snapshot!(table, @r"
        SUBMITTED -> SUBMITTED QUEUED RUNNING SUCCEEDED FAILED CANCELLED
        QUEUED -> QUEUED RUNNING SUCCEEDED FAILED CANCELLED
        RUNNING -> QUEUED RUNNING SUCCEEDED FAILED CANCELLED
        SUCCEEDED -> SUCCEEDED
        FAILED -> FAILED
        CANCELLED -> CANCELLED
        ");
    }

    proptest! {
        #[test]
        fn no_observation_changes_an_end(
            observed in proptest::collection::vec(proptest::sample::select(JobPhase::ALL), 1..40)
        ) {
            let mut phase = JobPhase::Submitted;
            let mut end = None;
            for to in observed {
                phase = phase.next(to).unwrap_or(phase);
                if let Some(end) = end {
                    prop_assert_eq!(phase, end);
                }
                end = end.or(phase.is_terminal().then_some(phase));
            }
        }
    }
}
