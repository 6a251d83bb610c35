//! What an execution read of its caller's permissions: callers for whom all of it is the same can be sent the same
//! response.

use std::sync::{Arc, Mutex, PoisonError};

use super::policy::{self, Action, Visible};
use super::principal::{Caller, Principal};
use crate::error::{ApiError, Code};
use crate::graphql::shares;
use crate::ids::ProjectId;

/// A question to the policy: an action and its object.
pub type Asked = (Action, policy::Scope);

/// The number of decisions that are worth comparing; a response that depends on more is not shared.
const MOST_DECISIONS: usize = 64;

/// Records what is read while an operation is executed. Part of the request data if responses are shared.
#[derive(Debug, Default)]
pub struct ScopeRecorder(Mutex<Scope>);

impl ScopeRecorder {
    /// What was read since the last call.
    pub fn take(&self) -> Scope {
        std::mem::take(&mut *self.scope())
    }

    /// The response may depend on anything about `caller`.
    pub fn read_all(&self, caller: &Caller) {
        self.scope().reader = Some(caller.clone());
    }

    /// The response depends on the verdict of the policy on this.
    pub fn read_verdict(&self, caller: &Caller, asked: Asked, refused: Option<Code>) {
        let mut scope = self.scope();
        let decision = (asked, refused);
        if scope.decisions.contains(&decision) {
            return;
        }
        if scope.decisions.len() == MOST_DECISIONS {
            scope.reader = Some(caller.clone());
        } else {
            scope.decisions.push(decision);
        }
    }

    /// The response depends on which project is the only one that the caller's API token is for, if there is one.
    pub fn read_project(&self, only: Option<ProjectId>) {
        self.scope().project = Some(only);
    }

    /// The response depends on which groups the caller can see.
    pub fn read_visible(&self, visible: &Result<Visible, ApiError>) {
        self.scope().visible = Some(match visible {
            Ok(visible) => Ok(visible.clone()),
            Err(error) => Err(error.code),
        });
    }

    fn scope(&self) -> std::sync::MutexGuard<'_, Scope> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was read.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    decisions: Vec<(Asked, Option<Code>)>,
    visible: Option<Result<Visible, Code>>,
    project: Option<Option<ProjectId>>,
    reader: Option<Caller>,
}

impl shares::Scope for Scope {
    type Reader = Caller;

    fn holds_for(&self, reader: &Caller) -> bool {
        self.reader.as_ref().is_none_or(|first| have_equal_rights(first, reader))
            && self
                .visible
                .as_ref()
                .is_none_or(|visible| policy::visible(reader).map_err(|error| error.code) == *visible)
            && self.project.is_none_or(|only| policy::only_project(reader) == only)
            && self.decisions.iter().all(|((action, scope), verdict)| {
                policy::check(reader, *action, *scope).err().map(|error| error.code) == *verdict
            })
    }

    fn is_personal(&self) -> bool {
        self.reader.is_some()
    }
}

/// Whether both are the same user with the same permissions, regardless of the session or the API token.
fn have_equal_rights(one: &Caller, other: &Caller) -> bool {
    let of = |caller: &Caller| match caller {
        Caller::Anonymous | Caller::Refused(_) => None,
        Caller::Known(principal) => Some(Arc::clone(principal)),
    };
    match (of(one), of(other)) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            let Principal { user, platform_role, groups, credential, expires_at: _ } = &*one;
            (user, platform_role, groups, credential.limits())
                == (&other.user, &other.platform_role, &other.groups, other.credential.limits())
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::Utc;
    use proptest::prelude::*;

    use super::*;
    use crate::auth::policy::TokenScope;
    use crate::auth::principal::{Credential, GroupRole, OnlyProject, PlatformRole, TokenLimits};
    use crate::graphql::shares::Scope as _;
    use crate::ids::{ApiTokenId, GroupId, ProjectId, SessionId, UserId};

    fn caller(user: UserId, role: PlatformRole, groups: &[(GroupId, GroupRole)]) -> Caller {
        Caller::Known(Arc::new(Principal {
            user,
            credential: Credential::Session { id: SessionId::generate(), ends_at: Utc::now() },
            platform_role: role,
            groups: groups.iter().copied().collect::<BTreeMap<_, _>>(),
            expires_at: Utc::now(),
        }))
    }

    fn with_token(known: &Caller, limits: TokenLimits) -> Caller {
        let mut principal = known.principal().unwrap().clone();
        principal.credential = Credential::ApiToken { id: ApiTokenId::generate(), limits };
        Caller::Known(Arc::new(principal))
    }

    /// The scope of an execution for `reader` that asks the policy about `actions`.
    fn scope_of(reader: &Caller, actions: &[Asked]) -> Scope {
        let recorder = ScopeRecorder::default();
        for (action, scope) in actions {
            let refused = policy::check(reader, *action, *scope).err().map(|error| error.code);
            recorder.read_verdict(reader, (*action, *scope), refused);
        }
        recorder.take()
    }

    #[test]
    fn what_was_read_of_nobody_holds_for_everybody() {
        assert!(Scope::default().holds_for(&Caller::Anonymous));
        assert!(Scope::default().holds_for(&caller(UserId::generate(), PlatformRole::Admin, &[])));
    }

    #[test]
    fn a_person_s_own_answer_holds_in_their_other_sessions_until_a_right_changes() {
        let (user, group) = (UserId::generate(), GroupId::generate());
        let recorder = ScopeRecorder::default();
        recorder.read_all(&caller(user, PlatformRole::User, &[(group, GroupRole::Member)]));
        let scope = recorder.take();
        assert!(scope.is_personal());
        assert!(scope.holds_for(&caller(user, PlatformRole::User, &[(group, GroupRole::Member)])));
        assert!(!scope.holds_for(&caller(user, PlatformRole::User, &[(group, GroupRole::Manager)])));
        assert!(!scope.holds_for(&caller(user, PlatformRole::User, &[])));
        assert!(!scope.holds_for(&caller(UserId::generate(), PlatformRole::User, &[(group, GroupRole::Member)])));
        assert!(!scope.holds_for(&Caller::Anonymous));
    }

    #[test]
    fn an_answer_by_a_token_holds_for_no_token_with_other_limits() {
        let (user, group) = (UserId::generate(), GroupId::generate());
        let session = caller(user, PlatformRole::User, &[(group, GroupRole::Manager)]);
        let limits = |scope, project| TokenLimits { scope, project };
        let only = OnlyProject { project: ProjectId::generate(), group };
        let read = with_token(&session, limits(TokenScope::Read, None));
        let others = [
            session.clone(),
            with_token(&session, limits(TokenScope::Submit, None)),
            with_token(&session, limits(TokenScope::Read, Some(only))),
        ];
        let whole = ScopeRecorder::default();
        whole.read_all(&read);
        let whole = whole.take();
        assert!(whole.holds_for(&with_token(&session, limits(TokenScope::Read, None))));
        assert!(others.iter().all(|other| !whole.holds_for(other)));
        let project = ScopeRecorder::default();
        project.read_project(policy::only_project(&read));
        let project = project.take();
        assert_eq!(others.map(|other| project.holds_for(&other)), [true, true, false]);
    }

    #[test]
    fn too_many_decisions_hold_for_their_reader_only() {
        let reader = caller(UserId::generate(), PlatformRole::Admin, &[]);
        let somebody = |_| (Action::ViewUserPrivate, policy::Scope::person(UserId::generate()));
        let actions: Vec<_> = (0..=MOST_DECISIONS).map(somebody).collect();
        let scope = scope_of(&reader, &actions);
        assert!(scope.is_personal() && scope.holds_for(&reader));
        assert!(!scope.holds_for(&caller(UserId::generate(), PlatformRole::Admin, &[])));
    }

    fn people() -> Vec<UserId> {
        (0..3).map(|n| UserId::from_uuid(uuid::Uuid::from_u128(n))).collect()
    }

    fn groups() -> Vec<GroupId> {
        (0..3).map(|n| GroupId::from_uuid(uuid::Uuid::from_u128(n))).collect()
    }

    fn any_caller() -> impl Strategy<Value = Caller> {
        let roles = prop_oneof![
            Just(None),
            Just(Some(GroupRole::Member)),
            Just(Some(GroupRole::Manager)),
            Just(Some(GroupRole::Admin))
        ];
        let only =
            proptest::option::of((0..2_u128, proptest::sample::select(groups())).prop_map(|(project, group)| {
                OnlyProject { project: ProjectId::from_uuid(uuid::Uuid::from_u128(project)), group }
            }));
        let scopes = proptest::sample::select(&[TokenScope::Read, TokenScope::Submit, TokenScope::Manage][..]);
        let limits = proptest::option::of((scopes, only).prop_map(|(scope, project)| TokenLimits { scope, project }));
        let known = (
            proptest::sample::select(people()),
            prop_oneof![4 => Just(PlatformRole::User), 1 => Just(PlatformRole::Admin)],
            proptest::collection::vec(roles, 3),
            limits,
        );
        prop_oneof![
            1 => Just(Caller::Anonymous),
            9 => known.prop_map(|(user, role, roles, limits)| {
                let held: Vec<_> =
                    groups().into_iter().zip(roles).filter_map(|(group, role)| Some((group, role?))).collect();
                let known = caller(user, role, &held);
                match limits {
                    Some(limits) => with_token(&known, limits),
                    None => known,
                }
            }),
        ]
    }

    fn any_action() -> impl Strategy<Value = Asked> {
        let group = proptest::sample::select(groups());
        let user = proptest::sample::select(people());
        prop_oneof![
            user.prop_map(|user| (Action::ViewUserPrivate, policy::Scope::person(user))),
            group.clone().prop_map(|group| (Action::ViewGroup, policy::Scope::group(group))),
            group.prop_map(|group| (Action::CreateProject, policy::Scope::group(group))),
        ]
    }

    proptest! {
        /// The guarantee: a response is shared only among callers for whom the policy has the same verdict on
        /// everything that was read.
        #[test]
        fn a_scope_holds_exactly_where_every_verdict_is_the_same(
            first in any_caller(), other in any_caller(), actions in proptest::collection::vec(any_action(), 0..6)
        ) {
            let verdicts = |caller: &Caller| -> Vec<_> {
                actions.iter().map(|(action, scope)| policy::check(caller, *action, *scope).map(drop).map_err(|error| error.code)).collect()
            };
            let scope = scope_of(&first, &actions);
            prop_assert!(scope.holds_for(&first));
            prop_assert_eq!(scope.holds_for(&other), verdicts(&first) == verdicts(&other));
        }

        #[test]
        fn what_was_listed_is_shared_by_those_who_see_the_same_groups(first in any_caller(), other in any_caller()) {
            let recorder = ScopeRecorder::default();
            recorder.read_visible(&policy::visible(&first));
            let same = policy::visible(&first).map_err(|error| error.code) == policy::visible(&other).map_err(|error| error.code);
            prop_assert_eq!(recorder.take().holds_for(&other), same);
        }
    }
}
