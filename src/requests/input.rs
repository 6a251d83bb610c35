//! The inputs of the mutations of requests, and their validation.

use async_graphql::InputObject;

use super::model::{Limits, RequestStatus, RequestTag, Wanted};
use crate::auth::principal::GroupRole;
use crate::error::{ApiError, ApiErrors, Problems};
use crate::graphql::ids::GivenId;
use crate::graphql::names;
use crate::graphql::scalars::Quantity;
use crate::ids::{GroupKind, ProjectKind, RequestKind};
use crate::quantity;

/// The maximum length of a title in characters.
const MAX_TITLE: usize = 200;
/// The maximum length of a message in characters.
const MAX_TEXT: usize = 10_000;

/// Limits of a project to ask for. Limits that are omitted stay as they are.
#[derive(Debug, Clone, InputObject)]
pub struct WantedLimitsInput {
    /// GPUs.
    pub gpu: Option<i32>,
    /// CPUs.
    pub cpu: Option<Quantity>,
    /// Memory.
    pub memory: Option<Quantity>,
    /// Storage.
    pub storage: Option<Quantity>,
    /// Unfinished jobs.
    pub concurrent_jobs: Option<i32>,
    /// Unfinished jobs that have not started yet.
    pub queued_jobs: Option<i32>,
    /// Unfinished jobs of each user.
    pub concurrent_jobs_per_user: Option<i32>,
    /// Unfinished jobs of each user that have not started yet.
    pub queued_jobs_per_user: Option<i32>,
    /// The longest time that a job can run, in seconds: at least 1.
    pub max_run_seconds: Option<i32>,
    /// Members of the project's group: at least 1.
    pub max_members: Option<i32>,
}

/// Input for `openRequest`.
#[derive(Debug, InputObject)]
pub struct OpenRequestInput {
    /// What the request is about.
    pub tag: RequestTag,
    /// The title: 1 to 200 characters.
    pub title: String,
    /// The first message: at most 10,000 characters.
    pub text: String,
    /// The ID of the group that the request is about. You must be a member of it, except to ask for a role in it.
    pub group_id: Option<GivenId<GroupKind>>,
    /// The ID of the project that the request is about, instead of a group.
    pub project_id: Option<GivenId<ProjectKind>>,
    /// The role in the group that you ask for; only with the tag ACCESS and a group.
    pub wanted_role: Option<GroupRole>,
    /// The limits that you ask for; only with the tag RESOURCE and a project.
    pub wanted_limits: Option<WantedLimitsInput>,
}

/// Input for `replyToRequest`.
#[derive(Debug, InputObject)]
pub struct ReplyToRequestInput {
    /// The ID of the request.
    pub id: GivenId<RequestKind>,
    /// The message: 1 to 10,000 characters.
    pub text: String,
}

/// The statuses that a request can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
pub enum RequestResolution {
    /// Somebody works on it.
    InProgress,
    /// It is granted or answered, which is final.
    Resolved,
    /// It is rejected, which is final.
    Rejected,
}

impl From<RequestResolution> for RequestStatus {
    fn from(resolution: RequestResolution) -> Self {
        match resolution {
            RequestResolution::InProgress => Self::InProgress,
            RequestResolution::Resolved => Self::Resolved,
            RequestResolution::Rejected => Self::Rejected,
        }
    }
}

/// Input for `resolveRequest`.
#[derive(Debug, InputObject)]
pub struct ResolveRequestInput {
    /// The ID of the request.
    pub id: GivenId<RequestKind>,
    /// The new status.
    pub status: RequestResolution,
    /// A message to go with it: at most 10,000 characters.
    #[graphql(default_with = "Some(String::new())")]
    pub text: Option<String>,
}

/// A title, which is one line.
pub(super) fn title(text: &str) -> Result<String, ApiError> {
    let title = names::prose(text.trim().to_owned(), MAX_TITLE, "input.title")?;
    if title.is_empty() {
        return Err(ApiError::bad_input("input.title", "the title is empty"));
    }
    if title.contains(['\n', '\r']) {
        return Err(ApiError::bad_input("input.title", "the title has several lines; use the text for more"));
    }
    Ok(title)
}

/// The text of a message.
pub(super) fn text(text: String, may_be_empty: bool) -> Result<String, ApiError> {
    if !may_be_empty && text.trim().is_empty() {
        return Err(ApiError::bad_input("input.text", "the text is empty"));
    }
    names::prose(text, MAX_TEXT, "input.text")
}

/// What the request asks to be changed.
///
/// # Errors
/// `BAD_USER_INPUT` for a role or limits that do not go with the tag or with what it is about, or are not valid.
pub(super) fn wanted(input: &OpenRequestInput) -> Result<Option<Wanted>, ApiErrors> {
    let mut problems = Problems::default();
    let role = input.wanted_role;
    if role.is_some() && (input.tag != RequestTag::Access || input.group_id.is_none()) {
        let message = "a role can only be asked for with the tag ACCESS and the ID of a group";
        problems.push(ApiError::bad_input("input.wantedRole", message));
    }
    let limits = input.wanted_limits.as_ref();
    if limits.is_some() && (input.tag != RequestTag::Resource || input.project_id.is_none()) {
        let message = "limits can only be asked for with the tag RESOURCE and the ID of a project";
        problems.push(ApiError::bad_input("input.wantedLimits", message));
    }
    let limits = limits.map(|limits| asked(limits, &mut problems));
    if limits == Some(Limits::default()) && problems.count() == 0 {
        problems.push(ApiError::bad_input("input.wantedLimits", "no limit is given"));
    }
    problems.finish()?;
    Ok(role.map(|role| Wanted::Role { role: role.into() }).or(limits.map(Wanted::Limits)))
}

fn asked(limits: &WantedLimitsInput, problems: &mut Problems) -> Limits {
    let mut count = |given: Option<i32>, least: i32, field: &'static str| {
        if let Some(given) = given.filter(|given| *given < least) {
            problems.push(ApiError::bad_input(field, format!("the limit was {given}; it must be at least {least}")));
        }
        given
    };
    let counted = Limits {
        gpu: count(limits.gpu, 0, "input.wantedLimits.gpu"),
        concurrent_jobs: count(limits.concurrent_jobs, 0, "input.wantedLimits.concurrentJobs"),
        queued_jobs: count(limits.queued_jobs, 0, "input.wantedLimits.queuedJobs"),
        concurrent_jobs_per_user: count(limits.concurrent_jobs_per_user, 0, "input.wantedLimits.concurrentJobsPerUser"),
        queued_jobs_per_user: count(limits.queued_jobs_per_user, 0, "input.wantedLimits.queuedJobsPerUser"),
        max_run_seconds: count(limits.max_run_seconds, 1, "input.wantedLimits.maxRunSeconds").map(i64::from),
        max_members: count(limits.max_members, 1, "input.wantedLimits.maxMembers"),
        ..Limits::default()
    };
    let units = quantity::Quantity::units;
    Limits {
        cpu_millis: amount(limits.cpu.as_ref(), "input.wantedLimits.cpu", quantity::Quantity::millis, problems),
        memory_bytes: amount(limits.memory.as_ref(), "input.wantedLimits.memory", units, problems),
        storage_bytes: amount(limits.storage.as_ref(), "input.wantedLimits.storage", units, problems),
        ..counted
    }
}

fn amount(
    given: Option<&Quantity>,
    field: &'static str,
    of: fn(&quantity::Quantity) -> i128,
    problems: &mut Problems,
) -> Option<i64> {
    let parsed = given?.0.parse::<quantity::Quantity>();
    let parsed = problems.take(parsed.map_err(|error| ApiError::bad_input(field, error.to_string())))?;
    if parsed.is_negative() {
        problems.push(ApiError::bad_input(field, format!("the limit was {parsed}; it must not be negative")));
    }
    Some(i64::try_from(of(&parsed)).unwrap_or(i64::MAX))
}
