//! The directory of a development environment: locked while it runs, with the key that keeps users logged in.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;
use dev_cluster::lock::FolderLock;
use secrecy::SecretString;
use tempfile::TempDir;

use crate::config::random_secret;

/// The directory of a development environment, used by this process alone.
#[derive(Debug)]
pub(super) struct DevFolder {
    path: PathBuf,
    _lock: FolderLock,
    /// Removes an ephemeral directory at the end.
    temporary: Option<TempDir>,
}

impl DevFolder {
    /// A directory that is kept.
    pub(super) fn kept(path: &Path) -> anyhow::Result<Self> {
        let open = || {
            fs::DirBuilder::new().recursive(true).mode(0o755).create(path)?;
            fs::canonicalize(path)
        };
        let path = open().with_context(|| format!("--data-dir {}", path.display()))?;
        Ok(Self { _lock: lock(&path)?, path, temporary: None })
    }

    /// A new directory that is removed with this value.
    pub(super) fn ephemeral() -> anyhow::Result<Self> {
        let temporary = tempfile::Builder::new().prefix("platform-dev-").tempdir()?;
        let path = fs::canonicalize(temporary.path())?;
        Ok(Self { _lock: lock(&path)?, path, temporary: Some(temporary) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_ephemeral(&self) -> bool {
        self.temporary.is_some()
    }

    /// The key for access tokens: generated once, so that a restart logs nobody out.
    pub(super) fn jwt_secret(&self) -> anyhow::Result<SecretString> {
        let path = self.path.join("jwt.secret");
        let secret = match fs::read_to_string(&path) {
            Ok(secret) => secret,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let secret = random_secret();
                let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
                file.write_all(secret.as_bytes())?;
                secret
            }
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        Ok(SecretString::from(secret))
    }
}

fn lock(path: &Path) -> anyhow::Result<FolderLock> {
    let lock = FolderLock::take(&path.join("dev.lock")).with_context(|| path.display().to_string())?;
    let path = path.display();
    lock.with_context(|| format!("another `platform dev` is using {path}; stop it, or use --data-dir or --ephemeral"))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_second_environment_on_the_same_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let first = DevFolder::kept(folder.path()).unwrap();
        let refused = DevFolder::kept(folder.path()).unwrap_err().to_string();
        assert!(refused.starts_with("another `platform dev` is using "), "{refused}");
        drop(first);
        DevFolder::kept(folder.path()).unwrap();
    }

    #[test]
    fn a_restart_keeps_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let secret = || DevFolder::kept(folder.path()).unwrap().jwt_secret().unwrap().expose_secret().to_owned();
        assert_eq!(secret(), secret());
    }

    #[test]
    fn an_ephemeral_folder_goes_with_its_value() {
        let folder = DevFolder::ephemeral().unwrap();
        let path = folder.path().to_owned();
        assert!(path.exists());
        drop(folder);
        assert!(!path.exists());
    }
}
