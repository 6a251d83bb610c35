//! The quota of a project: what its unfinished jobs request of each limited resource.

pub mod feed;
pub mod usage;

use async_graphql::{Context, Enum, Object, SimpleObject};

use super::loader::QuotaOfProject;
use crate::error::ApiError;
use crate::graphql::limits::directives::assumed_list;
use crate::graphql::loaders::ReadExt;
use crate::graphql::scalars::Quantity;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::ProjectId;
use crate::jobs::model::quota::{Storage, Usage};
use crate::quantity;

/// A resource that the jobs of a project share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum QuotaResource {
    /// Whole GPUs.
    Gpu,
    /// CPUs.
    Cpu,
    /// Bytes of memory.
    Memory,
    /// Bytes of storage claims.
    Storage,
    /// Unfinished jobs.
    Jobs,
    /// Unfinished jobs that have not started yet.
    QueuedJobs,
    /// Unfinished jobs of one user.
    UserJobs,
    /// Unfinished jobs of one user that have not started yet.
    UserQueuedJobs,
}

impl QuotaResource {
    /// The unit that amounts are counted in, for messages.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Gpu => "GPUs",
            Self::Cpu => "thousandths of a CPU",
            Self::Memory => "bytes of memory",
            Self::Storage => "bytes of storage",
            Self::Jobs => "unfinished jobs",
            Self::QueuedJobs => "jobs that have not started",
            Self::UserJobs => "unfinished jobs per user",
            Self::UserQueuedJobs => "jobs per user that have not started",
        }
    }

    /// Whether each user has a limit of their own.
    pub const fn is_of_user(self) -> bool {
        matches!(self, Self::UserJobs | Self::UserQueuedJobs)
    }

    /// An amount, counted in [`Self::unit`], in the notation of Kubernetes.
    pub fn quantity(self, amount: i64) -> Quantity {
        let quantity = match self {
            Self::Gpu | Self::Jobs | Self::QueuedJobs | Self::UserJobs | Self::UserQueuedJobs => {
                quantity::Quantity::of_units(amount)
            }
            Self::Cpu => quantity::Quantity::of_millis(amount),
            Self::Memory | Self::Storage => quantity::Quantity::of_bytes(amount),
        };
        Quantity(quantity.as_str().to_owned())
    }
}

/// A resource that is limited by the quota of a project, and how much of it is in use.
#[derive(Debug, PartialEq, Eq, SimpleObject)]
pub struct ProjectQuota {
    /// The resource.
    pub resource: QuotaResource,
    /// The limit; null if the resource is not limited.
    pub limit: Option<Quantity>,
    /// What the running jobs of the project request; for storage, the claims that have a volume.
    pub used: Quantity,
    /// What the jobs of the project that have not started yet request; for storage, the claims that wait for a volume. It
    /// counts against the limit as well.
    pub reserved: Quantity,
    /// What remains of the limit: negative if the limit was lowered below what is in use. Null if there is no limit.
    pub left: Option<Quantity>,
}

impl Usage {
    /// A line for each resource of a project. That of queued jobs is only listed if they are limited, and that of storage
    /// if it is, or if there are claims.
    pub fn lines(&self) -> Vec<ProjectQuota> {
        let mut lines = self.lines_of([QuotaResource::Jobs, QuotaResource::QueuedJobs]);
        if self.limits.storage_bytes.is_some() || self.storage != Storage::default() {
            let Storage { bound, waiting } = self.storage;
            lines.push(line(QuotaResource::Storage, self.limits.storage_bytes, bound, waiting));
        }
        lines
    }

    /// Like [`Usage::lines`], of one user.
    pub fn lines_of_user(&self) -> Vec<ProjectQuota> {
        self.lines_of([QuotaResource::UserJobs, QuotaResource::UserQueuedJobs])
    }

    fn lines_of(&self, [jobs, queued]: [QuotaResource; 2]) -> Vec<ProjectQuota> {
        let Self { limits, running, waiting, .. } = self;
        let mut lines = vec![
            line(QuotaResource::Gpu, limits.gpu.map(i64::from), running.gpu, waiting.gpu),
            line(QuotaResource::Cpu, limits.cpu_millis, running.cpu_millis, waiting.cpu_millis),
            line(QuotaResource::Memory, limits.memory_bytes, running.memory_bytes, waiting.memory_bytes),
            line(jobs, limits.concurrent_jobs.map(i64::from), self.running_jobs, self.waiting_jobs),
        ];
        lines.extend(limits.queued_jobs.map(|limit| line(queued, Some(limit.into()), 0, self.waiting_jobs)));
        lines
    }
}

fn line(resource: QuotaResource, limit: Option<i64>, used: i64, reserved: i64) -> ProjectQuota {
    ProjectQuota {
        resource,
        limit: limit.map(|limit| resource.quantity(limit)),
        used: resource.quantity(used),
        reserved: resource.quantity(reserved),
        left: limit.map(|limit| resource.quantity(limit.saturating_sub(used).saturating_sub(reserved))),
    }
}

/// The quota under a project.
#[derive(Debug)]
pub struct QuotaUnderProject(ProjectId);

impl From<ProjectId> for QuotaUnderProject {
    fn from(project: ProjectId) -> Self {
        Self(project)
    }
}

/// The quota that a project has.
#[Object]
impl QuotaUnderProject {
    /// The quota of the project: for each resource the limit, and what the project's unfinished jobs request.
    #[graphql(directive = assumed_list::apply(4))]
    async fn quota(&self, ctx: &Context<'_>) -> ApiResult<Vec<ProjectQuota>> {
        let usage: Result<Option<Usage>, ApiError> = ctx.read::<QuotaOfProject>(self.0).await;
        Ok(usage.graphql(ctx)?.unwrap_or_default().lines())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::draft::Demand;
    use crate::projects::model::limits::Limits;

    #[test]
    fn amounts_are_written_as_kubernetes_does() {
        let written = |resource: QuotaResource, amount| resource.quantity(amount).0;
        assert_eq!(written(QuotaResource::Gpu, 8), "8");
        assert_eq!(written(QuotaResource::Cpu, 1500), "1500m");
        assert_eq!(written(QuotaResource::Cpu, 64_000), "64");
        assert_eq!(written(QuotaResource::Memory, 10 << 30), "10Gi");
        assert_eq!(written(QuotaResource::Memory, -(1 << 30)), "-1Gi");
        assert_eq!(written(QuotaResource::Jobs, 0), "0");
    }

    #[test]
    fn what_waits_counts_against_the_limit() {
        let usage = Usage {
            limits: Limits {
                gpu: Some(8),
                storage_bytes: Some(20),
                concurrent_jobs: Some(2),
                queued_jobs: Some(3),
                ..Limits::default()
            },
            running: Demand { gpu: 4, cpu_millis: 500, memory_bytes: 0 },
            running_jobs: 1,
            waiting: Demand { gpu: 6, cpu_millis: 0, memory_bytes: 0 },
            waiting_jobs: 1,
            storage: Storage { bound: 10, waiting: 5 },
        };
        let left = |line: ProjectQuota| line.left.map(|left| left.0);
        let left: Vec<_> = usage.lines().into_iter().map(left).collect();
        assert_eq!(
            left,
            [Some("-2".to_owned()), None, None, Some("0".to_owned()), Some("2".to_owned()), Some("5".to_owned())]
        );
    }
}
