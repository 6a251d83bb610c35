//! The storage claims that a draft mounts: each must be one of its project that the caller may use, and read-only for those
//! who may only read it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{PersistentVolumeClaimVolumeSource, PodSpec};

use super::check::sentence;
use super::origins::Origin;
use super::{Draft, TaskGroup};
use crate::auth::policy::StorageAccess;
use crate::error::ApiError;
use crate::graphql::names::shown;
use crate::ids::PvcId;
use crate::jobs::admission::AdmissionRule;

/// Maximum number of problems reported per job.
const MAX_PROBLEMS: usize = 50;

/// A claim of the draft's project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mountable {
    /// The claim.
    pub id: PvcId,
    /// Its name in the cluster.
    pub name: String,
    /// What the caller may do with it.
    pub access: StorageAccess,
    /// Why it cannot be mounted, if it cannot.
    pub obstacle: Option<&'static str>,
}

/// The claims that a draft mounts, as the templates and the input name them: by name or by ID.
pub fn named(draft: &Draft) -> BTreeSet<String> {
    let pods = draft.tasks.iter().filter_map(|group| group.template.spec.as_ref());
    let volumes = pods.flat_map(|pod| pod.volumes.iter().flatten());
    volumes.filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.clone())).collect()
}

/// The claims that a draft mounts, each with whether it is only mounted read-only.
pub type Mounts = BTreeMap<PvcId, bool>;

/// Replaces the IDs of claims in the draft by their names. Returns the claims that it mounts, and the problems with them,
/// each at the input field that it comes from, otherwise at `source` with its path in the message.
pub fn resolve(
    draft: &mut Draft,
    source: &'static str,
    known: &[Mountable],
) -> (Mounts, Vec<(AdmissionRule, ApiError)>) {
    let (mut mounts, mut found) = (Mounts::new(), Vec::new());
    let mut first_task = 0;
    let mut tasks = std::mem::take(&mut draft.tasks);
    for (group, TaskGroup { template, count }) in tasks.iter_mut().enumerate() {
        let place = format!("tasks[{first_task}]");
        first_task += *count;
        let Some(pod) = &mut template.spec else { continue };
        for index in 0..pod.volumes.as_ref().map_or(0, Vec::len) {
            match volume(pod, index, known) {
                None => {}
                Some(Ok((claim, read_only))) => {
                    mounts.entry(claim).and_modify(|known| *known &= read_only).or_insert(read_only);
                }
                Some(Err(why)) => {
                    let path = format!("spec.volumes[{index}]");
                    let problem = match draft.origin(group, &path) {
                        Some(Origin::Field(field) | Origin::Request(field)) => why.at_field(field),
                        None => ApiError::bad_input(source, format!("{place}.{path} {}", why.sentence())),
                    };
                    if found.len() < MAX_PROBLEMS {
                        found.push((AdmissionRule::Mounts, problem));
                    }
                }
            }
        }
    }
    draft.tasks = tasks;
    (mounts, found)
}

/// Why a claim cannot be mounted.
enum Why {
    Unknown(String),
    NoAccess(String),
    ReadOnly(String),
    Obstacle(String, &'static str),
}

impl Why {
    /// To follow the path of the volume.
    fn sentence(&self) -> String {
        match self {
            Self::Unknown(name) => format!("names the claim {}, which the project does not have", shown(name)),
            Self::NoAccess(name) => {
                format!("names the claim {}, to which you have no access; its keepers can grant it", shown(name))
            }
            Self::ReadOnly(name) => {
                format!("names the claim {}, which you may only read; set readOnly to true", shown(name))
            }
            Self::Obstacle(name, why) => format!("names the claim {}, which {why}", shown(name)),
        }
    }

    fn at_field(self, field: String) -> ApiError {
        match &self {
            Self::Unknown(name) => {
                let shown: String = name.chars().take(80).collect();
                ApiError::not_found("storage claim", shown).at(field)
            }
            Self::NoAccess(_) => ApiError::forbidden(sentence(&field, &self.sentence())).at(field),
            Self::ReadOnly(_) => {
                let at = field.replace(".claim", ".readOnly");
                ApiError::forbidden(sentence(&field, &self.sentence())).at(at)
            }
            Self::Obstacle(..) => ApiError::conflict(sentence(&field, &self.sentence())).at(field),
        }
    }
}

/// The claim of a volume, if it is one of a claim, and whether it is read-only.
fn volume(pod: &mut PodSpec, index: usize, known: &[Mountable]) -> Option<Result<(PvcId, bool), Why>> {
    let volumes = pod.volumes.as_mut()?;
    let volume = volumes.get_mut(index)?;
    let name = volume.name.clone();
    let source = volume.persistent_volume_claim.as_mut()?;
    let found = match find(source, known) {
        Ok(found) => found,
        Err(why) => return Some(Err(why)),
    };
    source.claim_name.clone_from(&found.name);
    // Read-only down to the mounts of the containers, not only by the volume.
    let is_read_only = source.read_only == Some(true);
    if is_read_only {
        let containers = pod.containers.iter_mut().chain(pod.init_containers.iter_mut().flatten());
        let mounts = containers.flat_map(|container| container.volume_mounts.iter_mut().flatten());
        mounts.filter(|mount| mount.name == name).for_each(|mount| mount.read_only = Some(true));
    }
    Some(Ok((found.id, is_read_only)))
}

fn find<'k>(source: &PersistentVolumeClaimVolumeSource, known: &'k [Mountable]) -> Result<&'k Mountable, Why> {
    let given = &source.claim_name;
    let is_it = |claim: &&Mountable| claim.name == *given || claim.id.to_text() == *given;
    let Some(claim) = known.iter().find(is_it) else { return Err(Why::Unknown(given.clone())) };
    if let Some(why) = claim.obstacle {
        return Err(Why::Obstacle(claim.name.clone(), why));
    }
    match (claim.access, source.read_only) {
        (StorageAccess::None, _) => Err(Why::NoAccess(claim.name.clone())),
        (StorageAccess::Read, Some(true)) | (StorageAccess::Write, _) => Ok(claim),
        (StorageAccess::Read, _) => Err(Why::ReadOnly(claim.name.clone())),
    }
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
