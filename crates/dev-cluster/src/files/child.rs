//! A real `dufs` as a child process: one thread starts it, waits for it and stops it.
//!
//! As with the processes of a real control plane, Linux kills the child when the thread that started it ends, so it never
//! outlives us, however we end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Ended, Flags, Programs, StartError};

/// How long it may take until it answers.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// How long it may take to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// What the names of the folders of sockets begin with; then comes the process whose they are.
const PREFIX: &str = "dev-cluster-files-";
const LOOK: Duration = Duration::from_millis(25);

/// The way to a running `dufs`.
#[derive(Debug)]
pub(super) struct Child {
    socket: PathBuf,
}

impl Child {
    /// Starts it; it ends when `stop` says so. Answers where to find it, and what tells of its end.
    pub(super) async fn start(
        programs: &Programs,
        flags: &Flags,
        folder: &Path,
        stop: CancellationToken,
    ) -> Result<(Self, watch::Receiver<Option<Ended>>), StartError> {
        // Only we may enter it, so only we reach the socket.
        let place = tempfile::Builder::new().prefix(&format!("{PREFIX}{}-", std::process::id())).tempdir()?;
        let (socket, log) = (place.path().join("socket"), place.path().join("log"));
        let mut command = Command::new(&programs.setpriv);
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&programs.dufs)
            .args(flags.arguments(folder, &socket))
            .env_clear()
            .current_dir(place.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?);
        let (ended_tx, mut ended) = watch::channel(None);
        let (started_tx, started) = tokio::sync::oneshot::channel();
        let of_thread = stop.clone();
        thread::Builder::new().name("file-server".to_owned()).spawn(move || {
            match command.spawn() {
                Ok(process) => {
                    // Nobody waits any more where the kubelet was stopped meanwhile; `stop` says so, too.
                    let _ = started_tx.send(Ok(()));
                    let ended = keep(process, &of_thread, &place);
                    drop(place);
                    ended_tx.send_replace(Some(ended));
                }
                Err(error) => drop(started_tx.send(Err(error))),
            }
        })?;
        started.await.map_err(|_| io::Error::other("the thread of the file server ended"))??;
        let deadline = Instant::now() + ANSWERS_WITHIN;
        while UnixStream::connect(&socket).await.is_err() {
            if Instant::now() > deadline {
                stop.cancel();
                return Err(StartError::Silent);
            }
            if let Ok(Ok(over)) = tokio::time::timeout(LOOK, ended.wait_for(Option::is_some)).await {
                return Err(StartError::Ended(over.clone().unwrap_or_default()));
            }
        }
        Ok((Self { socket }, ended))
    }

    pub(super) async fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(&self.socket).await
    }
}

/// Removes what processes left behind that were killed: their `dufs` ended with them, the folder of its socket did not.
pub(super) fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            // Somebody else's cannot be removed, which is right.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Waits for the end of the process, or brings it about. Answers how it ended.
fn keep(mut process: Process, stop: &CancellationToken, place: &TempDir) -> Ended {
    let mut asked: Option<Instant> = None;
    loop {
        match process.try_wait() {
            Ok(Some(status)) => {
                return Ended { code: status.code().unwrap_or(137), said: said(&place.path().join("log")) };
            }
            Ok(None) => {}
            Err(error) => return Ended { code: 137, said: error.to_string() },
        }
        match asked {
            None if stop.is_cancelled() => {
                asked = Some(Instant::now());
                if let Some(pid) = Pid::from_raw(process.id().cast_signed()) {
                    // It fails only for a process that has ended already.
                    let _ = kill_process(pid, Signal::TERM);
                }
            }
            Some(asked) if asked.elapsed() > GRACE => drop(process.kill()),
            None | Some(_) => {}
        }
        thread::sleep(LOOK);
    }
}

/// The end of a log.
fn said(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::test_kill_process;

    /// A program that listens on its socket as `dufs` does and then lasts, or ends at once.
    fn pretender(folder: &Path, script: &str) -> Programs {
        use std::os::unix::fs::PermissionsExt;
        let dufs = folder.join("dufs");
        fs::write(&dufs, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&dufs, fs::Permissions::from_mode(0o755)).unwrap();
        Programs { dufs, setpriv: "/usr/bin/setpriv".into() }
    }

    const LISTENS: &str = r#"echo $$ > "$1/pid"
exec python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); time.sleep(60)' "$3""#;

    #[tokio::test]
    async fn the_process_ends_with_the_order_to_stop_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let programs = pretender(folder.path(), LISTENS);
        let stop = CancellationToken::new();
        let flags = Flags::read(&["/data".to_owned()]).unwrap();
        let (child, mut ended) = Child::start(&programs, &flags, folder.path(), stop.clone()).await.unwrap();
        child.connect().await.unwrap();
        let pid: i32 = fs::read_to_string(folder.path().join("pid")).unwrap().trim().parse().unwrap();
        stop.cancel();
        ended.wait_for(Option::is_some).await.unwrap();
        assert!(test_kill_process(Pid::from_raw(pid).unwrap()).is_err());
        assert!(!child.socket.parent().unwrap().exists());
    }

    #[test]
    fn what_a_killed_process_left_behind_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        // No process has such a number.
        let (left, own) = (format!("{PREFIX}4194305-a"), format!("{PREFIX}{}-a", std::process::id()));
        for name in [&left, &own] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        sweep(folder.path());
        assert!(!folder.path().join(left).exists());
        assert!(folder.path().join(own).exists());
    }

    #[tokio::test]
    async fn a_process_that_ends_at_once_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let programs = pretender(folder.path(), "echo 'error: no such flag' >&2; exit 2");
        let flags = Flags::read(&["/data".to_owned()]).unwrap();
        let refused = Child::start(&programs, &flags, folder.path(), CancellationToken::new()).await.unwrap_err();
        insta::assert_snapshot!(refused, @"the file server ended with exit code 2: error: no such flag");
    }
}
