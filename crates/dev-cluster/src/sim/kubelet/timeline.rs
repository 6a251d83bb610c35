//! A pretend pod's whole life, laid out in advance: what it looks like at any moment is a function of its start.
//!
//! Nothing that a pod does here depends on anything but its spec, its annotations, what it had to wait for, and the time
//! since a kubelet took it up, so there is no state to lose: a restarted simulator reads the pod's status and carries on.
//! Only file servers run for what they are: when they began and ended is told, not made up.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};

use super::super::speed::Speed;
use super::references::{Hold, free_at, mounted_at};
use super::script::{BadAnnotation, EVICT, LogScript, Role, Script};
use super::served::{Attempt, Attempts};

/// How long pretend containers take to stop when asked to.
pub const STOPPING: Duration = Duration::from_millis(200);
/// How long a container rests before it is started again for the first time; then twice as long each time.
pub const FIRST_BACKOFF: Duration = Duration::from_secs(10);
/// The longest of these rests.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(300);
/// Real time between the lines of a container that runs until it is stopped.
const SERVICE_LOG_INTERVAL: Duration = Duration::from_secs(2);

/// A pod's life. All times are real (already divided by the speed) and count from the pod's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// Init containers in order, then the others.
    pub containers: Vec<Course>,
    /// The moment the pod is ended from outside, if it is.
    pub cut: Option<Cut>,
    /// When the sidecars are stopped because what they ran beside has ended.
    pub retire: Option<Duration>,
    /// Annotations that mean nothing.
    pub bad: Vec<BadAnnotation>,
}

/// The course of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// The container's name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// What it is to its pod.
    pub role: Role,
    /// When its image pull begins; `None` if its turn never comes.
    pub pull_at: Option<Duration>,
    /// When its image is there, or the pull fails.
    pub pulled_at: Duration,
    /// What the registry says if the pull fails, and when the kubelet begins to back off.
    pub pull_error: Option<(String, Duration)>,
    /// What the kubelet says of an object that is missing, once the image is there.
    pub config_error: Option<String>,
    /// What the runtime says if it cannot be started.
    pub start_error: Option<String>,
    /// Its runs; every one but the last is followed by a restart.
    pub runs: Vec<Run>,
    /// What each run writes.
    pub log: LogScript,
}

/// One run of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// When it starts.
    pub start: Duration,
    /// When it ends by itself; `None` for one that is to be stopped.
    pub end: Option<Duration>,
    /// How it ends.
    pub exit: Exit,
    /// Whether the kubelet starts the container again afterwards.
    pub restarts: bool,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// Killed for its memory.
    OutOfMemory,
    /// It could not be started.
    NotStarted,
}

impl Exit {
    /// The exit code a kubelet reports.
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::OutOfMemory => 137,
            Self::NotStarted => 128,
        }
    }

    /// The reason a kubelet reports.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Code(0) => "Completed",
            Self::Code(_) => "Error",
            Self::OutOfMemory => "OOMKilled",
            Self::NotStarted => "StartError",
        }
    }
}

/// An end from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// When.
    pub at: Duration,
    /// The pod's reason: `Evicted` or `DeadlineExceeded`.
    pub reason: &'static str,
    /// The pod's message.
    pub message: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

impl RestartPolicy {
    fn of(spec: &PodSpec) -> Self {
        match spec.restart_policy.as_deref() {
            Some("Never") => Self::Never,
            Some("OnFailure") => Self::OnFailure,
            _ => Self::Always,
        }
    }

    fn restarts(self, exit: Exit) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => exit.code() != 0,
            Self::Never => false,
        }
    }
}

impl Timeline {
    /// Lays out the life of a pod, restarts included, up to the first moment after `until`. `holds` is what it waits for,
    /// and what it waited for; `served` has the runs of the containers that really run.
    pub fn of(pod: &Pod, speed: Speed, until: Duration, holds: &[Hold], served: &Attempts) -> Self {
        let no_annotations = BTreeMap::new();
        let annotations = pod.metadata.annotations.as_ref().unwrap_or(&no_annotations);
        let mut timeline = Self { containers: Vec::new(), cut: None, retire: None, bad: Vec::new() };
        let Some(spec) = &pod.spec else { return timeline };
        let policy = RestartPolicy::of(spec);
        let mut layout = Layout { annotations, speed, until, holds, served, bad: Vec::new() };

        // An init container that succeeds is not run again, whatever the policy.
        let init_policy = if policy == RestartPolicy::Always { RestartPolicy::OnFailure } else { policy };
        let mut turn = mounted_at(holds).ok();
        for container in spec.init_containers.iter().flatten() {
            let (role, policy) = match is_sidecar(container) {
                true => (Role::Sidecar, RestartPolicy::Always),
                false => (Role::Init, init_policy),
            };
            let course = layout.course(container, role, turn, policy);
            // Startup probes are not played: a container has started when it runs.
            turn = if role == Role::Sidecar { course.started_at() } else { course.succeeded_at() };
            timeline.containers.push(course);
        }
        let role = if policy == RestartPolicy::Always { Role::Service } else { Role::Task };
        for container in &spec.containers {
            timeline.containers.push(layout.course(container, role, turn, policy));
        }
        timeline.bad = layout.bad;
        timeline.bad.dedup();
        timeline.cut = timeline.first_cut(spec, annotations, speed);
        timeline.retire_sidecars(speed);
        timeline
    }

    /// Sidecars are not started again once what they run beside has ended, and are stopped then.
    fn retire_sidecars(&mut self, speed: Speed) {
        let Some(over) = self.finished_at().into_iter().chain(self.init_failed_at()).min() else { return };
        let mut retire = None;
        for course in self.containers.iter_mut().filter(|course| course.role == Role::Sidecar) {
            course.runs.retain(|run| run.start <= over);
            let Some(last) = course.runs.last_mut() else { continue };
            if last.end.is_none_or(|end| end > over) {
                last.restarts = false;
                retire = Some(over + speed.scale(STOPPING));
            }
        }
        self.retire = retire.or_else(|| self.has_sidecar().then_some(over));
    }

    fn has_sidecar(&self) -> bool {
        self.containers.iter().any(|course| course.role == Role::Sidecar)
    }

    /// When a container is ended by what happens to its pod, given when the pod is.
    pub fn end_of(&self, course: &Course, pod: Option<Duration>) -> Option<Duration> {
        let retire = self.retire.filter(|_| course.role == Role::Sidecar);
        pod.into_iter().chain(retire).min()
    }

    /// When an init container has failed for good.
    fn init_failed_at(&self) -> Option<Duration> {
        let inits = self.containers.iter().filter(|course| course.role == Role::Init);
        let ends =
            inits.filter_map(|course| course.runs.last().filter(|run| !run.restarts && run.exit.code() != 0)?.end);
        ends.min()
    }

    fn first_cut(&self, spec: &PodSpec, annotations: &BTreeMap<String, String>, speed: Speed) -> Option<Cut> {
        let evicted = annotations.get(EVICT).and_then(|message| {
            let at = self.main().filter_map(|course| course.runs.first()?.end).max()?;
            Some(Cut { at, reason: "Evicted", message: message.clone() })
        });
        let overdue = spec.active_deadline_seconds.and_then(|seconds| {
            let at = speed.scale(Duration::from_secs(u64::try_from(seconds).ok()?));
            let message = "Pod was active on the node longer than the specified deadline".to_owned();
            Some(Cut { at, reason: "DeadlineExceeded", message })
        });
        let cut = [evicted, overdue].into_iter().flatten().min_by_key(|cut| cut.at)?;
        // An eviction takes the place of the end that falls on the same moment; a deadline does not.
        let over = self.finished_at().is_some_and(|end| end < cut.at || end == cut.at && cut.reason != "Evicted");
        (!over).then_some(cut)
    }

    /// The containers that are neither init containers nor sidecars.
    pub fn main(&self) -> impl Iterator<Item = &Course> {
        self.containers.iter().filter(|course| course.is_main())
    }

    /// When the last container ends for good, if they all do.
    fn finished_at(&self) -> Option<Duration> {
        let ends = self.main().map(|course| course.runs.last().filter(|run| !run.restarts)?.end);
        ends.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Every moment at which something changes, in order.
    pub fn moments(&self) -> Vec<Duration> {
        let mut moments: Vec<_> = self.containers.iter().flat_map(Course::moments).chain(self.retire).collect();
        if let Some(cut) = &self.cut {
            moments.retain(|moment| *moment < cut.at);
            moments.push(cut.at);
        }
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    /// The next moment after `elapsed` at which something changes.
    pub fn next_change(&self, elapsed: Duration) -> Option<Duration> {
        self.moments().into_iter().find(|moment| *moment > elapsed)
    }
}

/// Whether an init container goes on beside the others.
pub fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

struct Layout<'a> {
    annotations: &'a BTreeMap<String, String>,
    speed: Speed,
    until: Duration,
    holds: &'a [Hold],
    served: &'a Attempts,
    bad: Vec<BadAnnotation>,
}

impl Layout<'_> {
    fn course(&mut self, container: &Container, role: Role, turn: Option<Duration>, policy: RestartPolicy) -> Course {
        let (script, bad) = Script::read(self.annotations, &container.name, role);
        self.bad.extend(bad);
        let pulled_at = turn.unwrap_or_default() + self.speed.scale(script.pull);
        let backs_off_at = pulled_at + self.speed.scale(FIRST_BACKOFF);
        let free = free_at(self.holds, &container.name);
        let runs = match (turn, free) {
            (Some(_), Ok(free)) if script.pull_error.is_none() => match self.served.get(&container.name) {
                Some(attempts) if script.start_error.is_none() => served(attempts, policy),
                Some(_) | None => self.runs(&script, pulled_at.max(free), policy),
            },
            _ => Vec::new(),
        };
        Course {
            name: container.name.clone(),
            image: container.image.clone().unwrap_or_default(),
            role,
            pull_at: turn,
            pulled_at,
            pull_error: script.pull_error.map(|message| (message, backs_off_at)),
            config_error: free.err().map(str::to_owned),
            start_error: script.start_error,
            runs,
            log: script.log,
        }
    }

    fn runs(&self, script: &Script, first: Duration, policy: RestartPolicy) -> Vec<Run> {
        let exit = match (&script.start_error, script.oom) {
            (Some(_), _) => Exit::NotStarted,
            (None, true) => Exit::OutOfMemory,
            (None, false) => Exit::Code(script.exit_code),
        };
        let lasts = if exit == Exit::NotStarted { Some(Duration::ZERO) } else { script.duration };
        let mut runs = Vec::new();
        let mut start = first;
        let mut backoff = FIRST_BACKOFF;
        loop {
            let end = lasts.map(|duration| start + self.speed.scale(duration));
            let restarts = end.is_some() && policy.restarts(exit);
            runs.push(Run { start, end, exit, restarts });
            match end {
                // What comes after a run that begins later than `until` is of no interest yet.
                Some(end) if restarts && start <= self.until => start = end + self.speed.scale(backoff),
                _ => return runs,
            }
            backoff = (backoff * 2).min(LONGEST_BACKOFF);
        }
    }
}

/// The runs of a container that really runs.
fn served(attempts: &[Attempt], policy: RestartPolicy) -> Vec<Run> {
    let run = |attempt: &Attempt| {
        let exit = Exit::Code(attempt.end.map_or(0, |(_, code)| code));
        let restarts = attempt.end.is_some() && policy.restarts(exit);
        Run { start: attempt.start, end: attempt.end.map(|(at, _)| at), exit, restarts }
    };
    attempts.iter().map(run).collect()
}

impl Course {
    /// Whether the pod's phase is about it.
    pub fn is_main(&self) -> bool {
        matches!(self.role, Role::Task | Role::Service)
    }

    /// When it ran first.
    pub fn started_at(&self) -> Option<Duration> {
        self.runs.first().filter(|run| run.exit != Exit::NotStarted).map(|run| run.start)
    }

    fn succeeded_at(&self) -> Option<Duration> {
        self.runs.last().filter(|run| !run.restarts && run.exit.code() == 0)?.end
    }

    fn moments(&self) -> impl Iterator<Item = Duration> {
        let reached = self.pull_at.map(|pull_at| [pull_at, self.pulled_at]);
        let backs_off = self.pull_error.as_ref().filter(|_| reached.is_some()).map(|(_, at)| *at);
        let runs = self.runs.iter().flat_map(|run| [Some(run.start), run.end]).flatten();
        reached.into_iter().flatten().chain(backs_off).chain(runs)
    }

    /// The run that is going on, or the last that was, at a moment.
    pub fn run_at(&self, elapsed: Duration) -> Option<usize> {
        self.runs.iter().rposition(|run| run.start <= elapsed)
    }

    /// The run before the present one, as its log is found: the last one while the container waits to be started again.
    pub fn run_before(&self, elapsed: Duration) -> Option<usize> {
        let run = self.run_at(elapsed)?;
        let backs_off = self.runs.get(run).is_some_and(|it| it.restarts && it.end.is_some_and(|end| end <= elapsed));
        if backs_off { Some(run) } else { run.checked_sub(1) }
    }

    /// What a run writes and when, lazily: a container that runs until it is stopped writes without end.
    pub fn lines(&self, run: usize) -> Box<dyn Iterator<Item = (Duration, String)> + Send + '_> {
        let Some(Run { start, end, .. }) = self.runs.get(run).cloned() else { return Box::new(std::iter::empty()) };
        let count = match &self.log {
            _ if self.start_error.is_some() => 0,
            LogScript::Lines(count) => *count,
            LogScript::Text(lines) => u32::try_from(lines.len()).unwrap_or(u32::MAX),
        };
        let text = move |index: u32| match &self.log {
            LogScript::Lines(_) if end.is_some() => format!("{}: step {} of {count}", self.name, index + 1),
            LogScript::Lines(_) => format!("{}: still running, line {}", self.name, index + 1),
            LogScript::Text(lines) => lines.get(index as usize).cloned().unwrap_or_default(),
        };
        match (end, &self.log) {
            (Some(end), _) => Box::new((0..count).map(move |index| {
                // The last line comes with the last breath, not after it.
                (start + (end - start) * (index + 1) / (count + 1), text(index))
            })),
            (None, LogScript::Text(_)) => Box::new((0..count).map(move |index| (start, text(index)))),
            (None, LogScript::Lines(_)) => {
                Box::new((0..u32::MAX).map(move |index| (start + SERVICE_LOG_INTERVAL * index, text(index))))
            }
        }
    }
}
