//! A private PostgreSQL for `platform dev` and for tests: real, on loopback, stopped when its parent is gone.
//!
//! - **Programs** are those installed on the machine, version 14 or newer, otherwise a download ([`binaries`]).
//! - **Data** is a cluster that only this module creates and starts ([`place`]). It is never the system's, and no
//!   server is stopped unless its command line names that cluster.
//! - **Access** is 127.0.0.1 on a free port with a random password (SCRAM). There is no Unix socket and no `trust`.
//! - **Root** cannot run PostgreSQL, so the server then runs under an unprivileged account ([`account`]).
//! - **Lifetime** ([`server`]): a small shell holds one end of a pipe whose other end is in the handle. When the handle
//!   is dropped or the process is gone, even by SIGKILL, the pipe closes and the shell stops the server. Unlike
//!   PR_SET_PDEATHSIG, this does not depend on which thread started the server. If a server survives all that, it is
//!   stopped by the next start.

mod account;
mod binaries;
mod place;
mod server;

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub use binaries::Version;
use server::Server;

/// The role and the database that the server is created with.
const ROLE: &str = "platform";
const DATABASE: &str = "platform";

/// Where the data lives and for how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// The directory for the lock, the log and (if the account of the server can access it) the cluster.
    pub data_dir: PathBuf,
    /// Trades durability for speed, and removes the directory at the end.
    pub ephemeral: bool,
}

impl Options {
    /// Data that is kept in `data_dir` and survives crashes.
    pub fn kept(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), ephemeral: false }
    }

    /// Data in a new temporary directory, removed when the server stops.
    #[must_use]
    pub fn ephemeral() -> Self {
        let name = format!("platform-postgres-{}", uuid::Uuid::now_v7().simple());
        Self { data_dir: std::env::temp_dir().join(name), ephemeral: true }
    }
}

/// Why the embedded PostgreSQL did not start or stop.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// Another live process runs a server in this directory.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// Neither installed nor available for download.
    #[error("no PostgreSQL that fits ({least} or newer) on this machine, and the download failed: {cause}", least = binaries::OLDEST)]
    NoBinaries {
        /// The error of the download.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The current user is root, and there is no account to run the server under.
    #[error("PostgreSQL refuses to run as root, and /etc/passwd has neither postgres nor nobody")]
    NoAccount,
    /// A directory that other users could tamper with.
    #[error("{} must be a folder that belongs to the server's account alone", .0.display())]
    Untrusted(PathBuf),
    /// One of PostgreSQL's programs failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Its name.
        program: &'static str,
        /// The end of its output.
        output: String,
    },
    /// It did not finish in time.
    #[error("PostgreSQL did not {what} within {} s; see {}", .after.as_secs(), .log.display())]
    TooSlow {
        /// What it should have done.
        what: &'static str,
        /// The timeout.
        after: Duration,
        /// Its log.
        log: PathBuf,
    },
    /// It is running but does not respond.
    #[error("the embedded PostgreSQL refuses to work: {0}")]
    Refused(#[from] tokio_postgres::Error),
    /// A file or process operation failed.
    #[error("{}: {cause}", .path.display())]
    Io {
        /// The file or process.
        path: PathBuf,
        /// The error of the system.
        cause: io::Error,
    },
}

impl PostgresError {
    /// Adds `path` to an error of the system.
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { path: path.to_owned(), cause }
    }
}

/// How to reach a server.
#[derive(Clone)]
pub struct Connection {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// The password of [`Connection::USER`].
    pub password: String,
}

impl Connection {
    /// The only address the server listens on.
    pub const HOST: &'static str = "127.0.0.1";
    /// The superuser and owner of everything.
    pub const USER: &'static str = ROLE;
    /// The database that exists from the beginning.
    pub const DATABASE: &'static str = DATABASE;

    /// The URL of a database on the server. Names that [`Connection`] and tests use need no escaping.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{ROLE}:{}@{}:{}/{database}?sslmode=disable", self.password, Self::HOST, self.port)
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({}:{})", Self::HOST, self.port)
    }
}

/// A running private PostgreSQL. Dropping it stops the server in the background; [`Self::shutdown`] waits until it has
/// stopped.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    connection: Connection,
    version: Version,
    server: Server,
}

impl EmbeddedPostgres {
    /// Starts a server in `options.data_dir`, which is created if it is new and recovered if its last parent died.
    ///
    /// # Errors
    /// The directory is in use by a live process or cannot be used; PostgreSQL is not available; PostgreSQL fails, with
    /// the end of its log.
    pub async fn start(options: Options) -> Result<Self, PostgresError> {
        let began = Instant::now();
        let account = account::unprivileged()?;
        let place = place::Place::prepare(&options, account.as_ref())?;
        let installation = binaries::find_or_download(account.as_ref(), place.release()).await?;
        server::stop_orphan(&place).await?;
        let password = place.initialize(&installation, account.as_ref()).await?;
        let (server, port) = Server::start(place, &installation, account.as_ref()).await?;
        let connection = Connection { port, password };
        create_database(&connection).await?;
        tracing::info!(
            version = %installation.version,
            port,
            seconds = began.elapsed().as_secs_f64(),
            "the embedded PostgreSQL is ready"
        );
        Ok(Self { connection, version: installation.version, server })
    }

    /// The URL of the database that exists from the beginning, with the password.
    #[must_use]
    pub fn url(&self) -> String {
        self.connection.url(DATABASE)
    }

    /// How to reach the server.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The version of the running PostgreSQL.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The process id of the server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// The directory of PostgreSQL's own files.
    #[must_use]
    pub fn cluster_dir(&self) -> PathBuf {
        self.server.cluster_dir()
    }

    /// Closes all connections, stops the server and waits until it is gone.
    ///
    /// # Errors
    /// The server does not stop, or an ephemeral directory cannot be removed.
    pub async fn shutdown(self) -> Result<(), PostgresError> {
        self.server.stop().await
    }
}

/// Creates the first database, if this is the first start of the cluster.
async fn create_database(connection: &Connection) -> Result<(), PostgresError> {
    let (client, driver) = tokio_postgres::connect(&connection.url("postgres"), tokio_postgres::NoTls).await?;
    let driver = tokio::spawn(driver);
    let known = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&DATABASE]).await?;
    if known.is_none() {
        client.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await?;
    }
    drop(client);
    // The driver ends with its client; how does not matter once the statements have succeeded.
    drop(driver.await);
    Ok(())
}
