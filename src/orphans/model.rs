//! What the database knows of objects in the cluster.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::judge::{Known, Mentioned};
use crate::db::tables::{groups, project_namespaces, projects, storage_claims, storage_leftovers, users};
use crate::ids::PvcId;

/// What is known of everything that is mentioned.
///
/// # Errors
/// The database's.
pub async fn known(conn: &mut AsyncPgConnection, mentioned: &Mentioned) -> QueryResult<Known> {
    let Mentioned { projects: of_projects, groups: of_groups, users: of_users, claims, namespaces } = mentioned;
    let found = projects::table.filter(projects::id.eq_any(of_projects)).select(projects::id);
    let of_projects: Vec<_> = found.load(conn).await?;
    let found = groups::table.filter(groups::id.eq_any(of_groups)).select(groups::id);
    let of_groups: Vec<_> = found.load(conn).await?;
    let living = users::id.eq_any(of_users).and(users::deleted_at.is_null());
    let of_users: Vec<_> = users::table.filter(living).select(users::id).load(conn).await?;
    let found = storage_claims::table.filter(storage_claims::id.eq_any(claims)).select(storage_claims::id);
    let of_claims: Vec<PvcId> = found.load(conn).await?;
    // What is left of shares is removed by the storage worker.
    let found = storage_leftovers::table.filter(storage_leftovers::share_id.eq_any(claims));
    let leaving: Vec<PvcId> = found.select(storage_leftovers::share_id).load(conn).await?;
    let found = storage_claims::table.filter(storage_claims::namespace.eq_any(namespaces));
    let places: Vec<(String, String)> =
        found.select((storage_claims::namespace, storage_claims::name)).load(conn).await?;
    let found = project_namespaces::table.filter(project_namespaces::namespace.eq_any(namespaces));
    let kept: Vec<String> = found.select(project_namespaces::namespace).load(conn).await?;
    Ok(Known {
        projects: of_projects.into_iter().collect(),
        groups: of_groups.into_iter().collect(),
        users: of_users.into_iter().collect(),
        claims: of_claims.into_iter().chain(leaving).collect(),
        places: places.into_iter().collect(),
        namespaces: kept.into_iter().collect(),
    })
}
