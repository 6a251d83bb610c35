//! What a caller sees of lists and feeds.

use super::{Action, Scope, decide_with};
use crate::auth::principal::{Caller, OnlyProject};
use crate::error::ApiError;
use crate::ids::{GroupId, ProjectId};

/// What a caller can see in lists and feeds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Visible {
    /// All groups.
    Everything,
    /// What belongs to these groups, in ascending order.
    Groups {
        /// The groups.
        groups: Vec<GroupId>,
        /// The only project of them whose objects are visible, for an API token that is only for this one.
        project: Option<ProjectId>,
    },
}

impl Visible {
    /// Nothing.
    pub const NOTHING: Self = Self::of_groups(Vec::new());

    /// Everything of these groups, which are in ascending order.
    pub const fn of_groups(groups: Vec<GroupId>) -> Self {
        Self::Groups { groups, project: None }
    }

    /// Whether nothing is visible.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Groups { groups, .. } if groups.is_empty())
    }

    /// Whether the group itself is visible.
    pub fn includes_group(&self, group: GroupId) -> bool {
        match self {
            Self::Everything => true,
            Self::Groups { groups, .. } => groups.binary_search(&group).is_ok(),
        }
    }

    /// Whether an object is visible that belongs to this group and project; what belongs to no group is a matter of the
    /// platform.
    pub fn includes(&self, group: Option<GroupId>, project: Option<ProjectId>) -> bool {
        match group {
            None => *self == Self::Everything,
            Some(group) => self.includes_group(group) && self.includes_project(project),
        }
    }

    /// Whether objects of this project, or of none, are not left out for the sake of the token.
    pub fn includes_project(&self, project: Option<ProjectId>) -> bool {
        self.only_project().is_none_or(|only| project == Some(only))
    }

    /// The only project whose objects are visible.
    pub const fn only_project(&self) -> Option<ProjectId> {
        match self {
            Self::Everything => None,
            Self::Groups { project, .. } => *project,
        }
    }
}

/// What `caller` can see in lists and feeds.
///
/// # Errors
/// `UNAUTHENTICATED` without a login.
pub fn visible(caller: &Caller) -> Result<Visible, ApiError> {
    groups_where(caller, Action::ViewGroup)
}

/// The only project that the caller's API token is for, if there is one.
pub fn only_project(caller: &Caller) -> Option<ProjectId> {
    caller.principal().ok()?.credential.only_project().map(|only| only.project)
}

/// What belongs to the groups in which `caller` may do `action`.
///
/// # Errors
/// `UNAUTHENTICATED` without a login.
pub fn groups_where(caller: &Caller, action: Action) -> Result<Visible, ApiError> {
    let principal = caller.principal()?;
    let (limits, person) = (principal.credential.limits(), principal.person());
    let allows = |scope: Scope| decide_with(limits, person, action, &scope).is_ok();
    if let Some(OnlyProject { project, group }) = principal.credential.only_project() {
        let groups = if allows(Scope::within(group, project)) { vec![group] } else { Vec::new() };
        return Ok(Visible::Groups { groups, project: Some(project) });
    }
    if person.is_platform_admin() && limits.is_none_or(|limits| limits.suffices(action).is_ok()) {
        return Ok(Visible::Everything);
    }
    Ok(Visible::of_groups(person.groups.keys().copied().filter(|group| allows(Scope::group(*group))).collect()))
}

/// Whether `caller` may do `action` in one of their groups; `of` is what it is done to in a project of the group.
///
/// # Errors
/// `UNAUTHENTICATED` without a login.
pub fn may_in_some_group(caller: &Caller, action: Action, of: impl Fn(Scope) -> Scope) -> Result<bool, ApiError> {
    let principal = caller.principal()?;
    let (limits, person) = (principal.credential.limits(), principal.person());
    let allows = |scope: Scope| decide_with(limits, person, action, &of(scope)).is_ok();
    Ok(match principal.credential.only_project() {
        Some(OnlyProject { project, group }) => allows(Scope::within(group, project)),
        None if person.is_platform_admin() => allows(Scope::PLATFORM),
        None => person.groups.keys().any(|group| allows(Scope::group(*group))),
    })
}
