//! A job before it is submitted: its pod templates and settings are assembled and then checked as they would run.

mod again;
mod changes;
mod check;
pub mod claims;
pub mod manifest;
mod origins;
mod payload;
pub(crate) mod safety;

use k8s_openapi::api::core::v1::PodTemplateSpec;

use crate::cluster::namespaces;
use crate::cluster::pod_resources::{self, Amounts, NANOS};
pub use crate::cluster::safety::GPU;
use crate::config::GpuResources;
use crate::error::{ApiErrors, Problems};
use crate::jobs::input::{JobOverridesInput, JobSpecInput};

pub use check::check;
pub use manifest::Placement;
pub use origins::Door;
use origins::Origins;
pub(crate) use payload::draft_of;
pub use payload::{Filled, from_template, from_yaml};

/// Maximum number of tasks in a job: the definition of FlashJob has the same limit.
pub const MAX_TASKS: i32 = crate::cluster::objects::MAX_TASKS;

/// A job as it would be submitted.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// A name, if the source has one.
    pub name: Option<String>,
    /// Its tasks in order; equal adjacent ones are stored once.
    pub tasks: Vec<TaskGroup>,
    /// How many must be able to start together; all if `None`.
    pub min_available: Option<i32>,
    /// Maximum run time, in seconds.
    pub deadline_seconds: Option<i64>,
    /// Seconds that its objects are kept after it ends.
    pub ttl_seconds: Option<i64>,
    /// Maximum number of retries after a failure.
    pub retries: i32,
    /// Whether each task gets its index, like the pods of an Indexed Job.
    pub indexed: bool,
    /// The origins of each group of tasks.
    origins: Vec<Origins>,
}

/// Equal adjacent tasks: one template for all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskGroup {
    /// The pod template.
    pub template: PodTemplateSpec,
    /// The number of tasks, at least 1.
    pub count: usize,
}

impl TaskGroup {
    /// Groups equal adjacent tasks.
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

/// The requests of all tasks of a job together.
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
    /// The draft for a spec. Only the spec's own fields are checked: [`check()`] says whether its pods can run.
    ///
    /// # Errors
    /// Every invalid field, under `input.source.spec`.
    pub fn from_spec(spec: JobSpecInput) -> Result<Self, ApiErrors> {
        let mut problems = Problems::default();
        let draft = Self::of_spec(spec, &mut problems);
        problems.finish().map(|()| draft)
    }

    /// The draft for a spec, without the invalid fields: they are reported where the spec is in the input.
    pub fn of_spec(spec: JobSpecInput, problems: &mut Problems) -> Self {
        let mut draft = Self { tasks: TaskGroup::of_tasks([changes::bare_task()]), ..Self::default() };
        changes::apply(&mut draft, overrides_of(spec), Door::Spec, problems);
        draft
    }

    /// Applies overrides to the draft. Only the overrides' own fields are checked: [`check()`] says whether the pods can
    /// run.
    ///
    /// # Errors
    /// Every invalid field, under `input.overrides`.
    pub fn override_with(&mut self, overrides: JobOverridesInput) -> Result<(), ApiErrors> {
        let mut problems = Problems::default();
        changes::apply(self, overrides, Door::Overrides, &mut problems);
        problems.finish()
    }

    /// How many tasks must be able to start together.
    pub fn gang(&self) -> i32 {
        self.min_available.unwrap_or_else(|| self.task_count())
    }

    /// The number of tasks.
    pub fn task_count(&self) -> i32 {
        i32::try_from(self.tasks.iter().map(|group| group.count).sum::<usize>()).unwrap_or(i32::MAX)
    }

    /// The requests of all tasks together, as the quota of their namespace counts them. Fractions of GPUs are rounded up for the job as a
    /// whole.
    pub fn demand(&self, gpus: &GpuResources) -> Demand {
        let (mut together, defaults) = (Amounts::new(), namespaces::default_requests());
        for group in &self.tasks {
            let Some(pod) = &group.template.spec else { continue };
            let count = i128::try_from(group.count).unwrap_or(i128::MAX);
            for (name, amount) in pod_resources::in_namespace(pod, &defaults) {
                let sum = together.entry(name).or_default();
                *sum = sum.saturating_add(amount.saturating_mul(count));
            }
        }
        let amount = |name: &str, unit: i128| {
            let nanos = together.get(name).copied().unwrap_or(0);
            narrow(round_up(nanos, unit))
        };
        let whole = together.iter().map(|(name, nanos)| (name.as_str(), round_up(*nanos, NANOS)));
        Demand {
            gpu: narrow(gpus.whole(whole)),
            cpu_millis: amount("cpu", NANOS / 1000),
            memory_bytes: amount("memory", NANOS),
        }
    }
}

fn round_up(nanos: i128, unit: i128) -> i128 {
    nanos / unit + i128::from(nanos % unit > 0)
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
mod tests;
