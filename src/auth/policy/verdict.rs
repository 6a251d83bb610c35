//! The outcomes of a decision.

use super::TokenScope;
use crate::auth::principal::GroupRole;
use crate::ids::ProjectId;

/// Why a person may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// They are a platform admin.
    PlatformAdmin,
    /// Every user may.
    Everybody,
    /// It is about themselves, or about something of theirs.
    Oneself,
    /// They share a group with the user that it is about.
    Fellow,
    /// Their role in the group.
    Role(GroupRole),
    /// They created the object, and have this role in its group.
    Owner(GroupRole),
    /// A storage claim grants it to them, who have this role in its group.
    Granted(GroupRole),
}

/// Why a person may not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denial {
    /// They must not learn that the object exists.
    Hidden,
    /// They may see the object, but not do this.
    Forbidden,
    /// They may do this, but not with an API token.
    NoSession,
    /// They may do this, but not with an API token of this scope.
    Scope {
        /// The scope of the token.
        has: TokenScope,
        /// The scope that the action needs.
        needed: TokenScope,
    },
    /// The API token is only for this project.
    OtherProject(ProjectId),
}
