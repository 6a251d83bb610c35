//! What a feed is about: an event wakes those whose topic it belongs to, and nobody else.

use super::model::JobEvent;
use crate::ids::{GroupId, JobId, ProjectId, UserId};

/// Some of the log's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// One job's.
    Job(JobId),
    /// Those of a project's jobs.
    Project(ProjectId),
    /// Those of the jobs of a group's projects.
    Group(GroupId),
    /// Those of the jobs that somebody submitted.
    Submitter(UserId),
    /// All.
    Everything,
}

/// The topics of one kind that a feed is about: no event belongs to two of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topics {
    /// These jobs' events.
    Jobs(Vec<JobId>),
    /// One project's.
    Project(ProjectId),
    /// These groups'.
    Groups(Vec<GroupId>),
    /// One person's.
    Submitter(UserId),
    /// All events.
    Everything,
}

impl Topics {
    /// One by one.
    pub(super) fn each(&self) -> Vec<Topic> {
        match self {
            Self::Jobs(jobs) => jobs.iter().copied().map(Topic::Job).collect(),
            Self::Project(project) => vec![Topic::Project(*project)],
            Self::Groups(groups) => groups.iter().copied().map(Topic::Group).collect(),
            Self::Submitter(user) => vec![Topic::Submitter(*user)],
            Self::Everything => vec![Topic::Everything],
        }
    }
}

/// Every topic that an event belongs to.
pub(super) fn of(event: &JobEvent) -> [Topic; 5] {
    [
        Topic::Everything,
        Topic::Group(event.group_id),
        Topic::Project(event.project_id),
        Topic::Job(event.job_id),
        Topic::Submitter(event.submitted_by),
    ]
}
