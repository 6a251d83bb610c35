//! A job before it is submitted: its pod templates and rules, put together and then checked as they would run.

mod changes;
mod check;
pub mod manifest;
mod origins;
mod payload;
pub(crate) mod safety;

use k8s_openapi::api::core::v1::PodTemplateSpec;

use crate::cluster::pod_resources::{self, Amounts, NANOS};
pub use crate::cluster::safety::GPU;
use crate::config::GpuResources;
use crate::error::{ApiErrors, Problems};
use crate::jobs::input::{JobOverridesInput, JobSpecInput};

pub use check::check;
pub use manifest::Placement;
use origins::{Door, Origins};
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
    /// Where each group of tasks has its parts from.
    origins: Vec<Origins>,
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
    /// The draft a spec describes. Only its own fields were looked at: [`check`] says whether its pods can run.
    ///
    /// # Errors
    /// Every field that is not acceptable, under `input.spec`.
    pub fn from_spec(spec: JobSpecInput) -> Result<Self, ApiErrors> {
        let mut problems = Problems::default();
        let draft = Self::of_spec(spec, &mut problems);
        problems.finish().map(|()| draft)
    }

    /// The draft a spec describes, without the fields that are not acceptable: they are noted under `input.spec`.
    pub fn of_spec(spec: JobSpecInput, problems: &mut Problems) -> Self {
        let mut draft = Self { tasks: TaskGroup::of_tasks([changes::bare_task()]), ..Self::default() };
        changes::apply(&mut draft, overrides_of(spec), Door::Spec, problems);
        draft
    }

    /// Changes the draft as the overrides say. Only their own fields were looked at: [`check`] says whether the pods can
    /// run.
    ///
    /// # Errors
    /// Every field that is not acceptable, under `input.overrides`.
    pub fn override_with(&mut self, overrides: JobOverridesInput) -> Result<(), ApiErrors> {
        let mut problems = Problems::default();
        changes::apply(self, overrides, Door::Overrides, &mut problems);
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

    /// What all tasks ask for together, as Kubernetes counts it. Shares of GPUs are rounded up for the job as a whole.
    pub fn demand(&self, gpus: &GpuResources) -> Demand {
        let mut together = Amounts::new();
        for group in &self.tasks {
            let Some(pod) = &group.template.spec else { continue };
            let count = i128::try_from(group.count).unwrap_or(i128::MAX);
            for (name, amount) in pod_resources::of_pod(pod) {
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
