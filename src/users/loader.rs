//! Users by ID, for every edge that leads to one.

use std::sync::Arc;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures::{FutureExt, TryFutureExt};

use super::model::api_tokens::ApiToken;
use super::model::sessions::Session;
use super::model::settings::Settings;
use super::model::{self, Selection, User};
use crate::auth::policy::Visible;
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Read, one_by_one};
use crate::db::tables::{api_tokens, sessions, user_settings, users};
use crate::error::ApiError;
use crate::graphql::connection::Page;
use crate::graphql::cursor::Position;
use crate::graphql::edges::ListEdge;
use crate::graphql::keyset::{Condition, OrderDirection};
use crate::ids::{ApiTokenId, SessionId, UserId, UserKind};

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

/// The active session with an ID.
pub enum SessionsById {}

impl Read for SessionsById {
    type Key = SessionId;
    type Value = Arc<Session>;

    async fn read(lane: &Lane, keys: Vec<SessionId>) -> Result<ByKey<SessionId, Arc<Session>>, ApiError> {
        let active = sessions::ended_at.is_null().and(sessions::expires_at.gt(diesel::dsl::now));
        let found = sessions::table.filter(sessions::id.eq_any(keys)).filter(active).select(Session::as_select());
        let found: Vec<Session> = found.load(&mut lane.lookup().await?).await?;
        Ok(found.into_iter().map(|session| (session.id, Arc::new(session))).collect())
    }
}

/// The active sessions of a user, the newest login first.
pub enum SessionsOfUser {}

impl ListEdge for SessionsOfUser {
    type Parent = UserKind;
    type Under = sessions::user_id;
    type SortedBy = (sessions::created_at, sessions::id);
    type Row = Session;
    type Item = Session;
    type Filter = ();
    const DIRECTION: OrderDirection = OrderDirection::Desc;

    fn parent(session: &Session) -> UserId {
        session.user_id
    }

    fn position(session: &Session, (): &()) -> Position {
        Position::at(session.created_at, session.id.uuid())
    }

    fn conditions((): &()) -> Vec<Condition<sessions::table>> {
        vec![Box::new(sessions::ended_at.is_null()), Box::new(sessions::expires_at.gt(diesel::dsl::now))]
    }
}

/// The valid API token with an ID.
pub enum ApiTokensById {}

impl Read for ApiTokensById {
    type Key = ApiTokenId;
    type Value = Arc<ApiToken>;

    async fn read(lane: &Lane, keys: Vec<ApiTokenId>) -> Result<ByKey<ApiTokenId, Arc<ApiToken>>, ApiError> {
        let valid = api_tokens::revoked_at.is_null().and(api_tokens::expires_at.gt(diesel::dsl::now));
        let found = api_tokens::table.filter(api_tokens::id.eq_any(keys)).filter(valid).select(ApiToken::as_select());
        let found: Vec<ApiToken> = found.load(&mut lane.lookup().await?).await?;
        Ok(found.into_iter().map(|token| (token.id, Arc::new(token))).collect())
    }
}

/// The valid API tokens of a user, the newest first.
pub enum ApiTokensOfUser {}

impl ListEdge for ApiTokensOfUser {
    type Parent = UserKind;
    type Under = api_tokens::user_id;
    type SortedBy = (api_tokens::created_at, api_tokens::id);
    type Row = ApiToken;
    type Item = ApiToken;
    type Filter = ();
    const DIRECTION: OrderDirection = OrderDirection::Desc;

    fn parent(token: &ApiToken) -> UserId {
        token.user_id
    }

    fn position(token: &ApiToken, (): &()) -> Position {
        Position::at(token.created_at, token.id.uuid())
    }

    fn conditions((): &()) -> Vec<Condition<api_tokens::table>> {
        vec![Box::new(api_tokens::revoked_at.is_null()), Box::new(api_tokens::expires_at.gt(diesel::dsl::now))]
    }
}

/// The settings of a user; nothing for a user who has the defaults.
pub enum SettingsOfUser {}

impl Read for SettingsOfUser {
    type Key = UserId;
    type Value = Arc<Settings>;

    async fn read(lane: &Lane, keys: Vec<UserId>) -> Result<ByKey<UserId, Arc<Settings>>, ApiError> {
        let found = user_settings::table
            .filter(user_settings::user_id.eq_any(keys))
            .select((user_settings::user_id, Settings::as_select()));
        let found: Vec<(UserId, Settings)> = found.load(&mut lane.lookup().await?).await?;
        Ok(found.into_iter().map(|(user, settings)| (user, Arc::new(settings))).collect())
    }
}
