//! Where a cluster lives on disk, who owns it, and how it is created.
//!
//! `data_dir` belongs to the caller: it contains the lock and the log. The cluster is in `data_dir/postgres` (mode
//! 0700). If the current user is root and the account of the server cannot access that (for example
//! `/root/project/.platform`), it is in `/var/tmp` instead, under a name derived from the path of the data directory
//! and a random ID that is stored in it: if you remove the data directory, the next start begins from scratch; if you
//! copy it, the copy does not share a cluster with the original.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use dev_cluster::lock::FolderLock;
use sha2::{Digest, Sha256};

use super::{Options, PostgresError, ROLE, account::Account, binaries::Installation};
use crate::config::random_secret;

/// Where the cluster is if the account of the server cannot access the data directory.
const ELSEWHERE: &str = "/var/tmp";
const PASSWORD_FILE: &str = "platform.password";

/// The directories of a cluster, locked for as long as this value lives.
#[derive(Debug)]
pub(super) struct Place {
    data_dir: PathBuf,
    /// Owned by the account of the server.
    home: PathBuf,
    ephemeral: bool,
    _lock: FolderLock,
}

impl Place {
    /// Creates and locks the directories.
    pub(super) fn prepare(options: &Options, account: Option<&Account>) -> Result<Self, PostgresError> {
        let asked = &options.data_dir;
        fs::create_dir_all(asked).map_err(PostgresError::io(asked))?;
        let data_dir = fs::canonicalize(asked).map_err(PostgresError::io(asked))?;
        let lock = lock(&data_dir)?;
        if let Some(account) = account.filter(|_| options.ephemeral) {
            // If this process is killed, the keeper removes the directory, and it only has the permissions of that
            // account.
            account.own(&data_dir).map_err(PostgresError::io(&data_dir))?;
        }
        let home = match account {
            Some(account) if !reachable(&data_dir, *account) => elsewhere(&data_dir)?,
            Some(_) | None => data_dir.join("postgres"),
        };
        make_private(&home, account)?;
        Ok(Self { data_dir, home, ephemeral: options.ephemeral, _lock: lock })
    }

    pub(super) fn cluster(&self) -> PathBuf {
        self.home.join("cluster")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.data_dir.join("postgres.log")
    }

    pub(super) fn pid_file(&self) -> PathBuf {
        self.cluster().join("postmaster.pid")
    }

    pub(super) fn is_ephemeral(&self) -> bool {
        self.ephemeral
    }

    /// The directories to remove when the server stops for good.
    pub(super) fn disposable(&self) -> Vec<&Path> {
        if self.ephemeral { vec![&self.home, &self.data_dir] } else { Vec::new() }
    }

    /// The release that created the cluster, if it exists: only that release can run it.
    pub(super) fn release(&self) -> Option<u32> {
        fs::read_to_string(self.cluster().join("PG_VERSION")).ok()?.trim().parse().ok()
    }

    /// Creates the cluster if it is new; returns the password of its superuser.
    pub(super) async fn initialize(
        &self,
        installation: &Installation,
        account: Option<&Account>,
    ) -> Result<String, PostgresError> {
        let cluster = self.cluster();
        let kept = cluster.join(PASSWORD_FILE);
        if cluster.exists() {
            return fs::read_to_string(&kept).map_err(PostgresError::io(&kept));
        }
        // Created under another name and then renamed, so that an incomplete cluster is never mistaken for a complete
        // one.
        let unfinished = self.home.join("cluster.new");
        remove(&unfinished)?;
        let password = random_secret();
        let password_file = self.home.join(PASSWORD_FILE);
        write_private(&password_file, &password, account)?;
        self.initdb(installation, account, &unfinished, &password_file).await?;
        let moved = unfinished.join(PASSWORD_FILE);
        fs::rename(&password_file, &moved).map_err(PostgresError::io(&moved))?;
        fs::rename(&unfinished, &cluster).map_err(PostgresError::io(&cluster))?;
        Ok(password)
    }

    async fn initdb(
        &self,
        installation: &Installation,
        account: Option<&Account>,
        cluster: &Path,
        password_file: &Path,
    ) -> Result<(), PostgresError> {
        let mut command = installation.command("initdb");
        command.arg("--pgdata").arg(cluster).arg("--pwfile").arg(password_file);
        command.args(["--username", ROLE, "--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"]);
        command.arg(if cfg!(target_os = "linux") { "--locale=C.UTF-8" } else { "--locale=C" });
        if self.ephemeral {
            command.arg("--no-sync");
        }
        if let Some(account) = account {
            account.run(&mut command);
        }
        let output = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .output()
            .await
            .map_err(PostgresError::io(&installation.bin))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(PostgresError::Program { program: "initdb", output: said })
    }
}

/// Takes the lock of a data directory.
fn lock(data_dir: &Path) -> Result<FolderLock, PostgresError> {
    let path = data_dir.join("postgres.lock");
    let lock = FolderLock::take(&path).map_err(PostgresError::io(&path))?;
    lock.ok_or_else(|| PostgresError::InUse(data_dir.to_owned()))
}

/// Whether `account` can traverse all directories down to `path`.
fn reachable(path: &Path, account: Account) -> bool {
    path.ancestors().all(|folder| {
        fs::metadata(folder).is_ok_and(|folder| {
            let needed = match () {
                () if folder.uid() == account.uid => 0o100,
                () if folder.gid() == account.gid => 0o010,
                () => 0o001,
            };
            folder.mode() & needed != 0
        })
    })
}

/// The replacement for `data_dir/postgres` if the account of the server cannot access it.
fn elsewhere(data_dir: &Path) -> Result<PathBuf, PostgresError> {
    let id_file = data_dir.join("postgres.id");
    let id = match fs::read_to_string(&id_file) {
        Ok(id) => id,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = random_secret();
            write_private(&id_file, &id, None)?;
            id
        }
        Err(error) => return Err(PostgresError::io(&id_file)(error)),
    };
    let digest = Sha256::digest(format!("{}\n{id}", data_dir.display()));
    let name: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    Ok(Path::new(ELSEWHERE).join(format!("platform-postgres-{name}")))
}

/// Creates `home` for the account of the server alone, or checks that it is.
fn make_private(home: &Path, account: Option<&Account>) -> Result<(), PostgresError> {
    match DirBuilder::new().mode(0o700).create(home) {
        Ok(()) => {
            if let Some(account) = account {
                account.own(home).map_err(PostgresError::io(home))?;
            }
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(PostgresError::io(home)(error)),
    }
    // Other users can write to /var/tmp, so an existing directory is not trusted because of its name.
    let found = fs::symlink_metadata(home).map_err(PostgresError::io(home))?;
    let owner = account.map_or(rustix::process::geteuid().as_raw(), |account| account.uid);
    if found.is_dir() && found.uid() == owner && found.mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(PostgresError::Untrusted(home.to_owned()))
    }
}

/// Writes a file that only `account`, or otherwise the current user, can read.
fn write_private(path: &Path, text: &str, account: Option<&Account>) -> Result<(), PostgresError> {
    let written = remove_file(path).and_then(|()| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        account.map_or(Ok(()), |account| account.own(path))
    });
    written.map_err(PostgresError::io(path))
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes a directory and everything in it, if it exists.
pub(super) fn remove(folder: &Path) -> Result<(), PostgresError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(PostgresError::io(folder)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn own_account() -> Account {
        Account { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
    }

    fn stranger() -> Account {
        Account { uid: 65_533, gid: 65_533 }
    }

    #[test]
    fn a_folder_below_a_closed_one_is_out_of_reach_for_others() {
        let closed = tempfile::tempdir().unwrap();
        fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let inner = closed.path().join("inner");
        fs::create_dir(&inner).unwrap();
        assert!(!reachable(&inner, stranger()));
        assert!(reachable(&inner, own_account()));
        fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o711)).unwrap();
        assert!(reachable(&inner, stranger()));
    }

    #[test]
    fn a_folder_that_others_can_enter_is_not_trusted() {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("home");
        make_private(&home, None).unwrap();
        make_private(&home, None).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(make_private(&home, None), Err(PostgresError::Untrusted(path)) if path == home));
    }

    #[test]
    fn a_link_to_a_folder_is_not_trusted() {
        let root = tempfile::tempdir().unwrap();
        let (target, home) = (root.path().join("target"), root.path().join("home"));
        make_private(&target, None).unwrap();
        symlink(&target, &home).unwrap();
        assert!(matches!(make_private(&home, None), Err(PostgresError::Untrusted(_))));
    }

    #[test]
    fn the_stand_in_belongs_to_one_folder_and_one_life_of_it() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = elsewhere(one.path()).unwrap();
        assert_eq!(elsewhere(one.path()).unwrap(), first);
        assert_ne!(elsewhere(two.path()).unwrap(), first);
        fs::copy(one.path().join("postgres.id"), two.path().join("postgres.id")).unwrap();
        assert_ne!(elsewhere(two.path()).unwrap(), first);
        fs::remove_file(one.path().join("postgres.id")).unwrap();
        assert_ne!(elsewhere(one.path()).unwrap(), first);
    }
}
