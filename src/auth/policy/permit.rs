//! Permits: what the policy grants, and what a change begins with.

use super::{Action, Scope};
use crate::auth::oidc::Identity;
use crate::ids::UserId;

/// The permission to do something. Only the policy grants permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit {
    pub(super) actor: Option<UserId>,
    pub(super) action: Action,
    pub(super) scope: Scope,
}

impl Permit {
    /// The permit of the operator who runs the program: they may do everything, and are not a user of the platform.
    pub const fn of_operator(action: Action) -> Self {
        Self { actor: None, action, scope: Scope::PLATFORM }
    }

    /// The permit of a user who has proved to a sign-in provider who they are: to have the account that the operator
    /// provides for them.
    pub const fn of_identity(_proved: &Identity) -> Self {
        Self { actor: None, action: Action::SignInWithProvider, scope: Scope::PLATFORM }
    }

    /// The permit of the platform itself, for what it does although nobody has asked for it.
    pub const fn of_platform(action: Action) -> Self {
        Self { actor: None, action, scope: Scope::PLATFORM }
    }

    /// The user with the permission; `None` for the operator, the platform and users who have no account yet.
    pub const fn actor(self) -> Option<UserId> {
        self.actor
    }

    /// The permitted action.
    pub const fn action(self) -> Action {
        self.action
    }

    /// The object that the action is permitted on.
    pub const fn scope(self) -> Scope {
        self.scope
    }
}
