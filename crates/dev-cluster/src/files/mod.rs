//! The file server that a container of the image `dufs` really is: it serves the folder that stands for the container's volume.
//!
//! A `dufs` of this machine is started where there is one; otherwise a server in this process takes its place. Neither
//! listens on a port of the machine: who wants to speak to one asks for a connection.

mod child;
mod flags;
mod page;
mod serve;
mod tree;

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub(crate) use flags::Flags;

/// How many bytes wait on their way to a server in this process, and on their way back.
const IN_FLIGHT: usize = 256 * 1024;

/// A connection to a file server.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Why a file server did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// Its folder, its socket or its process could not be made.
    #[error("cannot start the file server: {0}")]
    System(#[from] io::Error),
    /// The program ended before it answered.
    #[error("the file server ended with exit code {}: {}", .0.code, .0.said)]
    Ended(Ended),
    /// The program runs and does not answer.
    #[error("the file server does not answer")]
    Silent,
}

/// The programs of this machine that are needed to run the real thing.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    dufs: PathBuf,
    /// Has the kernel end the server when we end.
    setpriv: PathBuf,
}

impl Programs {
    /// Looks for them on a `PATH`, and removes what they left behind if we were killed.
    pub(crate) fn find(path: &OsStr) -> Option<Self> {
        let find = |name: &str| std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| runs(file));
        let found = Self { dufs: find("dufs")?, setpriv: find("setpriv")? };
        child::sweep(&std::env::temp_dir());
        Some(found)
    }
}

fn runs(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// How a file server ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ended {
    /// Its exit code.
    pub(crate) code: i32,
    /// The last line that it wrote.
    said: String,
}

/// A running file server. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct FileServer {
    port: u16,
    way: Way,
    ended: watch::Receiver<Option<Ended>>,
    _stop: DropGuard,
}

#[derive(Debug)]
enum Way {
    Child(child::Child),
    Inside(serve::Inside),
}

impl FileServer {
    /// Starts a server of `folder` and answers when it does. Its tasks are among `tasks` and end with `cancel`.
    pub(crate) async fn start(
        programs: Option<&Programs>,
        flags: &Flags,
        folder: &Path,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Result<Self, StartError> {
        let stop = cancel.child_token();
        let guard = stop.clone().drop_guard();
        let (way, ended) = match programs {
            Some(programs) => {
                let (child, ended) = child::Child::start(programs, flags, folder, stop).await?;
                // Whoever waits for the tasks waits for the process, too.
                let mut over = ended.clone();
                tasks.spawn(async move {
                    // An error says that the thread that owns the process is gone, which is as good.
                    let _ = over.wait_for(Option::is_some).await;
                });
                (Way::Child(child), ended)
            }
            None => {
                let (ended_tx, ended) = watch::channel(None);
                let inside = serve::Inside::open(flags, folder, tasks.clone(), stop.clone())?;
                tasks.spawn(async move {
                    stop.cancelled().await;
                    ended_tx.send_replace(Some(Ended::default()));
                });
                (Way::Inside(inside), ended)
            }
        };
        Ok(Self { port: flags.port, way, ended, _stop: guard })
    }

    /// The port that it would listen on in its pod.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> io::Result<Box<dyn Wire>> {
        match &self.way {
            Way::Child(child) => Ok(Box::new(child.connect().await?)),
            Way::Inside(inside) => Ok(Box::new(inside.connect())),
        }
    }

    /// Tells of its end.
    pub(crate) fn ended(&self) -> watch::Receiver<Option<Ended>> {
        self.ended.clone()
    }
}
