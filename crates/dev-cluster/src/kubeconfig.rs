//! The kubeconfig that the user asked for: written whole, never over that of another cluster, and gone with the cluster.

use std::fs;
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

use kube::config::Kubeconfig;

/// The name of the one context that the clusters of this program have.
const CONTEXT: &str = "dev-cluster";

/// A kubeconfig in the user's place. It is removed when this is dropped.
#[derive(Debug)]
pub struct Written(PathBuf);

impl Written {
    /// Copies `from` to `path`.
    ///
    /// # Errors
    ///
    /// There is a file that is not a kubeconfig of this program, or the folder cannot be written to.
    pub fn new(path: &Path, from: &Path) -> Result<Self> {
        let failed = |error: Error| Error::new(error.kind(), format!("--kubeconfig {}: {error}", path.display()));
        if fs::exists(path).map_err(failed)? && !is_ours(path) {
            let why = "the file exists and is not a kubeconfig of dev-cluster; choose another file";
            return Err(failed(Error::new(ErrorKind::AlreadyExists, why)));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Readable by this user only: a real cluster's has a token.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        file.write_all(&fs::read(from).map_err(failed)?).map_err(failed)?;
        file.persist(path).map_err(|error| failed(error.error))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.0.display(), "the kubeconfig stays behind");
        }
    }
}

fn is_ours(path: &Path) -> bool {
    Kubeconfig::read_from(path).is_ok_and(|found| found.contexts.iter().all(|context| context.name == CONTEXT))
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

    const OURS: &str =
        "apiVersion: v1\nkind: Config\ncontexts: [{name: dev-cluster, context: {cluster: dev-cluster}}]\n";

    #[test]
    fn it_is_there_as_long_as_the_cluster() {
        let folder = tempfile::tempdir().unwrap();
        let (from, path) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, OURS).unwrap();
        let written = Written::new(&path, &from).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), OURS);
        // What a killed process has left behind is in nobody's way.
        Written::new(&path, &from).unwrap();
        drop(written);
        assert!(!path.exists());
    }

    #[test]
    fn the_kubeconfig_of_another_cluster_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (from, path) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, OURS).unwrap();
        for other in ["contexts: [{name: production, context: {cluster: production}}]\n", "notes"] {
            fs::write(&path, other).unwrap();
            let refused = Written::new(&path, &from).unwrap_err().to_string();
            assert!(refused.ends_with("is not a kubeconfig of dev-cluster; choose another file"), "{refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), other);
        }
    }

    #[test]
    fn a_path_with_spaces_can_be_pasted() {
        assert_eq!(quoted(Path::new("/tmp/a b's")), r"'/tmp/a b'\''s'");
        assert_eq!(quoted(Path::new("/tmp/k.yaml")), "/tmp/k.yaml");
    }
}
