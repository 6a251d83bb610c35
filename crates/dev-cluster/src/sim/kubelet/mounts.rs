//! Which folder of this machine stands for what in a container: the volumes of claims that it mounts.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Container, PersistentVolume, PersistentVolumeClaim, Pod, Volume, VolumeMount};
use kube::{Api, Client, ResourceExt};

use super::super::volumes::{Folders, below};

/// A path of a container that is a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    path: String,
    folder: PathBuf,
    read_only: bool,
}

/// Where something in a container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) read_only: bool,
}

/// The claims that a container mounts, or what the kubelet says of the first that it cannot mount.
pub(super) async fn of_container(
    client: &Client,
    folders: &Folders,
    pod: &Pod,
    container: &Container,
) -> Result<Result<Vec<Mount>, String>, kube::Error> {
    let volumes = || pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let mut mounts = Vec::new();
    for mount in container.volume_mounts.iter().flatten() {
        let Some(volume) = volumes().find(|volume| volume.name == mount.name) else { continue };
        match of_volume(client, folders, pod, volume, mount).await? {
            Ok(Some(mount)) => mounts.push(mount),
            Ok(None) => {}
            Err(message) => return Ok(Err(message)),
        }
    }
    Ok(Ok(mounts))
}

/// One mount; `None` for a volume that is not a claim's.
async fn of_volume(
    client: &Client,
    folders: &Folders,
    pod: &Pod,
    volume: &Volume,
    mount: &VolumeMount,
) -> Result<Result<Option<Mount>, String>, kube::Error> {
    let Some(source) = &volume.persistent_volume_claim else { return Ok(Ok(None)) };
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let Some(claim) = claims.get_opt(&source.claim_name).await? else {
        return Ok(Err(format!("persistentvolumeclaim {:?} not found", source.claim_name)));
    };
    let Some(name) = claim.spec.and_then(|spec| spec.volume_name).filter(|name| !name.is_empty()) else {
        return Ok(Err(format!("persistentvolumeclaim {:?} is not bound", source.claim_name)));
    };
    let Some(found) = Api::<PersistentVolume>::all(client.clone()).get_opt(&name).await? else {
        return Ok(Err(format!("persistentvolume {name:?} not found")));
    };
    let read_only = mount.read_only == Some(true) || source.read_only == Some(true) || cannot_be_written(&found);
    let folder = match folders.make(&found).await {
        Ok(folder) => folder,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let folder = match mount.sub_path.as_deref().filter(|path| !path.is_empty()) {
        None => folder,
        Some(path) => match below(&folder, path) {
            Ok(folder) => folder,
            Err(error) => return Ok(Err(format!("failed to prepare subPath {path:?}: {error}"))),
        },
    };
    Ok(Ok(Some(Mount { path: mount.mount_path.clone(), folder, read_only })))
}

fn cannot_be_written(volume: &PersistentVolume) -> bool {
    let Some(spec) = &volume.spec else { return false };
    let of_source = [spec.csi.as_ref().and_then(|csi| csi.read_only), spec.nfs.as_ref().and_then(|nfs| nfs.read_only)];
    of_source.contains(&Some(true)) || spec.access_modes.iter().flatten().all(|mode| mode == "ReadOnlyMany")
}

/// Finds a path of the container; the innermost mount counts.
pub(super) fn find(mounts: &[Mount], path: &str) -> Option<Place> {
    let holds = |mount: &&Mount| Path::new(path).starts_with(&mount.path);
    let mount = mounts.iter().filter(holds).max_by_key(|mount| Path::new(&mount.path).components().count())?;
    let rest = Path::new(path).strip_prefix(&mount.path).ok()?;
    let inner = rest.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    inner.then(|| Place { folder: mount.folder.join(rest), read_only: mount.read_only })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(path: &str, read_only: bool) -> Mount {
        Mount { path: path.to_owned(), folder: format!("/v{path}").into(), read_only }
    }

    #[test]
    fn the_innermost_mount_is_the_one_that_is_meant() {
        let mounts = [mount("/data", false), mount("/data/sets/", true)];
        let found = |path| find(&mounts, path).map(|place| (place.folder.display().to_string(), place.read_only));
        assert_eq!(found("/data"), Some(("/v/data/".to_owned(), false)));
        assert_eq!(found("/data/sets/a"), Some(("/v/data/sets/a".to_owned(), true)));
        assert_eq!(found("/database"), None);
        assert_eq!(found("/data/../etc"), None);
        assert_eq!(found("."), None);
    }
}
