//! The feed of job events: who may see an event, and which events a subscriber selects.

use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::{Context, InputObject};
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::event::JobEvent;
use super::existence::Existence;
use super::loader::BriefById;
use super::model::criteria::Criteria;
use super::phase::JobPhase;
use super::types::filter::JobConditions;
use super::{query, types};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope, Visible};
use crate::auth::principal::Caller;
use crate::configs::loader::ConfigFilesById;
use crate::error::{ApiError, ApiErrors, both};
use crate::events::{Logged, Topics};
use crate::feeds::Feed;
use crate::graphql::ids::{self, GivenId};
use crate::graphql::loaders::ReadExt;
use crate::ids::{JobId, JobKind, UserId};
use crate::projects::loader::ProjectsById;

/// Filters for job events. Fields that `JobFilter` has as well mean the same, at the time of the event: what happened to a
/// job before it finished does not match `finishedAt`. Omitted fields do not filter; an event must match all fields that
/// are given. For example, the jobs of a group that finish:
/// `{groupId: "group_01h455vb4pex5vsknk084sn02q", phases: [SUCCEEDED, FAILED, CANCELLED]}`.
#[derive(Debug, Clone, Default, InputObject)]
pub struct JobEventFilter {
    /// The conditions that lists have as well.
    #[graphql(flatten)]
    pub conditions: JobConditions,
    /// Only events of these jobs: at most 1000.
    pub job_ids: Option<Vec<GivenId<JobKind>>>,
    /// Only events of jobs that are in one of these phases after the event (`phase`) or were before it (`previousPhase`).
    /// A list of the jobs in these phases can be kept up to date with this filter: it covers the jobs that enter one of the
    /// phases and those that leave one.
    pub phases: Option<Vec<JobPhase>>,
}

/// What a subscriber selects: a [`JobEventFilter`] whose fields are valid.
#[derive(Debug, Clone, Default)]
struct Selected {
    criteria: Criteria,
    /// Without duplicates.
    job_ids: Option<Vec<JobId>>,
    phases: Option<Vec<JobPhase>>,
}

/// Maximum number of jobs in the filter of a subscription.
const MAX_JOBS: usize = 1_000;

impl JobEventFilter {
    /// What the user `me` selects with it.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for each field that is not valid, and if there are too many jobs.
    fn selected(self, me: UserId) -> Result<Selected, ApiErrors> {
        let jobs = self.job_ids.as_deref().map(distinct).transpose();
        let (criteria, job_ids) = both(self.conditions.criteria(me), jobs)?;
        Ok(Selected { criteria, job_ids, phases: self.phases })
    }
}

/// The jobs of a filter, without duplicates.
fn distinct(given: &[GivenId<JobKind>]) -> Result<Vec<JobId>, ApiErrors> {
    if given.len() > MAX_JOBS {
        let message = format!("jobIds has {} ids; at most {MAX_JOBS} are allowed", given.len());
        return Err(ApiError::bad_input("filter.jobIds", message).into());
    }
    let mut ids = ids::each(given, "filter.jobIds")?;
    let mut seen = HashSet::with_capacity(ids.len());
    ids.retain(|id| seen.insert(*id));
    Ok(ids)
}

/// A subscriber's view of job events.
#[derive(Debug, Clone)]
pub struct View {
    filter: Selected,
    /// What the subscriber must be allowed to see because the filter names it, with the path in the filter.
    named: Box<[(Action, Scope, &'static str)]>,
    /// What they may currently see.
    visible: Visible,
    /// The project that the filter names.
    project: Option<Existence>,
}

impl View {
    /// The view of `caller`, who sees nothing until it is admitted. A filter for something that the caller may not see
    /// is an error, rather than a subscription that never yields anything.
    ///
    /// # Errors
    /// `NOT_FOUND` if the filter names something that does not exist, `BAD_USER_INPUT` if it names too much.
    pub async fn open(ctx: &Context<'_>, filter: JobEventFilter) -> Result<Self, ApiErrors> {
        let filter = filter.selected(ctx.caller().principal()?.user)?;
        let watched = filter.criteria.project.map(|project| Existence::watch(ctx, project, "filter.projectId"));
        let project = watched.transpose()?;
        let named = named(ctx, &filter).await?;
        Ok(Self { filter, named, visible: Visible::NOTHING, project })
    }
}

impl Feed for View {
    type Event = JobEvent;
    type Node = types::JobEvent;

    fn admit(&mut self, caller: &Caller) -> Result<(), ApiError> {
        for (action, scope, field) in &self.named {
            policy::check(caller, *action, *scope).map_err(|error| error.at(*field))?;
        }
        self.visible = policy::visible(caller)?;
        Ok(())
    }

    fn topics(&self) -> Topics {
        let Selected { criteria: Criteria { project, group, submitted_by, .. }, job_ids, .. } = &self.filter;
        match (job_ids, project, submitted_by, group, &self.visible) {
            (Some(jobs), ..) => Topics::subjects(jobs),
            (None, Some(project), ..) => Topics::Project(*project),
            (None, None, Some(submitter), ..) => Topics::Person(*submitter),
            (None, None, None, Some(group), _) => Topics::Groups(vec![*group]),
            (None, None, None, None, Visible::Groups { project: Some(project), .. }) => Topics::Project(*project),
            (None, None, None, None, Visible::Groups { groups, project: None }) => Topics::Groups(groups.clone()),
            (None, None, None, None, Visible::Everything) => Topics::Everything,
        }
    }

    fn shows(&self, Logged { about, event, .. }: &Logged<JobEvent>) -> bool {
        let Selected { criteria, job_ids, phases } = &self.filter;
        let concerns = |phases: &Vec<JobPhase>| {
            let phase_before = event.previous_phase;
            phases.contains(&event.phase) || phase_before.is_some_and(|phase| phases.contains(&phase))
        };
        self.visible.includes(about.group, about.project)
            && job_ids.as_ref().is_none_or(|jobs| jobs.iter().any(|job| job.uuid() == about.subject))
            && phases.as_ref().is_none_or(concerns)
            && criteria.include(about, event.job.as_ref())
    }

    fn ends(&self) -> Option<BoxFuture<'static, ApiError>> {
        self.project.clone().map(|project| project.ended().boxed())
    }

    fn node(event: Arc<Logged<JobEvent>>) -> types::JobEvent {
        types::JobEvent(event)
    }
}

async fn named(ctx: &Context<'_>, filter: &Selected) -> Result<Box<[(Action, Scope, &'static str)]>, ApiError> {
    let mut named = Vec::new();
    let Criteria { project, group, config_file, .. } = &filter.criteria;
    if let Some(project) = *project {
        let not_found = || ApiError::not_found("project", project).at("filter.projectId");
        let found = ctx.read::<ProjectsById>(project).await?.ok_or_else(not_found)?;
        named.push((Action::ViewProject, Scope::within(found.group_id, project), "filter.projectId"));
    }
    if let Some(group) = *group {
        named.push((Action::ViewGroup, Scope::group(group), "filter.groupId"));
    }
    if let Some(file) = *config_file {
        let not_found = || ApiError::not_found("config file", file).at("filter.configFileId");
        let project = ctx.read::<ConfigFilesById>(file).await?.ok_or_else(not_found)?.project_id;
        let group = ctx.read::<ProjectsById>(project).await?.ok_or_else(not_found)?.group_id;
        named.push((Action::ViewConfigFile, Scope::within(group, file).in_project(project), "filter.configFileId"));
    }
    let jobs = filter.job_ids.as_deref().unwrap_or_default();
    // All are read with the first.
    for job in jobs {
        ctx.foresee::<BriefById>(*job)?;
    }
    for job in jobs {
        let scope = query::scope_of(ctx, *job).await.map_err(|error| error.at("filter.jobIds"))?;
        named.push((Action::ViewJob, scope, "filter.jobIds"));
    }
    Ok(named.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Utc;

    use crate::events::Seq;
    use crate::ids::{GroupId, ProjectId};
    use crate::jobs::event::about;
    use crate::jobs::phase::JobEventKind;

    fn event() -> Logged<JobEvent> {
        let about = about(JobId::generate(), ProjectId::generate(), GroupId::generate(), UserId::generate());
        let event = JobEvent {
            kind: JobEventKind::PhaseChanged,
            phase: JobPhase::Running,
            previous_phase: Some(JobPhase::Queued),
            reason: None,
            message: None,
            job: None,
        };
        Logged { seq: Seq(1), at: Utc::now(), about, event }
    }

    fn view(visible: Visible, filter: Selected) -> View {
        View { filter, named: Box::default(), visible, project: None }
    }

    #[test]
    fn another_group_s_events_are_never_shown() {
        let event = event();
        let group = event.about.group.unwrap();
        assert!(!view(Visible::of_groups(vec![GroupId::generate()]), Selected::default()).shows(&event));
        assert!(view(Visible::of_groups(vec![group]), Selected::default()).shows(&event));
        assert!(view(Visible::Everything, Selected::default()).shows(&event));
    }

    #[test]
    fn a_token_for_another_project_of_the_group_is_shown_nothing() {
        let event = event();
        let shows = |project| {
            let visible = Visible::Groups { groups: vec![event.about.group.unwrap()], project: Some(project) };
            view(visible, Selected::default()).shows(&event)
        };
        assert!(shows(event.about.project.unwrap()) && !shows(ProjectId::generate()));
    }

    #[test]
    fn each_part_of_the_filter_restricts() {
        let event = event();
        let shows = |filter| view(Visible::Everything, filter).shows(&event);
        let none = Selected::default();
        assert!(shows(Selected { phases: Some(vec![JobPhase::Running]), ..none.clone() }));
        assert!(shows(Selected { phases: Some(vec![JobPhase::Queued]), ..none.clone() }), "the job leaves it");
        assert!(!shows(Selected { phases: Some(vec![JobPhase::Submitted]), ..none.clone() }));
        assert!(shows(Selected { job_ids: Some(vec![event.subject()]), ..none.clone() }));
        assert!(!shows(Selected { job_ids: Some(vec![]), ..none.clone() }));
        let of = |user| Criteria { submitted_by: Some(user), ..Criteria::default() };
        assert!(shows(Selected { criteria: of(event.about.person.unwrap()), ..none.clone() }));
        assert!(!shows(Selected { criteria: of(UserId::generate()), ..none }));
    }
}
