//! The life of a storage claim: what each observation of the cluster makes of its row, and the events of it.

use super::event::PvcEvent;
use super::model::Claim;
use super::phase::{AccessMode, PvcEventKind, PvcPhase, Resize};
use super::size::Size;
use crate::auth::policy::StorageAccess;
use crate::cluster::claims::{ClaimPhase, ClaimState, ResizeStatus};
use crate::ids::PvcId;
use crate::quantity::Quantity;

/// The reason for which a claim of the platform is lost: somebody deleted it in the cluster.
const DELETED: &str = "Deleted";

/// Whether a claim is still there after an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stays.
    Kept,
    /// Its row goes.
    Removed,
}

/// The row of a claim that was found in the cluster, without its owner.
pub fn found(state: &ClaimState) -> Claim {
    let size = requested(state).unwrap_or_else(|| Size { text: "1".to_owned(), bytes: 1 });
    let mut claim = Claim {
        id: PvcId::generate(),
        project_id: None,
        group_id: None,
        user_id: None,
        namespace: state.key.namespace.clone(),
        name: state.key.name.clone(),
        object_uid: None,
        object_version: None,
        volume_name: None,
        display_name: state.key.name.clone(),
        created_by: None,
        storage_class: None,
        access_mode: AccessMode::of_kubernetes(&state.access_modes),
        sent_bytes: size.bytes,
        size: size.text,
        size_bytes: size.bytes,
        capacity_bytes: None,
        phase: phase_of(state),
        reason: None,
        message: None,
        resize: None,
        resize_message: None,
        default_access: StorageAccess::Write,
        admin_only: false,
        source_id: None,
        shared_by: None,
        read_only: false,
        delete_requested_at: None,
        next_attempt_at: None,
        attempts: 0,
        created_at: chrono::DateTime::UNIX_EPOCH,
    };
    // Found as it is: what it says of itself is no news.
    drop(observe(&mut claim, state));
    claim
}

fn requested(state: &ClaimState) -> Option<Size> {
    Size::of(state.requested.as_ref()?).filter(|size| size.bytes > 0)
}

fn bytes(quantity: Option<&Quantity>) -> Option<i64> {
    Size::of(quantity?).map(|size| size.bytes)
}

fn phase_of(state: &ClaimState) -> PvcPhase {
    match (state.deleting, state.phase) {
        (true, _) => PvcPhase::Deleting,
        (false, ClaimPhase::Pending) => PvcPhase::Pending,
        (false, ClaimPhase::Bound) => PvcPhase::Bound,
        (false, ClaimPhase::Lost) => PvcPhase::Lost,
    }
}

/// The cluster has the claim in this state.
pub fn observe(claim: &mut Claim, state: &ClaimState) -> Vec<PvcEvent> {
    let is_ours = state.claim == Some(claim.id);
    let is_same = claim.object_uid.as_ref() == Some(&state.uid);
    if claim.is_managed() && !is_ours && !is_same {
        // Something else has the name of the claim: the worker finds out when it creates it.
        return Vec::new();
    }
    if is_same && !state.listed && claim.object_version.is_some_and(|version| state.version <= version) {
        return Vec::new();
    }
    let before = claim.clone();
    claim.object_uid = Some(state.uid.clone());
    claim.object_version = Some(state.version);
    claim.volume_name.clone_from(&state.volume_name);
    claim.storage_class.clone_from(&state.class);
    claim.access_mode = AccessMode::of_kubernetes(&state.access_modes);
    claim.capacity_bytes = match claim.source_id {
        None => bytes(state.capacity.as_ref()),
        // The claim of a share has its first capacity forever: no resizer looks after a static volume.
        Some(_) => before.capacity_bytes.max(bytes(state.capacity.as_ref())),
    };
    follow_size(claim, state);
    let mut events = Vec::new();
    enter(claim, phase_of(state), &mut events);
    follow_resize(claim, state);
    let grew = matches!((before.capacity_bytes, claim.capacity_bytes), (Some(old), Some(new)) if new > old);
    if grew {
        events.push(PvcEvent::of(claim, PvcEventKind::Resized));
    }
    if (claim.resize, &claim.resize_message) != (before.resize, &before.resize_message) {
        let event = PvcEvent::of(claim, PvcEventKind::ResizeChanged);
        events.push(PvcEvent { message: claim.resize_message.clone().or(event.message.clone()), ..event });
    }
    events
}

/// A size that was requested in the cluster itself is adopted; one that the platform has not sent yet is kept.
fn follow_size(claim: &mut Claim, state: &ClaimState) {
    // The claim of a share has the size that its source had when it was made.
    let Some(size) = requested(state).filter(|_| claim.source_id.is_none()) else { return };
    let is_pending = claim.sent_bytes < claim.size_bytes;
    if size.bytes > claim.size_bytes || (!is_pending && size.bytes != claim.size_bytes) {
        claim.size = size.text;
        claim.size_bytes = size.bytes;
    }
    claim.sent_bytes = claim.sent_bytes.max(size.bytes).min(claim.size_bytes);
}

fn enter(claim: &mut Claim, phase: PvcPhase, events: &mut Vec<PvcEvent>) {
    // What the platform is deleting is not bound again.
    let phase = if claim.delete_requested_at.is_some() { PvcPhase::Deleting } else { phase };
    let before = claim.phase;
    if phase == before {
        return;
    }
    claim.phase = phase;
    (claim.reason, claim.message) = match phase {
        PvcPhase::Lost => {
            (Some("VolumeGone".to_owned()), Some("The volume of the claim no longer exists in the cluster.".to_owned()))
        }
        PvcPhase::Submitted | PvcPhase::Pending | PvcPhase::Bound | PvcPhase::Failed | PvcPhase::Deleting => {
            (None, None)
        }
    };
    events.push(PvcEvent::of(claim, PvcEventKind::PhaseChanged).after(before));
}

fn follow_resize(claim: &mut Claim, state: &ClaimState) {
    let reached = claim.capacity_bytes.is_some_and(|capacity| capacity >= claim.size_bytes);
    (claim.resize, claim.resize_message) = match &state.resize {
        Some(ResizeStatus::InProgress) => (Some(Resize::InProgress), None),
        Some(ResizeStatus::WaitingForMount) => (Some(Resize::WaitingForMount), None),
        Some(ResizeStatus::Failed(why)) => (Some(Resize::Failed), Some(why.clone())),
        // A refusal of the cluster stays until the claim is as large as wanted, or another size is.
        None if claim.resize == Some(Resize::Failed) && !reached => return,
        None => (None, None),
    };
}

/// The object of a claim is not in the cluster any more.
pub fn gone(claim: &mut Claim, uid: Option<&str>) -> (Fate, Option<PvcEvent>) {
    if uid.is_some() && claim.object_uid.as_deref() != uid {
        return (Fate::Kept, None);
    }
    if claim.delete_requested_at.is_some() || !claim.is_managed() {
        return (Fate::Removed, Some(PvcEvent::of(claim, PvcEventKind::Deleted)));
    }
    let before = claim.phase;
    claim.object_uid = None;
    claim.object_version = None;
    claim.volume_name = None;
    claim.capacity_bytes = None;
    claim.next_attempt_at = None;
    claim.phase = PvcPhase::Lost;
    claim.reason = Some(DELETED.to_owned());
    claim.message = Some("Somebody deleted the claim in the cluster, and what was in it.".to_owned());
    (Fate::Kept, Some(PvcEvent::of(claim, PvcEventKind::PhaseChanged).after(before)))
}

/// The cluster tells something about a claim.
pub fn trouble(claim: &mut Claim, uid: Option<&str>, reason: &str, message: &str) -> Option<PvcEvent> {
    if claim.object_uid.as_deref() != uid {
        return None;
    }
    if reason == "VolumeResizeFailed" || reason == "FileSystemResizeFailed" {
        let told = Some(format!("The storage driver could not make the volume larger: {message}"));
        if claim.resize.is_none() || claim.resize_message == told {
            return None;
        }
        claim.resize_message = told;
        let event = PvcEvent::of(claim, PvcEventKind::ResizeChanged);
        return Some(PvcEvent { message: claim.resize_message.clone(), ..event });
    }
    if claim.phase != PvcPhase::Pending {
        return None;
    }
    let told = sentence(reason, message)?;
    if claim.message.as_ref() == Some(&told) {
        return None;
    }
    claim.reason = Some(reason.to_owned());
    claim.message = Some(told);
    Some(PvcEvent::of(claim, PvcEventKind::PhaseChanged))
}

/// Why a claim waits for its volume. `None` for events that explain nothing.
fn sentence(reason: &str, message: &str) -> Option<String> {
    Some(match reason {
        "WaitForFirstConsumer" => {
            "The volume is created when the first pod that mounts it is placed on a node.".to_owned()
        }
        "WaitForPodScheduled" => "The volume is created when the pod that mounts it is placed on a node.".to_owned(),
        "Provisioning" | "ExternalProvisioning" => "Waiting for the storage driver to create the volume.".to_owned(),
        "FailedBinding" if message.contains("no storage class is set") => {
            "No volume in the cluster fits, and the cluster has no default storage class.".to_owned()
        }
        "ProvisioningFailed" if message.contains("storageclass") && message.contains("not found") => {
            format!("The storage class does not exist: {message}")
        }
        "ProvisioningFailed" if message.contains("topology") => {
            format!("No node has the topology that the storage class requires: {message}")
        }
        "ProvisioningFailed" | "ProvisionFailed" => {
            format!("The storage driver could not create the volume: {message}")
        }
        "FailedBinding" | "VolumeMismatch" | "ClaimMisbound" => {
            format!("The claim could not be bound to a volume: {message}")
        }
        _ => return None,
    })
}

/// The cluster has rejected the claim, which is final.
pub fn refused(claim: &mut Claim, reason: &str, message: String) -> Vec<PvcEvent> {
    let before = claim.phase;
    claim.phase = PvcPhase::Failed;
    claim.reason = Some(reason.to_owned());
    claim.message = Some(message);
    claim.next_attempt_at = None;
    vec![PvcEvent::of(claim, PvcEventKind::PhaseChanged).after(before)]
}

/// The cluster has rejected a larger size: the claim keeps the one that it has.
pub fn resize_refused(claim: &mut Claim, why: String) -> Vec<PvcEvent> {
    claim.size_bytes = claim.sent_bytes;
    claim.size = Quantity::of_bytes(claim.sent_bytes).as_str().to_owned();
    claim.resize = Some(Resize::Failed);
    claim.resize_message = Some(why.clone());
    claim.next_attempt_at = None;
    vec![PvcEvent { message: Some(why), ..PvcEvent::of(claim, PvcEventKind::ResizeChanged) }]
}

/// The claim has to wait for the cluster.
pub fn waits(claim: &mut Claim, reason: &str, message: String) -> Vec<PvcEvent> {
    if claim.message.as_ref() == Some(&message) {
        return Vec::new();
    }
    claim.reason = Some(reason.to_owned());
    claim.message = Some(message);
    vec![PvcEvent::of(claim, PvcEventKind::PhaseChanged)]
}

#[cfg(test)]
#[path = "life_tests.rs"]
pub(super) mod tests;
