//! Who may do what: the only place where a permission is decided.
//!
//! An [`Action`] carries what its rule reads, [`Action::rule`] is the table, [`check`] the verdict. A thing in a group
//! that the caller is not in does not exist for them: NOT_FOUND, never FORBIDDEN.

use crate::auth::principal::{Caller, GroupRole, Principal};
use crate::error::ApiError;
use crate::ids::{CommitId, ConfigId, GroupId, JobId, ProjectId, UserId};

/// Something a caller wants to do, with what the rule needs to know about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// See one's own account.
    ViewSelf,
    /// See a person; `shares_group` is whether the caller is in a group with them.
    ViewUser {
        /// The person.
        user: UserId,
        /// Whether caller and person are in a group together.
        shares_group: bool,
    },
    /// See a person's e-mail address and whether the account is disabled.
    ViewUserPrivate {
        /// The person.
        user: UserId,
    },
    /// Create a group.
    CreateGroup,
    /// See a group, its members and its projects.
    ViewGroup {
        /// The group.
        group: GroupId,
    },
    /// Create a project in a group.
    CreateProject {
        /// The group.
        group: GroupId,
    },
    /// See a project and its config files.
    ViewProject {
        /// The project.
        project: ProjectId,
        /// The group it belongs to.
        group: GroupId,
    },
    /// Create a config file, or a new version of one.
    CreateConfigFile {
        /// The project.
        project: ProjectId,
        /// The group it belongs to.
        group: GroupId,
    },
    /// See a config file and its versions.
    ViewConfigFile {
        /// The config file.
        config: ConfigId,
        /// The group its project belongs to.
        group: GroupId,
    },
    /// See one version of a config file, or submit it.
    ViewCommit {
        /// The version.
        commit: CommitId,
        /// The group its project belongs to.
        group: GroupId,
    },
    /// Submit a job in a project, or see what a submit would do.
    SubmitJob {
        /// The project.
        project: ProjectId,
        /// The group it belongs to.
        group: GroupId,
    },
    /// See a job, its events and its log.
    ViewJob {
        /// The job.
        job: JobId,
        /// The group its project belongs to.
        group: GroupId,
    },
    /// Cancel a job.
    CancelJob {
        /// The job.
        job: JobId,
        /// The group its project belongs to.
        group: GroupId,
        /// Who submitted it.
        submitted_by: UserId,
    },
}

/// What a caller must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Anybody who has logged in.
    LoggedIn,
    /// A platform admin; others are told that they may not.
    PlatformAdmin,
    /// This person, or a platform admin; for others it does not exist.
    Oneself(UserId),
    /// Somebody in the group with at least this role.
    InGroup(GroupId, GroupRole),
    /// Somebody in the group with at least this role, or this person while in the group.
    InGroupOrOwner(GroupId, GroupRole, UserId),
}

impl Action {
    /// The table. Platform admins may do everything in it.
    fn rule(self) -> Rule {
        use GroupRole::{Manager, Member};
        match self {
            Self::ViewSelf => Rule::LoggedIn,
            Self::ViewUser { shares_group: true, .. } => Rule::LoggedIn,
            Self::ViewUser { shares_group: false, user } => Rule::Oneself(user),
            Self::ViewUserPrivate { user } => Rule::Oneself(user),
            Self::CreateGroup => Rule::PlatformAdmin,
            Self::ViewGroup { group } => Rule::InGroup(group, Member),
            Self::CreateProject { group } => Rule::InGroup(group, Manager),
            Self::ViewProject { group, .. } => Rule::InGroup(group, Member),
            Self::CreateConfigFile { group, .. } => Rule::InGroup(group, Manager),
            Self::ViewConfigFile { group, .. } => Rule::InGroup(group, Member),
            Self::ViewCommit { group, .. } => Rule::InGroup(group, Member),
            Self::SubmitJob { group, .. } => Rule::InGroup(group, Member),
            Self::ViewJob { group, .. } => Rule::InGroup(group, Member),
            Self::CancelJob { group, submitted_by, .. } => Rule::InGroupOrOwner(group, Manager, submitted_by),
        }
    }

    /// What the caller is told who may not know that the thing exists.
    fn not_found(self) -> ApiError {
        match self {
            Self::ViewSelf | Self::CreateGroup => self.forbidden(),
            Self::ViewUser { user, .. } | Self::ViewUserPrivate { user } => ApiError::not_found("user", user),
            Self::ViewGroup { group } | Self::CreateProject { group } => ApiError::not_found("group", group),
            Self::ViewProject { project, .. }
            | Self::CreateConfigFile { project, .. }
            | Self::SubmitJob { project, .. } => ApiError::not_found("project", project),
            Self::ViewConfigFile { config, .. } => ApiError::not_found("config file", config),
            Self::ViewCommit { commit, .. } => ApiError::not_found("commit", commit),
            Self::ViewJob { job, .. } | Self::CancelJob { job, .. } => ApiError::not_found("job", job),
        }
    }

    /// What the caller is told who sees the thing but may not do this to it.
    fn forbidden(self) -> ApiError {
        ApiError::forbidden(match self {
            Self::CreateGroup => "only platform admins may create groups",
            Self::CreateProject { .. } => "only managers and admins of the group may create projects in it",
            Self::CreateConfigFile { .. } => "only managers and admins of the group may create config files",
            Self::CancelJob { .. } => "only the person who submitted a job and managers of its group may cancel it",
            Self::ViewSelf
            | Self::ViewUser { .. }
            | Self::ViewUserPrivate { .. }
            | Self::ViewGroup { .. }
            | Self::ViewProject { .. }
            | Self::ViewConfigFile { .. }
            | Self::ViewCommit { .. }
            | Self::SubmitJob { .. }
            | Self::ViewJob { .. } => "you may not do this",
        })
    }
}

/// Whether `caller` may do `action`.
///
/// # Errors
/// `UNAUTHENTICATED` without a log-in, `NOT_FOUND` for what the caller may not know of, `FORBIDDEN` otherwise.
pub fn check(caller: &Caller, action: Action) -> Result<(), ApiError> {
    let principal = caller.principal()?;
    if principal.is_platform_admin() {
        return Ok(());
    }
    match action.rule() {
        Rule::LoggedIn => Ok(()),
        Rule::PlatformAdmin => Err(action.forbidden()),
        Rule::Oneself(user) if user == principal.user => Ok(()),
        Rule::Oneself(_) => Err(action.not_found()),
        Rule::InGroup(group, least) => in_group(principal, action, group, least, false),
        Rule::InGroupOrOwner(group, least, owner) => in_group(principal, action, group, least, owner == principal.user),
    }
}

fn in_group(
    principal: &Principal,
    action: Action,
    group: GroupId,
    least: GroupRole,
    owns: bool,
) -> Result<(), ApiError> {
    match principal.groups.get(&group) {
        None => Err(action.not_found()),
        Some(role) if *role >= least || owns => Ok(()),
        Some(_) => Err(action.forbidden()),
    }
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
