//! Fields that a client sets, each checked and written into a draft's tasks.

use std::collections::{BTreeMap, HashSet};

use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec, PodTemplateSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;

use super::{Draft, GPU, MAX_TASKS, TaskGroup};
use crate::cluster::image::ImageReference;
use crate::error::{ApiError, Problems};
use crate::graphql::scalars::Quantity;
use crate::jobs::input::{EnvVarInput, JobOverridesInput, MountInput, ResourcesInput};

/// Environment variables with this prefix are the platform's own.
const RESERVED_ENV: &str = "PLATFORM_";
const MAX_RETRIES: i32 = 10;
const MAX_GPUS: i32 = 64;

/// A task with one empty container.
pub(super) fn bare_task() -> PodTemplateSpec {
    let container = Container { name: "main".to_owned(), ..Container::default() };
    PodTemplateSpec {
        spec: Some(PodSpec { containers: vec![container], ..PodSpec::default() }),
        ..PodTemplateSpec::default()
    }
}

/// Writes `changes` into `draft`; what is not acceptable is noted under `root` and left out.
pub(super) fn apply(draft: &mut Draft, changes: JobOverridesInput, root: &str, problems: &mut Problems) {
    let at = |field: &str| format!("{root}.{field}");
    let image = changes.image.and_then(|image| {
        let parsed =
            image.parse::<ImageReference>().map_err(|error| ApiError::bad_input(at("image"), error.to_string()));
        problems.take(parsed)
    });
    if let Some(image) = &image {
        let path = image.repository();
        draft.name.get_or_insert_with(|| dns_name(path.rsplit('/').next().unwrap_or(path)));
    }
    if let Some(path) = &changes.working_dir {
        problems.take(absolute_path(path, &at("workingDir")));
    }
    let env = changes.env.map(|variables| env(variables, &at("env"), problems));
    let resources = changes.resources.map(|wanted| resources(wanted, &at("resources"), problems));
    mounts(changes.mounts.as_deref().unwrap_or_default(), &at("mounts"), problems);

    for group in &mut draft.tasks {
        let Some(container) = group.template.spec.as_mut().and_then(|pod| pod.containers.first_mut()) else { continue };
        if let Some(image) = &image {
            container.image = Some(image.as_str().to_owned());
        }
        if changes.command.is_some() {
            container.command.clone_from(&changes.command);
        }
        if changes.args.is_some() {
            container.args.clone_from(&changes.args);
        }
        if changes.working_dir.is_some() {
            container.working_dir.clone_from(&changes.working_dir);
        }
        if let Some(env) = &env {
            let kept = container.env.take().unwrap_or_default();
            let kept = kept.into_iter().filter(|old| env.iter().all(|new| new.name != old.name));
            container.env = Some(kept.chain(env.iter().cloned()).collect());
        }
        if let Some(resources) = &resources {
            container.resources = Some(resources.clone());
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

fn size(draft: &mut Draft, replicas: Option<i32>, gang: Option<i32>, root: &str, problems: &mut Problems) {
    if let Some(replicas) = replicas {
        let field = format!("{root}.replicas");
        if !(1..=MAX_TASKS).contains(&replicas) {
            problems.push(ApiError::bad_input(field, format!("replicas was {replicas}; it may be 1 to {MAX_TASKS}")));
        } else if draft.tasks.len() > 1 {
            let count = draft.task_count();
            problems.push(ApiError::bad_input(
                field,
                format!("the config has {count} different tasks; replicas can be set only where all are equal"),
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
                format!("minAvailable was {gang}; it may be 1 to {count}, the number of tasks"),
            ));
        }
    } else if replicas.is_some() {
        // A gang of the old size means nothing for the new one.
        draft.min_available = None;
    }
}

fn rules(draft: &mut Draft, [deadline, ttl, retries]: [Option<i32>; 3], root: &str, problems: &mut Problems) {
    let mut checked = |name: &str, value: Option<i32>, least: i32, most: i32| {
        let value = value?;
        if (least..=most).contains(&value) {
            return Some(value);
        }
        let message = format!("{name} was {value}; it may be {least} to {most}");
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

fn env(variables: Vec<EnvVarInput>, root: &str, problems: &mut Problems) -> Vec<EnvVar> {
    let mut seen = HashSet::new();
    for (index, EnvVarInput { name, .. }) in variables.iter().enumerate() {
        let legal = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let problem = if !legal {
            "is not a legal name: use letters, digits and \"_\", not beginning with a digit"
        } else if name.starts_with(RESERVED_ENV) {
            "begins with PLATFORM_, which is the platform's own"
        } else if !seen.insert(name) {
            "is given twice"
        } else {
            continue;
        };
        let shown: String = name.chars().take(80).collect();
        problems.push(ApiError::bad_input(format!("{root}[{index}].name"), format!("\"{shown}\" {problem}")));
    }
    variables
        .into_iter()
        .map(|variable| EnvVar { name: variable.name, value: Some(variable.value), value_from: None })
        .collect()
}

fn resources(wanted: ResourcesInput, root: &str, problems: &mut Problems) -> ResourceRequirements {
    let mut requests = BTreeMap::new();
    let mut limits = BTreeMap::new();
    let mut pair = |name: &str, asked: Option<Quantity>, field: &str, allowed: Option<Quantity>, limit_field: &str| {
        for (quantity, field) in [(&asked, field), (&allowed, limit_field)] {
            if let Some(Quantity(amount)) = quantity
                && (amount.is_negative() || amount.is_zero())
            {
                let message = format!("{field} was {amount}; it must be more than 0");
                problems.push(ApiError::bad_input(format!("{root}.{field}"), message));
            }
        }
        if let (Some(Quantity(asked)), Some(Quantity(allowed))) = (&asked, &allowed)
            && asked > allowed
        {
            let message = format!("{limit_field} was {allowed}; it may not be less than {field}, which is {asked}");
            problems.push(ApiError::bad_input(format!("{root}.{limit_field}"), message));
        }
        if let Some(Quantity(amount)) = asked {
            requests.insert(name.to_owned(), ApiQuantity(amount.to_string()));
        }
        if let Some(Quantity(amount)) = allowed {
            limits.insert(name.to_owned(), ApiQuantity(amount.to_string()));
        }
    };
    pair("cpu", wanted.cpu, "cpu", wanted.cpu_limit, "cpuLimit");
    // Memory cannot be taken back from a task that has it: what is reserved is the limit unless one is given.
    let memory_limit = wanted.memory_limit.or_else(|| wanted.memory.clone());
    pair("memory", wanted.memory, "memory", memory_limit, "memoryLimit");
    match wanted.gpu {
        None | Some(0) => {}
        Some(gpu) if (1..=MAX_GPUS).contains(&gpu) => {
            // Kubernetes wants GPUs asked for and limited alike.
            requests.insert(GPU.to_owned(), ApiQuantity(gpu.to_string()));
            limits.insert(GPU.to_owned(), ApiQuantity(gpu.to_string()));
        }
        Some(gpu) => problems.push(ApiError::bad_input(
            format!("{root}.gpu"),
            format!("gpu was {gpu}; it may be 0 to {MAX_GPUS} for one task"),
        )),
    }
    ResourceRequirements {
        requests: (!requests.is_empty()).then_some(requests),
        limits: (!limits.is_empty()).then_some(limits),
        claims: None,
    }
}

/// Every path is checked; every claim is refused, because the platform knows no storage claims yet.
fn mounts(mounts: &[MountInput], root: &str, problems: &mut Problems) {
    let mut paths = HashSet::new();
    for (index, mount) in mounts.iter().enumerate() {
        let field = format!("{root}[{index}].path");
        if problems.take(absolute_path(&mount.path, &field)).is_some()
            && !paths.insert(mount.path.trim_end_matches('/'))
        {
            problems.push(ApiError::bad_input(field, format!("\"{}\" is mounted twice", mount.path)));
        }
        let shown: String = mount.claim.chars().take(80).collect();
        problems.push(ApiError::not_found("storage claim", shown).at(format!("{root}[{index}].claim")));
    }
}

fn absolute_path(path: &str, field: &str) -> Result<(), ApiError> {
    if path.starts_with('/') && path.len() <= 4096 && path.split('/').all(|part| part != "..") && !path.contains('\0') {
        return Ok(());
    }
    let shown: String = path.chars().take(80).collect();
    let message = format!("\"{shown}\" is not an absolute path without \"..\"");
    Err(ApiError::bad_input(field.to_owned(), message))
}

/// `text` as a DNS label: what does not fit becomes "-".
pub(super) fn dns_name(text: &str) -> String {
    let name: String = text
        .chars()
        .take(crate::cluster::names::MAX_LABEL)
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "job".to_owned() } else { name.to_owned() }
}
