use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Utc;

use super::*;
use crate::auth::principal::{PlatformRole, Principal};
use crate::error::Code;
use crate::ids::{JobId, SessionId, UserId};

const GROUP: GroupId = GroupId::from_uuid(uuid::Uuid::from_u128(1));
const JOB: JobId = JobId::from_uuid(uuid::Uuid::from_u128(2));
const OWNER: UserId = UserId::from_uuid(uuid::Uuid::from_u128(3));

fn caller(user: UserId, platform_role: PlatformRole, role: Option<GroupRole>) -> Caller {
    Caller::Known(Arc::new(Principal {
        user,
        session: SessionId::generate(),
        platform_role,
        groups: role.map(|role| (GROUP, role)).into_iter().collect::<BTreeMap<_, _>>(),
        expires_at: Utc::now(),
        session_ends_at: Utc::now(),
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
/// FORBIDDEN, `?` NOT_FOUND, `!` UNAUTHENTICATED.
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
        table.push_str(&format!("{:<16} {}\n", action.name(), verdicts.join(" ")));
    }
    insta::assert_snapshot!(table, @"
    viewSelf         ! + + + + + + +
    viewUser         ! ? + ? + ? ? +
    viewUserPrivate  ! ? + ? + ? ? +
    logout           ! ? + ? + ? ? +
    register         + + + + + + + +
    resetPassword    + + + + + + + +
    createUser       ! - - - - - - +
    updateUser       ! ? + ? + ? ? +
    setPlatformRole  ! - - - - - - +
    disableUser      ! - - - - - - +
    enableUser       ! - - - - - - +
    deleteUser       ! - - - - - - +
    createPasswordReset ! - - - - - - +
    changePassword   ! ? + ? + ? ? +
    viewSession      ! ? + ? + ? ? +
    endSession       ! ? + ? + ? ? +
    logoutEverywhere ! ? + ? + ? ? +
    updateUserSettings ! ? + ? + ? ? +
    createAdmin      ! - - - - - - +
    signInWithProvider ! - - - - - - +
    linkIdentity     ! - - - - - - +
    createGroup      ! - - - - - - +
    viewGroup        ! ? ? + + + + +
    updateGroup      ! ? ? - - - + +
    deleteGroup      ! ? ? - - - - +
    addGroupMembers  ! ? ? - - - + +
    setGroupRole     ! ? ? - - - + +
    removeGroupMember ! ? ? - - - + +
    appointGroupAdmin ! ? ? - - - - +
    setGroupLimits   ! ? ? - - - - +
    leaveGroup       ! ? ? + + + + +
    createProject    ! ? ? - - + + +
    updateProject    ! ? ? - - + + +
    archiveProject   ! ? ? - - + + +
    restoreProject   ! ? ? - - + + +
    deleteProject    ! ? ? - - - + +
    setProjectLimits ! ? ? - - + + +
    setGpuLimit      ! ? ? - - - - +
    setProjectSchedule ! ? ? - - + + +
    repairNamespace  ! - - - - - - +
    viewProject      ! ? ? + + + + +
    createConfigFile ! ? ? - - + + +
    viewConfigFile   ! ? ? + + + + +
    viewCommit       ! ? ? + + + + +
    viewQueues       ! + + + + + + +
    submitJob        ! ? ? + + + + +
    viewJob          ! ? ? + + + + +
    cancelJob        ! ? ? - + + + +
    viewAuditEntry   ! ? ? - - - + +
    viewAuditClient  ! - - - - - - +
    exportAuditLog   ! - - - - - - +
    openRequest      ! + + + + + + +
    viewRequest      ! ? + ? + + + +
    replyToRequest   ! ? + ? + + + +
    resolveRequest   ! ? - ? - + + +
    viewNotification ! ? + ? + ? ? +
    markNotificationsRead ! ? + ? + ? ? +
    setWebhook       ! ? + ? + ? ? +
    removeWebhook    ! ? + ? + ? ? +
    testWebhook      ! ? + ? + ? ? +
    disableWebhook   ! - - - - - - +
    viewAccess       ! ? ? - - - + +
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
