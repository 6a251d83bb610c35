//! The rows of storage claims and the SQL for them.

pub mod due;
pub mod leftovers;
pub mod list;
pub mod mountable;
pub mod mounts;
pub mod observed;
pub mod permissions;

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::phase::{AccessMode, PvcPhase, Resize};
use crate::auth::policy::{Action, ClaimOwner, Scope, StorageAccess};
use crate::change::Writes;
use crate::db::tables::storage_claims;
use crate::ids::{GroupId, ProjectId, PvcId, UserId};

/// A storage claim.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, QueryableByName)]
#[diesel(table_name = storage_claims, check_for_backend(Pg))]
pub struct Claim {
    /// The ID.
    pub id: PvcId,
    /// The project that it belongs to, if it is one's.
    pub project_id: Option<ProjectId>,
    /// The group that it, or its project, belongs to.
    pub group_id: Option<GroupId>,
    /// The user whose drive it is.
    pub user_id: Option<UserId>,
    /// The namespace of the object in the cluster.
    pub namespace: String,
    /// The name of the object, unique within the namespace.
    pub name: String,
    /// The uid of the object, as soon as there is one.
    pub object_uid: Option<String>,
    /// The version of the object that was seen last.
    pub object_version: Option<i64>,
    /// The name of its volume.
    pub volume_name: Option<String>,
    /// The name that people see.
    pub display_name: String,
    /// Who created it; `None` if the platform did not.
    pub created_by: Option<UserId>,
    /// The storage class; `None` for the default one of the cluster, until the cluster says which that is.
    pub storage_class: Option<String>,
    /// How pods can mount it.
    pub access_mode: AccessMode,
    /// The wanted size, as it was written.
    pub size: String,
    /// The wanted size in bytes.
    pub size_bytes: i64,
    /// The size that the cluster was last asked for, in bytes.
    pub sent_bytes: i64,
    /// The size of the volume in bytes.
    pub capacity_bytes: Option<i64>,
    /// The phase.
    pub phase: PvcPhase,
    /// The reason for the phase, as a word.
    pub reason: Option<String>,
    /// The reason for the phase, as a sentence.
    pub message: Option<String>,
    /// The state of making it larger, if that is going on or has failed.
    pub resize: Option<Resize>,
    /// Why it cannot be made larger.
    pub resize_message: Option<String>,
    /// What members of the group may do with it.
    pub default_access: StorageAccess,
    /// Whether it is for admins of the group only, except for those who have a permission.
    pub admin_only: bool,
    /// The claim whose storage it shows, if it is a share.
    pub source_id: Option<PvcId>,
    /// The user whose drive that is, if it is one.
    pub shared_by: Option<UserId>,
    /// Whether nobody can write through it.
    pub read_only: bool,
    /// When its deletion was requested.
    pub delete_requested_at: Option<DateTime<Utc>>,
    /// When the worker looks at it.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// Failed attempts since the last success.
    pub attempts: i32,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

impl Claim {
    /// Whose it is.
    pub const fn owner(&self) -> ClaimOwner {
        match (self.project_id, self.user_id, self.shared_by) {
            (Some(_), _, Some(_)) => ClaimOwner::SharedDrive,
            (Some(_), _, None) => ClaimOwner::Project,
            (None, Some(_), _) => ClaimOwner::User,
            (None, None, _) => ClaimOwner::Group,
        }
    }

    /// Whether the platform has created it.
    pub const fn is_managed(&self) -> bool {
        self.created_by.is_some()
    }

    /// What it grants to the members of its group.
    pub const fn granted_by_default(&self) -> StorageAccess {
        if self.admin_only { StorageAccess::None } else { self.default_access }
    }

    /// What somebody may do with the files, of whom the policy `allows` this.
    pub fn access(&self, allows: impl Fn(Action) -> bool) -> StorageAccess {
        if !self.read_only && allows(Action::WritePvc) {
            StorageAccess::Write
        } else if allows(Action::ReadPvc) {
            StorageAccess::Read
        } else {
            StorageAccess::None
        }
    }

    /// The claim, for the policy, for a user to whom it grants this access.
    pub fn scope(&self, access: StorageAccess) -> Scope {
        let scope = match self.user_id {
            Some(user) => Scope::owned(user, self.id),
            None => Scope::of_group_or_none(self.group_id, self.id),
        };
        let scope = self.shared_by.into_iter().fold(scope, Scope::by);
        scope.in_project(self.project_id).claim(self.owner(), access)
    }
}

/// The claims with these IDs.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut AsyncPgConnection, ids: &[PvcId]) -> QueryResult<Vec<Claim>> {
    storage_claims::table.filter(storage_claims::id.eq_any(ids)).select(Claim::as_select()).load(conn).await
}

/// The shares of these claims, which are not being deleted.
///
/// # Errors
/// The database's.
pub async fn shares(conn: &mut AsyncPgConnection, sources: &[PvcId]) -> QueryResult<Vec<Claim>> {
    storage_claims::table
        .filter(storage_claims::source_id.eq_any(sources))
        .order((storage_claims::created_at, storage_claims::id))
        .select(Claim::as_select())
        .load(conn)
        .await
}

/// The name of the share of a claim in a project, if there is one. The claim is locked, so that there will be no second one.
///
/// # Errors
/// The database's.
pub async fn share_in(writes: &mut Writes<'_>, source: PvcId, project: ProjectId) -> QueryResult<Option<String>> {
    let share = storage_claims::source_id.eq(source).and(storage_claims::project_id.eq(project)).assume_not_null();
    let name = storage_claims::table.filter(share).select(storage_claims::name);
    name.first(writes.conn()).await.optional()
}

/// The drives of these users.
///
/// # Errors
/// The database's.
pub async fn drives(conn: &mut AsyncPgConnection, users: &[UserId]) -> QueryResult<Vec<Claim>> {
    storage_claims::table.filter(storage_claims::user_id.eq_any(users)).select(Claim::as_select()).load(conn).await
}

/// The claim, locked until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut AsyncPgConnection, id: PvcId) -> QueryResult<Option<Claim>> {
    storage_claims::table.find(id).select(Claim::as_select()).for_no_key_update().first(conn).await.optional()
}

/// Like [`lock`], and no job can be submitted that mounts it.
///
/// # Errors
/// The database's.
pub async fn lock_whole(conn: &mut AsyncPgConnection, id: PvcId) -> QueryResult<Option<Claim>> {
    storage_claims::table.find(id).select(Claim::as_select()).for_update().first(conn).await.optional()
}

/// Creates a claim.
///
/// # Errors
/// The database's; `storage_claims_object_key` is the constraint that is violated if the name is taken.
pub async fn insert(writes: &mut Writes<'_>, claim: &Claim) -> QueryResult<()> {
    diesel::insert_into(storage_claims::table).values(claim).execute(writes.conn()).await.map(drop)
}

/// Like [`insert`], unless the name is taken. Returns whether it was created.
///
/// # Errors
/// The database's.
pub async fn insert_new(writes: &mut Writes<'_>, claim: &Claim) -> QueryResult<bool> {
    let row = diesel::insert_into(storage_claims::table).values(claim);
    Ok(row.on_conflict((storage_claims::namespace, storage_claims::name)).do_nothing().execute(writes.conn()).await?
        > 0)
}

/// Writes the name of a claim, and what it grants by default.
///
/// # Errors
/// The database's.
pub async fn update(writes: &mut Writes<'_>, claim: &Claim) -> QueryResult<()> {
    diesel::update(storage_claims::table.find(claim.id))
        .set((
            storage_claims::display_name.eq(&claim.display_name),
            storage_claims::default_access.eq(claim.default_access),
            storage_claims::admin_only.eq(claim.admin_only),
        ))
        .execute(writes.conn())
        .await
        .map(drop)
}

/// Writes the wanted size of a claim, and makes it due.
///
/// # Errors
/// The database's.
pub async fn resize(writes: &mut Writes<'_>, claim: &Claim) -> QueryResult<()> {
    diesel::update(storage_claims::table.find(claim.id))
        .set((
            storage_claims::size.eq(&claim.size),
            storage_claims::size_bytes.eq(claim.size_bytes),
            storage_claims::resize.eq(claim.resize),
            storage_claims::resize_message.eq(&claim.resize_message),
            storage_claims::next_attempt_at.eq(diesel::dsl::now),
            storage_claims::attempts.eq(0),
        ))
        .execute(writes.conn())
        .await
        .map(drop)
}

/// Requests the deletion of a claim, and makes it due.
///
/// # Errors
/// The database's.
pub async fn request_deletion(writes: &mut Writes<'_>, claim: &Claim) -> QueryResult<()> {
    diesel::update(storage_claims::table.find(claim.id))
        .set((
            storage_claims::phase.eq(PvcPhase::Deleting),
            storage_claims::reason.eq(None::<String>),
            storage_claims::message.eq(None::<String>),
            storage_claims::delete_requested_at.eq(diesel::dsl::now),
            storage_claims::next_attempt_at.eq(diesel::dsl::now),
            storage_claims::attempts.eq(0),
        ))
        .execute(writes.conn())
        .await
        .map(drop)
}

/// The names of the claims of a group itself, the first `limit` of them.
///
/// # Errors
/// The database's.
pub async fn of_group(writes: &mut Writes<'_>, group: GroupId, limit: i64) -> QueryResult<Vec<String>> {
    let own = storage_claims::group_id.eq(group).assume_not_null().and(storage_claims::project_id.is_null());
    storage_claims::table
        .filter(own)
        .order(storage_claims::name)
        .limit(limit)
        .select(storage_claims::name)
        .load(writes.conn())
        .await
}

#[derive(QueryableByName)]
struct Sum {
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

/// The bytes that the claims of a project want together.
///
/// # Errors
/// The database's.
pub async fn claimed(conn: &mut AsyncPgConnection, project: ProjectId) -> QueryResult<i64> {
    let sum = diesel::sql_query(
        "SELECT least(coalesce(sum(size_bytes), 0), 9223372036854775807)::bigint AS bytes
           FROM storage_claims WHERE project_id = $1",
    );
    let sum: Sum = sum.bind::<Nullable<SqlUuid>, _>(Some(project)).get_result(conn).await?;
    Ok(sum.bytes)
}

/// The bytes that the claims of a group itself want together.
///
/// # Errors
/// The database's.
pub async fn claimed_by_group(conn: &mut AsyncPgConnection, group: GroupId) -> QueryResult<i64> {
    let sum = diesel::sql_query(
        "SELECT least(coalesce(sum(size_bytes), 0), 9223372036854775807)::bigint AS bytes
           FROM storage_claims WHERE group_id = $1 AND project_id IS NULL",
    );
    let sum: Sum = sum.bind::<SqlUuid, _>(group).get_result(conn).await?;
    Ok(sum.bytes)
}
