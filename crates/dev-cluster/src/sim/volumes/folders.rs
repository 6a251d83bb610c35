//! The folders that stand for volumes. Two volumes that are the same storage are the same folder.

use std::io;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::PersistentVolume;
use kube::ResourceExt;
use sha2::{Digest, Sha256};

/// Drivers whose volumes are a path of a server, so that the handle does not tell them apart: with the attributes that do.
const BY_PATH: [(&str, &[&str]); 2] =
    [("nfs.csi.k8s.io", &["server", "share", "subdir"]), ("cephfs.csi.ceph.com", &["rootPath", "subvolumePath"])];
const LONGEST_NAME: usize = 120;

/// Where the volumes of a cluster are.
#[derive(Clone, Debug)]
pub(in super::super) struct Folders(PathBuf);

impl Folders {
    pub(in super::super) fn new(root: PathBuf) -> Self {
        Self(root)
    }

    /// The folder of a volume, whether it is there or not.
    pub(in super::super) fn of(&self, volume: &PersistentVolume) -> PathBuf {
        let (driver, storage) = storage_of(volume);
        self.0.join(name(&driver)).join(name(&storage))
    }

    /// The folder of a volume, made if it is not there. What a pod's user may be is nobody's business here.
    pub(in super::super) async fn make(&self, volume: &PersistentVolume) -> io::Result<PathBuf> {
        let folder = self.of(volume);
        tokio::fs::create_dir_all(&folder).await?;
        Ok(folder)
    }

    /// Deletes a volume's folder with all that is in it.
    pub(in super::super) async fn remove(&self, volume: &PersistentVolume) -> io::Result<()> {
        let folder = self.of(volume);
        match tokio::fs::remove_dir_all(&folder).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}

/// Resolves a sub-path of a volume to a folder in it, made if it is not there.
pub(in super::super) fn below(folder: &Path, sub_path: &str) -> io::Result<PathBuf> {
    let dir = cap_std::fs::Dir::open_ambient_dir(folder, cap_std::ambient_authority())?;
    // Refuses to leave the folder, by `..` or by a link.
    dir.create_dir_all(sub_path)?;
    Ok(folder.canonicalize()?.join(dir.canonicalize(sub_path)?))
}

/// The driver, and what it tells volumes apart by.
fn storage_of(volume: &PersistentVolume) -> (String, String) {
    let spec = volume.spec.as_ref();
    if let Some(nfs) = spec.and_then(|spec| spec.nfs.as_ref()) {
        return ("nfs".to_owned(), format!("{}:{}", nfs.server, nfs.path));
    }
    let Some(csi) = spec.and_then(|spec| spec.csi.as_ref()) else {
        return ("volumes".to_owned(), volume.name_any());
    };
    let path = BY_PATH.iter().find(|(driver, _)| *driver == csi.driver).and_then(|(_, keys)| {
        let attributes = csi.volume_attributes.as_ref()?;
        let found: Vec<_> = keys.iter().filter_map(|key| attributes.get(*key).cloned()).collect();
        (!found.is_empty()).then(|| found.join(":"))
    });
    (csi.driver.clone(), path.unwrap_or_else(|| csi.volume_handle.clone()))
}

/// A name of a folder: the text itself where it can be one.
fn name(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    if !text.is_empty() && text.len() <= LONGEST_NAME && !text.starts_with('.') && text.chars().all(plain) {
        return text.to_owned();
    }
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn folder(spec: Value) -> String {
        let volume = serde_json::from_value(json!({"metadata": {"name": "pv"}, "spec": spec})).unwrap();
        Folders::new("/v".into()).of(&volume).to_str().unwrap().to_owned()
    }

    fn csi(driver: &str, handle: &str, attributes: Value) -> Value {
        json!({"csi": {"driver": driver, "volumeHandle": handle, "volumeAttributes": attributes}})
    }

    #[test]
    fn a_volume_is_a_folder_of_its_driver() {
        assert_eq!(folder(csi("volumes.sim.platform", "pvc-1", json!({}))), "/v/volumes.sim.platform/pvc-1");
        assert_eq!(folder(json!({"hostPath": {"path": "/etc"}})), "/v/volumes/pv");
    }

    #[test]
    fn the_same_storage_is_the_same_folder() {
        let nfs = |server: &str| folder(json!({"nfs": {"server": server, "path": "/a"}}));
        assert_eq!(nfs("one"), nfs("one"));
        assert_ne!(nfs("one"), nfs("two"));
        let csi_nfs = |handle, share| folder(csi("nfs.csi.k8s.io", handle, json!({"server": "s", "share": share})));
        assert_eq!(csi_nfs("vol", "/a"), csi_nfs("vol#share", "/a"));
        assert_ne!(csi_nfs("vol", "/a"), csi_nfs("vol", "/b"));
        let ceph = |handle, key: &str| folder(csi("cephfs.csi.ceph.com", handle, json!({key: "/volumes/csi/x"})));
        assert_eq!(ceph("vol", "subvolumePath"), ceph("share-1", "rootPath"));
    }

    #[test]
    fn no_handle_leads_out_of_the_folder() {
        for handle in ["../../etc", "/etc", "..", ".", "", "a/b", "a\0b"] {
            let path = folder(csi("d", handle, json!({})));
            assert_eq!(Path::new(&path).parent(), Some(Path::new("/v/d")), "{handle:?}");
            assert!(!path.ends_with("..") && !path.ends_with('/'), "{handle:?}");
        }
    }

    #[test]
    fn a_sub_path_stays_in_its_volume() {
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc", root.path().join("out")).unwrap();
        assert!(below(root.path(), "a/b").unwrap().ends_with("a/b"));
        assert!(root.path().join("a/b").is_dir());
        for outside in ["../x", "out", "out/x", "/etc"] {
            assert!(below(root.path(), outside).is_err(), "{outside}");
        }
    }
}
