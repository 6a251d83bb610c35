//! The embedded PostgreSQL: private, unprivileged, stopped with its parent, and restarted with its data.

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use platform::dev::postgres::{Connection, EmbeddedPostgres, Options, PostgresError};
use tokio_postgres::{Client, NoTls};

/// A session on a server, with its driver in the background.
async fn session(url: &str) -> Client {
    let (client, driver) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(driver);
    client
}

/// A data folder that the server's account can reach.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// `platform dev-postgres` as a process of its own, to be killed like one, with the URL it printed.
fn parent(data_dir: Option<&Path>) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_platform"));
    command.arg("dev-postgres").env("RUST_LOG", "warn");
    if let Some(data_dir) = data_dir {
        command.arg("--data-dir").arg(data_dir);
    }
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    assert!(url.starts_with("postgres://"), "{url:?}");
    (child, url.trim().to_owned())
}

/// The folder that the server behind `client` says its data is in.
async fn data_directory(client: &Client) -> PathBuf {
    client.query_one("SHOW data_directory", &[]).await.unwrap().get::<_, String>(0).into()
}

/// The postmasters that run on a folder below `place`.
fn postmasters(place: &Path) -> Vec<u32> {
    let place = place.to_str().unwrap();
    let on_place = |pid: &u32| {
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| {
            let line = String::from_utf8_lossy(&line).into_owned();
            !line.starts_with("/bin/sh") && line.contains(&format!("-D\0{place}"))
        })
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(on_place).collect()
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(15);
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn it_starts_answers_and_leaves_nothing_behind() {
    let options = Options::ephemeral();
    let place = options.data_dir.clone();
    let postgres = EmbeddedPostgres::start(options).await.unwrap();
    let client = session(&postgres.url()).await;
    assert_eq!(client.query_one("SELECT 6 * 7", &[]).await.unwrap().get::<_, i32>(0), 42);
    postgres.shutdown().await.unwrap();
    assert!(postmasters(&place).is_empty());
    assert!(!place.exists());
}

#[tokio::test]
async fn data_survives_a_restart() {
    let folder = folder();
    let postgres = EmbeddedPostgres::start(Options::kept(folder.path())).await.unwrap();
    session(&postgres.url()).await.batch_execute("CREATE TABLE kept AS SELECT 1 AS one").await.unwrap();
    postgres.shutdown().await.unwrap();

    let postgres = EmbeddedPostgres::start(Options::kept(folder.path())).await.unwrap();
    let row = session(&postgres.url()).await.query_one("SELECT one FROM kept", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 1);
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn only_the_password_opens_it_and_only_on_loopback() {
    let postgres = EmbeddedPostgres::start(Options::ephemeral()).await.unwrap();
    let client = session(&postgres.url()).await;
    let setting = async |name: &str| client.query_one(&format!("SHOW {name}"), &[]).await.unwrap().get::<_, String>(0);
    assert_eq!(setting("listen_addresses").await, "127.0.0.1");
    assert_eq!(setting("unix_socket_directories").await, "");
    let guess = Connection { port: postgres.connection().port, password: "platform".to_owned() };
    let refused = tokio_postgres::connect(&guess.url(Connection::DATABASE), NoTls).await.err().unwrap();
    assert_eq!(refused.as_db_error().unwrap().message(), "password authentication failed for user \"platform\"");
    let trusting = "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'";
    assert_eq!(client.query_one(trusting, &[]).await.unwrap().get::<_, i64>(0), 0);
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn its_files_are_closed_to_others_and_it_never_runs_as_root() {
    let postgres = EmbeddedPostgres::start(Options::ephemeral()).await.unwrap();
    let cluster = std::fs::metadata(postgres.cluster_dir()).unwrap();
    let process = std::fs::metadata(format!("/proc/{}", postgres.pid())).unwrap();
    assert_eq!(cluster.mode() & 0o777, 0o700);
    assert_eq!(cluster.uid(), process.uid());
    assert_ne!(process.uid(), 0);
    let status = std::fs::read_to_string(format!("/proc/{}/status", postgres.pid())).unwrap();
    if rustix::process::geteuid().is_root() {
        let groups = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap();
        assert_eq!(groups.trim(), "", "no group of root's is kept");
    }
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn two_run_side_by_side() {
    let (one, two) =
        tokio::join!(EmbeddedPostgres::start(Options::ephemeral()), EmbeddedPostgres::start(Options::ephemeral()));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.connection().port, two.connection().port);
    session(&one.url()).await.batch_execute("CREATE TABLE only_here ()").await.unwrap();
    assert!(session(&two.url()).await.batch_execute("SELECT FROM only_here").await.is_err());
    one.shutdown().await.unwrap();
    two.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_folder_in_use_is_refused() {
    let folder = folder();
    let postgres = EmbeddedPostgres::start(Options::kept(folder.path())).await.unwrap();
    let refused = EmbeddedPostgres::start(Options::kept(folder.path())).await.unwrap_err();
    assert!(matches!(refused, PostgresError::InUse(_)));
    assert!(refused.to_string().ends_with("is in use by another process"));
    session(&postgres.url()).await.batch_execute("SELECT 1").await.unwrap();
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn dropping_the_handle_stops_the_server() {
    let options = Options::ephemeral();
    let place = options.data_dir.clone();
    drop(EmbeddedPostgres::start(options).await.unwrap());
    eventually("the server is gone and its folder too", || postmasters(&place).is_empty() && !place.exists()).await;
}

#[tokio::test]
async fn it_stops_when_its_parent_is_killed() {
    let (mut parent, url) = parent(None);
    let place = data_directory(&session(&url).await).await;
    assert_eq!(postmasters(&place).len(), 1);
    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually("the server is gone and its folder too", || postmasters(&place).is_empty() && !place.exists()).await;
}

#[tokio::test]
async fn the_start_after_a_kill_finds_every_committed_row() {
    let folder = folder();
    let (mut parent, url) = parent(Some(folder.path()));
    let client = session(&url).await;
    client.batch_execute("CREATE TABLE kept AS SELECT 1 AS one").await.unwrap();
    parent.kill().unwrap();
    parent.wait().unwrap();

    let postgres = EmbeddedPostgres::start(Options::kept(folder.path())).await.unwrap();
    assert_eq!(postmasters(folder.path()), [postgres.pid()]);
    session(&postgres.url()).await.query_one("SELECT one FROM kept", &[]).await.unwrap();
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_server_that_outlived_its_parent_and_its_keeper_is_replaced() {
    let folder = folder();
    let (mut parent, url) = parent(Some(folder.path()));
    session(&url).await.batch_execute("CREATE TABLE kept AS SELECT 1 AS one").await.unwrap();
    let orphan = postmasters(folder.path());
    kill_keeper(folder.path());
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert_eq!(postmasters(folder.path()), orphan, "nobody stops it");

    let postgres = EmbeddedPostgres::start(Options::kept(folder.path())).await.unwrap();
    assert_eq!(postmasters(folder.path()), [postgres.pid()]);
    assert_ne!(orphan, [postgres.pid()]);
    session(&postgres.url()).await.query_one("SELECT one FROM kept", &[]).await.unwrap();
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_pid_file_whose_number_went_to_another_program_is_no_obstacle() {
    let folder = folder();
    let postgres = EmbeddedPostgres::start(Options::kept(folder.path())).await.unwrap();
    let pid_file = postgres.cluster_dir().join("postmaster.pid");
    let left = std::fs::read_to_string(&pid_file).unwrap();
    let dead = postgres.pid().to_string();
    postgres.shutdown().await.unwrap();
    // Our own process stands for the other program: it must survive.
    std::fs::write(&pid_file, left.replacen(&dead, &std::process::id().to_string(), 1)).unwrap();

    let postgres = EmbeddedPostgres::start(Options::kept(folder.path())).await.unwrap();
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_folder_that_the_servers_account_cannot_reach_will_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let postgres = EmbeddedPostgres::start(Options::kept(folder.path())).await.unwrap();
    let cluster = postgres.cluster_dir();
    assert_eq!(cluster.starts_with(folder.path()), !rustix::process::geteuid().is_root());
    postgres.shutdown().await.unwrap();

    let postgres = EmbeddedPostgres::start(Options::kept(folder.path())).await.unwrap();
    assert_eq!(postgres.cluster_dir(), cluster);
    postgres.shutdown().await.unwrap();
    std::fs::remove_dir_all(cluster.parent().unwrap()).unwrap();
}

/// Kills the shell that guards the server on `place`.
fn kill_keeper(place: &Path) {
    let guards = |pid: &i32| {
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| {
            let line = String::from_utf8_lossy(&line).into_owned();
            line.starts_with("/bin/sh") && line.contains(place.to_str().unwrap())
        })
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(guards);
    for pid in pids.map(|pid| rustix::process::Pid::from_raw(pid).unwrap()) {
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
}
