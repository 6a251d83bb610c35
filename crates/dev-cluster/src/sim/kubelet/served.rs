//! The containers that really run: file servers on the volumes of their pods.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::recorder::Note;
use super::super::volumes::Folders;
use super::timeline::{FIRST_BACKOFF, LONGEST_BACKOFF, Timeline};
use super::{Kubelet, Life, mounts};
use crate::files::{FileServer, Flags, Programs, Wire};

/// How long a container that cannot be started yet rests.
const LOOK: Duration = Duration::from_millis(500);
/// How many pods may wait to be looked at because a server of theirs ended.
const ENDINGS: usize = 256;

/// What file servers need of their machine.
pub(in super::super) struct Machine {
    pub(in super::super) folders: Folders,
    programs: Option<Programs>,
    pub(super) tasks: TaskTracker,
    pub(super) cancel: CancellationToken,
    endings: mpsc::Sender<ObjectRef<Pod>>,
}

impl Machine {
    /// The machine, and the pods of which a server ended.
    pub(in super::super) fn new(
        folders: Folders,
        path: Option<OsString>,
        tasks: TaskTracker,
        cancel: CancellationToken,
    ) -> (Self, mpsc::Receiver<ObjectRef<Pod>>) {
        let (endings, ended) = mpsc::channel(ENDINGS);
        let programs = path.and_then(|path| Programs::find(&path));
        (Self { folders, programs, tasks, cancel, endings }, ended)
    }
}

/// One run of a file server, counted from its pod's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it answered.
    pub start: Duration,
    /// When it ended, and its exit code.
    pub end: Option<(Duration, i32)>,
}

/// The runs of each container that is a file server.
pub type Attempts = BTreeMap<String, Vec<Attempt>>;

/// The file servers of a pod.
#[derive(Debug, Default)]
pub(super) struct Served {
    attempts: Attempts,
    running: HashMap<String, Arc<FileServer>>,
    /// What was last said of a container that cannot be started.
    said: HashMap<String, String>,
}

/// Whether a container is a file server.
fn serves(container: &Container) -> bool {
    let image = container.image.as_deref().unwrap_or_default();
    let repository = image.split('@').next().unwrap_or_default();
    let (folder, last) = repository.rsplit_once('/').unwrap_or(("", repository));
    !folder.is_empty() && last.split(':').next() == Some("dufs")
}

/// Which containers of a pod are file servers.
pub fn of_pod(pod: &Pod) -> impl Iterator<Item = &Container> {
    pod.spec.iter().flat_map(|spec| &spec.containers).filter(|container| serves(container))
}

impl Life {
    fn served(&self) -> MutexGuard<'_, Served> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runs so far; every container that is a file server is in it.
    pub(super) fn attempts(&self) -> Attempts {
        let served = self.served();
        let of = |container: &Container| served.attempts.get(&container.name).cloned().unwrap_or_default();
        of_pod(&self.pod).map(|container| (container.name.clone(), of(container))).collect()
    }

    /// Starts the file servers whose turn it is. Answers when to look again, where one waits for something.
    pub(super) async fn serve(self: &Arc<Self>, kubelet: &Kubelet) -> Result<Option<Duration>, kube::Error> {
        let mut again = None;
        for container in of_pod(&self.pod) {
            let wait = self.serve_one(container, kubelet).await?;
            again = [again, wait].into_iter().flatten().min();
        }
        Ok(again)
    }

    async fn serve_one(
        self: &Arc<Self>,
        container: &Container,
        kubelet: &Kubelet,
    ) -> Result<Option<Duration>, kube::Error> {
        let elapsed = self.elapsed();
        let timeline = self.timeline(elapsed);
        let name = &container.name;
        let Some(course) = timeline.containers.iter().find(|course| course.name == *name) else { return Ok(None) };
        let cannot = course.pull_error.is_some() || course.config_error.is_some() || course.start_error.is_some();
        let is_over = is_over(&timeline, elapsed);
        if cannot || is_over || course.pull_at.is_none() || course.pulled_at > elapsed {
            return Ok(None);
        }
        if self.served().running.contains_key(name) {
            return Ok(None);
        }
        if let Some(last) = course.runs.last() {
            let Some(end) = last.end.filter(|_| last.restarts) else { return Ok(None) };
            let doublings = u32::try_from(course.runs.len().saturating_sub(1)).unwrap_or(u32::MAX).min(16);
            let backoff = (FIRST_BACKOFF * 2_u32.pow(doublings)).min(LONGEST_BACKOFF);
            let wait = (end + self.speed.scale(backoff)).saturating_sub(elapsed);
            if !wait.is_zero() {
                return Ok(Some(wait));
            }
        }
        match self.open(container, kubelet).await? {
            Ok(server) => {
                self.run(name, server, kubelet);
                Ok(None)
            }
            Err(Obstacle::Passes(message)) => {
                self.say(name, message, "FailedMount", kubelet);
                Ok(Some(LOOK))
            }
            Err(Obstacle::Ends(message)) => {
                let now = self.elapsed();
                self.served()
                    .attempts
                    .entry(name.clone())
                    .or_default()
                    .push(Attempt { start: now, end: Some((now, 1)) });
                self.say(name, format!("Error: {message}"), "Failed", kubelet);
                Ok(None)
            }
        }
    }

    async fn open(
        &self,
        container: &Container,
        kubelet: &Kubelet,
    ) -> Result<Result<FileServer, Obstacle>, kube::Error> {
        let machine = &kubelet.machine;
        let arguments = container.command.iter().flatten().skip(1).chain(container.args.iter().flatten());
        let flags = match Flags::read(&arguments.cloned().collect::<Vec<_>>()) {
            Ok(flags) => flags,
            Err(error) => return Ok(Err(Obstacle::Ends(error.to_string()))),
        };
        let mounts = mounts::of_container(&kubelet.client, &machine.folders, &self.pod, container).await?;
        let mounts = match mounts {
            Ok(mounts) => mounts,
            Err(message) => return Ok(Err(Obstacle::Passes(message))),
        };
        let Some(place) = mounts::find(&mounts, &flags.path) else {
            let message = format!("{:?} is not in a claim's volume", flags.path);
            return Ok(Err(Obstacle::Ends(message)));
        };
        let flags = if place.read_only { flags.read_only() } else { flags };
        let (tasks, cancel) = (&machine.tasks, &machine.cancel);
        let started = FileServer::start(machine.programs.as_ref(), &flags, &place.folder, tasks, cancel).await;
        Ok(started.map_err(|error| Obstacle::Ends(error.to_string())))
    }

    fn run(self: &Arc<Self>, name: &str, server: FileServer, kubelet: &Kubelet) {
        let mut ended = server.ended();
        let start = self.elapsed();
        let which = {
            let mut served = self.served();
            served.said.remove(name);
            served.running.insert(name.to_owned(), Arc::new(server));
            let attempts = served.attempts.entry(name.to_owned()).or_default();
            attempts.push(Attempt { start, end: None });
            attempts.len() - 1
        };
        let (life, name, endings) = (Arc::downgrade(self), name.to_owned(), kubelet.machine.endings.clone());
        kubelet.machine.tasks.spawn(async move {
            let code = match ended.wait_for(Option::is_some).await {
                Ok(over) => over.as_ref().map_or(137, |over| over.code),
                Err(_) => 137,
            };
            let Some(life) = life.upgrade() else { return };
            {
                let mut served = life.served();
                let at = life.elapsed();
                if let Some(attempt) = served.attempts.get_mut(&name).and_then(|attempts| attempts.get_mut(which)) {
                    attempt.end = Some((at, code));
                }
                served.running.remove(&name);
            }
            // Where too many wait, the next look at the pod finds out.
            let _ = endings.try_send(ObjectRef::from_obj(&life.pod));
        });
    }

    fn say(&self, name: &str, message: String, reason: &'static str, kubelet: &Kubelet) {
        let before = self.served().said.insert(name.to_owned(), message.clone());
        if before.as_ref() != Some(&message) {
            kubelet.recorder.tell(&self.pod, "kubelet", Note::warning(reason, message));
        }
    }

    /// Stops the file servers; their connections end.
    pub(super) fn stop_serving(&self) {
        let stopped = std::mem::take(&mut self.served().running);
        // Outside of the lock: who waits for their end takes it, too.
        drop(stopped);
    }

    /// Connects to a port of the pod; the error is what a container runtime says.
    pub(super) async fn connect(&self, port: u16) -> Result<Box<dyn Wire>, String> {
        let server = self.served().running.values().find(|server| server.port() == port).cloned();
        let uid = self.pod.uid().unwrap_or_default();
        let refused = || {
            format!(
                "failed to connect to localhost:{port} inside namespace {uid:?}, IPv4: dial tcp4 127.0.0.1:{port}: \
                 connect: connection refused IPv6 dial tcp6 [::1]:{port}: connect: connection refused"
            )
        };
        match server {
            Some(server) => server.connect().await.map_err(|_| refused()),
            None => Err(refused()),
        }
    }
}

/// Why a file server does not run.
enum Obstacle {
    /// What it waits for may come.
    Passes(String),
    /// It fails as a program that ends with 1.
    Ends(String),
}

/// Whether the pod is ended from outside.
pub(super) fn is_over(timeline: &Timeline, elapsed: Duration) -> bool {
    timeline.cut.as_ref().is_some_and(|cut| cut.at <= elapsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_server_is_known_by_its_repository() {
        let is = |image: &str| serves(&Container { image: Some(image.to_owned()), ..Container::default() });
        for image in
            ["docker.io/sigoden/dufs", "sigoden/dufs:v0.47.0", "host:5000/a/dufs@sha256:00", "m/dufs:v1@sha256:0"]
        {
            assert!(is(image), "{image}");
        }
        for image in ["dufs", "busybox", "a/dufs-server", "dufs/other", ""] {
            assert!(!is(image), "{image}");
        }
    }
}
