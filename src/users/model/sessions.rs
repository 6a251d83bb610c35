//! Sessions as their users see them.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;

use crate::db::tables::sessions;
use crate::ids::{SessionId, UserId};

/// A session, without what its tokens are checked against.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
pub struct Session {
    /// The ID.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// The program that logged in, as it calls itself.
    pub user_agent: Option<String>,
    /// The address that the login came from.
    pub address: Option<String>,
    /// When the user logged in.
    pub created_at: DateTime<Utc>,
    /// When it was last used, give or take a minute.
    pub last_used_at: DateTime<Utc>,
    /// When it ends unless it is refreshed.
    pub expires_at: DateTime<Utc>,
}
