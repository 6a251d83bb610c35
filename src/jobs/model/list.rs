//! Pages of jobs, of everything a viewer sees, and how many wait before a job.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::dsl::{InnerJoin, InnerJoinQuerySource, IntoBoxed};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{Brief, Columns, Job, Row};
use crate::auth::policy::Visible;
use crate::db::tables::{config_commits, jobs, projects};
use crate::graphql::connection::Page;
use crate::graphql::cursor::{Position, SortValue};
use crate::graphql::keyset::{Condition, OrderDirection};
use crate::graphql::search::Search;
use crate::graphql::time::TimeRange;
use crate::ids::{ConfigId, GroupId, JobId, ProjectId, UserId};
use crate::jobs::phase::JobPhase;

/// The filter and order of a list of jobs: part of a loader's key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Only jobs of this project.
    pub project: Option<ProjectId>,
    /// Only jobs of this group's projects.
    pub group: Option<GroupId>,
    /// Only jobs submitted by this user.
    pub submitted_by: Option<UserId>,
    /// Only jobs in one of these phases.
    pub phases: Option<Vec<JobPhase>>,
    /// Only with one of these names.
    pub names: Option<Vec<String>>,
    /// Only with a name that matches.
    pub search: Option<Search>,
    /// Only in one of these queues.
    pub queues: Option<Vec<String>>,
    /// Only those made from a commit of this config file.
    pub config_file: Option<ConfigId>,
    /// Only those submitted within this time.
    pub submitted: TimeRange,
    /// Only those that finished within this time.
    pub finished: TimeRange,
    /// Oldest first; otherwise newest first.
    pub oldest_first: bool,
}

impl Selection {
    /// Whether the rows of `page` are read in ascending order of time.
    fn ascending(&self, page: &Page) -> bool {
        self.oldest_first != page.backward
    }

    /// The page's two cursors as bounds of time: (later than, earlier than).
    fn bounds<'p>(&self, page: &'p Page) -> (Option<&'p Position>, Option<&'p Position>) {
        if self.oldest_first {
            (page.after.as_ref(), page.before.as_ref())
        } else {
            (page.before.as_ref(), page.after.as_ref())
        }
    }
}

fn time(position: Option<&Position>) -> Option<(DateTime<Utc>, uuid::Uuid)> {
    position.and_then(|position| match position.value {
        SortValue::Time(time) => Some((time, position.id)),
        SortValue::Text(_) | SortValue::Number(_) => None,
    })
}

type WithProject = InnerJoinQuerySource<jobs::table, projects::table>;

/// The conditions of a [`Selection`] except that of the group, for whatever tables they are used with.
macro_rules! conditions {
    ($selection:expr) => {{
        let mut conditions: Vec<Condition<_>> = Vec::new();
        if let Some(project) = $selection.project {
            conditions.push(Box::new(jobs::project_id.eq(project)));
        }
        if let Some(user) = $selection.submitted_by {
            conditions.push(Box::new(jobs::submitted_by.eq(user)));
        }
        if let Some(phases) = &$selection.phases {
            conditions.push(Box::new(jobs::phase.eq_any(phases.clone())));
        }
        if let Some(names) = &$selection.names {
            conditions.push(Box::new(jobs::name.eq_any(names.clone())));
        }
        if let Some(search) = &$selection.search {
            conditions.push(search.matches("jobs.name"));
        }
        if let Some(queues) = &$selection.queues {
            conditions.push(Box::new(jobs::queue.eq_any(queues.clone())));
        }
        if let Some(file) = $selection.config_file {
            let commits = config_commits::table.filter(config_commits::config_file_id.eq(file));
            conditions.push(Box::new(
                jobs::config_commit_id.eq_any(commits.select(config_commits::id.nullable())).assume_not_null(),
            ));
        }
        if let Some(from) = $selection.submitted.from {
            conditions.push(Box::new(jobs::submitted_at.ge(from)));
        }
        if let Some(to) = $selection.submitted.to {
            conditions.push(Box::new(jobs::submitted_at.lt(to)));
        }
        if let Some(from) = $selection.finished.from {
            conditions.push(Box::new(jobs::finished_at.ge(from).assume_not_null()));
        }
        if let Some(to) = $selection.finished.to {
            conditions.push(Box::new(jobs::finished_at.lt(to).assume_not_null()));
        }
        conditions
    }};
}

impl Selection {
    /// The conditions that the jobs meet.
    pub fn conditions(&self) -> Vec<Condition<jobs::table>> {
        let mut conditions: Vec<Condition<jobs::table>> = conditions!(self);
        if let Some(group) = self.group {
            let theirs = projects::table.filter(projects::group_id.eq(group)).select(projects::id);
            conditions.push(Box::new(jobs::project_id.eq_any(theirs)));
        }
        conditions
    }

    /// The direction of the list.
    pub fn direction(&self) -> OrderDirection {
        if self.oldest_first { OrderDirection::Asc } else { OrderDirection::Desc }
    }
}

fn filtered<'a>(
    visible: &Visible,
    selection: &Selection,
) -> IntoBoxed<'a, InnerJoin<jobs::table, projects::table>, diesel::pg::Pg> {
    let mut query = jobs::table.inner_join(projects::table).into_boxed();
    if let Visible::Groups(groups) = visible {
        query = query.filter(projects::group_id.eq_any(groups.clone()));
    }
    if let Some(group) = selection.group {
        query = query.filter(projects::group_id.eq(group));
    }
    let conditions: Vec<Condition<WithProject>> = conditions!(selection);
    for condition in conditions {
        query = query.filter(condition);
    }
    query
}

/// One page of the visible and selected jobs, in the page's own direction, each with the group of its project.
///
/// # Errors
/// The database's.
pub async fn page(
    conn: &mut AsyncPgConnection,
    visible: &Visible,
    selection: &Selection,
    page: &Page,
    columns: Columns,
) -> QueryResult<Vec<(Row, GroupId)>> {
    use diesel::dsl::sql;
    let mut query = filtered(visible, selection);
    let (later, earlier) = selection.bounds(page);
    // Diesel has no row comparison; the index is made for (submitted_at, id) > (…).
    if let Some((time, id)) = time(later) {
        query = query.filter(
            sql::<Bool>("(jobs.submitted_at, jobs.id) > (")
                .bind::<Timestamptz, _>(time)
                .sql(", ")
                .bind::<SqlUuid, _>(id)
                .sql(")"),
        );
    }
    if let Some((time, id)) = time(earlier) {
        query = query.filter(
            sql::<Bool>("(jobs.submitted_at, jobs.id) < (")
                .bind::<Timestamptz, _>(time)
                .sql(", ")
                .bind::<SqlUuid, _>(id)
                .sql(")"),
        );
    }
    let query = if selection.ascending(page) {
        query.order((jobs::submitted_at.asc(), jobs::id.asc()))
    } else {
        query.order((jobs::submitted_at.desc(), jobs::id.desc()))
    };
    let query = query.limit(page.limit);
    Ok(match columns {
        Columns::Brief => rows(query.select((Brief::as_select(), projects::group_id)).load(conn).await?),
        Columns::Whole => rows(query.select((Job::as_select(), projects::group_id)).load(conn).await?),
    })
}

fn rows<T>(jobs: Vec<(T, GroupId)>) -> Vec<(Row, GroupId)>
where
    Row: From<Arc<T>>,
{
    jobs.into_iter().map(|(job, group)| (Arc::new(job).into(), group)).collect()
}

/// The number of visible and selected jobs.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut AsyncPgConnection, visible: &Visible, selection: &Selection) -> QueryResult<i64> {
    filtered(visible, selection).count().get_result(conn).await
}

/// How many jobs wait before each of these in its queue, in one statement.
///
/// # Errors
/// The database's.
pub async fn jobs_ahead(conn: &mut AsyncPgConnection, ids: &[JobId]) -> QueryResult<HashMap<JobId, i64>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        id: JobId,
        #[diesel(sql_type = BigInt)]
        ahead: i64,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT job.id, count(earlier.id) AS ahead FROM jobs AS job
         LEFT JOIN jobs AS earlier ON earlier.phase = 'QUEUED' AND earlier.queue = job.queue
              AND (earlier.submitted_at, earlier.id) < (job.submitted_at, job.id)
         WHERE job.id = ANY ($1) GROUP BY job.id",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.ahead)).collect())
}
