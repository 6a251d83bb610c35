//! The process of the server: started with a keeper, watched until it is ready, and reliably stopped.

use std::{
    fs::{self, File},
    io::Write,
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::{
    PostgresError,
    account::Account,
    binaries::Installation,
    place::{self, Place},
};

/// Runs the server in its own place (`exec`), next to a keeper that reads from our pipe. `stopped` means that the
/// server ended while this process was alive; end of file means that this process is gone, so the keeper stops the
/// server. The keeper has no parent (a subshell within a subshell): PostgreSQL would otherwise take its end for that of
/// a backend. A server whose handle was dropped stays a zombie until this process ends, which counts as gone.
const KEEPER: &str = r#"
exec 3<&0 </dev/null
( {
  read -r word <&3
  [ "$word" = stopped ] && exit
  kill -INT $$
  waited=0
  while kill -0 $$ 2>/dev/null && ! grep -q '^State:.Z' /proc/$$/status 2>/dev/null; do
    sleep 0.1
    waited=$((waited + 1))
    [ "$waited" = 100 ] && kill -QUIT $$
  done
  [ -n "$1" ] && rm -rf -- "$1" "$2"
} & )
exec 3<&-
shift 2
exec "$@"
"#;

/// The timeout of a start, including recovery after a crash.
const START_TIME: Duration = Duration::from_secs(60);
/// The timeout of a "fast" shutdown before "immediate" is requested.
const STOP_TIME: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);
/// The number of retries if another program takes the port between our check and PostgreSQL's bind.
const ATTEMPTS: u32 = 20;

/// Settings for a single developer or a test run.
const SETTINGS: [&str; 14] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=300",
    "shared_buffers=128MB",
    "huge_pages=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=512MB",
    "jit=off",
    // Statements are shown whole, however many columns they have.
    "track_activity_query_size=16384",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_min_messages=warning",
    "logging_collector=off",
];
/// The settings of an ephemeral cluster, which is thrown away after a crash.
const CARELESS: [&str; 3] = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];

/// A running server. Dropping it closes the pipe, upon which the keeper stops the process.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    keeper: Option<ChildStdin>,
    place: Place,
}

/// The outcome of a start.
enum Outcome {
    Ready,
    PortTaken,
    StillInUse,
    Failed(PostgresError),
}

impl Server {
    /// Starts a server in `place` and waits until it accepts connections; also returns its port.
    pub(super) async fn start(
        mut place: Place,
        installation: &Installation,
        account: Option<&Account>,
    ) -> Result<(Self, u16), PostgresError> {
        let deadline = Instant::now() + START_TIME;
        let mut attempts = 0;
        loop {
            let port = free_port()?;
            let mut server = Self::spawn(place, port, installation, account)?;
            let outcome = server.until_ready(deadline).await;
            attempts += 1;
            match outcome {
                Outcome::Ready => return Ok((server, port)),
                Outcome::Failed(error) => return Err(error),
                Outcome::PortTaken | Outcome::StillInUse if attempts == ATTEMPTS => return Err(server.failure()),
                Outcome::PortTaken => {}
                // The children of the previous server are still noticing that it is gone.
                Outcome::StillInUse => tokio::time::sleep(Duration::from_millis(250)).await,
            }
            server.dismiss_keeper();
            place = server.place;
        }
    }

    fn spawn(
        place: Place,
        port: u16,
        installation: &Installation,
        account: Option<&Account>,
    ) -> Result<Self, PostgresError> {
        let log = File::create(place.log()).map_err(PostgresError::io(&place.log()))?;
        let same_log = log.try_clone().map_err(PostgresError::io(&place.log()))?;
        let mut command = installation.command("postgres");
        command.arg("-D").arg(place.cluster()).arg("-c").arg(format!("port={port}"));
        let careless: &[&str] = if place.is_ephemeral() { &CARELESS } else { &[] };
        command.args(SETTINGS.iter().chain(careless).flat_map(|setting| ["-c", setting]));
        let mut kept = under_keeper(&command, &place.disposable());
        // A separate process group: Ctrl-C in the terminal is for this process, and the database has to outlive the
        // server.
        kept.stdin(Stdio::piped()).stdout(log).stderr(same_log).process_group(0);
        if let Some(account) = account {
            account.run(&mut kept);
        }
        let mut child = kept.spawn().map_err(PostgresError::io(&installation.bin))?;
        let keeper = child.stdin.take();
        Ok(Self { child, keeper, place })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn cluster_dir(&self) -> PathBuf {
        self.place.cluster()
    }

    /// Waits until PostgreSQL reports that it is ready, in the last line of its pid file.
    async fn until_ready(&mut self, deadline: Instant) -> Outcome {
        let pid_file = self.place.pid_file();
        let own_pid = self.child.id().to_string();
        while Instant::now() < deadline {
            let text = fs::read_to_string(&pid_file).unwrap_or_default();
            let mut lines = text.lines().map(str::trim);
            if lines.next() == Some(&own_pid) && lines.nth(6) == Some("ready") {
                return Outcome::Ready;
            }
            match self.child.try_wait() {
                Ok(None) => tokio::time::sleep(POLL).await,
                Ok(Some(_)) => {
                    let log = self.log_tail();
                    return match () {
                        () if log.contains("could not create any TCP/IP sockets") => Outcome::PortTaken,
                        () if log.contains("pre-existing shared memory block") => Outcome::StillInUse,
                        () => Outcome::Failed(self.failure()),
                    };
                }
                Err(cause) => return Outcome::Failed(PostgresError::io(&pid_file)(cause)),
            }
        }
        Outcome::Failed(self.too_slow("start", START_TIME))
    }

    /// Stops the server and waits until it is gone, then removes what is ephemeral.
    pub(super) async fn stop(mut self) -> Result<(), PostgresError> {
        let pid = Pid::from_child(&self.child);
        for signal in [Signal::INT, Signal::QUIT] {
            // The process is our child and has not been waited for, so its ID cannot have been reused.
            let _ = kill_process(pid, signal);
            let deadline = Instant::now() + STOP_TIME;
            while Instant::now() < deadline {
                match self.child.try_wait() {
                    Ok(None) => tokio::time::sleep(POLL).await,
                    Ok(Some(_)) => {
                        self.dismiss_keeper();
                        return self.place.disposable().into_iter().try_for_each(place::remove);
                    }
                    Err(cause) => return Err(PostgresError::io(&self.place.cluster())(cause)),
                }
            }
        }
        Err(self.too_slow("stop", 2 * STOP_TIME))
    }

    /// Tells the keeper that its server is gone.
    fn dismiss_keeper(&mut self) {
        if let Some(mut pipe) = self.keeper.take() {
            // A keeper that is already gone does not need to be told.
            drop(pipe.write_all(b"stopped\n"));
        }
    }

    fn failure(&self) -> PostgresError {
        PostgresError::Program { program: "postgres", output: self.log_tail() }
    }

    fn too_slow(&self, what: &'static str, after: Duration) -> PostgresError {
        PostgresError::TooSlow { what, after, log: self.place.log() }
    }

    fn log_tail(&self) -> String {
        const LINES: usize = 12;
        let log = fs::read_to_string(self.place.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

/// The same command, run by the keeper's shell.
fn under_keeper(command: &Command, disposable: &[&Path]) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().current_dir("/").args(["-c", KEEPER, "platform-postgres-keeper"]);
    let [home, data_dir] = match disposable {
        [home, data_dir] => [*home, *data_dir],
        _ => [Path::new(""); 2],
    };
    shell.arg(home).arg(data_dir).arg(command.get_program()).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

/// Stops the server that a dead parent left running on this cluster, if it has not stopped yet.
pub(super) async fn stop_orphan(place: &Place) -> Result<(), PostgresError> {
    let Some(pid) = recorded_pid(&place.pid_file()) else { return Ok(()) };
    if !is_alive(pid) {
        // PostgreSQL replaces the file itself, after checking that no old backend is left.
        return Ok(());
    }
    if !serves(pid, &place.cluster()) {
        // Another program has got the number since. PostgreSQL would see a live process and refuse to start.
        return fs::remove_file(place.pid_file()).map_err(PostgresError::io(&place.pid_file()));
    }
    tracing::warn!(pid = pid.as_raw_nonzero().get(), "stopping the PostgreSQL that an earlier run left behind");
    for signal in [Signal::INT, Signal::QUIT] {
        let _ = kill_process(pid, signal);
        let deadline = Instant::now() + STOP_TIME;
        while Instant::now() < deadline {
            if !serves(pid, &place.cluster()) {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Err(PostgresError::TooSlow { what: "stop", after: 2 * STOP_TIME, log: place.log() })
}

fn recorded_pid(pid_file: &Path) -> Option<Pid> {
    fs::read_to_string(pid_file).ok()?.lines().next()?.trim().parse().ok().and_then(Pid::from_raw)
}

/// Whether the process exists, even if we are not allowed to signal it.
fn is_alive(pid: Pid) -> bool {
    !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

/// Whether that process was started on `cluster`. Without /proc, no process is assumed to be ours.
fn serves(pid: Pid, cluster: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let arguments = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    let mut arguments = arguments.split(|byte| *byte == 0);
    arguments.any(|argument| argument == b"-D") && arguments.next() == Some(cluster.as_os_str().as_bytes())
}

fn free_port() -> Result<u16, PostgresError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(PostgresError::io(Path::new(super::Connection::HOST)))
}
