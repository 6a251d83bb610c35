//! Owns child processes so that none outlives us: one thread starts them, waits for them and stops them.
//!
//! Linux kills a child whose `PDEATHSIG` is set when the *thread* that started it ends. A worker of an async runtime may end
//! at any time, so the children belong to a thread of their own that lives exactly as long as they should.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::sync::{oneshot, watch};

/// How long a child may take to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// A program to run.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
}

/// The handle to the thread that owns the children. Dropping it stops them too, without waiting.
#[derive(Debug)]
pub(super) struct Keeper {
    stop: mpsc::Sender<()>,
    ended: watch::Receiver<Option<String>>,
    thread: thread::JoinHandle<()>,
}

impl Keeper {
    /// Starts the processes in order; each logs to `DIR/NAME.log` and notes its id in `DIR/NAME.pid`.
    pub(super) async fn start(dir: PathBuf, processes: Vec<Process>) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let (ended_tx, ended) = watch::channel(None);
        let (started_tx, started) = oneshot::channel();
        let thread = thread::Builder::new().name("cluster-keeper".to_owned()).spawn(move || {
            let mut children = Vec::new();
            let spawned: io::Result<()> = processes.iter().try_for_each(|process| {
                children.push((process.name, spawn(&dir, process)?));
                Ok(())
            });
            let running = spawned.is_ok();
            if started_tx.send(spawned).is_ok() && running {
                keep(&mut children, &stopped, &ended_tx);
            }
            for (name, child) in children.iter_mut().rev() {
                end(child);
                // A missing pid file is what we want.
                let _ = fs::remove_file(pid_file(&dir, name));
            }
        })?;
        started.await.map_err(|_| io::Error::other("the keeper thread ended"))??;
        Ok(Self { stop, ended, thread })
    }

    /// Waits until a child ends by itself and answers its name.
    pub(super) async fn ended(&mut self) -> String {
        match self.ended.wait_for(Option::is_some).await {
            Ok(name) => name.clone().unwrap_or_default(),
            Err(_) => "keeper".to_owned(),
        }
    }

    /// Stops the children, the last first, and waits for them.
    pub(super) async fn stop(self) {
        // An error says that the thread has ended, and with it the children.
        let _ = self.stop.send(());
        let thread = self.thread;
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
}

fn keep(children: &mut [(&'static str, Child)], stopped: &mpsc::Receiver<()>, ended: &watch::Sender<Option<String>>) {
    loop {
        match stopped.recv_timeout(Duration::from_millis(200)) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let gone = |child: &mut Child| matches!(child.try_wait(), Ok(Some(_)) | Err(_));
        if let Some(name) = children.iter_mut().find_map(|(name, child)| gone(child).then_some(name)) {
            tracing::error!(process = name, "a process of the cluster ended by itself");
            ended.send_replace(Some((*name).to_owned()));
            // Half a control plane is of no use: wait for the order to stop, then take down the rest.
            let _ = stopped.recv();
            return;
        }
    }
}

/// Starts one process through `setpriv`, which asks the kernel to kill it when this thread ends.
fn spawn(dir: &Path, process: &Process) -> io::Result<Child> {
    let log = fs::File::create(dir.join(format!("{}.log", process.name)))?;
    let child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--"])
        .arg(&process.program)
        .args(&process.arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    fs::write(pid_file(dir, process.name), child.id().to_string())?;
    Ok(child)
}

fn end(child: &mut Child) {
    if let Some(pid) = Pid::from_raw(child.id().cast_signed()) {
        // It fails only for a process that has ended already.
        let _ = kill_process(pid, Signal::TERM);
    }
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn pid_file(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.pid"))
}

/// Ends processes that an earlier run left behind in `dir`. The caller holds the folder's lock, so they are nobody's.
///
/// A process id may have been given to a stranger since: only one whose command line names our folder is signalled.
pub(super) fn end_stale(dir: &Path) {
    for name in ["kube-apiserver", "etcd"] {
        let file = pid_file(dir, name);
        let Some(pid) = fs::read_to_string(&file).ok().and_then(|text| Pid::from_raw(text.trim().parse().ok()?)) else {
            continue;
        };
        if is_ours(pid, name, dir) {
            tracing::info!(process = name, %pid, "ending a process that an earlier run left behind");
            let _ = kill_process(pid, Signal::KILL);
            let deadline = Instant::now() + GRACE;
            while test_kill_process(pid).is_ok() && is_ours(pid, name, dir) && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(10));
            }
        }
        let _ = fs::remove_file(file);
    }
}

fn is_ours(pid: Pid, name: &str, dir: &Path) -> bool {
    let Ok(line) = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())) else { return false };
    let line = String::from_utf8_lossy(&line);
    line.contains(name) && line.contains(&*dir.to_string_lossy())
}

/// The last lines of a process's log.
pub(super) fn log_tail(dir: &Path, name: &str) -> String {
    let text = fs::read(dir.join(format!("{name}.log"))).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Process {
        Process { name: "etcd", program: "/bin/sleep".into(), arguments: vec!["60".into()] }
    }

    #[tokio::test]
    async fn stopping_ends_the_children_and_removes_their_notes() {
        let dir = tempfile::tempdir().unwrap();
        let keeper = Keeper::start(dir.path().into(), vec![sleeper()]).await.unwrap();
        let pid: i32 = fs::read_to_string(dir.path().join("etcd.pid")).unwrap().parse().unwrap();
        keeper.stop().await;
        assert!(test_kill_process(Pid::from_raw(pid).unwrap()).is_err());
        assert!(!dir.path().join("etcd.pid").exists());
    }

    #[tokio::test]
    async fn a_child_that_ends_by_itself_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let process = Process { name: "etcd", program: "/bin/false".into(), arguments: vec![] };
        let mut keeper = Keeper::start(dir.path().into(), vec![process]).await.unwrap();
        assert_eq!(keeper.ended().await, "etcd");
        keeper.stop().await;
    }

    #[test]
    fn a_strangers_process_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut stranger = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        fs::write(dir.path().join("etcd.pid"), stranger.id().to_string()).unwrap();
        end_stale(dir.path());
        assert!(stranger.try_wait().unwrap().is_none());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
}
