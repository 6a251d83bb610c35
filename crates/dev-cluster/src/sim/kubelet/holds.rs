//! Looking for the Secrets and ConfigMaps of a pod, until all of them are there.

use std::sync::PoisonError;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::jiff::Timestamp;

use super::super::recorder::Note;
use super::references::{self, Hold, Reference, Waits};
use super::served::Attempts;
use super::timeline::Timeline;
use super::{Kubelet, Life};

/// How often what is missing is looked for.
pub(super) const LOOK: Duration = Duration::from_secs(2);
/// The same, however fast the time goes.
pub(super) const SHORTEST_LOOK: Duration = Duration::from_millis(100);

impl Life {
    /// Looks for what the pod refers to; whether some of it is missing. What was there once is not looked for again.
    pub(super) async fn look_at_references(&self, pod: &Pod, kubelet: &Kubelet) -> Result<bool, kube::Error> {
        let references = references::of_pod(&self.pod);
        if references.is_empty() {
            return Ok(false);
        }
        let known = self.holds.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut holds = Vec::with_capacity(references.len());
        for (place, reference) in references.iter().enumerate() {
            let before = known.as_ref().and_then(|holds| holds.get(place)).cloned();
            holds.push(match (before, self.began(reference, pod)) {
                (Some(hold), _) if hold.until.is_some() => hold,
                // Found before we were started.
                (None, Some(began)) => hold(reference, String::new(), Some(began)),
                (before, _) => match reference.problem(&kubelet.client, &self.pod).await? {
                    Some(message) => {
                        if before.as_ref().is_none_or(|before| before.message != message) {
                            self.complain(reference, &message, kubelet);
                        }
                        hold(reference, message, None)
                    }
                    None => {
                        let since = before.map_or(Duration::ZERO, |_| self.elapsed());
                        hold(reference, String::new(), Some(since))
                    }
                },
            });
        }
        let missing = holds.iter().any(|hold| hold.until.is_none());
        *self.holds.lock().unwrap_or_else(PoisonError::into_inner) = Some(holds);
        Ok(missing)
    }

    fn complain(&self, reference: &Reference, message: &str, kubelet: &Kubelet) {
        let note = match &reference.waits {
            Waits::Volume(volume) => {
                Note::warning("FailedMount", format!("MountVolume.SetUp failed for volume {volume:?} : {message}"))
            }
            Waits::Container(_) => Note::warning("Failed", format!("Error: {message}")),
        };
        kubelet.recorder.tell(&self.pod, "kubelet", note);
    }

    /// When what waited for it began, if the pod's status says that it did.
    fn began(&self, reference: &Reference, pod: &Pod) -> Option<Duration> {
        let status = pod.status.as_ref()?;
        let statuses = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
        let waited = statuses.filter(|status| match &reference.waits {
            Waits::Container(name) => status.name == *name,
            Waits::Volume(_) => true,
        });
        let start = waited.filter_map(first_start).min()?;
        let began: Duration = start.duration_since(self.taken.start).try_into().unwrap_or_default();
        Some(match &reference.waits {
            Waits::Container(_) => began,
            // Images are pulled after the volumes are there: what is later than without any wait was waited for.
            Waits::Volume(_) => {
                let unheld = Timeline::of(&self.pod, self.speed, Duration::ZERO, &[], &Attempts::new());
                let starts = unheld.containers.iter().filter_map(|course| Some(course.runs.first()?.start));
                began.saturating_sub(starts.min().unwrap_or_default())
            }
        })
    }
}

fn hold(reference: &Reference, message: String, until: Option<Duration>) -> Hold {
    Hold { waits: reference.waits.clone(), message, until }
}

/// When a container started first, as far as its status goes back.
fn first_start(status: &ContainerStatus) -> Option<Timestamp> {
    let states = [status.last_state.as_ref(), status.state.as_ref()];
    let started = states.into_iter().flatten().filter_map(|state| {
        let ended = state.terminated.as_ref().and_then(|ended| ended.started_at.as_ref());
        state.running.as_ref().and_then(|running| running.started_at.as_ref()).or(ended)
    });
    started.map(|time| time.0).min()
}
