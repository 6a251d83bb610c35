//! Decisions of the policy as GraphQL types.

use std::borrow::Cow;

use async_graphql::{Context, Enum, Object};

use crate::auth::policy::{Action, Explanation, Ground, TokenScope};
use crate::auth::principal::GroupRole;
use crate::graphql::loaders::ReadExt;
use crate::graphql::written::Written;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::groups::loader::GroupsById;
use crate::groups::types::Group;
use crate::ids::GroupId;
use crate::users::types::User;

/// Why a user may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum AccessReason {
    /// They are a platform admin.
    PlatformAdmin,
    /// Every user may do it.
    EveryUser,
    /// It is about themselves.
    Oneself,
    /// They share a group with the user that it is about.
    SharedGroup,
    /// Their role in the group of the object.
    GroupRole,
    /// They created the object, and are a member of its group.
    Owner,
    /// They are a member of the group, and the storage claim grants it to them.
    Granted,
}

/// A decision of the permission policy about one user, one action and one object.
#[derive(Debug, Clone)]
pub struct Access {
    action: Action,
    explanation: Explanation,
    group: Option<GroupId>,
}

impl Access {
    /// The decision about an object of this group.
    pub const fn of(action: Action, explanation: Explanation, group: Option<GroupId>) -> Self {
        Self { action, explanation, group }
    }

    const fn held_role(&self) -> Option<GroupRole> {
        match self.explanation.ground {
            Some(Ground::Role(role) | Ground::Owner(role) | Ground::Granted(role)) => Some(role),
            Some(Ground::PlatformAdmin | Ground::Everybody | Ground::Oneself | Ground::Fellow) | None => None,
        }
    }
}

/// A decision of the permission policy about one user, one action and one object.
#[Object]
impl Access {
    /// The action.
    async fn action(&self) -> Action {
        self.action
    }

    /// Whether the user may do it.
    async fn allowed(&self) -> bool {
        self.explanation.ground.is_some()
    }

    /// The least scope of an API token with which the user can do it; null if they need to log in for it.
    async fn token_scope(&self) -> Option<TokenScope> {
        self.action.token_scope()
    }

    /// The rule that decided: who may do it, in a sentence.
    async fn rule(&self) -> &Cow<'static, str> {
        &self.explanation.rule
    }

    /// Why the user may do it; null if they may not.
    async fn reason(&self) -> Option<AccessReason> {
        Some(match self.explanation.ground? {
            Ground::PlatformAdmin => AccessReason::PlatformAdmin,
            Ground::Everybody => AccessReason::EveryUser,
            Ground::Oneself => AccessReason::Oneself,
            Ground::Fellow => AccessReason::SharedGroup,
            Ground::Role(_) => AccessReason::GroupRole,
            Ground::Owner(_) => AccessReason::Owner,
            Ground::Granted(_) => AccessReason::Granted,
        })
    }

    /// The role that allows it; null if it is not allowed by a role in a group.
    async fn role(&self) -> Option<GroupRole> {
        self.held_role()
    }

    /// The group in which the user has that role; null if it is not allowed by a role in a group.
    async fn group(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<Group>>> {
        let Some(group) = self.group.filter(|_| self.held_role().is_some()) else { return Ok(None) };
        let found = ctx.read::<GroupsById>(group).await.graphql(ctx)?;
        Ok(found.map(Group).map(AtOnce))
    }
}

/// A user who may do something with an object.
#[derive(Debug, Clone)]
pub struct AccessHolder {
    pub(super) user: User,
    pub(super) access: Access,
}

impl Written for AccessHolder {}

/// A user who may do something with an object.
#[Object]
impl AccessHolder {
    /// The user.
    async fn user(&self) -> AtOnce<&User> {
        AtOnce(&self.user)
    }

    /// Why they may do it.
    async fn access(&self) -> &Access {
        &self.access
    }
}
