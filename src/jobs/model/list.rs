//! Pages of jobs, of everything a viewer sees, and how many wait before a job.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::dsl::{InnerJoin, InnerJoinQuerySource, IntoBoxed};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::criteria::{Criteria, conditions};
use super::{Brief, Columns, Job, Row};
use crate::auth::policy::Visible;
use crate::db::tables::{config_commits, jobs, projects};
use crate::graphql::connection::Page;
use crate::graphql::cursor::{Position, SortValue};
use crate::graphql::keyset::{Condition, OrderDirection};
use crate::ids::{GroupId, JobId};
use crate::jobs::phase::JobPhase;

/// The filter and order of a list of jobs: part of a loader's key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Only jobs that meet these conditions.
    pub criteria: Criteria,
    /// Only jobs in one of these phases.
    pub phases: Option<Vec<JobPhase>>,
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
macro_rules! selected {
    ($selection:expr) => {{
        let mut conditions: Vec<Condition<_>> = conditions!($selection.criteria);
        if let Some(phases) = &$selection.phases {
            conditions.push(Box::new(jobs::phase.eq_any(phases.clone())));
        }
        conditions
    }};
}

impl Selection {
    /// The conditions that the jobs meet.
    pub fn conditions(&self) -> Vec<Condition<jobs::table>> {
        let mut conditions: Vec<Condition<jobs::table>> = selected!(self);
        if let Some(group) = self.criteria.group {
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
    if let Visible::Groups { groups, project } = visible {
        query = query.filter(projects::group_id.eq_any(groups.clone()));
        if let Some(project) = *project {
            query = query.filter(jobs::project_id.eq(project));
        }
    }
    if let Some(group) = selection.criteria.group {
        query = query.filter(projects::group_id.eq(group));
    }
    let conditions: Vec<Condition<WithProject>> = selected!(selection);
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

/// What waits before a job in its queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ahead {
    /// The number of jobs.
    pub jobs: i64,
    /// The GPUs that they request.
    pub gpus: i64,
}

/// What waits before each of these jobs in its queue, in one statement. All that is in the cluster is before a job that has
/// not been sent, and of those that have not been sent the ones with a higher priority.
///
/// # Errors
/// The database's.
pub async fn jobs_ahead(conn: &mut AsyncPgConnection, ids: &[JobId]) -> QueryResult<HashMap<JobId, Ahead>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        id: JobId,
        #[diesel(sql_type = BigInt)]
        jobs: i64,
        #[diesel(sql_type = BigInt)]
        gpus: i64,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT job.id, count(*) AS jobs, coalesce(sum(ahead.gpu), 0)::bigint AS gpus
         FROM jobs AS job CROSS JOIN LATERAL (
             SELECT sent.gpu FROM jobs AS sent
             WHERE sent.queue = job.queue AND sent.phase = 'QUEUED'
               AND (job.phase = 'SUBMITTED' OR (sent.submitted_at, sent.id) < (job.submitted_at, job.id))
             UNION ALL
             SELECT unsent.gpu FROM jobs AS unsent
             WHERE job.phase = 'SUBMITTED' AND unsent.queue = job.queue AND unsent.phase = 'SUBMITTED'
               AND (-unsent.priority, unsent.submitted_at, unsent.id) < (-job.priority, job.submitted_at, job.id)
         ) AS ahead
         WHERE job.id = ANY ($1) GROUP BY job.id",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .load(conn)
    .await?;
    // A job that is the first has no row.
    let mut found: HashMap<JobId, Ahead> = ids.iter().map(|id| (*id, Ahead::default())).collect();
    found.extend(rows.into_iter().map(|row| (row.id, Ahead { jobs: row.jobs, gpus: row.gpus })));
    Ok(found)
}
