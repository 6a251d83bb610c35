//! The permission policy: the only place where permissions are decided.
//!
//! An [`Action`] is a name and a row of the table below; a [`Scope`] describes its object; [`check`] returns the
//! verdict. An object in a group that the caller is not in does not exist for them: NOT_FOUND, never FORBIDDEN.

mod claim;
mod explain;
mod needs;
mod object;
mod permit;
mod queue;
mod scope;
mod token;
mod verdict;
mod visible;

pub use claim::{ClaimOwner, StorageAccess};
pub use explain::{Explanation, Holders, explain, holders};
pub use needs::TokenScope;
pub use object::Kind;
pub use permit::Permit;
pub use queue::users_of;
pub use scope::Scope;
pub use token::NEEDS_SESSION;
pub use verdict::Ground;
pub use visible::{Visible, groups_where, may_in_some_group, only_project, visible};

use needs::Needs;
use verdict::Denial;

use crate::auth::principal::{Caller, GroupRole, Person, TokenLimits};
use crate::error::{ApiError, Denied};
use crate::ids::GroupId;

/// What an action requires of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Everybody, also without a login.
    Anyone,
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
    /// A platform admin; for members of the group, whatever their role, it is FORBIDDEN, and for others the object does
    /// not exist.
    AboveGroup,
    /// The owner, or a user with at least this role in the group; for others the object does not exist.
    OwnerOrInGroup(GroupRole),
    /// A user with at least this role in the group; for the owner it is FORBIDDEN, and for others the object does not exist.
    Responsible(GroupRole),
    /// Those who are responsible for a storage claim: the user whose drive it is, admins of the group whose it is, and for the
    /// claim of a project also managers.
    ClaimKeeper,
    /// A user who has at least this access to a storage claim: its keepers if they are the user or an admin of the group, and
    /// members of the group to whom the claim, or a permission, grants it.
    ClaimAccess(StorageAccess),
    /// A user with at least the role in the group that the queue requires.
    QueueUser,
}

/// A row of the table: what an action requires of the user and of their credential, and the message for callers who can
/// see the object but do not have the permission.
struct Row {
    name: &'static str,
    rule: Rule,
    needs: Needs,
    refusal: &'static str,
}

macro_rules! table {
    ($($(#[doc = $doc:literal])+ $action:ident: $rule:expr, $needs:expr, $refusal:literal;)+) => {
        /// Something that a user can do, as the permission policy knows it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, async_graphql::Enum)]
        #[graphql(name = "PolicyAction")]
        pub enum Action {
            $($(#[doc = $doc])+ $action,)+
        }

        impl Action {
            /// All actions, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$action),+];

            const fn row(self) -> Row {
                match self {
                    $(Self::$action => Row { name: stringify!($action), rule: $rule, needs: $needs, refusal: $refusal },)+
                }
            }
        }
    };
}

use GroupRole::{Manager, Member};
use Needs::{Admin, Manage, Read, Session, Submit};
use Rule::{
    AboveGroup, Anyone, ClaimAccess, ClaimKeeper, InGroup, InGroupOrOwner, LoggedIn, Oneself, OneselfOrFellow,
    OwnerOrInGroup, PlatformAdmin, QueueUser, Responsible,
};

// The table. Platform admins can do everything in it.
table! {
    /// See your own account.
    ViewSelf: LoggedIn, Read, "you must be logged in to see your account";
    /// See a person.
    ViewUser: OneselfOrFellow, Read, "only users who share a group with this user can see them";
    /// See the email address of a user and whether the account is disabled.
    ViewUserPrivate: Oneself, Read, "only the user and platform admins can see this";
    /// Log out of your own session.
    Logout: Oneself, Session, "only the user that a session belongs to can end it";
    /// Register an account, if the platform lets people register.
    Register: Anyone, Read, "everybody can register";
    /// Set a new password with a one-time link.
    ResetPassword: Anyone, Read, "everybody with a valid link can set a new password";
    /// Create an account.
    CreateUser: PlatformAdmin, Admin, "only platform admins can create accounts";
    /// Change the display name and the email address of a user.
    UpdateUser: Oneself, Admin, "only the user and platform admins can change an account";
    /// Make a user a platform admin, or an ordinary user again.
    SetPlatformRole: PlatformAdmin, Session, "only platform admins can change platform roles";
    /// Disable an account.
    DisableUser: PlatformAdmin, Admin, "only platform admins can disable accounts";
    /// Enable an account that is disabled, or that waits for approval.
    EnableUser: PlatformAdmin, Admin, "only platform admins can enable accounts";
    /// Delete an account.
    DeleteUser: PlatformAdmin, Admin, "only platform admins can delete accounts";
    /// Create a one-time link with which a user can set a new password.
    CreatePasswordReset: PlatformAdmin, Session, "only platform admins can create links for new passwords";
    /// Change your own password.
    ChangePassword: Oneself, Session, "only the user can change their password";
    /// See a session.
    ViewSession: Oneself, Session, "only the user that a session belongs to can see it";
    /// End a session.
    EndSession: Oneself, Session, "only the user that a session belongs to can end it";
    /// Create an API token.
    CreateApiToken: Oneself, Session, "only the user that an API token is for can create it";
    /// See an API token, without its secret.
    ViewApiToken: Oneself, Session, "only the user that an API token is for can see it";
    /// Revoke an API token.
    RevokeApiToken: Oneself, Session, "only the user that an API token is for can revoke it";
    /// End all of your own sessions.
    LogoutEverywhere: Oneself, Session, "only the user that sessions belong to can end them";
    /// Change your own settings.
    UpdateUserSettings: Oneself, Manage, "only the user can change their settings";
    /// Create the account of a platform admin.
    CreateAdmin: PlatformAdmin, Admin, "only platform admins can create accounts";
    /// Create or update the account of a user who signs in with a provider.
    SignInWithProvider: PlatformAdmin, Session, "only sign-in providers can do this";
    /// Link the account of a user with their account at a sign-in provider, or end that.
    LinkIdentity: PlatformAdmin, Session, "only platform admins can link accounts with sign-in providers";
    /// Create a group.
    CreateGroup: PlatformAdmin, Admin, "only platform admins can create groups";
    /// See a group, its members and its projects.
    ViewGroup: InGroup(Member), Read, "only members of the group can see it";
    /// Change the name and the description of a group.
    UpdateGroup: InGroup(GroupRole::Admin), Manage, "only admins of the group can change it";
    /// Delete a group that has no projects.
    DeleteGroup: AboveGroup, Admin, "only platform admins can delete groups";
    /// Add members to a group.
    AddGroupMembers: InGroup(GroupRole::Admin), Manage, "only admins of the group can add members";
    /// Change the role of a member of a group.
    SetGroupRole: InGroup(GroupRole::Admin), Manage, "only admins of the group can change the roles of its members";
    /// Remove a member from a group.
    RemoveGroupMember: InGroup(GroupRole::Admin), Manage, "only admins of the group can remove members";
    /// Make a user an admin of a group, or change the role of an admin or remove one.
    AppointGroupAdmin: AboveGroup, Admin, "only platform admins can make users admins of a group, change the role of an admin or remove an admin";
    /// Set how many members a group can have.
    SetGroupLimits: AboveGroup, Admin, "only platform admins can set the limits of a group";
    /// Leave a group.
    LeaveGroup: InGroup(Member), Manage, "only members of the group can leave it";
    /// Create a project in a group.
    CreateProject: InGroup(Manager), Manage, "only managers and admins of the group can create projects in it";
    /// Change the name and the description of a project.
    UpdateProject: InGroup(Manager), Manage, "only managers and admins of the group can change its projects";
    /// Archive a project.
    ArchiveProject: InGroup(Manager), Manage, "only managers and admins of the group can archive its projects";
    /// Restore an archived project.
    RestoreProject: InGroup(Manager), Manage, "only managers and admins of the group can restore its projects";
    /// Delete a project with everything that belongs to it.
    DeleteProject: InGroup(GroupRole::Admin), Manage, "only admins of the group can delete its projects";
    /// Set the limits of a project, except that of GPUs.
    SetProjectLimits: InGroup(Manager), Manage, "only managers and admins of the group can set the limits of its projects";
    /// Set how many GPUs a project can use.
    SetGpuLimit: AboveGroup, Admin, "only platform admins can set the GPU limit of a project";
    /// Set when the jobs of a project can run.
    SetProjectSchedule: InGroup(Manager), Manage, "only managers and admins of the group can set the schedule of its projects";
    /// Restore the namespace of a project that was changed by hand in the cluster.
    RepairNamespace: PlatformAdmin, Session, "only the platform itself repairs namespaces";
    /// See a project and its config files.
    ViewProject: InGroup(Member), Read, "only members of the project's group can see it";
    /// Create a config file.
    CreateConfigFile: InGroup(Manager), Manage, "only managers and admins of the group can create config files";
    /// Create a new version of a config file, or rename it.
    UpdateConfigFile: InGroup(Manager), Manage, "only managers and admins of the group can change config files";
    /// Delete a config file.
    DeleteConfigFile: InGroup(Manager), Manage, "only managers and admins of the group can delete config files";
    /// See a config file and its versions.
    ViewConfigFile: InGroup(Member), Read, "only members of the project's group can see its config files";
    /// See one version of a config file, or submit it.
    ViewCommit: InGroup(Member), Read, "only members of the project's group can see its config files";
    /// See the queues that jobs can be submitted to.
    ViewQueues: LoggedIn, Read, "you must be logged in to see the queues";
    /// Pause a queue, or change the note of its pause.
    PauseQueue: PlatformAdmin, Admin, "only platform admins can pause queues";
    /// Resume a queue that is paused.
    ResumeQueue: PlatformAdmin, Admin, "only platform admins can resume queues";
    /// Submit a job in a project, or preview a submission.
    SubmitJob: InGroup(Member), Submit, "only members of the project's group can submit jobs in it";
    /// Run a job that has ended again, as a new job.
    RetryJob: InGroup(Member), Submit, "only members of the project's group can retry its jobs";
    /// Set the priority of a job that has not been sent to the cluster.
    SetJobPriority: InGroupOrOwner(Manager), Submit, "only the user who submitted a job, and managers and admins of its group, can set its priority";
    /// Submit jobs of a project to a queue.
    SubmitToQueue: QueueUser, Submit, "your role in the group is not one of those that may submit to this queue";
    /// See a job, its events and its log.
    ViewJob: InGroup(Member), Read, "only members of the project's group can see its jobs";
    /// Cancel a job.
    CancelJob: InGroupOrOwner(Manager), Submit, "only the user who submitted a job, and managers and admins of its group, can cancel it";
    /// See the audit log of a group.
    ViewAuditEntry: InGroup(GroupRole::Admin), Read, "only admins of the group can see its audit log";
    /// See the client that an entry of the audit log came from: its address and its user agent.
    ViewAuditClient: PlatformAdmin, Admin, "only platform admins can see the clients in the audit log";
    /// Export the audit log.
    ExportAuditLog: PlatformAdmin, Admin, "only platform admins can export the audit log";
    /// Have the audit log exported to a file.
    ExportAudit: PlatformAdmin, Admin, "only platform admins can export the audit log";
    /// See an export of the audit log, and download it.
    ViewAuditExport: PlatformAdmin, Admin, "only platform admins can see exports of the audit log";
    /// Open a request.
    OpenRequest: LoggedIn, Submit, "you must be logged in to open a request";
    /// See a request and its messages.
    ViewRequest: OwnerOrInGroup(Manager), Read, "only the author of a request and those who are responsible for it can see it";
    /// Write a message in a request.
    ReplyToRequest: OwnerOrInGroup(Manager), Submit, "only the author of a request and those who are responsible for it can answer it";
    /// Change the status of a request.
    ResolveRequest: Responsible(Manager), Manage, "only managers and admins of the group, or platform admins, can change the status of a request";
    /// See a notification.
    ViewNotification: Oneself, Read, "only the user that a notification is for can see it";
    /// Mark your own notifications as read.
    MarkNotificationsRead: Oneself, Submit, "only the user that notifications are for can mark them as read";
    /// Have your own notifications sent to a URL.
    SetWebhook: Oneself, Session, "only the user that notifications are for can have them sent to a URL";
    /// No longer have your own notifications sent to a URL.
    RemoveWebhook: Oneself, Session, "only the user that a webhook belongs to can remove it";
    /// Have a test notification sent to your own webhook.
    TestWebhook: Oneself, Session, "only the user that a webhook belongs to can test it";
    /// Disable a webhook that has failed for a long time.
    DisableWebhook: PlatformAdmin, Session, "only the platform itself disables webhooks";
    /// See the storage classes of the cluster.
    ViewStorageClasses: LoggedIn, Read, "you must be logged in to see the storage classes";
    /// See a storage claim.
    ViewPvc: OwnerOrInGroup(Member), Read, "only members of the group can see its storage claims";
    /// Create a storage claim for a project, a group or yourself.
    CreatePvc: ClaimKeeper, Manage, "only managers and admins of the group can create storage claims of its projects, and only its admins those of the group itself";
    /// Change the name of a storage claim, or what members of the group may do with it.
    UpdatePvc: ClaimKeeper, Manage, "only those who are responsible for a storage claim can change it";
    /// Make a storage claim larger.
    ResizePvc: ClaimKeeper, Manage, "only those who are responsible for a storage claim can resize it";
    /// Delete a storage claim with everything in it.
    DeletePvc: ClaimKeeper, Manage, "only those who are responsible for a storage claim can delete it";
    /// Delete a storage claim although it is in use.
    ForceDeletePvc: PlatformAdmin, Admin, "only platform admins can delete a storage claim that is in use";
    /// Share the storage of a claim with a project.
    BindPvc: ClaimKeeper, Manage, "only managers and admins of the group can share storage with its projects";
    /// Remove a share of storage.
    UnbindPvc: ClaimKeeper, Manage, "only those who are responsible for a storage claim can remove it";
    /// Say what a user may do with a storage claim.
    SetStoragePermissions: ClaimKeeper, Manage, "only those who are responsible for a storage claim can change its permissions";
    /// Mount a storage claim read-only.
    ReadPvc: ClaimAccess(StorageAccess::Read), Read, "you have no access to this storage claim; its keepers can grant it";
    /// Mount a storage claim, and change what is in it.
    WritePvc: ClaimAccess(StorageAccess::Write), Submit, "you have no write access to this storage claim; its keepers can grant it";
    /// Open the files of a storage claim.
    OpenFiles: ClaimAccess(StorageAccess::Read), Read, "you have no access to this storage claim; its keepers can grant it";
    /// See a file session.
    ViewFileSession: Oneself, Read, "only the user who opened a file session can see it";
    /// Close a file session.
    CloseFiles: Oneself, Read, "only the user who opened a file session can close it";
    /// See the Kubernetes cluster, and what the platform has left behind in it.
    ViewCluster: PlatformAdmin, Admin, "only platform admins can see the cluster";
    /// Remove what the platform has left behind in the cluster.
    RemoveOrphans: PlatformAdmin, Admin, "only platform admins can remove orphans from the cluster";
    /// See what another user may do with an object, and who may do what with it.
    ViewAccess: InGroup(GroupRole::Admin), Read, "only admins of the group can see what others may do in it";
}

impl Action {
    /// The name in the form of a mutation name: `createProject`.
    pub fn name(self) -> String {
        name_of(self.row().name)
    }

    /// The error for callers who are denied the action.
    fn refusal(self, denial: Denial, scope: &Scope) -> ApiError {
        let Row { name, refusal, .. } = self.row();
        let forbidden = || ApiError::forbidden(refusal);
        let error = match denial {
            Denial::Forbidden => forbidden(),
            Denial::Hidden => scope.not_found().unwrap_or_else(forbidden),
            Denial::NoSession => ApiError::forbidden(NEEDS_SESSION),
            Denial::Scope { has, needed } => {
                let (has, needed) = (has.as_str(), needed.as_str());
                ApiError::forbidden(format!("the API token has the scope {has}, and this needs the scope {needed}"))
            }
            Denial::OtherProject(project) => {
                ApiError::forbidden(format!("the API token is only for the project {project} and what is in it"))
            }
        };
        let group = scope.group.map(GroupId::uuid);
        error.denying(Denied { action: name, subject: scope.subject_parts(), group })
    }
}

/// The name of an action in the form of a mutation name: `createProject`.
pub fn name_of(action: &str) -> String {
    let mut name = action.to_owned();
    name[..1].make_ascii_lowercase();
    name
}

/// What else is required of a caller who gives somebody a role in a group, or changes or ends the membership of somebody
/// with this role.
pub const fn to_grant(role: GroupRole) -> Option<Action> {
    match role {
        GroupRole::Admin => Some(Action::AppointGroupAdmin),
        Manager | Member => None,
    }
}

/// Whether `caller` may do `action` to what `scope` says.
///
/// # Errors
/// `UNAUTHENTICATED` without a login, `NOT_FOUND` if the caller must not learn that the object exists, `FORBIDDEN`
/// otherwise.
pub fn check(caller: &Caller, action: Action, scope: Scope) -> Result<Permit, ApiError> {
    if action.row().rule == Anyone {
        return Ok(Permit { actor: caller.principal().ok().map(|principal| principal.user), action, scope });
    }
    let principal = caller.principal()?;
    match decide_with(principal.credential.limits(), principal.person(), action, &scope) {
        Ok(_) => Ok(Permit { actor: Some(principal.user), action, scope }),
        Err(denial) => Err(action.refusal(denial, &scope)),
    }
}

/// The decision about a caller: a user, with an API token if there are `limits`.
fn decide_with(
    limits: Option<&TokenLimits>,
    person: Person<'_>,
    action: Action,
    scope: &Scope,
) -> Result<Ground, Denial> {
    // What everybody can do without logging in, they can do with any token.
    let Some(limits) = limits.filter(|_| action.row().rule != Anyone) else { return decide(person, action, scope) };
    limits.reaches(person, action, scope)?;
    let ground = decide(person, action, scope)?;
    limits.suffices(action).map(|()| ground)
}

/// The one decision about a user: every other function of the policy asks it.
fn decide(person: Person<'_>, action: Action, scope: &Scope) -> Result<Ground, Denial> {
    if person.is_platform_admin() {
        return Ok(Ground::PlatformAdmin);
    }
    let is_owner = scope.owner == Some(person.user);
    // A scope without a group has no roles.
    let role = || scope.group.and_then(|group| person.groups.get(&group).copied()).ok_or(Denial::Hidden);
    match action.row().rule {
        Anyone | LoggedIn => Ok(Ground::Everybody),
        PlatformAdmin => Err(Denial::Forbidden),
        Oneself | OneselfOrFellow if is_owner => Ok(Ground::Oneself),
        Oneself if scope.shares_group => Err(Denial::Forbidden),
        OneselfOrFellow if scope.shares_group => Ok(Ground::Fellow),
        Oneself | OneselfOrFellow => Err(Denial::Hidden),
        InGroup(least) => match role()? {
            role if role >= least => Ok(Ground::Role(role)),
            _ => Err(Denial::Forbidden),
        },
        InGroupOrOwner(least) => match role()? {
            role if role >= least => Ok(Ground::Role(role)),
            role if is_owner => Ok(Ground::Owner(role)),
            _ => Err(Denial::Forbidden),
        },
        AboveGroup => role().and(Err(Denial::Forbidden)),
        OwnerOrInGroup(_) if is_owner => Ok(Ground::Oneself),
        ClaimKeeper | ClaimAccess(_) if is_owner => Ok(Ground::Oneself),
        ClaimKeeper => match role()? {
            role if role >= scope.claim.owner.keeper() => Ok(Ground::Role(role)),
            _ => Err(Denial::Forbidden),
        },
        ClaimAccess(least) => match role()? {
            GroupRole::Admin if scope.claim.owner != ClaimOwner::SharedDrive => Ok(Ground::Role(GroupRole::Admin)),
            role if scope.claim.access >= least => Ok(Ground::Granted(role)),
            _ => Err(Denial::Forbidden),
        },
        QueueUser => match (role()?, queue::least(scope.queue)) {
            (role, Some(least)) if role >= least => Ok(Ground::Role(role)),
            _ => Err(Denial::Forbidden),
        },
        OwnerOrInGroup(least) | Responsible(least) => match role() {
            Ok(role) if role >= least => Ok(Ground::Role(role)),
            _ if is_owner => Err(Denial::Forbidden),
            _ => Err(Denial::Hidden),
        },
    }
}

#[cfg(test)]
#[path = "policy/tests.rs"]
mod tests;
