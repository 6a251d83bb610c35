//! A folder as an object store. An object is written beside its place and renamed when it is whole.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use object_store::local::LocalFileSystem;

use super::ObjectError;

/// A folder.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) store: LocalFileSystem,
    root: PathBuf,
}

impl Folder {
    /// The folder, which is created if it does not exist.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let open = || -> anyhow::Result<Self> {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
            let root = fs::canonicalize(path)?;
            let store = LocalFileSystem::new_with_prefix(&root)?.with_fsync(true).with_automatic_cleanup(true);
            Ok(Self { store, root })
        };
        open().with_context(|| format!("the folder for objects (OBJECTS_DIR) cannot be used: {}", path.display()))
    }

    /// Removes files below `prefix` that were not finished and have not been written to for this long.
    pub(super) async fn remove_unfinished(&self, prefix: &str, idle: Duration) -> Result<usize, ObjectError> {
        // Regardless of clocks if it is all of them.
        let before = (!idle.is_zero()).then(|| SystemTime::now() - idle);
        let root = self.root.join(prefix);
        let removed = tokio::task::spawn_blocking(move || remove_unfinished(&root, before));
        removed.await.map_err(ObjectError::away)?.map_err(ObjectError::away)
    }
}

fn remove_unfinished(root: &Path, before: Option<SystemTime>) -> io::Result<usize> {
    let (mut removed, mut folders) = (0, vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // It is not there yet, or was removed when it became empty.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            // Links are not followed.
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && is_unfinished(&entry.file_name().to_string_lossy()) {
                let is_old = |at| before.is_none_or(|before| at <= before);
                let idle = entry.metadata().and_then(|metadata| metadata.modified()).is_ok_and(is_old);
                if idle {
                    match fs::remove_file(entry.path()) {
                        Ok(()) => removed += 1,
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }
    Ok(removed)
}

/// Whether this is the name that the store gives a file until it is whole: `name#1`. No key has a `#`.
fn is_unfinished(name: &str) -> bool {
    name.rsplit_once('#')
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}
