//! The caller: a user with their roles, or an unauthenticated client.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use tokio::time::Instant;

use super::policy::{self, TokenScope};
use crate::error::{ApiError, SignInReason};
use crate::ids::{ApiTokenId, GroupId, ProjectId, SessionId, UserId};
use crate::text_enum;

/// The minimum pause between two lookups of a credential that has ended by the clock of this replica, but not by that of
/// the database.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

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

/// The state of a user account. Only active users can log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, async_graphql::Enum, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum UserState {
    /// Can log in.
    Active,
    /// Has registered, and waits until a platform admin enables the account.
    Waiting,
    /// Was disabled by a platform admin, and can be enabled again.
    Disabled,
    /// Was deleted. The name stays for what the user created, and is not given to anybody else.
    Deleted,
}

text_enum!(UserState { Active => "ACTIVE", Waiting => "WAITING", Disabled => "DISABLED", Deleted => "DELETED" });

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

/// A user who is authenticated, as of the start of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user.
    pub user: UserId,
    /// What proved who they are.
    pub credential: Credential,
    /// Their role on the platform.
    pub platform_role: PlatformRole,
    /// Their role in each of their groups; with an API token for one project, in the group of the project only.
    pub groups: BTreeMap<GroupId, GroupRole>,
    /// When the access token or the API token expires.
    pub expires_at: DateTime<Utc>,
}

/// What proved who a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// The access token or the cookie of a session.
    Session {
        /// The session.
        id: SessionId,
        /// When it ends unless it is refreshed.
        ends_at: DateTime<Utc>,
    },
    /// An API token.
    ApiToken {
        /// The token.
        id: ApiTokenId,
        /// What it can be used for.
        limits: TokenLimits,
    },
}

/// Which session or API token it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialId {
    /// A session.
    Session(SessionId),
    /// An API token.
    ApiToken(ApiTokenId),
}

/// What an API token can be used for: the user can do less with it than they can themselves, and never more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenLimits {
    /// The kind of actions.
    pub scope: TokenScope,
    /// The only project whose objects it is for; `None` for all that the user can see.
    pub project: Option<OnlyProject>,
}

/// The only project that an API token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OnlyProject {
    /// The project.
    pub project: ProjectId,
    /// Its group.
    pub group: GroupId,
}

impl Credential {
    /// Which one it is.
    pub const fn id(&self) -> CredentialId {
        match self {
            Self::Session { id, .. } => CredentialId::Session(*id),
            Self::ApiToken { id, .. } => CredentialId::ApiToken(*id),
        }
    }

    /// What it can be used for; `None` for a session, with which users can do all that they may do.
    pub const fn limits(&self) -> Option<&TokenLimits> {
        match self {
            Self::Session { .. } => None,
            Self::ApiToken { limits, .. } => Some(limits),
        }
    }

    /// The only project that it is for.
    pub fn only_project(&self) -> Option<OnlyProject> {
        self.limits()?.project
    }
}

/// What the policy has to know of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person<'p> {
    /// The user.
    pub user: UserId,
    /// Their role on the platform.
    pub platform_role: PlatformRole,
    /// Their role in each of their groups.
    pub groups: &'p BTreeMap<GroupId, GroupRole>,
}

impl Person<'_> {
    /// Whether they are a platform admin.
    pub fn is_platform_admin(&self) -> bool {
        self.platform_role == PlatformRole::Admin
    }
}

impl Principal {
    /// What the policy has to know of them.
    pub const fn person(&self) -> Person<'_> {
        Person { user: self.user, platform_role: self.platform_role, groups: &self.groups }
    }

    /// When the credential has to be looked up again, after a lookup now: it ends then, unless it is a session that is
    /// refreshed.
    pub(super) fn look_again_at(&self) -> Instant {
        let ends_at = match self.credential {
            Credential::Session { ends_at, .. } => ends_at,
            Credential::ApiToken { .. } => self.expires_at,
        };
        let left = (ends_at - Utc::now()).to_std().unwrap_or_default();
        Instant::now() + left.max(LEAST_PAUSE)
    }

    /// The session of the request, for what is about sessions.
    ///
    /// # Errors
    /// `FORBIDDEN` for an API token.
    pub fn session(&self) -> Result<SessionId, ApiError> {
        match self.credential {
            Credential::Session { id, .. } => Ok(id),
            Credential::ApiToken { .. } => Err(ApiError::forbidden(policy::NEEDS_SESSION)),
        }
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
    /// An unauthenticated client whose session cookie is not valid, for this reason. A browser sends it unasked, so only
    /// what requires a login fails.
    Refused(SignInReason),
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
            Self::Refused(reason) => Err(refused(*reason)),
            Self::Anonymous => Err(ApiError::unauthenticated(
                SignInReason::NoToken,
                "authentication is required: send the accessToken of the login mutation as \"Authorization: Bearer <token>\"",
            )),
        }
    }

    /// The caller's role in a group; `None` if they are not a member.
    pub fn role_in(&self, group: GroupId) -> Option<GroupRole> {
        match self {
            Self::Known(principal) => principal.groups.get(&group).copied(),
            Self::Anonymous | Self::Refused(_) => None,
        }
    }
}

/// The error for what requires a login, if the session cookie is not valid.
fn refused(reason: SignInReason) -> ApiError {
    let message = match reason {
        SignInReason::SessionEnded => "the session of the cookie has ended; log in again",
        SignInReason::TokenExpired => "the session cookie has expired; log in again",
        SignInReason::NoToken
        | SignInReason::TokenInvalid
        | SignInReason::TokenRevoked
        | SignInReason::WrongCredentials
        | SignInReason::AccountWaiting => "the session cookie is invalid; log in again",
    };
    ApiError::unauthenticated(reason, message)
}
