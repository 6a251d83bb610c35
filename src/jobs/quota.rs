//! The quota of a project: what its unfinished jobs request of each limited resource.

use async_graphql::{Context, Enum, Object, SimpleObject};

use super::loader::QuotaOfProject;
use crate::error::ApiError;
use crate::graphql::limits::directives::assumed_list;
use crate::graphql::loaders::ReadExt;
use crate::graphql::scalars::Quantity;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::ProjectId;
use crate::jobs::model::quota::Usage;
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
    /// Unfinished jobs.
    Jobs,
}

impl QuotaResource {
    /// The unit that amounts are counted in, for messages.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Gpu => "GPUs",
            Self::Cpu => "thousandths of a CPU",
            Self::Memory => "bytes of memory",
            Self::Jobs => "unfinished jobs",
        }
    }

    /// An amount, counted in [`Self::unit`], in the notation of Kubernetes.
    pub fn quantity(self, amount: i64) -> Quantity {
        let quantity = match self {
            Self::Gpu | Self::Jobs => quantity::Quantity::of_units(amount),
            Self::Cpu => quantity::Quantity::of_millis(amount),
            Self::Memory => quantity::Quantity::of_bytes(amount),
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
    /// What the running jobs of the project request.
    pub used: Quantity,
    /// What the jobs of the project that have not started yet request. It counts against the limit as well.
    pub reserved: Quantity,
    /// What remains of the limit: negative if the limit was lowered below what is in use. Null if there is no limit.
    pub left: Option<Quantity>,
}

impl Usage {
    /// A line for each resource.
    pub fn lines(&self) -> Vec<ProjectQuota> {
        let Self { quota, running, waiting, .. } = self;
        let line = |resource: QuotaResource, limit: Option<i64>, used: i64, reserved: i64| ProjectQuota {
            resource,
            limit: limit.map(|limit| resource.quantity(limit)),
            used: resource.quantity(used),
            reserved: resource.quantity(reserved),
            left: limit.map(|limit| resource.quantity(limit.saturating_sub(used).saturating_sub(reserved))),
        };
        vec![
            line(QuotaResource::Gpu, quota.gpu.map(i64::from), running.gpu, waiting.gpu),
            line(QuotaResource::Cpu, quota.cpu_millis, running.cpu_millis, waiting.cpu_millis),
            line(QuotaResource::Memory, quota.memory_bytes, running.memory_bytes, waiting.memory_bytes),
            line(QuotaResource::Jobs, quota.concurrent_jobs.map(i64::from), self.running_jobs, self.waiting_jobs),
        ]
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
    use crate::jobs::model::submit::Quota;

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
            quota: Quota { gpu: Some(8), cpu_millis: None, memory_bytes: None, concurrent_jobs: Some(2) },
            running: Demand { gpu: 4, cpu_millis: 500, memory_bytes: 0 },
            running_jobs: 1,
            waiting: Demand { gpu: 6, cpu_millis: 0, memory_bytes: 0 },
            waiting_jobs: 1,
        };
        let left = |line: ProjectQuota| line.left.map(|left| left.0);
        let left: Vec<_> = usage.lines().into_iter().map(left).collect();
        assert_eq!(left, [Some("-2".to_owned()), None, None, Some("0".to_owned())]);
    }
}
