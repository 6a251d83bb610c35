//! Writes the fields that a client sets into a draft's tasks.
//!
//! The resulting pods are checked afterwards, whatever their source ([`check`](super::check())). Here only values that
//! never become part of a pod are checked: numbers of tasks, deadlines, and the ranges of the input's own fields.

use std::collections::HashMap;

use k8s_openapi::api::core::v1::{
    Container, EnvVar, PersistentVolumeClaimVolumeSource, PodSpec, PodTemplateSpec, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;

use super::origins::{Door, Origins};
use super::{Draft, GPU, MAX_TASKS, TaskGroup};
use crate::cluster::image::ImageReference;
use crate::cluster::pod_rules;
use crate::error::{ApiError, Problems};
use crate::graphql::names::shown;
use crate::graphql::scalars::Quantity;
use crate::jobs::input::{EnvVarInput, JobOverridesInput, MountInput, ResourcesInput};
use crate::quantity::Quantity as Amount;

const MAX_RETRIES: i32 = 10;
const MAX_GPUS: i32 = 64;
/// Maximum size of a change when written into all its tasks, in bytes: more than any cluster accepts.
const MAX_WRITTEN: usize = 8 * 1024 * 1024;

/// A task with one empty container.
pub(super) fn bare_task() -> PodTemplateSpec {
    let container = Container { name: "main".to_owned(), ..Container::default() };
    PodTemplateSpec {
        spec: Some(PodSpec { containers: vec![container], ..PodSpec::default() }),
        ..PodTemplateSpec::default()
    }
}

/// Writes `changes`, given in the input part `door`, into `draft`; a value that is out of range is reported and left
/// out.
pub(super) fn apply(draft: &mut Draft, changes: JobOverridesInput, door: Door, problems: &mut Problems) {
    let root = door.root();
    let at = |field: &str| format!("{root}.{field}");
    if let Some(image) = changes.image.as_ref().and_then(|image| image.parse::<ImageReference>().ok()) {
        let path = image.repository();
        draft.name.get_or_insert_with(|| dns_name(path.rsplit('/').next().unwrap_or(path)));
    }
    let mounts = changes.mounts.as_deref().unwrap_or_default();
    not_nested(mounts, draft, &at("mounts"), problems);
    let resources = changes.resources.as_ref().map(|wanted| in_range(wanted, &at("resources"), problems));

    let bytes = written(&changes).saturating_mul(draft.tasks.len());
    if bytes > MAX_WRITTEN {
        let count = draft.tasks.len();
        let message = format!(
            "the changes have {bytes} bytes when they are written into {count} different tasks; at most {MAX_WRITTEN} are allowed"
        );
        problems.push(ApiError::bad_input(root, message));
        return;
    }
    draft.origins.resize_with(draft.tasks.len(), Origins::default);
    for (group, origins) in draft.tasks.iter_mut().zip(&mut draft.origins) {
        let Some(container) = group.template.spec.as_mut().and_then(|pod| pod.containers.first_mut()) else { continue };
        if let Some(image) = &changes.image {
            container.image = Some(image.clone());
            origins.set("image", door, "image");
        }
        if changes.command.is_some() {
            container.command.clone_from(&changes.command);
            origins.set("command", door, "command");
        }
        if changes.args.is_some() {
            container.args.clone_from(&changes.args);
            origins.set("args", door, "args");
        }
        if changes.working_dir.is_some() {
            container.working_dir.clone_from(&changes.working_dir);
            origins.set("workingDir", door, "workingDir");
        }
        if let Some(env) = &changes.env {
            merge_env(container.env.get_or_insert_default(), env, origins, door);
        }
        if let Some(resources) = &resources {
            merge_resources(container, resources, origins, door);
        }
        if let Some(pod) = &mut group.template.spec {
            add_mounts(pod, mounts, origins, door);
        }
    }
    size(draft, changes.replicas, changes.min_available, root, problems);
    rules(
        draft,
        [changes.active_deadline_seconds, changes.ttl_seconds_after_finished, changes.retries],
        root,
        problems,
    );
}

/// Size of the strings that are written into each task, in bytes.
fn written(changes: &JobOverridesInput) -> usize {
    let list = |list: &Option<Vec<String>>| list.iter().flatten().map(|text| text.len() + 24).sum::<usize>();
    let env =
        changes.env.iter().flatten().map(|variable| variable.name.len() + variable.value.len() + 64).sum::<usize>();
    let mounts = changes.mounts.iter().flatten().map(|mount| mount.claim.len() + mount.path.len() + 256).sum::<usize>();
    let one = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    list(&changes.command) + list(&changes.args) + env + mounts + one(&changes.image) + one(&changes.working_dir)
}

fn size(draft: &mut Draft, replicas: Option<i32>, gang: Option<i32>, root: &str, problems: &mut Problems) {
    if let Some(replicas) = replicas {
        let field = format!("{root}.replicas");
        if !(1..=MAX_TASKS).contains(&replicas) {
            problems.push(ApiError::bad_input(
                field,
                format!("replicas was {replicas}; it must be between 1 and {MAX_TASKS}"),
            ));
        } else if draft.tasks.len() > 1 {
            let count = draft.task_count();
            problems.push(ApiError::bad_input(
                field,
                format!("the config has {count} different tasks; replicas can be set only if all are equal"),
            ));
        } else if let Some(TaskGroup { count, .. }) = draft.tasks.first_mut() {
            *count = usize::try_from(replicas).unwrap_or(1);
        }
    }
    if let Some(gang) = gang {
        let count = draft.task_count();
        if (1..=count).contains(&gang) {
            draft.min_available = Some(gang);
        } else {
            problems.push(ApiError::bad_input(
                format!("{root}.minAvailable"),
                match count {
                    1 => format!("minAvailable was {gang}; it must be 1, the number of tasks"),
                    _ => format!("minAvailable was {gang}; it must be between 1 and {count}, the number of tasks"),
                },
            ));
        }
    } else if replicas.is_some() {
        // The gang size of the old number of tasks means nothing for the new one.
        draft.min_available = None;
    }
}

fn rules(draft: &mut Draft, [deadline, ttl, retries]: [Option<i32>; 3], root: &str, problems: &mut Problems) {
    let mut checked = |name: &str, value: Option<i32>, least: i32, most: i32| {
        let value = value?;
        if (least..=most).contains(&value) {
            return Some(value);
        }
        let message = format!("{name} was {value}; it must be between {least} and {most}");
        problems.push(ApiError::bad_input(format!("{root}.{name}"), message));
        None
    };
    if let Some(seconds) = checked("activeDeadlineSeconds", deadline, 1, i32::MAX) {
        draft.deadline_seconds = Some(i64::from(seconds));
    }
    if let Some(seconds) = checked("ttlSecondsAfterFinished", ttl, 0, i32::MAX) {
        draft.ttl_seconds = Some(i64::from(seconds));
    }
    if let Some(retries) = checked("retries", retries, 0, MAX_RETRIES) {
        draft.retries = retries;
    }
}

/// An existing variable gets the new value in its place, because those after it may refer to it; a new one is appended.
/// A variable that is given twice is written twice, which the check of the pod reports.
fn merge_env(env: &mut Vec<EnvVar>, new: &[EnvVarInput], origins: &mut Origins, door: Door) {
    let mut before = HashMap::with_capacity(env.len());
    for (index, variable) in env.iter().enumerate() {
        before.entry(variable.name.clone()).or_insert(index);
    }
    for (place, EnvVarInput { name, value }) in new.iter().enumerate() {
        let variable = EnvVar { name: name.clone(), value: Some(value.clone()), value_from: None };
        let index = match before.remove(name) {
            Some(index) => index,
            None => env.len(),
        };
        match env.get_mut(index) {
            Some(old) => *old = variable,
            None => env.push(variable),
        }
        origins.set_variable(index, door, place);
    }
}

/// The resources of the input without those that are out of range.
fn in_range(wanted: &ResourcesInput, root: &str, problems: &mut Problems) -> ResourcesInput {
    let mut wanted = wanted.clone();
    let fields = [
        ("cpu", &mut wanted.cpu),
        ("memory", &mut wanted.memory),
        ("cpuLimit", &mut wanted.cpu_limit),
        ("memoryLimit", &mut wanted.memory_limit),
    ];
    for (field, quantity) in fields {
        // Invalid amounts are reported with the pods that they are written into.
        if let Some(Quantity(written)) = quantity
            && let Ok(amount) = written.parse::<Amount>()
            && (amount.is_zero() || amount.is_negative())
        {
            let message = format!("{field} was {amount}; it must be greater than 0");
            problems.push(ApiError::bad_input(format!("{root}.{field}"), message));
            *quantity = None;
        }
    }
    if let Some(gpu) = wanted.gpu.filter(|gpu| !(0..=MAX_GPUS).contains(gpu)) {
        let message = format!("gpu was {gpu}; it must be between 0 and {MAX_GPUS} for one task");
        problems.push(ApiError::bad_input(format!("{root}.gpu"), message));
        wanted.gpu = None;
    }
    wanted
}

/// Overrides the amounts that are given; all others stay.
fn merge_resources(container: &mut Container, wanted: &ResourcesInput, origins: &mut Origins, door: Door) {
    let resources = container.resources.get_or_insert_default();
    let mut requests = resources.requests.take().unwrap_or_default();
    let mut limits = resources.limits.take().unwrap_or_default();
    let mut set = |list: &str, name: &str, amount: Option<ApiQuantity>, field: &'static str| {
        let amounts = if list == "limits" { &mut limits } else { &mut requests };
        let path = format!("resources.{list}{}", pod_rules::key_step(name));
        match amount {
            Some(amount) => {
                amounts.insert(name.to_owned(), amount);
                origins.set(path, door, field);
            }
            None => {
                amounts.remove(name);
                origins.forget(&path);
            }
        }
    };
    let written = |Quantity(amount): &Quantity| Some(ApiQuantity(amount.clone()));
    if let Some(cpu) = &wanted.cpu {
        set("requests", "cpu", written(cpu), "resources.cpu");
    }
    if let Some(cpu) = &wanted.cpu_limit {
        set("limits", "cpu", written(cpu), "resources.cpuLimit");
    }
    if let Some(memory) = &wanted.memory {
        set("requests", "memory", written(memory), "resources.memory");
    }
    if let Some(memory) = &wanted.memory_limit {
        set("limits", "memory", written(memory), "resources.memoryLimit");
    }
    match wanted.gpu {
        None => {}
        Some(0) => ["requests", "limits"].into_iter().for_each(|list| set(list, GPU, None, "resources.gpu")),
        // Kubernetes requires equal requests and limits for GPUs.
        Some(gpu) => {
            for list in ["requests", "limits"] {
                set(list, GPU, Some(ApiQuantity(gpu.to_string())), "resources.gpu");
            }
        }
    }
    // Memory cannot be taken back from a running task, so the limit is equal to the request unless one is given.
    if let (Some(memory), None) = (&wanted.memory, &wanted.memory_limit)
        && (!limits.contains_key("memory") || origins.field("resources.limits.memory") == Some("resources.memory"))
    {
        limits.insert("memory".to_owned(), ApiQuantity(memory.0.clone()));
        origins.set("resources.limits.memory", door, "resources.memory");
    }
    resources.requests = (!requests.is_empty()).then_some(requests);
    resources.limits = (!limits.is_empty()).then_some(limits);
    if resources.requests.is_none() && resources.limits.is_none() && resources.claims.is_none() {
        container.resources = None;
    }
}

/// A claim that is mounted inside another volume hides a part of it, or is hidden, depending on the order of mounting.
fn not_nested(mounts: &[MountInput], draft: &Draft, root: &str, problems: &mut Problems) {
    let pods = draft.tasks.first().and_then(|group| group.template.spec.as_ref());
    let container = pods.and_then(|pod| pod.containers.first());
    let existing = container.iter().flat_map(|container| container.volume_mounts.iter().flatten());
    let existing: Vec<&str> = existing.map(|mount| mount.mount_path.as_str()).collect();
    let is_inside = |path: &str, other: &str| {
        path.strip_prefix(other.trim_end_matches('/')).is_some_and(|rest| rest.trim_end_matches('/').starts_with('/'))
    };
    for (index, mount) in mounts.iter().enumerate() {
        let others = mounts.iter().enumerate().filter(|(other, _)| *other != index);
        let others = others.map(|(_, other)| other.path.as_str()).chain(existing.iter().copied());
        let outer = others
            .filter(|other| other.trim_end_matches('/').starts_with('/'))
            .find(|other| is_inside(&mount.path, other));
        if let Some(outer) = outer {
            let message = format!(
                "path was {}, which is inside {}, where another volume is mounted",
                shown(&mount.path),
                shown(outer)
            );
            problems.push(ApiError::bad_input(format!("{root}.{index}.path"), message));
        }
    }
}

/// Adds a volume and a mount for each claim. The claims themselves are looked up later ([`super::claims`]).
fn add_mounts(pod: &mut PodSpec, mounts: &[MountInput], origins: &mut Origins, door: Door) {
    for (place, mount) in mounts.iter().enumerate() {
        let read_only = mount.read_only.unwrap_or(false).then_some(true);
        let volumes = pod.volumes.get_or_insert_default();
        let is_free = |name: &String| volumes.iter().all(|volume| volume.name != *name);
        let Some(name) = (volumes.len()..).map(|number| format!("claim-{number}")).find(is_free) else { continue };
        origins.set_volume(volumes.len(), door, place);
        volumes.push(Volume {
            name: name.clone(),
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name: mount.claim.clone(),
                read_only,
            }),
            ..Volume::default()
        });
        let Some(container) = pod.containers.first_mut() else { continue };
        let list = container.volume_mounts.get_or_insert_default();
        origins.set_mount(list.len(), door, place);
        list.push(VolumeMount { name, mount_path: mount.path.clone(), read_only, ..VolumeMount::default() });
    }
}

/// `text` as a DNS label: characters that are not allowed become "-".
pub(super) fn dns_name(text: &str) -> String {
    let name: String = text
        .chars()
        .take(crate::cluster::names::MAX_LABEL)
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "job".to_owned() } else { name.to_owned() }
}
