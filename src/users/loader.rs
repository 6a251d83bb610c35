//! Users by ID, for every edge that leads to one.

use std::sync::Arc;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures::{FutureExt, TryFutureExt};

use super::model::{self, Selection, User};
use crate::auth::policy::Visible;
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Read, one_by_one};
use crate::db::tables::users;
use crate::error::ApiError;
use crate::graphql::connection::Page;
use crate::ids::UserId;

/// The user with an ID, including deleted ones, because what they created still refers to them.
pub enum UsersById {}

impl Read for UsersById {
    type Key = UserId;
    type Value = Arc<User>;

    async fn read(lane: &Lane, keys: Vec<UserId>) -> Result<ByKey<UserId, Arc<User>>, ApiError> {
        let mut conn = lane.lookup().await?;
        let found: Vec<User> =
            users::table.filter(users::id.eq_any(keys)).select(User::as_select()).load(&mut conn).await?;
        Ok(found.into_iter().map(|user| (user.id, Arc::new(user))).collect())
    }
}

/// A page of the users that a viewer can see. Viewers with the same groups and arguments share the statement.
pub enum UserPages {}

impl Read for UserPages {
    type Key = (Visible, UserId, Selection, Page);
    type Value = Arc<Vec<User>>;
    const CONNECTIONS: usize = 4;
    /// Each is a separate statement: others get their own connection.
    const BATCH: usize = 4;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        one_by_one(lane, keys, |conn, (visible, viewer, selection, page)| {
            model::page(conn, visible, *viewer, selection, page).map_ok(Arc::new).boxed()
        })
        .await
    }
}
