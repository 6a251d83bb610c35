//! How lists of jobs are filtered and sorted.

use async_graphql::{Enum, InputObject};

use crate::error::{ApiError, ApiErrors, Problems};
use crate::graphql::ids::{self, GivenId};
use crate::graphql::keyset::OrderDirection;
use crate::graphql::search::Search;
use crate::graphql::time::{TimeRange, TimeRangeInput};
use crate::ids::{ConfigKind, GroupKind, ProjectKind, UserId, UserKind};
use crate::jobs::model::list::Selection;
use crate::jobs::phase::JobPhase;

/// Filters for a list of jobs. Omitted fields do not filter; a job must match all fields that are given: `{projectId:
/// "project_01h455vb4pex5vsknk084sn02q", mine: true, phases: [QUEUED, RUNNING]}`.
#[derive(Debug, Clone, Default, InputObject)]
pub struct JobFilter {
    /// Only return jobs in this project.
    pub project_id: Option<GivenId<ProjectKind>>,
    /// Only return jobs in this group's projects.
    pub group_id: Option<GivenId<GroupKind>>,
    /// Only return jobs that this user submitted.
    pub submitted_by: Option<GivenId<UserKind>>,
    /// Only return jobs in one of these phases.
    pub phases: Option<Vec<JobPhase>>,
    /// Only return jobs with one of these names.
    pub names: Option<Vec<String>>,
    /// Only return jobs whose name matches: each word of this text must be the beginning of a word of the name, so
    /// "res 50" matches `train-resnet-50`. A blank text does not filter.
    pub search: Option<String>,
    /// Only return jobs in one of these queues.
    pub queues: Option<Vec<String>>,
    /// Only return jobs that were created from a version of this config file.
    pub config_file_id: Option<GivenId<ConfigKind>>,
    /// Only return jobs that were submitted within this time.
    pub submitted_at: Option<TimeRangeInput>,
    /// Only return jobs that finished within this time.
    pub finished_at: Option<TimeRangeInput>,
    /// If true, only return jobs that you submitted.
    #[graphql(default_with = "Some(false)")]
    pub mine: Option<bool>,
}

/// The fields that a list of jobs can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum JobOrderField {
    /// Sort by the time of submission.
    SubmittedAt,
}

/// Ordering options for a list of jobs.
#[derive(Debug, Clone, InputObject)]
pub struct JobOrder {
    /// The field to sort by.
    pub field: JobOrderField,
    /// The direction to sort in.
    #[graphql(default_with = "Some(OrderDirection::Desc)")]
    pub direction: Option<OrderDirection>,
}

/// The error for a filter that selects the caller's own jobs and those of somebody else.
pub fn not_mine() -> ApiError {
    ApiError::bad_input("filter.submittedBy", "mine cannot be combined with another person's submittedBy")
}

/// Which jobs the user `me` requests, and in which order.
///
/// # Errors
/// `BAD_USER_INPUT` for each invalid field.
pub fn selection(filter: Option<JobFilter>, order: Option<JobOrder>, me: UserId) -> Result<Selection, ApiErrors> {
    let filter = filter.unwrap_or_default();
    let (mine, mut problems) = (filter.mine.unwrap_or(false), Problems::default());
    let submitted_by = ids::maybe(filter.submitted_by.as_ref(), "filter.submittedBy").and_then(|user| match user {
        Some(user) if mine && user != me => Err(not_mine()),
        user => Ok(if mine { Some(me) } else { user }),
    });
    let selection = Selection {
        project: problems.take(ids::maybe(filter.project_id.as_ref(), "filter.projectId")).flatten(),
        group: problems.take(ids::maybe(filter.group_id.as_ref(), "filter.groupId")).flatten(),
        submitted_by: problems.take(submitted_by).flatten(),
        phases: filter.phases,
        names: filter.names,
        search: problems.take(Search::parse(filter.search.as_deref(), "filter.search")).flatten(),
        queues: filter.queues,
        config_file: problems.take(ids::maybe(filter.config_file_id.as_ref(), "filter.configFileId")).flatten(),
        submitted: problems.take(TimeRange::parse(filter.submitted_at, "filter.submittedAt")).unwrap_or_default(),
        finished: problems.take(TimeRange::parse(filter.finished_at, "filter.finishedAt")).unwrap_or_default(),
        oldest_first: order.and_then(|order| order.direction) == Some(OrderDirection::Asc),
    };
    problems.finish().map(|()| selection)
}
