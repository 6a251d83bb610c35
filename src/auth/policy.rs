//! The permission policy: the only place where permissions are decided.
//!
//! An [`Action`] is a name and a row of the table below; a [`Scope`] describes its object; [`check`] returns the
//! verdict. An object in a group that the caller is not in does not exist for them: NOT_FOUND, never FORBIDDEN.

mod scope;

pub use scope::Scope;

use crate::auth::oidc::Identity;
use crate::auth::principal::{Caller, GroupRole, Principal};
use crate::error::ApiError;
use crate::ids::{GroupId, UserId};

/// What an action requires of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Any authenticated user.
    LoggedIn,
    /// A platform admin; for others it is FORBIDDEN.
    PlatformAdmin,
    /// The user that it is about, or a platform admin; for others it does not exist.
    Oneself,
    /// The user that it is about, or a user who shares a group with them.
    OneselfOrFellow,
    /// A user with at least this role in the group.
    InGroup(GroupRole),
    /// A user with at least this role in the group, or the owner, as long as they are in the group.
    InGroupOrOwner(GroupRole),
}

/// A row of the table: what an action requires, and the message for callers who can see the object but do not have the
/// permission.
struct Row {
    name: &'static str,
    rule: Rule,
    refusal: &'static str,
}

macro_rules! table {
    ($($(#[doc = $doc:literal])+ $action:ident: $rule:expr, $refusal:literal;)+) => {
        /// Something that a caller can do.
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

// The table. Platform admins can do everything in it.
table! {
    /// See your own account.
    ViewSelf: LoggedIn, "you must be logged in to see your account";
    /// See a person.
    ViewUser: OneselfOrFellow, "only users who share a group with this user can see them";
    /// See the email address of a user and whether the account is disabled.
    ViewUserPrivate: Oneself, "only the user and platform admins can see this";
    /// Log out of your own session.
    Logout: Oneself, "only the user that a session belongs to can end it";
    /// Create the account of a platform admin.
    CreateAdmin: PlatformAdmin, "only platform admins can create accounts";
    /// Create or update the account of a user who signs in with a provider.
    SignInWithProvider: PlatformAdmin, "only sign-in providers can do this";
    /// Link the account of a user with their account at a sign-in provider, or end that.
    LinkIdentity: PlatformAdmin, "only platform admins can link accounts with sign-in providers";
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
    /// See the queues that jobs can be submitted to.
    ViewQueues: LoggedIn, "you must be logged in to see the queues";
    /// Submit a job in a project, or preview a submission.
    SubmitJob: InGroup(Member), "only members of the project's group can submit jobs in it";
    /// See a job, its events and its log.
    ViewJob: InGroup(Member), "only members of the project's group can see its jobs";
    /// Cancel a job.
    CancelJob: InGroupOrOwner(Manager), "only the user who submitted a job, and managers and admins of its group, can cancel it";
}

impl Action {
    /// The name in the form of a mutation name: `createProject`.
    pub fn name(self) -> String {
        let mut name = self.row().name.to_owned();
        name[..1].make_ascii_lowercase();
        name
    }

    fn forbidden(self) -> ApiError {
        ApiError::forbidden(self.row().refusal)
    }

    /// The error for callers who must not learn that the object exists.
    fn not_found(self, scope: &Scope) -> ApiError {
        scope.not_found().unwrap_or_else(|| self.forbidden())
    }
}

/// The permission to do something. Only this module grants permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit {
    actor: Option<UserId>,
    action: Action,
}

impl Permit {
    /// The permit of the operator who runs the program: they may do everything, and are not a user of the platform.
    pub const fn of_operator(action: Action) -> Self {
        Self { actor: None, action }
    }

    /// The permit of a user who has proved to a sign-in provider who they are: to have the account that the operator
    /// provides for them.
    pub const fn of_identity(_proved: &Identity) -> Self {
        Self { actor: None, action: Action::SignInWithProvider }
    }

    /// The user with the permission; `None` for the operator and for users who have no account yet.
    pub const fn actor(self) -> Option<UserId> {
        self.actor
    }

    /// The permitted action.
    pub const fn action(self) -> Action {
        self.action
    }
}

/// Whether `caller` may do `action` to what `scope` says.
///
/// # Errors
/// `UNAUTHENTICATED` without a login, `NOT_FOUND` if the caller must not learn that the object exists, `FORBIDDEN`
/// otherwise.
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

/// The role of the caller in the group of the scope; a scope without a group has none.
fn role(principal: &Principal, group: Option<GroupId>) -> Option<GroupRole> {
    principal.groups.get(&group?).copied()
}

/// What a caller can see in lists and feeds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Visible {
    /// All groups.
    Everything,
    /// What belongs to these groups, in ascending order.
    Groups(Vec<GroupId>),
}

impl Visible {
    /// Whether the objects of `group` are visible.
    pub fn includes(&self, group: GroupId) -> bool {
        match self {
            Self::Everything => true,
            Self::Groups(groups) => groups.binary_search(&group).is_ok(),
        }
    }
}

/// What `caller` can see in lists and feeds.
///
/// # Errors
/// `UNAUTHENTICATED` without a login.
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
