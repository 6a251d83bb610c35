//! Pages of jobs: of everything a viewer sees, and the first of each of many projects.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{BRIEF_COLUMNS, Brief, COLUMNS, Columns, Job, Row};
use crate::auth::policy::Visible;
use crate::db::tables::{jobs, projects};
use crate::db::{prepared, prepared_rows, when};
use crate::graphql::connection::Page;
use crate::graphql::cursor::{Position, SortValue};
use crate::ids::{GroupId, JobId, ProjectId, UserId};
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

type Filtered<'a> =
    diesel::helper_types::IntoBoxed<'a, diesel::helper_types::InnerJoin<jobs::table, projects::table>, diesel::pg::Pg>;

fn filtered<'a>(visible: &'a Visible, selection: &'a Selection) -> Filtered<'a> {
    let mut query = jobs::table.inner_join(projects::table).into_boxed();
    if let Visible::Groups(groups) = visible {
        query = query.filter(projects::group_id.eq_any(groups));
    }
    if let Some(project) = selection.project {
        query = query.filter(jobs::project_id.eq(project));
    }
    if let Some(group) = selection.group {
        query = query.filter(projects::group_id.eq(group));
    }
    if let Some(user) = selection.submitted_by {
        query = query.filter(jobs::submitted_by.eq(user));
    }
    if let Some(phases) = &selection.phases {
        query = query.filter(jobs::phase.eq_any(phases));
    }
    query
}

/// One page of the visible and selected jobs, in the page's own direction.
///
/// # Errors
/// The database's.
pub async fn page(
    conn: &mut AsyncPgConnection,
    visible: &Visible,
    selection: &Selection,
    page: &Page,
    columns: Columns,
) -> QueryResult<Vec<Row>> {
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
        Columns::Brief => rows(query.select(Brief::as_select()).load(conn).await?),
        Columns::Whole => rows(query.select(Job::as_select()).load(conn).await?),
    })
}

fn rows<T>(jobs: Vec<T>) -> Vec<Row>
where
    Row: From<Arc<T>>,
{
    jobs.into_iter().map(|job| Arc::new(job).into()).collect()
}

/// The number of visible and selected jobs.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut AsyncPgConnection, visible: &Visible, selection: &Selection) -> QueryResult<i64> {
    filtered(visible, selection).count().get_result(conn).await
}

/// The page of each of `parents`' jobs, in one statement: a lateral join reads no more of any project than is shown.
///
/// # Errors
/// The database's.
pub async fn pages_of_projects(
    conn: &mut AsyncPgConnection,
    parents: &[ProjectId],
    selection: &Selection,
    page: &Page,
    columns: Columns,
) -> QueryResult<HashMap<ProjectId, Vec<Row>>> {
    let order = if selection.ascending(page) { "ASC" } else { "DESC" };
    let (later, earlier) = selection.bounds(page);
    let (later, earlier) = (time(later), time(earlier));
    let in_phases = when(selection.phases.is_some(), "phase = ANY ($2)");
    let by_person = when(selection.submitted_by.is_some(), "submitted_by = $3");
    let above = when(later.is_some(), "(submitted_at, id) > ($4, $5)");
    let below = when(earlier.is_some(), "(submitted_at, id) < ($6, $7)");
    // Only the shape is put into the text; everything a client sends is bound.
    let text = |columns: &str| {
        format!(
            "SELECT jobs.* FROM unnest($1) AS parent (id) CROSS JOIN LATERAL (
                SELECT {columns} FROM jobs
                WHERE project_id = parent.id
                  AND {in_phases}
                  AND {by_person}
                  AND {above}
                  AND {below}
                ORDER BY submitted_at {order}, id {order} LIMIT $8
             ) AS jobs"
        )
    };
    macro_rules! bound {
        ($statement:expr) => {
            $statement
                .bind::<Array<SqlUuid>, _>(parents)
                .bind::<Nullable<Array<Text>>, _>(selection.phases.as_deref())
                .bind::<Nullable<SqlUuid>, _>(selection.submitted_by)
                .bind::<Nullable<Timestamptz>, _>(later.map(|(time, _)| time))
                .bind::<Nullable<SqlUuid>, _>(later.map(|(_, id)| id))
                .bind::<Nullable<Timestamptz>, _>(earlier.map(|(time, _)| time))
                .bind::<Nullable<SqlUuid>, _>(earlier.map(|(_, id)| id))
                .bind::<BigInt, _>(page.limit)
        };
    }
    let jobs = match columns {
        Columns::Brief => rows(bound!(prepared_rows::<Brief>(text(BRIEF_COLUMNS))).load::<Brief>(conn).await?),
        Columns::Whole => rows(bound!(prepared_rows::<Job>(text(COLUMNS))).load::<Job>(conn).await?),
    };
    let mut pages: HashMap<ProjectId, Vec<Row>> = HashMap::with_capacity(parents.len());
    for job in jobs {
        pages.entry(job.project_id()).or_default().push(job);
    }
    Ok(pages)
}

/// How many of each of `parents`' jobs are selected, in one statement.
///
/// # Errors
/// The database's.
pub async fn counts_of_projects(
    conn: &mut AsyncPgConnection,
    parents: &[ProjectId],
    selection: &Selection,
) -> QueryResult<HashMap<ProjectId, i64>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        project_id: ProjectId,
        #[diesel(sql_type = BigInt)]
        jobs: i64,
    }
    let in_phases = when(selection.phases.is_some(), "phase = ANY ($2)");
    let by_person = when(selection.submitted_by.is_some(), "submitted_by = $3");
    let rows: Vec<Row> = prepared(format!(
        "SELECT project_id, count(*) AS jobs FROM jobs
         WHERE project_id = ANY ($1) AND {in_phases} AND {by_person} GROUP BY project_id"
    ))
    .bind::<Array<SqlUuid>, _>(parents)
    .bind::<Nullable<Array<Text>>, _>(selection.phases.as_deref())
    .bind::<Nullable<SqlUuid>, _>(selection.submitted_by)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.project_id, row.jobs)).collect())
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
