//! The status a kubelet writes of a pod at one moment of its timeline.

use std::time::Duration;

use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, Pod,
    PodCondition, PodIP, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::script::Role;
use super::timeline::{Course, Cut, Exit, Timeline};

/// A pod taken up by a kubelet: when, and where it runs.
#[derive(Clone, Debug)]
pub struct Taken {
    /// When the kubelet took it up.
    pub start: Timestamp,
    /// The node's address.
    pub host_ip: String,
    /// The pod's address.
    pub pod_ip: String,
}

impl Taken {
    fn at(&self, elapsed: Duration) -> Time {
        Time(self.start.checked_add(elapsed).unwrap_or(Timestamp::MAX))
    }
}

/// Where a container stands at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Waiting(&'static str, Option<String>),
    Running(usize),
    Ended { run: usize, at: Duration, exit: Exit, backing_off: bool },
}

/// The status at `elapsed`; `stopped` is when the kubelet stopped the containers because the pod is being deleted.
pub fn status_at(timeline: &Timeline, taken: &Taken, elapsed: Duration, stopped: Option<Duration>) -> PodStatus {
    let cut = timeline.cut.as_ref().filter(|cut| cut.at <= elapsed);
    let end = [stopped, cut.map(|cut| cut.at)].into_iter().flatten().min();
    let stage_of = |course: &Course, inits_done: bool| {
        let end = timeline.end_of(course, end).filter(|end| *end <= elapsed);
        stage(course, elapsed, end, inits_done)
    };
    let inits_done = timeline.containers.iter().all(|course| match course.role {
        Role::Init => {
            matches!(stage_of(course, true), Stage::Ended { exit: Exit::Code(0), backing_off: false, .. })
        }
        Role::Sidecar => course.started_at().is_some_and(|at| at <= end.unwrap_or(elapsed).min(elapsed)),
        Role::Task | Role::Service => true,
    });
    let staged: Vec<_> = timeline.containers.iter().map(|course| (course, stage_of(course, inits_done))).collect();
    let phase = phase(&staged, cut, end.is_some());
    let (inits, mains): (Vec<_>, Vec<_>) = staged.iter().partition(|(course, _)| !course.is_main());
    let statuses = |of: Vec<&(&Course, Stage)>| -> Vec<_> {
        of.into_iter().map(|(course, stage)| container_status(course, stage, taken)).collect()
    };
    let mut stay = staged.iter().filter(|(course, _)| course.role != Role::Init);
    let ready = phase == "Running" && stay.all(|(_, stage)| matches!(stage, Stage::Running(_)));
    let (inits, mains) = (statuses(inits), statuses(mains));
    let changed = [Some(Duration::ZERO), end].into_iter().flatten().chain(timeline.moments());
    let since = changed.filter(|moment| *moment <= elapsed).max().unwrap_or_default();
    let ready_reason = match (ready, phase) {
        (true, _) => None,
        (false, "Succeeded") => Some("PodCompleted"),
        (false, "Failed") => Some("PodFailed"),
        (false, _) => Some("ContainersNotReady"),
    };
    let condition = |type_: &str, holds: bool, reason: Option<&str>, since: Duration| PodCondition {
        type_: type_.to_owned(),
        status: if holds { "True" } else { "False" }.to_owned(),
        reason: reason.map(str::to_owned),
        last_transition_time: Some(taken.at(since)),
        ..PodCondition::default()
    };
    let mounted = timeline.containers.iter().any(|course| course.pull_at.is_some());
    let mut conditions = vec![
        condition(
            "PodReadyToStartContainers",
            mounted && end.is_none(),
            None,
            if mounted { end.unwrap_or_default() } else { Duration::ZERO },
        ),
        condition(
            "Initialized",
            inits_done,
            (!inits_done).then_some("ContainersNotInitialized"),
            if inits_done { Duration::ZERO } else { since },
        ),
        condition("Ready", ready, ready_reason, since),
        condition("ContainersReady", ready, ready_reason, since),
        condition("PodScheduled", true, None, Duration::ZERO),
    ];
    if let Some(cut) = cut.filter(|cut| cut.reason == "Evicted") {
        conditions.push(condition("DisruptionTarget", true, Some("TerminationByKubelet"), cut.at));
    }
    PodStatus {
        phase: Some(phase.to_owned()),
        reason: cut.map(|cut| cut.reason.to_owned()),
        message: cut.map(|cut| cut.message.clone()),
        start_time: Some(taken.at(Duration::ZERO)),
        host_ip: Some(taken.host_ip.clone()),
        pod_ip: Some(taken.pod_ip.clone()),
        pod_ips: Some(vec![PodIP { ip: taken.pod_ip.clone() }]),
        qos_class: None,
        conditions: Some(conditions),
        init_container_statuses: (!inits.is_empty()).then_some(inits),
        container_statuses: Some(mains),
        ..PodStatus::default()
    }
}

fn stage(course: &Course, elapsed: Duration, end: Option<Duration>, inits_done: bool) -> Stage {
    let moment = end.map_or(elapsed, |end| end.min(elapsed));
    if let Some(index) = course.run_at(moment) {
        let run = &course.runs[index];
        return match (run.end, end) {
            (Some(at), None) if at <= moment => {
                Stage::Ended { run: index, at, exit: run.exit, backing_off: run.restarts }
            }
            (Some(at), Some(end)) if at < end => Stage::Ended { run: index, at, exit: run.exit, backing_off: false },
            // Stopped from outside: 137 is what SIGKILL leaves behind, and so do an eviction and an impatient deletion.
            (_, Some(end)) => Stage::Ended { run: index, at: end, exit: Exit::Code(137), backing_off: false },
            (_, None) => Stage::Running(index),
        };
    }
    let not_yet = if inits_done && course.is_main() { "ContainerCreating" } else { "PodInitializing" };
    match (&course.pull_error, course.pull_at) {
        (Some((message, backs_off_at)), Some(_)) if moment >= *backs_off_at => {
            Stage::Waiting("ImagePullBackOff", Some(format!("Back-off pulling image {:?}: {message}", course.image)))
        }
        (Some((message, _)), Some(_)) if moment >= course.pulled_at => {
            Stage::Waiting("ErrImagePull", Some(message.clone()))
        }
        (None, Some(_)) if moment >= course.pulled_at && course.config_error.is_some() => {
            Stage::Waiting("CreateContainerConfigError", course.config_error.clone())
        }
        _ => Stage::Waiting(not_yet, None),
    }
}

fn phase(staged: &[(&Course, Stage)], cut: Option<&Cut>, ended: bool) -> &'static str {
    let over = |stage: &Stage| matches!(stage, Stage::Ended { backing_off: false, .. });
    let failed = |stage: &Stage| matches!(stage, Stage::Ended { exit, backing_off: false, .. } if exit.code() != 0);
    let mut mains = staged.iter().filter(|(course, _)| course.is_main()).map(|(_, stage)| stage);
    let init_failed = staged.iter().any(|(course, stage)| course.role == Role::Init && failed(stage));
    // A pod does not end before all its containers have.
    let goes_on =
        staged.iter().any(|(course, stage)| course.role == Role::Sidecar && matches!(stage, Stage::Running(_)));
    if cut.is_some() || init_failed && !goes_on {
        "Failed"
    } else if mains.clone().all(over) {
        match mains.any(failed) {
            _ if goes_on => "Running",
            true => "Failed",
            false => "Succeeded",
        }
    } else if ended {
        "Failed"
    } else if mains.any(|stage| matches!(stage, Stage::Waiting(..))) {
        // One that never ran yet holds the phase back, whatever the others do.
        "Pending"
    } else {
        "Running"
    }
}

fn container_status(course: &Course, stage: &Stage, taken: &Taken) -> ContainerStatus {
    let id = |run: usize| Some(format!("sim://{}-{run}", course.name));
    let terminated = |run: usize, at: Duration, exit: Exit| ContainerStateTerminated {
        exit_code: exit.code(),
        reason: Some(exit.reason().to_owned()),
        message: course.start_error.clone().filter(|_| exit == Exit::NotStarted),
        // As containerd stamps what never started.
        started_at: match exit {
            Exit::NotStarted => Some(Time(Timestamp::UNIX_EPOCH)),
            _ => course.runs.get(run).map(|run| taken.at(run.start)),
        },
        finished_at: Some(taken.at(at)),
        container_id: id(run),
        ..ContainerStateTerminated::default()
    };
    let (run, state, last_state) = match stage {
        Stage::Waiting(reason, message) => {
            let waiting = ContainerStateWaiting { reason: Some((*reason).to_owned()), message: message.clone() };
            (None, ContainerState { waiting: Some(waiting), ..ContainerState::default() }, None)
        }
        Stage::Running(run) => {
            let started_at = course.runs.get(*run).map(|run| taken.at(run.start));
            let running = ContainerStateRunning { started_at };
            (Some(*run), ContainerState { running: Some(running), ..ContainerState::default() }, run.checked_sub(1))
        }
        Stage::Ended { run, at: _, exit: _, backing_off: true } => {
            let waiting = ContainerStateWaiting {
                reason: Some("CrashLoopBackOff".to_owned()),
                message: Some(format!("back-off restarting failed container={}", course.name)),
            };
            (Some(*run), ContainerState { waiting: Some(waiting), ..ContainerState::default() }, Some(*run))
        }
        Stage::Ended { run, at, exit, backing_off: false } => {
            let state = ContainerState { terminated: Some(terminated(*run, *at, *exit)), ..ContainerState::default() };
            (Some(*run), state, run.checked_sub(1))
        }
    };
    let running = state.running.is_some();
    let succeeded = state.terminated.as_ref().is_some_and(|ended| ended.exit_code == 0);
    let last_state = last_state.and_then(|run| {
        let before = course.runs.get(run)?;
        let terminated = Some(terminated(run, before.end?, before.exit));
        Some(ContainerState { terminated, ..ContainerState::default() })
    });
    ContainerStatus {
        name: course.name.clone(),
        image: course.image.clone(),
        image_id: if run.is_some() { format!("sim://{}", course.image) } else { String::new() },
        container_id: run.and_then(id),
        ready: running || course.role == Role::Init && succeeded,
        started: Some(running),
        restart_count: run.and_then(|run| i32::try_from(run).ok()).unwrap_or(0),
        state: Some(state),
        last_state,
        ..ContainerStatus::default()
    }
}

/// Whether a pod has come to its end.
pub fn is_finished(pod: &Pod) -> bool {
    matches!(pod.status.as_ref().and_then(|status| status.phase.as_deref()), Some("Succeeded" | "Failed"))
}
