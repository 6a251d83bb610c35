//! The roles of users who are not the caller.

use std::sync::Arc;

use super::model::{self, Roles};
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Read};
use crate::error::ApiError;
use crate::ids::UserId;

/// The roles of a user who can log in.
pub enum RolesOfUser {}

impl Read for RolesOfUser {
    type Key = UserId;
    type Value = Arc<Roles>;

    async fn read(lane: &Lane, keys: Vec<UserId>) -> Result<ByKey<UserId, Arc<Roles>>, ApiError> {
        let found = model::roles(&mut *lane.lookup().await?, &keys).await?;
        Ok(found.into_iter().map(|roles| (roles.user, Arc::new(roles))).collect())
    }
}
