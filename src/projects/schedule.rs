//! Sets when the jobs of a project can start.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use serde_json::json;

use super::event::{ProjectEvent, ProjectEventKind, about};
use super::model;
use super::model::schedule::{self, OutsideSchedule, Schedule};
use super::model::week::{DAY, Week, Weekday, Window, minutes_of, zone};
use super::mutation::group_of;
use super::types::Project;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Changed, Done};
use crate::error::{ApiError, ApiErrors, Problems};
use crate::executor::Wake;
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::cost;
use crate::graphql::names::shown;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::ProjectKind;

/// Maximum number of windows of a schedule.
const MAX_WINDOWS: usize = 50;

/// Input for `setProjectSchedule`.
#[derive(Debug, InputObject)]
pub struct SetProjectScheduleInput {
    /// The ID of the project. You must be a manager or an admin of its group.
    pub project_id: GivenId<ProjectKind>,
    /// The IANA name of the time zone of the windows, such as `Europe/Berlin`. Windows follow the local clock, also when
    /// it is put forward or back.
    pub time_zone: String,
    /// The windows in which jobs can start: at most 50. Two windows cannot overlap. Without windows, jobs can start at
    /// any time.
    pub windows: Vec<ScheduleWindowInput>,
    /// What happens to jobs that are submitted outside the windows.
    #[graphql(default_with = "Some(OutsideSchedule::Wait)")]
    pub outside: Option<OutsideSchedule>,
}

/// A window of a schedule, every week. If `to` is not later than `from`, it ends on the next day.
#[derive(Debug, InputObject)]
pub struct ScheduleWindowInput {
    /// The day on which the window begins.
    pub weekday: Weekday,
    /// The time at which the window begins, such as `08:00`.
    pub from: String,
    /// The time at which the window ends, such as `18:00`. Midnight is `24:00`.
    pub to: String,
}

/// Result of `setProjectSchedule`.
#[derive(Debug, SimpleObject)]
pub struct SetProjectSchedulePayload {
    /// The project.
    pub project: Project,
}

/// The mutation that sets schedules.
#[derive(Debug, Default)]
pub struct ScheduleMutation;

#[Object]
impl ScheduleMutation {
    /// Sets when the jobs of a project can start, instead of the schedule before. Jobs that are already in the cluster
    /// continue when a window closes. Jobs that wait for a window start when one opens, or at once if the new schedule
    /// allows it.
    ///
    /// Fails with NOT_FOUND if the project does not exist or you are not a member of its group, FORBIDDEN if you are not
    /// a manager or an admin of its group, and BAD_USER_INPUT for each invalid field and each window that overlaps
    /// another.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn set_project_schedule(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The project and its new schedule.")] input: SetProjectScheduleInput,
    ) -> ApiResult<Option<SetProjectSchedulePayload>> {
        set(ctx, input).await.map(Some).graphql(ctx)
    }
}

/// The schedule of an input; `None` if it has no windows.
fn parse(input: &SetProjectScheduleInput) -> Result<Option<Schedule>, ApiErrors> {
    let mut problems = Problems::default();
    if zone(&input.time_zone).is_none() {
        let message = format!(
            "{} is not a time zone; it must be an IANA name such as \"Europe/Berlin\" or \"Etc/UTC\"",
            shown(&input.time_zone)
        );
        problems.push(ApiError::bad_input("input.timeZone", message));
    }
    if input.windows.len() > MAX_WINDOWS {
        let message = format!("windows has {} windows; at most {MAX_WINDOWS} are allowed", input.windows.len());
        return Err(ApiError::bad_input("input.windows", message).into());
    }
    let mut windows: Vec<(usize, Window)> = Vec::new();
    for (index, given) in input.windows.iter().enumerate() {
        let Some(window) = window(given, index, &mut problems) else { continue };
        if let Some((other, overlapped)) = windows.iter().find(|(_, other)| other.overlaps(window)) {
            let message = format!("{window} overlaps {overlapped}, which is windows.{other}");
            problems.push(ApiError::bad_input(format!("input.windows.{index}"), message));
        }
        windows.push((index, window));
    }
    problems.finish()?;
    if windows.is_empty() {
        return Ok(None);
    }
    let mut windows: Vec<Window> = windows.into_iter().map(|(_, window)| window).collect();
    windows.sort_unstable_by_key(|window| window.start);
    let outside = input.outside.unwrap_or(OutsideSchedule::Wait);
    Ok(Some(Schedule { week: Week::new(input.time_zone.clone(), windows), outside }))
}

fn window(given: &ScheduleWindowInput, index: usize, problems: &mut Problems) -> Option<Window> {
    let mut time = |text: &str, name: &str, latest: i32| {
        let minutes = minutes_of(text).filter(|minutes| *minutes <= latest);
        if minutes.is_none() {
            let until = if latest == DAY { "24:00" } else { "23:59" };
            let message = format!("{} is not a time of day; it must be between \"00:00\" and \"{until}\"", shown(text));
            problems.push(ApiError::bad_input(format!("input.windows.{index}.{name}"), message));
        }
        minutes
    };
    let (from, to) = (time(&given.from, "from", DAY - 1), time(&given.to, "to", DAY));
    let (from, to) = (from?, to?);
    if from == to {
        let message =
            format!("the window begins and ends at {}; for a whole day, it must end at \"24:00\"", given.from);
        problems.push(ApiError::bad_input(format!("input.windows.{index}.to"), message));
        return None;
    }
    let length = if to > from { to - from } else { to + DAY - from };
    Some(Window { start: given.weekday as i32 * DAY + from, length })
}

async fn set(ctx: &Context<'_>, input: SetProjectScheduleInput) -> Result<SetProjectSchedulePayload, ApiErrors> {
    ctx.caller().principal()?;
    let parsed = parse(&input);
    let (id, group) = match input.project_id.at("input.projectId") {
        Ok(_) => group_of(ctx, &input.project_id).await?,
        Err(problem) => return Err(problem.and_of(parsed)),
    };
    let scope = Scope::within(group, id);
    let change = ctx.change(Action::SetProjectSchedule, scope).map_err(|error| error.at("input.projectId"))?;
    let parsed = parsed?;
    let project = change
        .commit(async |writes| {
            let not_found = || ApiError::not_found("project", id).at("input.projectId");
            let project = model::lock(writes, id).await?.ok_or_else(not_found)?;
            let before = schedule::find(writes.conn(), id).await?;
            if before == parsed {
                return Ok(Done::nothing().with(project));
            }
            schedule::set(writes, id, parsed.as_ref()).await?;
            writes.tell(about(id, group), &ProjectEvent { kind: ProjectEventKind::ScheduleChanged })?;
            let shown = |schedule: Option<&Schedule>| schedule.map(Schedule::to_json);
            let changed = Changed::default().field("schedule", &shown(before.as_ref()), &shown(parsed.as_ref()));
            Ok(Done::to(id, json!({ "name": project.name })).changed(changed).with(project))
        })
        .await?;
    if let Some(wake) = ctx.data_opt::<Wake>() {
        wake.now();
    }
    Ok(SetProjectSchedulePayload { project: project.into() })
}
