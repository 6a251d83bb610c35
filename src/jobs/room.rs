//! The room that a project's limits leave for a job.

use super::draft::Demand;
use super::model::submit::Used;
use super::quota::QuotaResource;
use crate::error::{ApiError, Code};
use crate::projects::model::limits::Limits;

/// One limit of a project, with its usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// The resource.
    pub resource: QuotaResource,
    /// The limit; `None` if unlimited.
    pub limit: Option<i64>,
    /// The requests of the project's unfinished jobs.
    pub used: i64,
    /// The requests of this job.
    pub requested: i64,
}

impl Room {
    /// The project's limits with usage and requests. Those of queued jobs and of users are only listed if they exist.
    pub fn all(limits: &Limits, used: &Used, wanted: Demand) -> Vec<Self> {
        let room = |resource, limit, used, requested| Self { resource, limit, used, requested };
        let whole = |limit: Option<i32>| limit.map(i64::from);
        let mut rooms = vec![
            room(QuotaResource::Gpu, whole(limits.gpu), used.demand.gpu, wanted.gpu),
            room(QuotaResource::Cpu, limits.cpu_millis, used.demand.cpu_millis, wanted.cpu_millis),
            room(QuotaResource::Memory, limits.memory_bytes, used.demand.memory_bytes, wanted.memory_bytes),
            room(QuotaResource::Jobs, whole(limits.concurrent_jobs), used.jobs, 1),
        ];
        let others = [
            (QuotaResource::QueuedJobs, limits.queued_jobs, used.queued),
            (QuotaResource::UserJobs, limits.concurrent_jobs_per_user, used.of_user),
            (QuotaResource::UserQueuedJobs, limits.queued_jobs_per_user, used.of_user_queued),
        ];
        let limited = others.into_iter().filter(|(_, limit, _)| limit.is_some());
        rooms.extend(limited.map(|(resource, limit, used)| room(resource, whole(limit), used, 1)));
        rooms
    }

    /// What is left after the job has been accepted; `None` without a limit.
    pub fn left(&self) -> Option<i64> {
        Some(self.limit?.saturating_sub(self.used).saturating_sub(self.requested))
    }

    /// Whether this job is the one with which 90 % of the limit are used.
    pub fn becomes_scarce(&self) -> bool {
        let is_scarce = |used: i64, limit: i64| i128::from(used) * 10 >= i128::from(limit) * 9;
        self.limit.is_some_and(|limit| {
            limit > 0 && !is_scarce(self.used, limit) && is_scarce(self.used.saturating_add(self.requested), limit)
        })
    }

    /// Whether the job fits.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED` with the limit, the usage and the request.
    pub fn check(&self) -> Result<(), ApiError> {
        let Self { resource, used, requested, .. } = self;
        match (self.limit, self.left()) {
            (Some(limit), Some(left)) if left < 0 => {
                let unit = resource.unit();
                let uses = if resource.is_of_user() { "you have" } else { "it uses" };
                let message =
                    format!("the project's limit is {limit} {unit}; {uses} {used} and this job requests {requested}");
                Err(ApiError::new(Code::QuotaExceeded, message))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(limits: Limits, used: Used, wanted: i64) -> String {
        let rooms = Room::all(&limits, &used, Demand { gpu: wanted, ..Demand::default() });
        let refused = rooms.iter().filter_map(|room| room.check().err());
        refused.map(|error| error.to_string()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_job_beyond_the_quota_is_refused_with_the_numbers() {
        let limits = Limits { gpu: Some(8), concurrent_jobs: Some(10), ..Limits::default() };
        let used = |gpu, jobs| Used { demand: Demand { gpu, ..Demand::default() }, jobs, ..Used::default() };
        assert_eq!(refused(limits, used(6, 3), 2), "");
        insta::assert_snapshot!(refused(limits, used(6, 10), 3), @r"
        the project's limit is 8 GPUs; it uses 6 and this job requests 3
        the project's limit is 10 unfinished jobs; it uses 10 and this job requests 1
        ");
    }

    #[test]
    fn jobs_that_wait_and_jobs_of_one_user_have_limits_of_their_own() {
        let limits = Limits {
            queued_jobs: Some(5),
            concurrent_jobs_per_user: Some(2),
            queued_jobs_per_user: Some(1),
            ..Limits::default()
        };
        let used = Used { jobs: 9, queued: 5, of_user: 2, of_user_queued: 1, ..Used::default() };
        insta::assert_snapshot!(refused(limits, used, 0), @r"
        the project's limit is 5 jobs that have not started; it uses 5 and this job requests 1
        the project's limit is 2 unfinished jobs per user; you have 2 and this job requests 1
        the project's limit is 1 jobs per user that have not started; you have 1 and this job requests 1
        ");
    }
}
