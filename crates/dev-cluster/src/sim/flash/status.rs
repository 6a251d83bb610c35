//! A FlashJob's status, computed from its pods and from the scheduler's decision.
//!
//! The rule of the end: a job has failed as soon as so many tasks failed that `minAvailable` can no longer succeed; otherwise
//! it goes on until every task has ended, and has then succeeded.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::decide::Wait;
use super::snapshot::{Job, JobKey, TaskState};
use cluster_resources::crd::{FlashJobPhase, FlashJobStatus};

/// The condition that says whether the gang is placed, and if not, why.
pub const SCHEDULED: &str = "Scheduled";
/// The condition that is true from a preemption until the job runs again.
pub const PREEMPTED: &str = "Preempted";
/// The condition of a job that succeeded.
pub const COMPLETE: &str = "Complete";
/// The condition of a job that failed.
pub const FAILED: &str = "Failed";

/// How a job's tasks ended, as far as they have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) succeeded: usize,
    pub(crate) failed: usize,
    /// What is known of the first failure.
    pub(crate) first_failure: Option<String>,
}

/// What the scheduler did about a job this time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing to do or to say.
    Settled,
    /// Pods were made for it.
    Placed(usize),
    /// It waits.
    Waits(Wait),
    /// It was stopped for another.
    PreemptedBy(JobKey),
    /// The API server refuses a pod, in these words; none of the gang is started.
    Rejected(String),
}

impl Wait {
    /// The machine-readable reason of the condition.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::QueueMissing { .. } => "QueueMissing",
            Self::QueueFull { .. } => "QueueMaxConcurrent",
            Self::NoGpu { .. } => "InsufficientGpu",
            Self::GangShort { .. } => "GangShort",
            Self::NoNode { .. } => "NoEligibleNode",
            Self::Preempting => "WaitingForPreemption",
        }
    }

    /// The sentence for people.
    pub(crate) fn message(&self) -> String {
        let ahead = |ahead: &usize| match ahead {
            0 => "no job waits ahead".to_owned(),
            1 => "1 job waits ahead".to_owned(),
            many => format!("{many} jobs wait ahead"),
        };
        match self {
            Self::QueueMissing { queue } => format!("queue {queue:?} does not exist"),
            Self::QueueFull { queue, limit, ahead: before } => {
                format!("queue {queue} runs {limit} jobs, as many as it may; {}", ahead(before))
            }
            Self::NoGpu { short, of, ahead: before } => {
                format!("gang short by {short} of {of}: not enough free GPUs; {}", ahead(before))
            }
            Self::GangShort { short, of, ahead: before } => {
                format!("gang short by {short} of {of}: not enough room on the nodes; {}", ahead(before))
            }
            Self::NoNode { task, why } => format!("no node may take task {task}: {why}"),
            Self::Preempting => "jobs of a lower queue are being stopped to make room".to_owned(),
        }
    }
}

/// The status to write over `before`.
pub(crate) fn status(
    before: &FlashJobStatus,
    job: &Job,
    tally: &Tally,
    verdict: &Verdict,
    now: Timestamp,
) -> FlashJobStatus {
    let placed_before = job.tasks.iter().filter(|task| matches!(task.state, TaskState::Placed(_))).count();
    let placed_now = if let Verdict::Placed(count) = verdict { *count } else { 0 };
    let active = if matches!(verdict, Verdict::PreemptedBy(_)) { 0 } else { placed_before + placed_now };
    let desired = job.tasks.len();
    let mut conditions = Conditions { list: before.conditions.clone(), now };

    let out_of_reach = desired - tally.failed.min(desired) < job.min_available;
    let over = tally.succeeded + tally.failed >= desired;
    let running = active > 0 && active + tally.succeeded + tally.failed >= job.min_available;
    let phase = if desired > 0 && out_of_reach {
        let message = tally.first_failure.clone().unwrap_or_else(|| format!("{} tasks failed", tally.failed));
        conditions.set(FAILED, true, "TaskFailed", message);
        FlashJobPhase::Failed
    } else if desired > 0 && over {
        let message = format!("{} of {desired} tasks succeeded", tally.succeeded);
        conditions.set(COMPLETE, true, "TasksSucceeded", message);
        FlashJobPhase::Succeeded
    } else if running {
        // A gang that runs may have a further task that is refused: that is said below.
        if !matches!(verdict, Verdict::Rejected(_)) {
            conditions.set(SCHEDULED, true, "Scheduled", format!("{active} of {desired} tasks are placed"));
        }
        if conditions.holds(PREEMPTED) {
            conditions.set(PREEMPTED, false, "Resumed", "the job runs again".to_owned());
        }
        FlashJobPhase::Running
    } else {
        FlashJobPhase::Pending
    };
    match verdict {
        Verdict::Settled | Verdict::Placed(_) => {}
        Verdict::Waits(wait) => conditions.set(SCHEDULED, false, wait.reason(), wait.message()),
        Verdict::Rejected(why) => conditions.set(SCHEDULED, false, "PodRejected", why.clone()),
        Verdict::PreemptedBy(other) => {
            let message = format!("stopped to make room for {}/{} of a higher queue", other.namespace, other.name);
            conditions.set(SCHEDULED, false, PREEMPTED, message.clone());
            conditions.set(PREEMPTED, true, PREEMPTED, message);
        }
    }
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    FlashJobStatus {
        active: if is_final(phase) { 0 } else { count(active) },
        succeeded: count(tally.succeeded),
        failed: count(tally.failed),
        desired: count(desired),
        phase: Some(phase),
        conditions: conditions.list,
    }
}

/// Whether a phase is the last.
pub(crate) fn is_final(phase: FlashJobPhase) -> bool {
    match phase {
        FlashJobPhase::Succeeded | FlashJobPhase::Failed => true,
        FlashJobPhase::Pending | FlashJobPhase::Running => false,
    }
}

/// When a job came to its end.
pub(crate) fn finished_at(status: &FlashJobStatus) -> Option<Timestamp> {
    let ended = |condition: &&Condition| matches!(condition.type_.as_str(), COMPLETE | FAILED);
    status.conditions.iter().find(ended).map(|condition| condition.last_transition_time.0)
}

struct Conditions {
    list: Vec<Condition>,
    now: Timestamp,
}

impl Conditions {
    fn holds(&self, type_: &str) -> bool {
        self.list.iter().any(|condition| condition.type_ == type_ && condition.status == "True")
    }

    /// Sets a condition; its transition time moves only when its status does.
    fn set(&mut self, type_: &str, holds: bool, reason: &str, message: String) {
        let status = if holds { "True" } else { "False" };
        let known = self.list.iter().position(|condition| condition.type_ == type_);
        let since = match known.map(|index| self.list.remove(index)) {
            Some(before) if before.status == status && before.reason != PREEMPTED => before.last_transition_time,
            _ => Time(self.now),
        };
        let condition = Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message,
            last_transition_time: since,
            observed_generation: None,
        };
        self.list.insert(known.unwrap_or(self.list.len()), condition);
    }
}
