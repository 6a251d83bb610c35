//! The feed of job events: whose they are and which of them a subscriber wants.

use std::collections::HashSet;

use async_graphql::InputObject;

use super::phase::JobPhase;
use crate::auth::policy::Visible;
use crate::error::ApiError;
use crate::events::Topics;
use crate::events::model::JobEvent;
use crate::ids::{GroupId, JobId, ProjectId, UserId};

/// Which events; conditions that are left out do not count, several are joined by "and". What ends a group's jobs:
/// `{groupId: "group_01h455vb4pex5vsknk084sn02q", phases: [SUCCEEDED, FAILED, CANCELLED]}`.
#[derive(Debug, Clone, Default, InputObject)]
pub struct JobEventFilter {
    /// Events of this project's jobs only.
    pub project_id: Option<ProjectId>,
    /// Events of the jobs of this group's projects only.
    pub group_id: Option<GroupId>,
    /// Events of these jobs only: at most 1000.
    pub job_ids: Option<Vec<JobId>>,
    /// Events after which the job is in one of these phases only.
    pub phases: Option<Vec<JobPhase>>,
    /// Events of your own jobs only.
    #[graphql(default = false)]
    pub mine: bool,
}

/// Jobs that one subscription may name.
const MAX_JOBS: usize = 1_000;

impl JobEventFilter {
    /// The jobs that are named, each once.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for more than may be.
    pub fn distinct_job_ids(&mut self) -> Result<&[JobId], ApiError> {
        let Some(ids) = &mut self.job_ids else { return Ok(&[]) };
        if ids.len() > MAX_JOBS {
            let message = format!("jobIds has {} ids; it may have at most {MAX_JOBS}", ids.len());
            return Err(ApiError::bad_input("filter.jobIds", message));
        }
        let mut seen = HashSet::with_capacity(ids.len());
        ids.retain(|id| seen.insert(*id));
        Ok(ids)
    }
}

/// A subscriber's view of the log.
#[derive(Debug, Clone)]
pub struct View {
    /// Who subscribes.
    pub viewer: UserId,
    /// What they see.
    pub visible: Visible,
    /// What they want of it.
    pub filter: JobEventFilter,
}

impl View {
    /// The fewest events that may have to be told.
    pub fn topics(&self) -> Topics {
        let JobEventFilter { project_id, group_id, job_ids, mine, .. } = &self.filter;
        match (job_ids, project_id, group_id, &self.visible) {
            (Some(jobs), ..) => Topics::Jobs(jobs.clone()),
            (None, Some(project), ..) => Topics::Project(*project),
            (None, None, ..) if *mine => Topics::Submitter(self.viewer),
            (None, None, Some(group), _) => Topics::Groups(vec![*group]),
            (None, None, None, Visible::Groups(groups)) => Topics::Groups(groups.clone()),
            (None, None, None, Visible::Everything) => Topics::Everything,
        }
    }

    /// Whether the subscriber is told `event`.
    pub fn shows(&self, event: &JobEvent) -> bool {
        let JobEventFilter { project_id, group_id, job_ids, phases, mine } = &self.filter;
        self.visible.includes(event.group_id)
            && project_id.is_none_or(|project| project == event.project_id)
            && group_id.is_none_or(|group| group == event.group_id)
            && job_ids.as_ref().is_none_or(|jobs| jobs.contains(&event.job_id))
            && phases.as_ref().is_none_or(|phases| phases.iter().any(|phase| phase.as_str() == event.phase))
            && (!mine || event.submitted_by == self.viewer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Utc;

    fn event() -> JobEvent {
        JobEvent {
            seq: 1,
            job_id: JobId::generate(),
            project_id: ProjectId::generate(),
            group_id: GroupId::generate(),
            submitted_by: UserId::generate(),
            kind: "PHASE_CHANGED".into(),
            phase: "RUNNING".into(),
            previous_phase: Some("QUEUED".into()),
            reason: None,
            message: None,
            at: Utc::now(),
        }
    }

    fn view(visible: Visible, filter: JobEventFilter) -> View {
        View { viewer: UserId::generate(), visible, filter }
    }

    #[test]
    fn another_group_s_events_are_never_shown() {
        let event = event();
        assert!(!view(Visible::Groups(vec![GroupId::generate()]), JobEventFilter::default()).shows(&event));
        assert!(view(Visible::Groups(vec![event.group_id]), JobEventFilter::default()).shows(&event));
        assert!(view(Visible::Everything, JobEventFilter::default()).shows(&event));
    }

    #[test]
    fn each_part_of_the_filter_restricts() {
        let event = event();
        let shows = |filter| view(Visible::Everything, filter).shows(&event);
        let none = JobEventFilter::default();
        assert!(shows(JobEventFilter { phases: Some(vec![JobPhase::Running]), ..none.clone() }));
        assert!(!shows(JobEventFilter { phases: Some(vec![JobPhase::Queued]), ..none.clone() }));
        assert!(shows(JobEventFilter { job_ids: Some(vec![event.job_id]), ..none.clone() }));
        assert!(!shows(JobEventFilter { job_ids: Some(vec![]), ..none.clone() }));
        assert!(!shows(JobEventFilter { mine: true, ..none.clone() }));
        assert!(!shows(JobEventFilter { project_id: Some(ProjectId::generate()), ..none }));
    }
}
