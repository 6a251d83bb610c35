//! How lists of jobs are filtered and sorted.

use async_graphql::{Enum, InputObject};

use crate::error::{ApiError, ApiErrors, Problems};
use crate::feeds::loader::Span;
use crate::graphql::ids::{self, GivenId};
use crate::graphql::keyset::OrderDirection;
use crate::graphql::search::Search;
use crate::graphql::time::{TimeRange, TimeRangeInput};
use crate::ids::{ConfigKind, GroupKind, ProjectKind, UserId, UserKind};
use crate::jobs::model::criteria::Criteria;
use crate::jobs::model::list::Selection;
use crate::jobs::phase::JobPhase;

/// The conditions that a list of jobs and the feed of their events have in common.
#[derive(Debug, Clone, Default, InputObject)]
pub struct JobConditions {
    /// Only jobs in this project.
    pub project_id: Option<GivenId<ProjectKind>>,
    /// Only jobs in this group's projects.
    pub group_id: Option<GivenId<GroupKind>>,
    /// Only jobs that this user submitted.
    pub submitted_by: Option<GivenId<UserKind>>,
    /// Only jobs with one of these names.
    pub names: Option<Vec<String>>,
    /// Only jobs whose name matches: each word of this text must be the beginning of a word of the name, so "res 50"
    /// matches `train-resnet-50`. A blank text does not filter.
    pub search: Option<String>,
    /// Only jobs in one of these queues.
    pub queues: Option<Vec<String>>,
    /// Only jobs that were created from a version of this config file.
    pub config_file_id: Option<GivenId<ConfigKind>>,
    /// Only jobs that were submitted within this time.
    pub submitted_at: Option<TimeRangeInput>,
    /// Only jobs that finished within this time, so none that is not finished yet.
    pub finished_at: Option<TimeRangeInput>,
    /// If true, only jobs that you submitted.
    #[graphql(default_with = "Some(false)")]
    pub mine: Option<bool>,
}

impl JobConditions {
    /// The conditions, as the user `me` means them.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for each invalid field.
    pub fn criteria(self, me: UserId) -> Result<Criteria, ApiErrors> {
        let (mine, mut problems) = (self.mine.unwrap_or(false), Problems::default());
        let submitted_by = ids::maybe(self.submitted_by.as_ref(), "filter.submittedBy").and_then(|user| match user {
            Some(user) if mine && user != me => {
                let message = "mine cannot be combined with another person's submittedBy";
                Err(ApiError::bad_input("filter.submittedBy", message))
            }
            user => Ok(if mine { Some(me) } else { user }),
        });
        let criteria = Criteria {
            project: problems.take(ids::maybe(self.project_id.as_ref(), "filter.projectId")).flatten(),
            group: problems.take(ids::maybe(self.group_id.as_ref(), "filter.groupId")).flatten(),
            submitted_by: problems.take(submitted_by).flatten(),
            names: self.names,
            search: problems.take(Search::parse(self.search.as_deref(), "filter.search")).flatten(),
            queues: self.queues,
            config_file: problems.take(ids::maybe(self.config_file_id.as_ref(), "filter.configFileId")).flatten(),
            submitted: problems.take(TimeRange::parse(self.submitted_at, "filter.submittedAt")).unwrap_or_default(),
            finished: problems.take(TimeRange::parse(self.finished_at, "filter.finishedAt")).unwrap_or_default(),
        };
        problems.finish().map(|()| criteria)
    }
}

/// Filters for a list of jobs. Omitted fields do not filter; a job must match all fields that are given: `{projectId:
/// "project_01h455vb4pex5vsknk084sn02q", mine: true, phases: [QUEUED, RUNNING]}`.
#[derive(Debug, Clone, Default, InputObject)]
pub struct JobFilter {
    /// The conditions that feeds have as well.
    #[graphql(flatten)]
    pub conditions: JobConditions,
    /// Only jobs in one of these phases.
    pub phases: Option<Vec<JobPhase>>,
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

/// Which jobs the user `me` requests, and in which order.
///
/// # Errors
/// `BAD_USER_INPUT` for each invalid field.
pub fn selection(filter: Option<JobFilter>, order: Option<JobOrder>, me: UserId) -> Result<Selection, ApiErrors> {
    let JobFilter { conditions, phases } = filter.unwrap_or_default();
    let oldest_first = order.and_then(|order| order.direction) == Some(OrderDirection::Asc);
    Ok(Selection { criteria: conditions.criteria(me)?, phases, oldest_first })
}

/// Filters for the history of a job. Omitted fields do not filter.
#[derive(Debug, Default, InputObject)]
pub struct JobHistoryFilter {
    /// Only events that happened within this time.
    pub at: Option<TimeRangeInput>,
}

/// The fields that the history of a job can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum JobHistoryOrderField {
    /// Sort by the time of the event.
    At,
}

/// Ordering options for the history of a job.
#[derive(Debug, InputObject)]
pub struct JobHistoryOrder {
    /// The field to sort by.
    pub field: JobHistoryOrderField,
    /// The direction to sort in.
    #[graphql(default_with = "Some(OrderDirection::Asc)")]
    pub direction: Option<OrderDirection>,
}

/// Which events of a job a client requests, and in which order.
///
/// # Errors
/// `BAD_USER_INPUT` for a range that ends before it begins.
pub fn span(filter: Option<JobHistoryFilter>, order: Option<JobHistoryOrder>) -> Result<Span, ApiErrors> {
    let direction = order.and_then(|JobHistoryOrder { field: JobHistoryOrderField::At, direction }| direction);
    let at = TimeRange::parse(filter.and_then(|filter| filter.at), "filter.at")?;
    Ok(Span { at, direction: direction.unwrap_or_default() })
}
