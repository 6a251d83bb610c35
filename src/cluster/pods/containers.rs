//! Selects the container that explains a pod's state, and reads its status.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Exit codes above this may be 128 plus the signal that ended the process.
const SIGNAL_BASE: i32 = 128;
/// The highest signal of Linux; signals start at 1. 255 is the exit code of a program that returns -1, not a signal.
const LAST_SIGNAL: i32 = 64;
/// Reason of a container that waits for the init containers.
pub const INITIALIZING: &str = "PodInitializing";
/// Reason of a container that is being created, or whose volumes are being mounted.
pub(super) const CREATING: &str = "ContainerCreating";
/// The initial reasons of every container: they say nothing about what it is waiting for.
const USUAL: [&str; 2] = [INITIALIZING, CREATING];

/// The state that the containers explain.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Telling {
    pub(super) container: Option<String>,
    pub(super) in_init: bool,
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
    pub(super) exit_code: Option<i32>,
    pub(super) signal: Option<i32>,
    pub(super) started_at: Option<i64>,
    pub(super) finished_at: Option<i64>,
}

impl Telling {
    fn of(one: &One<'_>) -> Self {
        Self { container: Some(one.status.name.clone()), in_init: one.role != Role::Main, ..Self::default() }
    }

    /// The state of `one`, which has ended.
    fn ended(one: &One<'_>, ended: &ContainerStateTerminated) -> Self {
        Self {
            reason: ended.reason.clone(),
            message: ended.message.clone(),
            exit_code: Some(ended.exit_code),
            signal: signal_of(ended),
            started_at: seconds(ended.started_at.as_ref()).filter(|_| one.role == Role::Main),
            finished_at: seconds(ended.finished_at.as_ref()),
            ..Self::of(one)
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Runs to its end before the next one starts.
    Init,
    /// An init container that keeps running beside the others. Its end says nothing about the pod.
    Sidecar,
    Main,
}

struct One<'p> {
    role: Role,
    status: &'p ContainerStatus,
}

impl One<'_> {
    fn state(&self) -> Option<&ContainerState> {
        self.status.state.as_ref()
    }

    fn end(&self) -> Option<&ContainerStateTerminated> {
        self.state()?.terminated.as_ref()
    }

    fn failure(&self) -> Option<&ContainerStateTerminated> {
        self.end().filter(|ended| ended.exit_code != 0)
    }

    fn is_running(&self) -> bool {
        self.state().is_some_and(|state| state.running.is_some())
    }

    fn waits_for(&self) -> Option<&str> {
        self.state()?.waiting.as_ref()?.reason.as_deref()
    }
}

/// The number of containers in a pod, including init containers.
pub(super) fn count(pod: &Pod) -> usize {
    let of = |spec: &k8s_openapi::api::core::v1::PodSpec| {
        spec.containers.len() + spec.init_containers.as_ref().map_or(0, Vec::len)
    };
    pod.spec.as_ref().map_or(0, of)
}

/// What the containers say about a pod that has `ended`, or has not.
pub(super) fn telling(pod: &Pod, ended: bool) -> Telling {
    let all = of_pod(pod);
    let mains = || all.iter().filter(|one| one.role == Role::Main);
    let told = match ended {
        true => cause_of_end(&all),
        false => trouble(&all),
    };
    let mut told = told.unwrap_or_default();
    if told.started_at.is_none() && !(ended && told.in_init) {
        let began = |one: &One<'_>| {
            let state = one.state()?;
            let running = state.running.as_ref().and_then(|running| running.started_at.as_ref());
            seconds(running.or(state.terminated.as_ref().and_then(|ended| ended.started_at.as_ref())))
        };
        told.started_at = mains().filter_map(began).min();
    }
    told
}

fn of_pod(pod: &Pod) -> Vec<One<'_>> {
    let Some(status) = &pod.status else { return Vec::new() };
    let is_sidecar = |name: &str| {
        let containers = pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten());
        containers.into_iter().any(|it| it.name == name && it.restart_policy.as_deref() == Some("Always"))
    };
    let init = status
        .init_container_statuses
        .iter()
        .flatten()
        .map(|status| One { role: if is_sidecar(&status.name) { Role::Sidecar } else { Role::Init }, status });
    let main = status.container_statuses.iter().flatten().map(|status| One { role: Role::Main, status });
    init.chain(main).collect()
}

/// The init container that failed, else the first of the others that failed, else any that ended, else a sidecar that
/// failed, else the reason that one that never started was waiting for.
fn cause_of_end(all: &[One<'_>]) -> Option<Telling> {
    let of = |role: Role| all.iter().filter(move |one| one.role == role);
    let init = of(Role::Init).find_map(|one| Some((one, one.failure()?)));
    let failed = of(Role::Main).filter_map(|one| Some((one, one.failure()?)));
    let first = || failed.min_by_key(|(_, ended)| seconds(ended.finished_at.as_ref()).unwrap_or(i64::MAX));
    let ended = || of(Role::Main).find_map(|one| Some((one, one.end()?)));
    let beside = || of(Role::Sidecar).find_map(|one| Some((one, one.failure()?)));
    match init.or_else(first).or_else(ended).or_else(beside) {
        Some((one, ended)) => Some(Telling::ended(one, ended)),
        None => all.iter().find(|one| unusual(one).is_some()).map(waiting),
    }
}

/// The container that holds up a pod that has not ended: the one that waits for something, or has failed while others
/// continue; else the running init container, else the initial state of any of them.
fn trouble(all: &[One<'_>]) -> Option<Telling> {
    let is_stuck = |one: &&One<'_>| unusual(one).is_some() || one.failure().is_some() && one.role != Role::Sidecar;
    if let Some(one) = all.iter().find(is_stuck) {
        return Some(match one.failure() {
            Some(ended) => Telling::ended(one, ended),
            None => waiting(one),
        });
    }
    let initializes = |one: &&One<'_>| one.role == Role::Init && one.is_running();
    if let Some(one) = all.iter().find(initializes) {
        return Some(Telling { reason: Some(INITIALIZING.to_owned()), ..Telling::of(one) });
    }
    all.iter()
        .find(|one| one.role == Role::Main && one.waits_for().is_some())
        .map(|one| Telling { container: None, ..waiting(one) })
}

fn unusual<'s>(one: &'s One<'_>) -> Option<&'s str> {
    one.waits_for().filter(|reason| !USUAL.contains(reason))
}

/// What a container is waiting for. One that crashed and will be restarted has the result of its last run.
fn waiting(one: &One<'_>) -> Telling {
    let state = one.state().and_then(|state| state.waiting.as_ref());
    let last = one.status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    Telling {
        reason: state.and_then(|waiting| waiting.reason.clone()),
        message: state.and_then(|waiting| waiting.message.clone()),
        exit_code: last.map(|last| last.exit_code),
        signal: last.and_then(signal_of),
        ..Telling::of(one)
    }
}

fn signal_of(ended: &ContainerStateTerminated) -> Option<i32> {
    let told = ended.signal.filter(|signal| *signal > 0);
    told.or_else(|| Some(ended.exit_code - SIGNAL_BASE).filter(|signal| (1..=LAST_SIGNAL).contains(signal)))
}

/// In seconds since 1970; a container that could not be started has a time in that year.
fn seconds(time: Option<&Time>) -> Option<i64> {
    time.map(|time| time.0.as_second()).filter(|second| *second > 0)
}
