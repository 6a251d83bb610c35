//! What single users may do with a claim.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::auth::policy::StorageAccess;
use crate::change::Writes;
use crate::db::tables::{storage_claims, storage_permissions};
use crate::ids::{PvcId, UserId};

/// What a user may do with a claim, whatever its default is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = storage_permissions, check_for_backend(Pg))]
pub struct Permission {
    /// The claim.
    pub claim_id: PvcId,
    /// The user.
    pub user_id: UserId,
    /// What they may do.
    pub access: StorageAccess,
}

/// What claims grant to users: for each pair, the permission of the user, or the default of the claim. Nothing for claims
/// that do not exist.
///
/// # Errors
/// The database's.
pub async fn accesses(
    conn: &mut AsyncPgConnection,
    of: &[(PvcId, UserId)],
) -> QueryResult<Vec<((PvcId, UserId), StorageAccess)>> {
    let claims: Vec<PvcId> = of.iter().map(|(claim, _)| *claim).collect();
    let users: Vec<UserId> = of.iter().map(|(_, user)| *user).collect();
    let own: Vec<Permission> = storage_permissions::table
        .filter(storage_permissions::claim_id.eq_any(&claims).and(storage_permissions::user_id.eq_any(users)))
        .select(Permission::as_select())
        .load(conn)
        .await?;
    let defaults: Vec<(PvcId, StorageAccess, bool)> = storage_claims::table
        .filter(storage_claims::id.eq_any(&claims))
        .select((storage_claims::id, storage_claims::default_access, storage_claims::admin_only))
        .load(conn)
        .await?;
    let access = |claim: PvcId, user: UserId| {
        let own = own.iter().find(|own| (own.claim_id, own.user_id) == (claim, user)).map(|own| own.access);
        let (_, default, admin_only) = *defaults.iter().find(|(id, ..)| *id == claim)?;
        Some(own.unwrap_or(if admin_only { StorageAccess::None } else { default }))
    };
    Ok(of.iter().filter_map(|(claim, user)| Some(((*claim, *user), access(*claim, *user)?))).collect())
}

/// The permissions of users for each of these claims.
///
/// # Errors
/// The database's.
pub async fn of_claims(conn: &mut AsyncPgConnection, claims: &[PvcId]) -> QueryResult<Vec<Permission>> {
    storage_permissions::table
        .filter(storage_permissions::claim_id.eq_any(claims))
        .order((storage_permissions::claim_id, storage_permissions::user_id))
        .select(Permission::as_select())
        .load(conn)
        .await
}

/// Says what a user may do with a claim: `None` for what the default of the claim says. Returns what was said before.
///
/// # Errors
/// The database's.
pub async fn set(
    writes: &mut Writes<'_>,
    claim: PvcId,
    user: UserId,
    access: Option<StorageAccess>,
) -> QueryResult<Option<StorageAccess>> {
    let row = storage_permissions::table.find((claim, user));
    let before = row.select(storage_permissions::access).first(writes.conn()).await.optional()?;
    match access {
        Some(access) => {
            diesel::insert_into(storage_permissions::table)
                .values(Permission { claim_id: claim, user_id: user, access })
                .on_conflict((storage_permissions::claim_id, storage_permissions::user_id))
                .do_update()
                .set(storage_permissions::access.eq(access))
                .execute(writes.conn())
                .await?;
        }
        None => drop(diesel::delete(row).execute(writes.conn()).await?),
    }
    Ok(before)
}
