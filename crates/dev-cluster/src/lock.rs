//! The lock of a directory that only one process at a time may use.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A lock file, locked for as long as this value lives; the kernel releases the lock however the process ends.
#[derive(Debug)]
pub struct FolderLock(File);

impl FolderLock {
    /// Takes the lock on the file `path`; `None` if another process holds it.
    ///
    /// # Errors
    ///
    /// The file cannot be created or locked.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing the file is not enough: a child process that another thread is just starting has it open too, until
        // its exec. If unlocking fails, that is left to the kernel.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_had_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = FolderLock::take(&path).unwrap();
        assert!(held.is_some() && FolderLock::take(&path).unwrap().is_none());
        drop(held);
        assert!(FolderLock::take(&path).unwrap().is_some());
    }

    #[test]
    fn it_is_given_back_though_a_child_that_begins_has_the_file_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = FolderLock::take(&path).unwrap().unwrap();
        let _inherited = held.0.try_clone().unwrap();
        drop(held);
        assert!(FolderLock::take(&path).unwrap().is_some());
    }
}
