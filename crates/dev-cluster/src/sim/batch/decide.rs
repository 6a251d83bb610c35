//! What a Job needs next: a function of the Job, its pods and the time, in the order in which the real controller decides.

use std::collections::HashSet;
use std::time::Duration;

use k8s_openapi::api::batch::v1::{Job, JobSpec, JobStatus, PodFailurePolicyRule, UncountedTerminatedPods};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::super::recorder::Note;
use super::super::speed::Speed;
use super::indexes::Indexes;
use super::pods::{Seen, Stage, Wanted};
use super::verdict::{Conditions, Verdict};

/// What a failed pod's successor waits for, doubled with every failure in a row.
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
const LONGEST_BACKOFF: Duration = Duration::from_secs(600);
/// The start of a Job is known to the second, so a deadline is not kept more exactly.
const SECOND: Duration = Duration::from_secs(1);

/// What is to be done, in this order.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// Pods that the Job has no use for: they leave it uncounted.
    pub(super) surplus: Vec<&'a Pod>,
    /// Pods of a Job that is over: they count as failed when they have ended.
    pub(super) stop: Vec<&'a Pod>,
    /// Pods to make.
    pub(super) create: Vec<Wanted>,
    /// The status, with `uncountedTerminatedPods` naming those in `ended` that a counter is still to count.
    pub(super) status: JobStatus,
    /// Pods that ended: once the status is written they are let go, and then counted.
    pub(super) ended: Vec<&'a Pod>,
    pub(super) notes: Vec<Note>,
    /// When to look again though nothing happens.
    pub(super) again: Option<Duration>,
}

/// The wants of a Job, with the API server's defaults.
#[derive(Clone)]
struct Wants {
    parallelism: i32,
    completions: Option<i32>,
    indexed: bool,
    backoff_limit: i32,
    per_index: Option<i32>,
    max_failed_indexes: Option<i32>,
    suspended: bool,
    replace_only_failed: bool,
    restarts: bool,
    failure_rules: Vec<PodFailurePolicyRule>,
}

impl Wants {
    fn of(spec: &JobSpec) -> Self {
        let policy = spec.template.spec.as_ref().and_then(|pod| pod.restart_policy.as_deref());
        Self {
            parallelism: spec.parallelism.unwrap_or(1),
            completions: spec.completions,
            indexed: spec.completion_mode.as_deref() == Some("Indexed"),
            backoff_limit: spec.backoff_limit.unwrap_or(6),
            per_index: spec.backoff_limit_per_index,
            max_failed_indexes: spec.max_failed_indexes,
            suspended: spec.suspend.unwrap_or(false),
            replace_only_failed: spec.pod_replacement_policy.as_deref() == Some("Failed"),
            restarts: policy == Some("OnFailure"),
            failure_rules: spec.pod_failure_policy.as_ref().map(|policy| policy.rules.clone()).unwrap_or_default(),
        }
    }

    /// Whether the Job's failure policy does not count this pod's failure. Rules on exit codes are not played.
    fn ignores(&self, pod: &Seen<'_>) -> bool {
        let matches = |rule: &&PodFailurePolicyRule| {
            let patterns = rule.on_pod_conditions.iter().flatten();
            patterns.into_iter().any(|on| pod.has_condition(&on.type_, on.status.as_deref().unwrap_or("True")))
        };
        self.failure_rules.iter().find(matches).is_some_and(|rule| rule.action == "Ignore")
    }

    fn failed(&self, pod: &Seen<'_>) -> bool {
        match pod.stage {
            Stage::Failed => true,
            // A deleted pod may never get to say that it failed.
            Stage::Terminating => !self.replace_only_failed,
            Stage::Active | Stage::Succeeded => false,
        }
    }
}

/// Decides what one Job that is not finished needs.
pub(super) fn decide<'a>(job: &Job, pods: &'a [Pod], now: Timestamp, speed: Speed) -> Plan<'a> {
    let spec = job.spec.clone().unwrap_or_default();
    let wants = Wants::of(&spec);
    let mut status = job.status.clone().unwrap_or_default();
    let mut plan = Plan {
        surplus: Vec::new(),
        stop: Vec::new(),
        create: Vec::new(),
        status: JobStatus::default(),
        ended: Vec::new(),
        notes: Vec::new(),
        again: None,
    };
    if status.start_time.is_none() && !wants.suspended {
        status.start_time = Some(Time(now));
    }
    let seen: Vec<Seen<'a>> = pods.iter().map(Seen::of).collect();
    let tally = Tally::take(&wants, &seen, &mut status, &mut plan.ended);
    let mut conditions = Conditions::new(status.conditions.take().unwrap_or_default(), now);

    let mut active: Vec<&Seen<'a>> = seen.iter().filter(|pod| pod.stage == Stage::Active).collect();
    let mut terminating = count(&seen, |pod| pod.stage == Stage::Terminating);
    let mut verdict = conditions.verdict();
    if verdict.is_none() {
        verdict = failure(&wants, &spec, &seen, &status, &tally, now, speed, &mut plan.again);
    }
    if verdict.is_some() {
        plan.stop = active.iter().map(|seen| seen.pod).collect();
        terminating += i32::try_from(active.len()).unwrap_or(i32::MAX);
        active.clear();
    } else if job.metadata.deletion_timestamp.is_none() {
        let manage = Manage { wants: &wants, seen: &seen, tally: &tally, now, speed };
        manage.run(&mut active, terminating, &mut plan);
        terminating += i32::try_from(plan.surplus.len()).unwrap_or(i32::MAX);
        verdict = end(&wants, &tally, active.len() + plan.create.len());
        if verdict.is_none() {
            pause(&wants, &mut status, &mut conditions, &mut plan.notes, now);
        }
    }
    if let Some(verdict) = &verdict {
        conditions.announce(verdict);
    }
    let total = i32::try_from(active.len() + plan.create.len()).unwrap_or(i32::MAX);
    status.active = Some(total).filter(|active| *active > 0);
    status.ready = Some(i32::try_from(active.iter().filter(|pod| pod.ready).count()).unwrap_or(i32::MAX));
    status.terminating = Some(terminating);
    status.conditions = conditions.into_list();
    plan.status = status;
    plan
}

/// The pods of a status that were let go, counted; and the Job's end if it has come, with what is told about it.
pub(super) fn settle(mut status: JobStatus, now: Timestamp) -> (JobStatus, Option<Note>) {
    let uncounted = status.uncounted_terminated_pods.take().unwrap_or_default();
    let add = |count: Option<i32>, more: Option<Vec<String>>| {
        let more = i32::try_from(more.unwrap_or_default().len()).unwrap_or(i32::MAX);
        Some(count.unwrap_or(0).saturating_add(more)).filter(|sum| *sum > 0)
    };
    status.succeeded = add(status.succeeded, uncounted.succeeded);
    status.failed = add(status.failed, uncounted.failed);
    status.uncounted_terminated_pods = Some(UncountedTerminatedPods::default());
    let mut conditions = Conditions::new(status.conditions.take().unwrap_or_default(), now);
    let mut note = None;
    if let Some(verdict) = conditions.verdict()
        && status.terminating == Some(0)
        && status.active.is_none()
        && !conditions.finished()
    {
        conditions.finish(&verdict);
        if verdict.success {
            status.completion_time = Some(Time(now));
        }
        note = Some(verdict.note());
    }
    status.conditions = conditions.into_list();
    (status, note)
}

fn count<'a>(seen: &[Seen<'a>], which: impl Fn(&Seen<'a>) -> bool) -> i32 {
    i32::try_from(seen.iter().filter(|pod| which(pod)).count()).unwrap_or(i32::MAX)
}

/// How many pods succeeded and failed, those included that no counter has yet.
struct Tally {
    succeeded: i32,
    failed: i32,
    completed: Indexes,
    failed_indexes: Option<Indexes>,
}

impl Tally {
    /// Counts, and notes in the status which pods are counted here that its counters have not.
    fn take<'a>(wants: &Wants, seen: &[Seen<'a>], status: &mut JobStatus, ended: &mut Vec<&'a Pod>) -> Self {
        let uncounted = status.uncounted_terminated_pods.get_or_insert_default();
        let mut succeeded = uncounted.succeeded.take().unwrap_or_default();
        let mut failed = uncounted.failed.take().unwrap_or_default();
        let known: HashSet<String> = succeeded.iter().chain(&failed).cloned().collect();
        let completions = wants.completions.unwrap_or(0);
        let mut completed = Indexes::parse(status.completed_indexes.as_deref().unwrap_or_default(), completions);
        let mut failed_indexes =
            wants.per_index.map(|_| Indexes::parse(status.failed_indexes.as_deref().unwrap_or_default(), completions));
        for pod in seen {
            let fails = wants.failed(pod);
            if pod.tracked && (fails || pod.stage == Stage::Succeeded) {
                ended.push(pod.pod);
                let fresh = !known.contains(pod.uid());
                match (fails, wants.indexed, pod.index) {
                    (true, ..) if wants.ignores(pod) => {}
                    (true, ..) if fresh => failed.push(pod.uid().to_owned()),
                    (false, false, _) if fresh => succeeded.push(pod.uid().to_owned()),
                    (false, true, Some(index)) if (0..completions).contains(&index) => completed.insert(index),
                    _ => {}
                }
            }
            if let (Some(set), Some(limit), Some(index), true) =
                (&mut failed_indexes, wants.per_index, pod.index, fails)
                && pod.failures_of_index() > limit
                && !completed.contains(index)
            {
                set.insert(index);
            }
        }
        if wants.indexed {
            status.succeeded = Some(completed.len()).filter(|count| *count > 0);
            status.completed_indexes = Some(completed.to_string()).filter(|text| !text.is_empty());
        }
        status.failed_indexes = failed_indexes.as_ref().map(Indexes::to_string);
        let sum = |counted: Option<i32>, more: &Vec<String>| {
            counted.unwrap_or(0).saturating_add(i32::try_from(more.len()).unwrap_or(i32::MAX))
        };
        let tally = Self {
            succeeded: sum(status.succeeded, &succeeded),
            failed: sum(status.failed, &failed),
            completed,
            failed_indexes,
        };
        let some = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
        status.uncounted_terminated_pods =
            Some(UncountedTerminatedPods { succeeded: some(succeeded), failed: some(failed) });
        tally
    }
}

/// Whether a Job has failed, and otherwise when its deadline is.
#[allow(clippy::too_many_arguments, reason = "a decision on everything that is known")]
fn failure(
    wants: &Wants,
    spec: &JobSpec,
    seen: &[Seen<'_>],
    status: &JobStatus,
    tally: &Tally,
    now: Timestamp,
    speed: Speed,
    again: &mut Option<Duration>,
) -> Option<Verdict> {
    let restarts = seen.iter().map(Seen::restarts).fold(0, i32::saturating_add);
    let restarted = wants.restarts && restarts > 0 && restarts >= wants.backoff_limit;
    if tally.failed > wants.backoff_limit || restarted {
        return Some(Verdict::failure("BackoffLimitExceeded", "Job has reached the specified backoff limit"));
    }
    if let (Some(seconds), Some(start)) = (spec.active_deadline_seconds, &status.start_time)
        && !wants.suspended
    {
        let allowed = speed.scale(Duration::from_secs(seconds.unsigned_abs())).max(SECOND);
        match allowed.checked_sub(since(start.0, now)) {
            None | Some(Duration::ZERO) => {
                return Some(Verdict::failure("DeadlineExceeded", "Job was active longer than specified deadline"));
            }
            Some(left) => sooner(again, left),
        }
    }
    let failed_indexes = tally.failed_indexes.as_ref().map_or(0, Indexes::len);
    wants.max_failed_indexes.filter(|most| failed_indexes > *most).map(|_| {
        let message = "Job has exceeded the specified maximal number of failed indexes";
        Verdict::failure("MaxFailedIndexesExceeded", message)
    })
}

/// Whether a Job has come to its end by itself, with `active` pods on their way.
fn end(wants: &Wants, tally: &Tally, active: usize) -> Option<Verdict> {
    let failed_indexes = tally.failed_indexes.as_ref().map_or(0, Indexes::len);
    let done = match wants.completions {
        // Any success is the success of all; who still runs may finish.
        None => tally.succeeded > 0,
        Some(completions) => tally.succeeded >= completions,
    };
    let all_tried = wants.completions.is_some_and(|all| failed_indexes > 0 && tally.succeeded + failed_indexes >= all);
    match (active, done, all_tried) {
        (0, true, _) => Some(Verdict::success()),
        (0, _, true) => Some(Verdict::failure("FailedIndexes", "Job has failed indexes")),
        _ => None,
    }
}

/// Tells that a Job was suspended or goes on.
fn pause(wants: &Wants, status: &mut JobStatus, conditions: &mut Conditions, notes: &mut Vec<Note>, now: Timestamp) {
    if wants.suspended {
        if conditions.suspend() {
            notes.push(Note::normal("Suspended", "Job suspended"));
        }
    } else if conditions.resume() {
        status.start_time = Some(Time(now));
        notes.push(Note::normal("Resumed", "Job resumed"));
    }
}

fn since(then: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(then).try_into().unwrap_or_default()
}

fn sooner(again: &mut Option<Duration>, wait: Duration) {
    *again = Some(again.map_or(wait, |other| other.min(wait)));
}

/// Which pods a Job has too many of, and which it lacks.
struct Manage<'s, 'a> {
    wants: &'s Wants,
    seen: &'s [Seen<'a>],
    tally: &'s Tally,
    now: Timestamp,
    speed: Speed,
}

impl<'a> Manage<'_, 'a> {
    fn run(&self, active: &mut Vec<&Seen<'a>>, terminating: i32, plan: &mut Plan<'a>) {
        let room = self.room(active.len());
        active.sort_by_key(|pod| std::cmp::Reverse(pod.worth()));
        let mut kept = HashSet::new();
        active.retain(|pod| {
            let useful = match pod.index.filter(|_| self.wants.indexed) {
                Some(index) => self.is_open(index) && kept.insert(index),
                None => !self.wants.indexed,
            };
            if !useful {
                plan.surplus.push(pod.pod);
            }
            useful
        });
        plan.surplus.extend(active.split_off(room.min(active.len())).iter().map(|pod| pod.pod));
        let mut missing = room.saturating_sub(active.len());
        if self.wants.replace_only_failed {
            missing = missing.saturating_sub(usize::try_from(terminating).unwrap_or(0));
        }
        if missing == 0 {
            return;
        }
        if self.wants.per_index.is_none()
            && let Some(wait) = self.backoff(|_| true)
        {
            return sooner(&mut plan.again, wait);
        }
        if self.wants.indexed {
            self.lacking_indexes(&kept, missing, plan);
        } else {
            plan.create = vec![Wanted { index: None, failures: None }; missing];
        }
    }

    /// How many pods may be on their way.
    fn room(&self, active: usize) -> usize {
        let wants = self.wants;
        let parallelism = usize::try_from(wants.parallelism).unwrap_or(0);
        let failed_indexes = self.tally.failed_indexes.as_ref().map_or(0, Indexes::len);
        match wants.completions {
            _ if wants.suspended => 0,
            None if self.tally.succeeded > 0 => active.min(parallelism),
            None => parallelism,
            Some(all) => parallelism.min(usize::try_from(all - self.tally.succeeded - failed_indexes).unwrap_or(0)),
        }
    }

    /// Whether an index still needs a pod.
    fn is_open(&self, index: i32) -> bool {
        (0..self.wants.completions.unwrap_or(0)).contains(&index)
            && !self.tally.completed.contains(index)
            && !self.tally.failed_indexes.as_ref().is_some_and(|failed| failed.contains(index))
    }

    fn lacking_indexes(&self, taken: &HashSet<i32>, missing: usize, plan: &mut Plan<'a>) {
        let stopping: HashSet<i32> = match self.wants.replace_only_failed {
            true => {
                self.seen.iter().filter(|pod| pod.stage == Stage::Terminating).filter_map(|pod| pod.index).collect()
            }
            false => HashSet::new(),
        };
        for index in 0..self.wants.completions.unwrap_or(0) {
            if plan.create.len() == missing {
                return;
            }
            if !self.is_open(index) || taken.contains(&index) || stopping.contains(&index) {
                continue;
            }
            let mut failures = None;
            if self.wants.per_index.is_some() {
                if let Some(wait) = self.backoff(|pod| pod.index == Some(index)) {
                    sooner(&mut plan.again, wait);
                    continue;
                }
                let of_index = self.seen.iter().filter(|pod| pod.index == Some(index) && self.wants.failed(pod));
                failures = Some(of_index.map(Seen::failures_of_index).max().unwrap_or(0));
            }
            plan.create.push(Wanted { index: Some(index), failures });
        }
    }

    /// How long failures since the last success hold back the next pod, if they do.
    fn backoff(&self, which: impl Fn(&Seen<'a>) -> bool) -> Option<Duration> {
        let of = |stage: Stage| self.seen.iter().filter(move |pod| pod.stage == stage);
        let ends = |stage: Stage| of(stage).filter(|pod| which(pod)).filter_map(Seen::ended_at).collect::<Vec<_>>();
        let success = ends(Stage::Succeeded).into_iter().max();
        let failures: Vec<_> =
            ends(Stage::Failed).into_iter().filter(|at| success.is_none_or(|success| *at > success)).collect();
        let last = failures.iter().max()?;
        let doublings = u32::try_from(failures.len() - 1).unwrap_or(u32::MAX).min(16);
        let wait = self.speed.scale((FIRST_BACKOFF * 2_u32.pow(doublings)).min(LONGEST_BACKOFF));
        wait.checked_sub(since(*last, self.now)).filter(|left| !left.is_zero())
    }
}
