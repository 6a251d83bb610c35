//! The schedule of a project as a GraphQL type.

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, Utc};

use crate::graphql::limits::directives::assumed_list;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::ProjectId;
use crate::projects::loader::ScheduleOfProject;
use crate::projects::model::schedule::{OutsideSchedule, Schedule};
use crate::projects::model::week::{Weekday, Window};

/// A window of a schedule, every week. If `to` is not later than `from`, it ends on the next day.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub struct ScheduleWindow {
    /// The day on which the window begins.
    pub weekday: Weekday,
    /// The time at which the window begins, such as `08:00`.
    pub from: String,
    /// The time at which the window ends, such as `18:00`. Midnight is `24:00`.
    pub to: String,
}

impl From<Window> for ScheduleWindow {
    fn from(window: Window) -> Self {
        Self { weekday: window.weekday(), from: window.from(), to: window.to() }
    }
}

/// When the jobs of a project can start.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub struct ProjectSchedule {
    /// The IANA name of the time zone of the windows.
    pub time_zone: String,
    /// The windows in which jobs can start, from Monday to Sunday.
    #[graphql(directive = assumed_list::apply(7))]
    pub windows: Vec<ScheduleWindow>,
    /// What happens to jobs that are submitted outside the windows.
    pub outside: OutsideSchedule,
    /// Whether a window is open now.
    pub is_open: bool,
    /// When a window opens next; null if one is open now.
    pub opens_at: Option<DateTime<Utc>>,
}

impl ProjectSchedule {
    fn at(schedule: &Schedule, now: DateTime<Utc>) -> Self {
        let Schedule { week, outside } = schedule;
        let is_open = week.is_open(now);
        Self {
            time_zone: week.zone_name.clone(),
            windows: week.windows.iter().copied().map(Into::into).collect(),
            outside: *outside,
            is_open,
            opens_at: if is_open { None } else { week.opens_at(now) },
        }
    }
}

/// The schedule under a project.
#[derive(Debug)]
pub struct ScheduleUnderProject(ProjectId);

impl From<ProjectId> for ScheduleUnderProject {
    fn from(project: ProjectId) -> Self {
        Self(project)
    }
}

/// The schedule that a project has.
#[Object]
impl ScheduleUnderProject {
    /// When the jobs of the project can start; null if they can start at any time.
    async fn schedule(&self, ctx: &Context<'_>) -> ApiResult<Option<ProjectSchedule>> {
        let schedule = ctx.read::<ScheduleOfProject>(self.0).await.graphql(ctx)?;
        Ok(schedule.map(|schedule| ProjectSchedule::at(&schedule, Utc::now())))
    }
}
