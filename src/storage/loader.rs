//! Claims by ID, what they grant, what mounts them, and lists of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::Context;
use futures::{FutureExt, TryFutureExt};

use super::model::list::{self, Selection};
use super::model::mounts::{self, Mount};
use super::model::permissions::{self, Permission};
use super::model::{self, Claim};
use crate::auth::policy::{Scope, StorageAccess, Visible};
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Read, one_by_one};
use crate::db::tables::storage_claims;
use crate::error::ApiError;
use crate::graphql::connection::Page;
use crate::graphql::cursor::Position;
use crate::graphql::edges::{ListEdge, Order};
use crate::graphql::keyset::Condition;
use crate::graphql::loaders::ReadExt;
use crate::ids::{GroupId, GroupKind, ProjectId, ProjectKind, PvcId, UserId};

/// The claim with an ID.
pub enum ClaimsById {}

impl Read for ClaimsById {
    type Key = PvcId;
    type Value = Arc<Claim>;

    async fn read(lane: &Lane, keys: Vec<PvcId>) -> Result<ByKey<PvcId, Arc<Claim>>, ApiError> {
        let found = model::find(&mut *lane.lookup().await?, &keys).await?;
        Ok(found.into_iter().map(|claim| (claim.id, Arc::new(claim))).collect())
    }
}

/// The drive of a user, if they have one.
pub enum DriveOfUser {}

impl Read for DriveOfUser {
    type Key = UserId;
    type Value = Arc<Claim>;

    async fn read(lane: &Lane, keys: Vec<UserId>) -> Result<ByKey<UserId, Arc<Claim>>, ApiError> {
        let found = model::drives(&mut *lane.lookup().await?, &keys).await?;
        let is_drive = |claim: &Claim| claim.name == super::drive::NAME;
        let drives = found.into_iter().filter(is_drive).filter_map(|claim| Some((claim.user_id?, Arc::new(claim))));
        Ok(drives.collect())
    }
}

/// What a claim grants to a user.
pub enum AccessToClaim {}

impl Read for AccessToClaim {
    type Key = (PvcId, UserId);
    type Value = StorageAccess;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, StorageAccess>, ApiError> {
        Ok(permissions::accesses(&mut *lane.lookup().await?, &keys).await?.into_iter().collect())
    }
}

/// The claim for the policy, as it concerns this user.
///
/// # Errors
/// The database's.
pub async fn scope_for(ctx: &Context<'_>, claim: &Claim, user: UserId) -> Result<Scope, ApiError> {
    let access = match claim.user_id {
        // A drive grants nothing to others.
        Some(_) => StorageAccess::None,
        None => ctx.read::<AccessToClaim>((claim.id, user)).await?.unwrap_or_default(),
    };
    Ok(claim.scope(access))
}

/// The permissions of users for a claim.
pub enum PermissionsOfClaim {}

impl Read for PermissionsOfClaim {
    type Key = PvcId;
    type Value = Arc<Vec<Permission>>;

    async fn read(lane: &Lane, keys: Vec<PvcId>) -> Result<ByKey<PvcId, Arc<Vec<Permission>>>, ApiError> {
        let found = permissions::of_claims(&mut *lane.lookup().await?, &keys).await?;
        Ok(by_claim(found, |permission| permission.claim_id))
    }
}

/// What mounts a claim now.
pub enum MountsOfClaim {}

impl Read for MountsOfClaim {
    type Key = PvcId;
    type Value = Arc<Vec<Mount>>;

    async fn read(lane: &Lane, keys: Vec<PvcId>) -> Result<ByKey<PvcId, Arc<Vec<Mount>>>, ApiError> {
        let found = mounts::of_claims(&mut *lane.lookup().await?, &keys).await?;
        Ok(by_claim(found, |mount| mount.claim_id))
    }
}

/// The claims that show the storage of a claim.
pub enum SharesOfClaim {}

impl Read for SharesOfClaim {
    type Key = PvcId;
    type Value = Arc<Vec<Claim>>;

    async fn read(lane: &Lane, keys: Vec<PvcId>) -> Result<ByKey<PvcId, Arc<Vec<Claim>>>, ApiError> {
        let found = model::shares(&mut *lane.lookup().await?, &keys).await?;
        let shares = found.into_iter().filter_map(|share| Some((share.source_id?, share))).collect();
        Ok(by_claim::<(PvcId, Claim)>(shares, |(source, _)| *source)
            .into_iter()
            .map(|(source, shares)| (source, Arc::new(shares.iter().map(|(_, share)| share.clone()).collect())))
            .collect())
    }
}

fn by_claim<T>(rows: Vec<T>, claim: impl Fn(&T) -> PvcId) -> ByKey<PvcId, Arc<Vec<T>>> {
    let mut groups: BTreeMap<PvcId, Vec<T>> = BTreeMap::new();
    for row in rows {
        groups.entry(claim(&row)).or_default().push(row);
    }
    groups.into_iter().map(|(claim, rows)| (claim, Arc::new(rows))).collect()
}

/// The claims of a project, oldest first by default.
pub enum ClaimsOfProject {}

impl ListEdge for ClaimsOfProject {
    type Parent = ProjectKind;
    type Under = storage_claims::project_id;
    type SortedBy = (storage_claims::created_at, storage_claims::id);
    type Row = Claim;
    type Item = Claim;
    type Filter = Selection;

    fn parent(claim: &Claim) -> ProjectId {
        // The statement reads claims under a project only.
        claim.project_id.unwrap_or_else(|| ProjectId::from_uuid(claim.id.uuid()))
    }

    fn order(selection: &Selection) -> Order<storage_claims::table> {
        selection.order()
    }

    fn position(claim: &Claim, _: &Selection) -> Position {
        Selection::position(claim)
    }

    fn conditions(selection: &Selection) -> Vec<Condition<storage_claims::table>> {
        selection.conditions()
    }
}

/// The claims of a group that are not those of a project, oldest first by default.
pub enum ClaimsOfGroup {}

impl ListEdge for ClaimsOfGroup {
    type Parent = GroupKind;
    type Under = storage_claims::group_id;
    type SortedBy = (storage_claims::created_at, storage_claims::id);
    type Row = Claim;
    type Item = Claim;
    type Filter = Selection;

    fn parent(claim: &Claim) -> GroupId {
        // The statement reads claims under a group only.
        claim.group_id.unwrap_or_else(|| GroupId::from_uuid(claim.id.uuid()))
    }

    fn order(selection: &Selection) -> Order<storage_claims::table> {
        selection.order()
    }

    fn position(claim: &Claim, _: &Selection) -> Position {
        Selection::position(claim)
    }

    fn conditions(selection: &Selection) -> Vec<Condition<storage_claims::table>> {
        selection.conditions()
    }
}

/// A page of the claims that a viewer can see.
pub enum ClaimPages {}

impl Read for ClaimPages {
    type Key = (Visible, UserId, Selection, Page);
    type Value = Arc<Vec<Claim>>;
    const CONNECTIONS: usize = 2;
    /// Each is a separate statement: others get their own connection.
    const BATCH: usize = 4;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        one_by_one(lane, keys, |conn, (visible, viewer, selection, page)| {
            list::page(conn, visible, *viewer, selection, page).map_ok(Arc::new).boxed()
        })
        .await
    }
}
