use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Utc;

use super::*;
use crate::auth::principal::{Credential, OnlyProject, PlatformRole, Principal, TokenLimits};
use crate::error::Code;
use crate::ids::{ApiTokenId, JobId, MembershipId, ProjectId, SessionId, UserId};

const GROUP: GroupId = GroupId::from_uuid(uuid::Uuid::from_u128(1));
const JOB: JobId = JobId::from_uuid(uuid::Uuid::from_u128(2));
const OWNER: UserId = UserId::from_uuid(uuid::Uuid::from_u128(3));

fn caller(user: UserId, platform_role: PlatformRole, role: Option<GroupRole>) -> Caller {
    Caller::Known(Arc::new(Principal {
        user,
        credential: Credential::Session { id: SessionId::generate(), ends_at: Utc::now() },
        platform_role,
        groups: role.map(|role| (GROUP, role)).into_iter().collect::<BTreeMap<_, _>>(),
        expires_at: Utc::now(),
    }))
}

/// All kinds of callers that a rule distinguishes: unauthenticated, a stranger, the owner outside the group, a member,
/// the owner as a member, a manager, a group admin, a platform admin.
fn everybody() -> [Caller; 8] {
    let other = UserId::generate();
    [
        Caller::Anonymous,
        caller(other, PlatformRole::User, None),
        caller(OWNER, PlatformRole::User, None),
        caller(other, PlatformRole::User, Some(Member)),
        caller(OWNER, PlatformRole::User, Some(Member)),
        caller(other, PlatformRole::User, Some(Manager)),
        caller(other, PlatformRole::User, Some(GroupRole::Admin)),
        caller(other, PlatformRole::Admin, None),
    ]
}

/// The verdicts for each kind of caller on an action on an object of the owner in the group: `+` permitted, `-`
/// FORBIDDEN, `?` NOT_FOUND, `!` UNAUTHENTICATED; and the least scope of an API token that can do it, if one can.
#[test]
fn each_action_has_one_row() {
    let scope = Scope::within(GROUP, JOB).by(OWNER);
    let mut table = String::new();
    for action in Action::ALL {
        let verdicts = everybody().map(|caller| match check(&caller, *action, scope) {
            Ok(_) => "+",
            Err(error) if error.code == Code::NotFound => "?",
            Err(error) if error.code == Code::Forbidden => "-",
            Err(_) => "!",
        });
        let least = action.token_scope().map_or("-", TokenScope::as_str);
        table.push_str(&format!("{:<16} {} {least}\n", action.name(), verdicts.join(" ")));
    }
    insta::assert_snapshot!(table, @"
    viewSelf         ! + + + + + + + READ
    viewUser         ! ? + ? + ? ? + READ
    viewUserPrivate  ! ? + ? + ? ? + READ
    logout           ! ? + ? + ? ? + -
    register         + + + + + + + + READ
    resetPassword    + + + + + + + + READ
    createUser       ! - - - - - - + ADMIN
    updateUser       ! ? + ? + ? ? + ADMIN
    setPlatformRole  ! - - - - - - + -
    disableUser      ! - - - - - - + ADMIN
    enableUser       ! - - - - - - + ADMIN
    deleteUser       ! - - - - - - + ADMIN
    createPasswordReset ! - - - - - - + -
    changePassword   ! ? + ? + ? ? + -
    viewSession      ! ? + ? + ? ? + -
    endSession       ! ? + ? + ? ? + -
    createApiToken   ! ? + ? + ? ? + -
    viewApiToken     ! ? + ? + ? ? + -
    revokeApiToken   ! ? + ? + ? ? + -
    logoutEverywhere ! ? + ? + ? ? + -
    updateUserSettings ! ? + ? + ? ? + MANAGE
    createAdmin      ! - - - - - - + ADMIN
    signInWithProvider ! - - - - - - + -
    linkIdentity     ! - - - - - - + -
    createGroup      ! - - - - - - + ADMIN
    viewGroup        ! ? ? + + + + + READ
    updateGroup      ! ? ? - - - + + MANAGE
    deleteGroup      ! ? ? - - - - + ADMIN
    addGroupMembers  ! ? ? - - - + + MANAGE
    setGroupRole     ! ? ? - - - + + MANAGE
    removeGroupMember ! ? ? - - - + + MANAGE
    appointGroupAdmin ! ? ? - - - - + ADMIN
    setGroupLimits   ! ? ? - - - - + ADMIN
    leaveGroup       ! ? ? + + + + + MANAGE
    createProject    ! ? ? - - + + + MANAGE
    updateProject    ! ? ? - - + + + MANAGE
    archiveProject   ! ? ? - - + + + MANAGE
    restoreProject   ! ? ? - - + + + MANAGE
    deleteProject    ! ? ? - - - + + MANAGE
    setProjectLimits ! ? ? - - + + + MANAGE
    setGpuLimit      ! ? ? - - - - + ADMIN
    setProjectSchedule ! ? ? - - + + + MANAGE
    repairNamespace  ! - - - - - - + -
    viewProject      ! ? ? + + + + + READ
    createConfigFile ! ? ? - - + + + MANAGE
    updateConfigFile ! ? ? - - + + + MANAGE
    deleteConfigFile ! ? ? - - + + + MANAGE
    viewConfigFile   ! ? ? + + + + + READ
    viewCommit       ! ? ? + + + + + READ
    viewQueues       ! + + + + + + + READ
    pauseQueue       ! - - - - - - + ADMIN
    resumeQueue      ! - - - - - - + ADMIN
    submitJob        ! ? ? + + + + + SUBMIT
    retryJob         ! ? ? + + + + + SUBMIT
    setJobPriority   ! ? ? - + + + + SUBMIT
    submitToQueue    ! ? ? + + + + + SUBMIT
    viewJob          ! ? ? + + + + + READ
    cancelJob        ! ? ? - + + + + SUBMIT
    viewAuditEntry   ! ? ? - - - + + READ
    viewAuditClient  ! - - - - - - + ADMIN
    exportAuditLog   ! - - - - - - + ADMIN
    exportAudit      ! - - - - - - + ADMIN
    viewAuditExport  ! - - - - - - + ADMIN
    openRequest      ! + + + + + + + SUBMIT
    viewRequest      ! ? + ? + + + + READ
    replyToRequest   ! ? + ? + + + + SUBMIT
    resolveRequest   ! ? - ? - + + + MANAGE
    viewNotification ! ? + ? + ? ? + READ
    markNotificationsRead ! ? + ? + ? ? + SUBMIT
    setWebhook       ! ? + ? + ? ? + -
    removeWebhook    ! ? + ? + ? ? + -
    testWebhook      ! ? + ? + ? ? + -
    disableWebhook   ! - - - - - - + -
    viewStorageClasses ! + + + + + + + READ
    viewPvc          ! ? + + + + + + READ
    createPvc        ! ? + - + - + + MANAGE
    updatePvc        ! ? + - + - + + MANAGE
    resizePvc        ! ? + - + - + + MANAGE
    deletePvc        ! ? + - + - + + MANAGE
    forceDeletePvc   ! - - - - - - + ADMIN
    bindPvc          ! ? + - + - + + MANAGE
    unbindPvc        ! ? + - + - + + MANAGE
    setStoragePermissions ! ? + - + - + + MANAGE
    readPvc          ! ? + - + - + + READ
    writePvc         ! ? + - + - + + SUBMIT
    openFiles        ! ? + - + - + + READ
    viewFileSession  ! ? + ? + ? ? + READ
    closeFiles       ! ? + ? + ? ? + READ
    viewCluster      ! - - - - - - + ADMIN
    removeOrphans    ! - - - - - - + ADMIN
    viewAccess       ! ? ? - - - + + READ
    ");
}

#[test]
fn who_may_not_know_of_a_thing_is_told_that_it_is_not_there() {
    let stranger = caller(UserId::generate(), PlatformRole::User, None);
    let verdict = check(&stranger, Action::CancelJob, Scope::within(GROUP, JOB).by(OWNER)).unwrap_err();
    insta::assert_snapshot!(verdict, @r#"job "job_00000000000000000000000002" not found"#);
}

#[test]
fn who_sees_a_thing_is_told_who_may_do_this_to_it() {
    let member = caller(UserId::generate(), PlatformRole::User, Some(Member));
    let verdict = check(&member, Action::CancelJob, Scope::within(GROUP, JOB).by(OWNER)).unwrap_err();
    insta::assert_snapshot!(verdict, @"only the user who submitted a job, and managers and admins of its group, can cancel it");
    let verdict = check(&member, Action::CreateGroup, Scope::PLATFORM).unwrap_err();
    insta::assert_snapshot!(verdict, @"only platform admins can create groups");
}

#[test]
fn a_fellow_is_seen_and_a_stranger_is_not() {
    let member = caller(UserId::generate(), PlatformRole::User, Some(Member));
    let person = Scope::person(OWNER);
    assert!(check(&member, Action::ViewUser, person.among(true)).is_ok());
    assert_eq!(check(&member, Action::ViewUser, person.among(false)).unwrap_err().code, Code::NotFound);
}

#[test]
fn a_fellow_may_not_change_an_account_and_a_stranger_does_not_see_it() {
    let member = caller(UserId::generate(), PlatformRole::User, Some(Member));
    let person = Scope::person(OWNER);
    assert_eq!(check(&member, Action::UpdateUser, person.among(true)).unwrap_err().code, Code::Forbidden);
    assert_eq!(check(&member, Action::UpdateUser, person.among(false)).unwrap_err().code, Code::NotFound);
}

#[test]
fn what_everybody_may_do_is_done_by_whoever_is_logged_in_or_by_nobody() {
    let member = caller(OWNER, PlatformRole::User, None);
    assert_eq!(check(&member, Action::Register, Scope::PLATFORM).unwrap().actor(), Some(OWNER));
    assert_eq!(check(&Caller::Anonymous, Action::Register, Scope::PLATFORM).unwrap().actor(), None);
}

#[test]
fn what_belongs_to_no_group_is_nobody_s_by_their_role() {
    let admin = caller(UserId::generate(), PlatformRole::User, Some(GroupRole::Admin));
    assert_eq!(check(&admin, Action::ViewJob, Scope::PLATFORM).unwrap_err().code, Code::Forbidden);
}

fn with_token(mut principal: Principal, scope: TokenScope, project: Option<OnlyProject>) -> Caller {
    principal.credential = Credential::ApiToken { id: ApiTokenId::generate(), limits: TokenLimits { scope, project } };
    Caller::Known(Arc::new(principal))
}

fn principal(user: UserId, platform_role: PlatformRole, role: Option<GroupRole>) -> Principal {
    let Caller::Known(principal) = caller(user, platform_role, role) else { unreachable!() };
    Arc::unwrap_or_clone(principal)
}

#[test]
fn a_token_of_too_small_a_scope_is_refused_with_both_scopes() {
    let maya = principal(UserId::generate(), PlatformRole::User, Some(Manager));
    let told =
        |scope, action| check(&with_token(maya.clone(), scope, None), action, Scope::within(GROUP, JOB)).unwrap_err();
    insta::assert_snapshot!(told(TokenScope::Read, Action::CancelJob), @"the API token has the scope READ, and this needs the scope SUBMIT");
    insta::assert_snapshot!(told(TokenScope::Submit, Action::UpdateProject), @"the API token has the scope SUBMIT, and this needs the scope MANAGE");
    // What the user may not do is refused for that reason.
    insta::assert_snapshot!(told(TokenScope::Read, Action::DeleteProject), @"only admins of the group can delete its projects");
    let own = Scope::person(maya.user);
    let told = check(&with_token(maya, TokenScope::Admin, None), Action::ChangePassword, own).unwrap_err();
    insta::assert_snapshot!(told, @"this cannot be done with an API token; log in instead");
}

/// The verdicts for the token of a platform admin for one project: on an object in the project, on one in another project of
/// the group, on the group, on a membership of it, on a fellow, on a stranger, on themselves, on the platform.
#[test]
fn a_token_for_a_project_is_for_nothing_else() {
    let (project, other) =
        (ProjectId::from_uuid(uuid::Uuid::from_u128(4)), ProjectId::from_uuid(uuid::Uuid::from_u128(5)));
    let only = OnlyProject { project, group: GROUP };
    let admin = with_token(principal(OWNER, PlatformRole::Admin, None), TokenScope::Admin, Some(only));
    let membership = MembershipId::from_uuid(uuid::Uuid::from_u128(6));
    let fellow = Scope::person(UserId::from_uuid(uuid::Uuid::from_u128(7)));
    let objects = [
        Scope::within(GROUP, JOB).in_project(project),
        Scope::within(GROUP, JOB).in_project(other),
        Scope::group(GROUP),
        Scope::within(GROUP, membership),
        fellow.among(true),
        fellow,
        Scope::person(OWNER),
        Scope::PLATFORM,
    ];
    let mut table = String::new();
    for action in Action::ALL {
        let verdicts = objects.map(|scope| match check(&admin, *action, scope) {
            Ok(_) => "+",
            Err(error) if error.code == Code::NotFound => "?",
            Err(_) => "-",
        });
        table.push_str(&format!("{:<16} {}\n", action.name(), verdicts.join(" ")));
    }
    insta::assert_snapshot!(table, @"
    viewSelf         + ? - - - ? - +
    viewUser         + ? - - + ? + -
    viewUserPrivate  + ? - - - ? - -
    logout           - ? - - - ? - -
    register         + + + + + + + +
    resetPassword    + + + + + + + +
    createUser       + ? - - - ? - -
    updateUser       + ? - - - ? - -
    setPlatformRole  - ? - - - ? - -
    disableUser      + ? - - - ? - -
    enableUser       + ? - - - ? - -
    deleteUser       + ? - - - ? - -
    createPasswordReset - ? - - - ? - -
    changePassword   - ? - - - ? - -
    viewSession      - ? - - - ? - -
    endSession       - ? - - - ? - -
    createApiToken   - ? - - - ? - -
    viewApiToken     - ? - - - ? - -
    revokeApiToken   - ? - - - ? - -
    logoutEverywhere - ? - - - ? - -
    updateUserSettings + ? - - - ? - -
    createAdmin      + ? - - - ? - -
    signInWithProvider - ? - - - ? - -
    linkIdentity     - ? - - - ? - -
    createGroup      + ? - - - ? - -
    viewGroup        + ? + + - ? - -
    updateGroup      + ? - - - ? - -
    deleteGroup      + ? - - - ? - -
    addGroupMembers  + ? - - - ? - -
    setGroupRole     + ? - - - ? - -
    removeGroupMember + ? - - - ? - -
    appointGroupAdmin + ? - - - ? - -
    setGroupLimits   + ? - - - ? - -
    leaveGroup       + ? - - - ? - -
    createProject    + ? - - - ? - -
    updateProject    + ? - - - ? - -
    archiveProject   + ? - - - ? - -
    restoreProject   + ? - - - ? - -
    deleteProject    + ? - - - ? - -
    setProjectLimits + ? - - - ? - -
    setGpuLimit      + ? - - - ? - -
    setProjectSchedule + ? - - - ? - -
    repairNamespace  - ? - - - ? - -
    viewProject      + ? - - - ? - -
    createConfigFile + ? - - - ? - -
    updateConfigFile + ? - - - ? - -
    deleteConfigFile + ? - - - ? - -
    viewConfigFile   + ? - - - ? - -
    viewCommit       + ? - - - ? - -
    viewQueues       + ? - - - ? - +
    pauseQueue       + ? - - - ? - -
    resumeQueue      + ? - - - ? - -
    submitJob        + ? - - - ? - -
    retryJob         + ? - - - ? - -
    setJobPriority   + ? - - - ? - -
    submitToQueue    + ? - - - ? - -
    viewJob          + ? - - - ? - -
    cancelJob        + ? - - - ? - -
    viewAuditEntry   + ? - - - ? - -
    viewAuditClient  + ? - - - ? - -
    exportAuditLog   + ? - - - ? - -
    exportAudit      + ? - - - ? - -
    viewAuditExport  + ? - - - ? - -
    openRequest      + ? - - - ? - -
    viewRequest      + ? - - - ? - -
    replyToRequest   + ? - - - ? - -
    resolveRequest   + ? - - - ? - -
    viewNotification + ? - - - ? - -
    markNotificationsRead + ? - - - ? - -
    setWebhook       - ? - - - ? - -
    removeWebhook    - ? - - - ? - -
    testWebhook      - ? - - - ? - -
    disableWebhook   - ? - - - ? - -
    viewStorageClasses + ? - - - ? - +
    viewPvc          + ? - - - ? - -
    createPvc        + ? - - - ? - -
    updatePvc        + ? - - - ? - -
    resizePvc        + ? - - - ? - -
    deletePvc        + ? - - - ? - -
    forceDeletePvc   + ? - - - ? - -
    bindPvc          + ? - - - ? - -
    unbindPvc        + ? - - - ? - -
    setStoragePermissions + ? - - - ? - -
    readPvc          + ? - - - ? - -
    writePvc         + ? - - - ? - -
    openFiles        + ? - - - ? - -
    viewFileSession  + ? - - - ? - -
    closeFiles       + ? - - - ? - -
    viewCluster      + ? - - - ? - -
    removeOrphans    + ? - - - ? - -
    viewAccess       + ? - - - ? - -
    ");
    let told = check(&admin, Action::UpdateGroup, Scope::group(GROUP)).unwrap_err();
    insta::assert_snapshot!(told, @"the API token is only for the project project_00000000000000000000000004 and what is in it");
}
