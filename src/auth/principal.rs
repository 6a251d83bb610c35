//! The caller: a user with their roles, or an unauthenticated client.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;

use super::tokens::Claims;
use crate::error::ApiError;
use crate::ids::{GroupId, SessionId, UserId};
use crate::text_enum;

/// The role of a user on the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, async_graphql::Enum, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum PlatformRole {
    /// Has the permissions that their groups grant.
    User,
    /// Can see all groups and administer the platform.
    Admin,
}

text_enum!(PlatformRole { User => "USER", Admin => "ADMIN" });

/// The role of a user in a group. Each role includes the permissions of the roles below it: ADMIN includes MANAGER, and
/// MANAGER includes MEMBER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, async_graphql::Enum, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum GroupRole {
    /// Can see the group's projects and submit jobs in them.
    Member,
    /// Can also create projects and config files, and cancel any job of the group.
    Manager,
    /// Can also manage the members of the group.
    Admin,
}

text_enum!(GroupRole { Member => "MEMBER", Manager => "MANAGER", Admin => "ADMIN" });

/// A user who has logged in, as of the start of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user.
    pub user: UserId,
    /// The session that the access token belongs to.
    pub session: SessionId,
    /// Their role on the platform.
    pub platform_role: PlatformRole,
    /// Their role in each of their groups.
    pub groups: BTreeMap<GroupId, GroupRole>,
    /// When the access token expires.
    pub expires_at: DateTime<Utc>,
}

impl Principal {
    /// The claims of their access token.
    pub(super) fn claims(&self) -> Claims {
        Claims { user: self.user, session: self.session, expires_at: self.expires_at }
    }

    /// Whether they are a platform admin.
    pub fn is_platform_admin(&self) -> bool {
        self.platform_role == PlatformRole::Admin
    }
}

/// The sender of a request.
#[derive(Debug, Clone)]
pub enum Caller {
    /// An unauthenticated client.
    Anonymous,
    /// A user with a valid access token.
    Known(Arc<Principal>),
}

impl Caller {
    /// The user.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the caller has not logged in.
    pub fn principal(&self) -> Result<&Principal, ApiError> {
        match self {
            Self::Known(principal) => Ok(principal),
            Self::Anonymous => Err(ApiError::unauthenticated(
                "authentication is required: send the accessToken of the login mutation as \"Authorization: Bearer <token>\"",
            )),
        }
    }
}
