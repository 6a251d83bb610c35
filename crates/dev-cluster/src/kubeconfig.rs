//! The kubeconfig that the user asked for: written whole, never over that of another cluster, and gone with the cluster.

use std::fs;
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

/// The first line of every kubeconfig that this program writes: what begins otherwise is somebody else's.
const MARK: &[u8] = b"# Written by dev-cluster, which removes it when it stops.\n";

/// A kubeconfig in the user's place. It is removed when this is dropped, unless another cluster has taken the place.
#[derive(Debug)]
pub struct Written {
    path: PathBuf,
    content: Vec<u8>,
}

impl Written {
    /// Copies `from` to `path`. If two clusters write to the same place, the last one has it.
    ///
    /// # Errors
    ///
    /// There is a file that is neither empty nor a kubeconfig of this program, or the folder cannot be written to.
    pub fn new(path: &Path, from: &Path) -> Result<Self> {
        let failed = |error: Error| Error::new(error.kind(), format!("--kubeconfig {}: {error}", path.display()));
        if fs::exists(path).map_err(failed)? && !may_be_replaced(&fs::read(path).map_err(failed)?) {
            let why = "the file exists and was not written by dev-cluster; choose another file";
            return Err(failed(Error::new(ErrorKind::AlreadyExists, why)));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let content = [MARK, &fs::read(from).map_err(failed)?].concat();
        // Readable by this user only: a real cluster's has a token.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        file.write_all(&content).map_err(failed)?;
        file.persist(path).map_err(|error| failed(error.error))?;
        Ok(Self { path: path.to_owned(), content })
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let removed = match fs::read(&self.path) {
            Ok(content) if content == self.content => fs::remove_file(&self.path),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            tracing::warn!(%error, path = %self.path.display(), "the kubeconfig stays behind");
        }
    }
}

fn may_be_replaced(content: &[u8]) -> bool {
    content.is_empty() || content.starts_with(MARK)
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    match text.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c)) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a kubeconfig to copy in it, and the place for the copy.
    fn places() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (from, path) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "kind: Config\n").unwrap();
        (folder, from, path)
    }

    #[test]
    fn it_is_there_as_long_as_the_cluster() {
        let (_folder, from, path) = places();
        let written = Written::new(&path, &from).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "# Written by dev-cluster, which removes it when it stops.\nkind: Config\n");
        drop(written);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_killed_cluster_left_behind_is_in_nobodys_way() {
        let (_folder, from, path) = places();
        std::mem::forget(Written::new(&path, &from).unwrap());
        assert!(path.exists());
        drop(Written::new(&path, &from).unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn a_cluster_that_stops_leaves_the_kubeconfig_of_the_next_one() {
        let (_folder, from, path) = places();
        let first = Written::new(&path, &from).unwrap();
        fs::write(&from, "kind: Config # another\n").unwrap();
        let second = Written::new(&path, &from).unwrap();
        drop(first);
        assert!(fs::read_to_string(&path).unwrap().ends_with("# another\n"));
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_of_somebody_else_stays_as_it_is() {
        let (_folder, from, path) = places();
        let others = [
            "contexts: [{name: production, context: {cluster: production}}]\n",
            "contexts: [{name: dev-cluster, context: {cluster: dev-cluster}}]\n",
            "apiVersion: v1\nkind: ConfigMap\n",
            "notes",
        ];
        for other in others {
            fs::write(&path, other).unwrap();
            let refused = Written::new(&path, &from).unwrap_err().to_string();
            assert!(refused.ends_with("was not written by dev-cluster; choose another file"), "{refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), other);
        }
        fs::write(&path, "").unwrap();
        Written::new(&path, &from).unwrap();
    }

    #[test]
    fn a_path_with_spaces_can_be_pasted() {
        assert_eq!(quoted(Path::new("/tmp/a b's")), r"'/tmp/a b'\''s'");
        assert_eq!(quoted(Path::new("/tmp/k.yaml")), "/tmp/k.yaml");
    }
}
