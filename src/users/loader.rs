//! People by their ids, for every edge that leads to one.

use std::collections::HashMap;
use std::sync::Arc;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::model::User;
use crate::db::Db;
use crate::db::coalesce::Read;
use crate::db::tables::users;
use crate::error::ApiError;
use crate::ids::UserId;

/// The person with an id, gone ones too: what they left behind names them.
pub enum UsersById {}

impl Read for UsersById {
    type Key = UserId;
    type Value = Arc<User>;

    async fn read(db: &Db, keys: Vec<UserId>) -> Result<HashMap<UserId, Arc<User>>, ApiError> {
        let mut conn = db.connection().await?;
        let found: Vec<User> =
            users::table.filter(users::id.eq_any(keys)).select(User::as_select()).load(&mut conn).await?;
        Ok(found.into_iter().map(|user| (user.id, Arc::new(user))).collect())
    }
}
