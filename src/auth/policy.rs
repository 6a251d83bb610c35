//! Who may do what: the only place where a permission is decided.
//!
//! An [`Action`] is a name and one row of the table below; a [`Scope`] says what it is about; [`check`] is the verdict. A
//! thing in a group that the caller is not in does not exist for them: NOT_FOUND, never FORBIDDEN.

mod scope;

pub use scope::Scope;

use crate::auth::principal::{Caller, GroupRole, Principal};
use crate::error::ApiError;
use crate::ids::{GroupId, UserId};

/// What a caller must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Anybody who has logged in.
    LoggedIn,
    /// A platform admin; others are told that they may not.
    PlatformAdmin,
    /// The person that it is about, or a platform admin; for others it does not exist.
    Oneself,
    /// The person that it is about, or somebody in a group with them.
    OneselfOrFellow,
    /// Somebody in the group with at least this role.
    InGroup(GroupRole),
    /// Somebody in the group with at least this role, or the owner while in the group.
    InGroupOrOwner(GroupRole),
}

/// One row of the table: what an action needs, and what a caller is told who sees the thing but may not do this to it.
struct Row {
    name: &'static str,
    rule: Rule,
    refusal: &'static str,
}

macro_rules! table {
    ($($(#[doc = $doc:literal])+ $action:ident: $rule:expr, $refusal:literal;)+) => {
        /// Something that a caller wants to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[doc = $doc])+ $action,)+
        }

        impl Action {
            /// All actions, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$action),+];

            const fn row(self) -> Row {
                match self {
                    $(Self::$action => Row { name: stringify!($action), rule: $rule, refusal: $refusal },)+
                }
            }
        }
    };
}

use GroupRole::{Manager, Member};
use Rule::{InGroup, InGroupOrOwner, LoggedIn, Oneself, OneselfOrFellow, PlatformAdmin};

// The table. Platform admins may do everything in it.
table! {
    /// See one's own account.
    ViewSelf: LoggedIn, "you must be logged in to see your account";
    /// See a person.
    ViewUser: OneselfOrFellow, "only users who share a group with this user can see them";
    /// See a person's e-mail address and whether the account is disabled.
    ViewUserPrivate: Oneself, "only the user and platform admins can see this";
    /// Log out of one's own session.
    Logout: Oneself, "only the user that a session belongs to can end it";
    /// Create the account of a platform admin.
    CreateAdmin: PlatformAdmin, "only platform admins can create accounts";
    /// Create a group.
    CreateGroup: PlatformAdmin, "only platform admins can create groups";
    /// See a group, its members and its projects.
    ViewGroup: InGroup(Member), "only members of the group can see it";
    /// Create a project in a group.
    CreateProject: InGroup(Manager), "only managers and admins of the group can create projects in it";
    /// See a project and its config files.
    ViewProject: InGroup(Member), "only members of the project's group can see it";
    /// Create a config file, or a new version of one.
    CreateConfigFile: InGroup(Manager), "only managers and admins of the group can create config files";
    /// See a config file and its versions.
    ViewConfigFile: InGroup(Member), "only members of the project's group can see its config files";
    /// See one version of a config file, or submit it.
    ViewCommit: InGroup(Member), "only members of the project's group can see its config files";
    /// Submit a job in a project, or see what a submit would do.
    SubmitJob: InGroup(Member), "only members of the project's group can submit jobs in it";
    /// See a job, its events and its log.
    ViewJob: InGroup(Member), "only members of the project's group can see its jobs";
    /// Cancel a job.
    CancelJob: InGroupOrOwner(Manager), "only the user who submitted a job, and managers and admins of its group, can cancel it";
}

impl Action {
    /// The name as mutations are called: `createProject`.
    pub fn name(self) -> String {
        let mut name = self.row().name.to_owned();
        name[..1].make_ascii_lowercase();
        name
    }

    fn forbidden(self) -> ApiError {
        ApiError::forbidden(self.row().refusal)
    }

    /// What the caller is told who may not know that the thing exists.
    fn not_found(self, scope: &Scope) -> ApiError {
        scope.not_found().unwrap_or_else(|| self.forbidden())
    }
}

/// That somebody may do something. Only this room gives permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit {
    actor: Option<UserId>,
    action: Action,
}

impl Permit {
    /// What whoever runs the program itself does: they may do everything, and are no person of the platform.
    pub const fn of_operator(action: Action) -> Self {
        Self { actor: None, action }
    }

    /// Who may; nobody for the operator.
    pub const fn actor(self) -> Option<UserId> {
        self.actor
    }

    /// What they may do.
    pub const fn action(self) -> Action {
        self.action
    }
}

/// Whether `caller` may do `action` to what `scope` says.
///
/// # Errors
/// `UNAUTHENTICATED` without a log-in, `NOT_FOUND` for what the caller may not know of, `FORBIDDEN` otherwise.
pub fn check(caller: &Caller, action: Action, scope: Scope) -> Result<Permit, ApiError> {
    let principal = caller.principal()?;
    if !principal.is_platform_admin() {
        decide(principal, action, scope)?;
    }
    Ok(Permit { actor: Some(principal.user), action })
}

fn decide(principal: &Principal, action: Action, scope: Scope) -> Result<(), ApiError> {
    let is_owner = scope.owner == Some(principal.user);
    match action.row().rule {
        LoggedIn => Ok(()),
        PlatformAdmin => Err(action.forbidden()),
        Oneself if is_owner => Ok(()),
        OneselfOrFellow if is_owner || scope.shares_group => Ok(()),
        Oneself | OneselfOrFellow => Err(action.not_found(&scope)),
        InGroup(least) => match role(principal, scope.group) {
            None => Err(action.not_found(&scope)),
            Some(role) if role >= least => Ok(()),
            Some(_) => Err(action.forbidden()),
        },
        InGroupOrOwner(least) => match role(principal, scope.group) {
            None => Err(action.not_found(&scope)),
            Some(role) if role >= least || is_owner => Ok(()),
            Some(_) => Err(action.forbidden()),
        },
    }
}

/// The role in the group that the scope is in; a scope outside of every group is nobody's.
fn role(principal: &Principal, group: Option<GroupId>) -> Option<GroupRole> {
    principal.groups.get(&group?).copied()
}

/// What a caller sees of lists and feeds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Visible {
    /// All groups.
    Everything,
    /// What belongs to these groups, in ascending order.
    Groups(Vec<GroupId>),
}

impl Visible {
    /// Whether what belongs to `group` is seen.
    pub fn includes(&self, group: GroupId) -> bool {
        match self {
            Self::Everything => true,
            Self::Groups(groups) => groups.binary_search(&group).is_ok(),
        }
    }
}

/// What `caller` sees of lists and feeds.
///
/// # Errors
/// `UNAUTHENTICATED` without a log-in.
pub fn visible(caller: &Caller) -> Result<Visible, ApiError> {
    let principal = caller.principal()?;
    if principal.is_platform_admin() {
        return Ok(Visible::Everything);
    }
    Ok(Visible::Groups(principal.groups.keys().copied().collect()))
}

#[cfg(test)]
#[path = "policy/tests.rs"]
mod tests;
