//! The namespaces of projects as the platform keeps them in order. Triggers make a row due when its project or the limits
//! of its project change.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::tables::project_namespaces;
use crate::ids::ProjectId;

/// A namespace to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
#[diesel(table_name = project_namespaces, check_for_backend(diesel::pg::Pg))]
pub struct Due {
    /// The namespace.
    pub namespace: String,
    /// The project that it belongs to.
    pub project_id: ProjectId,
    /// A digest of what the cluster was last found or made to have.
    pub applied: Option<String>,
    /// Whether the project was deleted, so that the namespace has to go.
    pub removing: bool,
    /// Failed attempts since the last success, including this one.
    pub attempts: i32,
}

/// Claims at most `limit` namespaces for `lease_seconds`; after that others see them again, in case the claimer has died.
///
/// # Errors
/// The database's.
pub async fn claim(conn: &mut AsyncPgConnection, limit: i64, lease_seconds: i64) -> QueryResult<Vec<Due>> {
    diesel::sql_query(
        "WITH due AS (
             SELECT namespace FROM project_namespaces WHERE next_check_at <= now()
             ORDER BY next_check_at LIMIT $1 FOR UPDATE SKIP LOCKED
         )
         UPDATE project_namespaces AS space
            SET next_check_at = now() + make_interval(secs => $2), attempts = attempts + 1
           FROM due WHERE space.namespace = due.namespace
         RETURNING space.namespace, space.project_id, space.applied, space.removing, space.attempts",
    )
    .bind::<BigInt, _>(limit)
    .bind::<BigInt, _>(lease_seconds)
    .load(conn)
    .await
}

/// The cluster has what this digest is of. Looks again after this many seconds, or at once if the row was made due while
/// the cluster was asked: the lease would not have ended yet.
///
/// # Errors
/// The database's.
pub async fn in_order(conn: &mut AsyncPgConnection, due: &Due, digest: &str, seconds: i64) -> QueryResult<()> {
    again(conn, due, Some(digest), seconds, 0).await
}

/// Looks at the namespace again after this many seconds.
///
/// # Errors
/// The database's.
pub async fn put_off(conn: &mut AsyncPgConnection, due: &Due, seconds: i64) -> QueryResult<()> {
    again(conn, due, due.applied.as_deref(), seconds, due.attempts).await
}

async fn again(
    conn: &mut AsyncPgConnection,
    due: &Due,
    applied: Option<&str>,
    seconds: i64,
    attempts: i32,
) -> QueryResult<()> {
    diesel::sql_query(
        "UPDATE project_namespaces
            SET applied = $1, attempts = $2::integer,
                next_check_at = CASE WHEN next_check_at <= now() THEN next_check_at
                                     ELSE now() + make_interval(secs => $3) END
          WHERE namespace = $4",
    )
    .bind::<Nullable<Text>, _>(applied)
    .bind::<BigInt, _>(i64::from(attempts))
    .bind::<BigInt, _>(seconds)
    .bind::<Text, _>(&due.namespace)
    .execute(conn)
    .await
    .map(drop)
}

/// The namespace of a deleted project has gone.
///
/// # Errors
/// The database's.
pub async fn finish(conn: &mut AsyncPgConnection, due: &Due) -> QueryResult<()> {
    let gone = project_namespaces::namespace.eq(&due.namespace).and(project_namespaces::removing);
    diesel::delete(project_namespaces::table.filter(gone)).execute(conn).await.map(drop)
}
