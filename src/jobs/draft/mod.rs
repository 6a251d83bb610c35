//! A job before it is submitted: its pod templates and rules, checked field by field.

mod changes;
pub mod manifest;
mod payload;
pub mod safety;

use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};

pub use crate::cluster::safety::GPU;
use crate::error::{ApiErrors, Problems};
use crate::jobs::input::{JobOverridesInput, JobSpecInput};

pub use manifest::Placement;
pub use payload::from_yaml;

/// Tasks of one job at most: the definition of FlashJob has the same limit.
pub const MAX_TASKS: i32 = crate::cluster::objects::MAX_TASKS;

/// A job as it would be submitted.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// A name, where the source has one.
    pub name: Option<String>,
    /// Its tasks in order, equal ones that stand side by side kept once.
    pub tasks: Vec<TaskGroup>,
    /// How many must be able to start together; all when `None`.
    pub min_available: Option<i32>,
    /// Seconds it may run.
    pub deadline_seconds: Option<i64>,
    /// Seconds its objects are kept after its end.
    pub ttl_seconds: Option<i64>,
    /// How often it is started anew after a failure.
    pub retries: i32,
    /// Whether each task is told its number, as the pods of an Indexed Job are.
    pub indexed: bool,
}

/// Equal tasks that stand side by side: one template however many there are.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskGroup {
    /// The pod of each.
    pub template: PodTemplateSpec,
    /// How many there are, at least 1.
    pub count: usize,
}

impl TaskGroup {
    /// Tasks in order, those that are equal and stand side by side as one group.
    pub fn of_tasks(tasks: impl IntoIterator<Item = PodTemplateSpec>) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for template in tasks {
            match groups.last_mut() {
                Some(last) if last.template == template => last.count += 1,
                _ => groups.push(Self { template, count: 1 }),
            }
        }
        groups
    }
}

/// What all tasks of a job ask for together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand {
    /// Whole GPUs.
    pub gpu: i64,
    /// Thousandths of a CPU.
    pub cpu_millis: i64,
    /// Bytes of memory.
    pub memory_bytes: i64,
}

impl Draft {
    /// The draft a spec describes.
    ///
    /// # Errors
    /// Every field that is not acceptable, under `input.spec`.
    pub fn from_spec(spec: JobSpecInput) -> Result<Self, ApiErrors> {
        let mut draft = Self { tasks: TaskGroup::of_tasks([changes::bare_task()]), ..Self::default() };
        draft.apply(overrides_of(spec), "input.spec")?;
        Ok(draft)
    }

    /// Changes the draft as the overrides say.
    ///
    /// # Errors
    /// Every field that is not acceptable, under `input.overrides`.
    pub fn override_with(&mut self, overrides: JobOverridesInput) -> Result<(), ApiErrors> {
        self.apply(overrides, "input.overrides")
    }

    fn apply(&mut self, changes: JobOverridesInput, root: &str) -> Result<(), ApiErrors> {
        let mut problems = Problems::default();
        changes::apply(self, changes, root, &mut problems);
        problems.finish()
    }

    /// How many tasks must be able to start together.
    pub fn gang(&self) -> i32 {
        self.min_available.unwrap_or_else(|| self.task_count())
    }

    /// How many tasks there are.
    pub fn task_count(&self) -> i32 {
        i32::try_from(self.tasks.iter().map(|group| group.count).sum::<usize>()).unwrap_or(i32::MAX)
    }

    /// What all tasks ask for together: requests, or limits where only those are given, as Kubernetes counts.
    pub fn demand(&self) -> Demand {
        let of_group = |group: &TaskGroup| {
            group.template.spec.as_ref().map_or_else(Demand::default, |pod| Demand::of_pod(pod).times(group.count))
        };
        self.tasks.iter().map(of_group).fold(Demand::default(), Demand::and)
    }
}

impl Demand {
    /// What a pod is placed by: its containers together, or the largest of those that run one after the other before them.
    /// <https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers>
    fn of_pod(pod: &PodSpec) -> Self {
        let mut beside = Self::default();
        let mut largest = Self::default();
        for container in pod.init_containers.iter().flatten() {
            let its = Self::of_container(container);
            if container.restart_policy.as_deref() == Some("Always") {
                beside = beside.and(its);
                largest = largest.or(beside);
            } else {
                largest = largest.or(beside.and(its));
            }
        }
        let together = pod.containers.iter().fold(beside, |sum, container| sum.and(Self::of_container(container)));
        together.or(largest)
    }

    fn of_container(container: &Container) -> Self {
        let Some(resources) = &container.resources else { return Self::default() };
        let amount = |name: &str| {
            let asked = resources.requests.as_ref().and_then(|list| list.get(name));
            let allowed = resources.limits.as_ref().and_then(|list| list.get(name));
            asked.or(allowed).and_then(|quantity| quantity.0.parse::<crate::quantity::Quantity>().ok())
        };
        Self {
            gpu: amount(GPU).map_or(0, |gpu| narrow(gpu.units())),
            cpu_millis: amount("cpu").map_or(0, |cpu| narrow(cpu.millis())),
            memory_bytes: amount("memory").map_or(0, |memory| narrow(memory.units())),
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            gpu: self.gpu.saturating_add(other.gpu),
            cpu_millis: self.cpu_millis.saturating_add(other.cpu_millis),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
        }
    }

    fn times(self, count: usize) -> Self {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        Self {
            gpu: self.gpu.saturating_mul(count),
            cpu_millis: self.cpu_millis.saturating_mul(count),
            memory_bytes: self.memory_bytes.saturating_mul(count),
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            gpu: self.gpu.max(other.gpu),
            cpu_millis: self.cpu_millis.max(other.cpu_millis),
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
        }
    }
}

fn overrides_of(spec: JobSpecInput) -> JobOverridesInput {
    JobOverridesInput {
        image: Some(spec.image),
        command: spec.command,
        args: spec.args,
        working_dir: spec.working_dir,
        env: spec.env,
        resources: spec.resources,
        mounts: spec.mounts,
        replicas: spec.replicas,
        min_available: spec.min_available,
        active_deadline_seconds: spec.active_deadline_seconds,
        ttl_seconds_after_finished: spec.ttl_seconds_after_finished,
        retries: spec.retries,
    }
}

fn narrow(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or(if amount < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_of_init_containers_count_too() {
        let asks = |name: &str, gpus: &str, policy: Option<&str>| serde_json::json!({ "name": name, "image": "a", "restartPolicy": policy, "resources": { "limits": { GPU: gpus } } });
        let pod = serde_json::json!({
            "initContainers": [asks("first", "5", None), asks("sidecar", "1", Some("Always")), asks("second", "2", None)],
            "containers": [asks("main", "2", None), asks("other", "1", None)],
        });
        let spec = serde_json::from_value(pod).unwrap();
        let task = PodTemplateSpec { metadata: None, spec: Some(spec) };
        let draft = Draft { tasks: TaskGroup::of_tasks([task.clone(), task]), ..Draft::default() };
        // Each: five at first, then three and the sidecar's one.
        assert_eq!(draft.demand().gpu, 10);
    }
}
