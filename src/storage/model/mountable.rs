//! The claims that a new job mounts.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{Claim, permissions};
use crate::auth::policy::StorageAccess;
use crate::db::tables::{job_claims, storage_claims};
use crate::ids::{JobId, ProjectId, PvcId, UserId};

/// The claims of a project that are named, each by its name or its ID, and what each grants to a user.
///
/// # Errors
/// The database's.
pub async fn of_project(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    named: &BTreeSet<String>,
    user: UserId,
) -> QueryResult<Vec<(Claim, StorageAccess)>> {
    let ids: Vec<PvcId> = named.iter().filter_map(|text| text.parse().ok()).collect();
    let by_name = storage_claims::name.eq_any(named).or(storage_claims::id.eq_any(ids));
    let claims: Vec<Claim> = storage_claims::table
        .filter(storage_claims::project_id.eq(project).assume_not_null().and(by_name))
        .select(Claim::as_select())
        .load(conn)
        .await?;
    let keys: Vec<_> = claims.iter().map(|claim| (claim.id, user)).collect();
    let granted = permissions::accesses(conn, &keys).await?;
    let with_access = |claim: Claim| {
        let access = granted.iter().find(|((id, _), _)| *id == claim.id).map(|(_, access)| *access);
        (claim, access.unwrap_or_default())
    };
    Ok(claims.into_iter().map(with_access).collect())
}

/// Records the claims that a new job mounts. Nobody deletes them before the transaction ends. Returns one that somebody has
/// deleted before.
///
/// # Errors
/// The database's.
pub async fn record(conn: &mut AsyncPgConnection, job: JobId, mounts: &[(PvcId, bool)]) -> QueryResult<Option<String>> {
    if mounts.is_empty() {
        return Ok(None);
    }
    let ids: Vec<PvcId> = mounts.iter().map(|(claim, _)| *claim).collect();
    let found: Vec<(PvcId, String, Option<DateTime<Utc>>)> = storage_claims::table
        .filter(storage_claims::id.eq_any(&ids))
        .order(storage_claims::id)
        .select((storage_claims::id, storage_claims::name, storage_claims::delete_requested_at))
        .for_key_share()
        .load(conn)
        .await?;
    if let Some((_, name, _)) = found.iter().find(|(_, _, deleted)| deleted.is_some()) {
        return Ok(Some(name.clone()));
    }
    if let Some(gone) = ids.iter().find(|id| !found.iter().any(|(known, ..)| known == *id)) {
        return Ok(Some(gone.to_text()));
    }
    let row = |(claim, read_only): &(PvcId, bool)| {
        (job_claims::job_id.eq(job), job_claims::claim_id.eq(*claim), job_claims::read_only.eq(*read_only))
    };
    let rows: Vec<_> = mounts.iter().map(row).collect();
    diesel::insert_into(job_claims::table).values(rows).execute(conn).await?;
    Ok(None)
}
