//! A job before it is submitted: its pod templates and rules, checked field by field.

mod changes;
pub mod manifest;
mod payload;
pub mod safety;

use k8s_openapi::api::core::v1::PodTemplateSpec;

use crate::error::{ApiErrors, Problems};
use crate::jobs::input::{JobOverridesInput, JobSpecInput};

pub use manifest::Placement;
pub use payload::from_yaml;

/// Tasks of one job at most: the definition of FlashJob has the same limit.
pub const MAX_TASKS: i32 = 256;
/// The resource a GPU is asked for as.
pub const GPU: &str = "nvidia.com/gpu";

/// A job as it would be submitted.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// A name, where the source has one.
    pub name: Option<String>,
    /// One pod template a task.
    pub tasks: Vec<PodTemplateSpec>,
    /// How many must be able to start together; all when `None`.
    pub min_available: Option<i32>,
    /// Seconds it may run.
    pub deadline_seconds: Option<i64>,
    /// Seconds its objects are kept after its end.
    pub ttl_seconds: Option<i64>,
    /// How often it is started anew after a failure.
    pub retries: i32,
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
        let mut draft = Self { tasks: vec![changes::bare_task()], ..Self::default() };
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
        i32::try_from(self.tasks.len()).unwrap_or(i32::MAX)
    }

    /// What all tasks ask for together: requests, or limits where only those are given, as Kubernetes counts.
    pub fn demand(&self) -> Demand {
        let mut sum = Demand::default();
        for container in self.tasks.iter().flat_map(|task| task.spec.iter()).flat_map(|pod| &pod.containers) {
            let Some(resources) = &container.resources else { continue };
            let amount = |name: &str| {
                let asked = resources.requests.as_ref().and_then(|list| list.get(name));
                let allowed = resources.limits.as_ref().and_then(|list| list.get(name));
                asked.or(allowed).and_then(|quantity| quantity.0.parse::<crate::quantity::Quantity>().ok())
            };
            sum.gpu = sum.gpu.saturating_add(amount(GPU).map_or(0, |gpu| narrow(gpu.units())));
            sum.cpu_millis = sum.cpu_millis.saturating_add(amount("cpu").map_or(0, |cpu| narrow(cpu.millis())));
            sum.memory_bytes =
                sum.memory_bytes.saturating_add(amount("memory").map_or(0, |memory| narrow(memory.units())));
        }
        sum
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
