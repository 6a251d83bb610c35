//! The schedules of projects and the SQL for them.

use std::collections::BTreeMap;
use std::ops::Bound;

use chrono::{DateTime, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};

use super::week::{DAY, WEEK, Week, Window};
use crate::change::Writes;
use crate::db::tables::{project_schedules, schedule_windows};
use crate::ids::ProjectId;
use crate::jobs::model::submit::release;
use crate::text_enum;

/// What happens to jobs that are submitted outside the windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, async_graphql::Enum, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum OutsideSchedule {
    /// They wait until a window opens.
    Wait,
    /// They are rejected.
    Refuse,
}

text_enum!(OutsideSchedule { Wait => "WAIT", Refuse => "REFUSE" });

/// When the jobs of a project can start.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The windows.
    pub week: Week,
    /// What happens outside of them.
    pub outside: OutsideSchedule,
}

impl Schedule {
    /// What happens to jobs, and why, if no window is open.
    pub fn closed(&self, now: DateTime<Utc>) -> Option<(OutsideSchedule, String)> {
        (!self.week.is_open(now)).then(|| (self.outside, self.week.closed(now)))
    }

    /// For the audit log.
    pub fn to_json(&self) -> Value {
        let windows: Vec<String> = self.week.windows.iter().map(Window::to_string).collect();
        json!({ "timeZone": self.week.zone_name, "windows": windows, "outside": self.outside.as_str() })
    }
}

/// The schedule of each of these projects that has one.
///
/// # Errors
/// The database's.
pub async fn of_projects(
    conn: &mut AsyncPgConnection,
    projects: &[ProjectId],
) -> QueryResult<BTreeMap<ProjectId, Schedule>> {
    let rows: Vec<(ProjectId, String, OutsideSchedule)> = project_schedules::table
        .filter(project_schedules::project_id.eq_any(projects))
        .select((project_schedules::project_id, project_schedules::time_zone, project_schedules::outside))
        .load(conn)
        .await?;
    if rows.is_empty() {
        return Ok(BTreeMap::new());
    }
    type Window = (Bound<i32>, Bound<i32>);
    let found: Vec<(ProjectId, Window)> = schedule_windows::table
        .filter(schedule_windows::project_id.eq_any(projects))
        .order((schedule_windows::project_id, schedule_windows::minutes))
        .select((schedule_windows::project_id, schedule_windows::minutes))
        .load(conn)
        .await?;
    let mut windows: BTreeMap<ProjectId, Vec<(i32, i32)>> = BTreeMap::new();
    for (project, bounds) in found {
        if let (Bound::Included(start), Bound::Excluded(end)) = bounds {
            windows.entry(project).or_default().push((start, end));
        }
    }
    let schedule = |(project, zone, outside): (ProjectId, String, OutsideSchedule)| {
        let windows = joined(windows.get(&project).map_or(&[], Vec::as_slice));
        (project, Schedule { week: Week::new(zone, windows), outside })
    };
    Ok(rows.into_iter().map(schedule).collect())
}

/// The windows of the ranges that are stored for them, in order: one that passes the end of the week is two ranges.
fn joined(ranges: &[(i32, i32)]) -> Vec<Window> {
    let mut windows: Vec<Window> =
        ranges.iter().map(|(start, end)| Window { start: *start, length: end - start }).collect();
    if let [first, .., last] = *windows.as_slice()
        && first.start == 0
        && last.start + last.length == WEEK
        && first.length + last.length <= DAY
    {
        windows.remove(0);
        windows.pop();
        windows.push(Window { start: last.start, length: first.length + last.length });
    }
    windows
}

/// The schedule of a project, if it has one.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut AsyncPgConnection, project: ProjectId) -> QueryResult<Option<Schedule>> {
    Ok(of_projects(conn, &[project]).await?.remove(&project))
}

/// Writes the schedule of a project; `None` removes it. Jobs that wait for a window are looked at again at once.
///
/// # Errors
/// The database's; windows that overlap violate `schedule_windows_overlap`.
pub async fn set(writes: &mut Writes<'_>, project: ProjectId, schedule: Option<&Schedule>) -> QueryResult<()> {
    let conn = writes.conn();
    diesel::delete(schedule_windows::table.filter(schedule_windows::project_id.eq(project))).execute(conn).await?;
    diesel::delete(project_schedules::table.find(project)).execute(conn).await?;
    if let Some(Schedule { week, outside }) = schedule {
        diesel::insert_into(project_schedules::table)
            .values((
                project_schedules::project_id.eq(project),
                project_schedules::time_zone.eq(&week.zone_name),
                project_schedules::outside.eq(*outside),
            ))
            .execute(conn)
            .await?;
        let ranges = week.windows.iter().flat_map(|window| window.ranges());
        let rows: Vec<_> = ranges
            .map(|(start, end)| {
                let minutes = (Bound::Included(start), Bound::Excluded(end));
                (schedule_windows::project_id.eq(project), schedule_windows::minutes.eq(minutes))
            })
            .collect();
        diesel::insert_into(schedule_windows::table).values(rows).execute(conn).await?;
    }
    release(writes, project).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back_as_it_was_given() {
        for windows in [
            vec![Window { start: WEEK - 120, length: 480 }],
            vec![Window { start: 600, length: 60 }, Window { start: WEEK - 1, length: 2 }],
            vec![Window { start: 0, length: DAY }, Window { start: WEEK - DAY, length: DAY }],
            vec![],
        ] {
            let mut ranges: Vec<_> = windows.iter().flat_map(|window| window.ranges()).collect();
            ranges.sort_unstable();
            assert_eq!(joined(&ranges), windows);
        }
    }
}
