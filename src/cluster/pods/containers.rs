//! Which of a pod's containers explains where the pod stands, and what it says.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Exit codes above this may be 128 and the signal that ended the process.
const SIGNAL_BASE: i32 = 128;
/// Linux has the signals from 1 to this. 255 is what a program returns that returns -1, and no signal.
const LAST_SIGNAL: i32 = 64;
/// The reason of a container that waits for the init containers.
pub const INITIALIZING: &str = "PodInitializing";
/// The reason of a container that is being made, or whose volumes are being mounted.
pub(super) const CREATING: &str = "ContainerCreating";
/// How every container begins: that says nothing of what it waits for.
const USUAL: [&str; 2] = [INITIALIZING, CREATING];

/// What is told of the containers.
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

    /// The end of `one`.
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
    /// Runs to its end before the next one begins.
    Init,
    /// An init container that goes on beside the others. How it ends says nothing of the pod.
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

/// How many containers a pod has, init containers included.
pub(super) fn count(pod: &Pod) -> usize {
    let of = |spec: &k8s_openapi::api::core::v1::PodSpec| {
        spec.containers.len() + spec.init_containers.as_ref().map_or(0, Vec::len)
    };
    pod.spec.as_ref().map_or(0, of)
}

/// What the containers say of a pod that has `ended`, or has not.
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

/// The init container that failed, else whichever of the others failed first, else any that ended, else a sidecar that
/// failed, else what one that never began was waiting for.
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

/// What keeps a pod that has not ended: the container that waits for something, or has failed while others go on; else
/// the init container that runs, else how any of them begins.
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

/// What a container waits for. One that crashed and is to be started again says how it ended.
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

/// In seconds since 1970; a container that could not be started bears that year.
fn seconds(time: Option<&Time>) -> Option<i64> {
    time.map(|time| time.0.as_second()).filter(|second| *second > 0)
}
