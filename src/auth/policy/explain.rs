//! The policy in words: why somebody may do something, and who may. The same decision as that of [`super::check`].

use std::borrow::Cow;

use super::queue;
use super::{Action, ClaimOwner, Denial, Ground, Rule, Scope, StorageAccess, decide_with};
use crate::auth::principal::{GroupRole, Person, TokenLimits};
use crate::ids::{GroupId, PvcId, PvcKind, UserId};

/// The decision about one person, one action and one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Why it is allowed; `None` if it is not.
    pub ground: Option<Ground>,
    /// Whether the person must not even learn that the object exists.
    pub is_hidden: bool,
    /// Who may do it, as a sentence.
    pub rule: Cow<'static, str>,
}

/// What the policy says about this person; with an API token, if there are `limits`.
pub fn explain(limits: Option<&TokenLimits>, person: Person<'_>, action: Action, scope: &Scope) -> Explanation {
    let decided = decide_with(limits, person, action, scope);
    Explanation {
        ground: decided.ok(),
        is_hidden: decided == Err(Denial::Hidden) && scope.subject_parts().is_some(),
        rule: action.row().rule.sentence(),
    }
}

impl Rule {
    fn sentence(self) -> Cow<'static, str> {
        match self {
            Self::Anyone => "Everybody can do this, without logging in.".into(),
            Self::LoggedIn => "Every user can do this.".into(),
            Self::PlatformAdmin => "Platform admins can do this.".into(),
            Self::Oneself => "The user themselves and platform admins can do this.".into(),
            Self::OneselfOrFellow => {
                "The user themselves, users who share a group with them, and platform admins can do this.".into()
            }
            Self::AboveGroup => "Platform admins can do this.".into(),
            Self::OwnerOrInGroup(_) => {
                "The user who created the object, managers and admins of its group, and platform admins can do this."
                    .into()
            }
            Self::ClaimKeeper => {
                "The user whose drive it is, admins of the group, for a claim of a project also managers, and platform admins can do this.".into()
            }
            Self::ClaimAccess(_) => {
                "The user whose drive it is, admins of the group, members to whom the claim grants it, and platform admins can do this.".into()
            }
            Self::QueueUser => {
                "Members of the group with at least the role that the queue is for, and platform admins, can do this.".into()
            }
            Self::Responsible(_) => "Managers and admins of its group, and platform admins, can do this.".into(),
            Self::InGroup(GroupRole::Member) => "Members of the group and platform admins can do this.".into(),
            Self::InGroup(GroupRole::Manager) => {
                "Managers and admins of the group, and platform admins, can do this.".into()
            }
            Self::InGroup(GroupRole::Admin) => "Admins of the group and platform admins can do this.".into(),
            Self::InGroupOrOwner(least) => {
                let people = match least {
                    GroupRole::Member => "members of its group",
                    GroupRole::Manager => "managers and admins of its group",
                    GroupRole::Admin => "admins of its group",
                };
                format!("The user who created the object, {people}, and platform admins can do this.").into()
            }
        }
    }
}

/// The people who may do something. Platform admins always may.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Holders {
    /// Everybody.
    pub everybody: bool,
    /// This user.
    pub user: Option<UserId>,
    /// Those who share a group with this user.
    pub fellows_of: Option<UserId>,
    /// Those who have one of these roles in this group.
    pub in_group: Option<(GroupId, Vec<GroupRole>)>,
    /// This user, as long as they are in the group.
    pub owner_in_group: Option<(GroupId, UserId)>,
    /// Members of the group to whom this storage claim grants at least this access.
    pub granted: Option<(GroupId, PvcId, StorageAccess)>,
}

/// Who may do `action` to what `scope` says.
pub fn holders(action: Action, scope: &Scope) -> Holders {
    let none = Holders::default();
    let roles = |least| {
        let all = [GroupRole::Member, GroupRole::Manager, GroupRole::Admin];
        scope.group.map(|group| (group, all.into_iter().filter(|role| *role >= least).collect()))
    };
    match action.row().rule {
        Rule::Anyone | Rule::LoggedIn => Holders { everybody: true, ..none },
        Rule::PlatformAdmin | Rule::AboveGroup => none,
        Rule::Oneself => Holders { user: scope.owner, ..none },
        Rule::OneselfOrFellow => Holders { user: scope.owner, fellows_of: scope.owner, ..none },
        Rule::InGroup(least) | Rule::Responsible(least) => Holders { in_group: roles(least), ..none },
        Rule::QueueUser => Holders { in_group: queue::least(scope.queue).and_then(roles), ..none },
        Rule::ClaimKeeper => Holders { user: scope.owner, in_group: roles(scope.claim.owner.keeper()), ..none },
        Rule::ClaimAccess(least) => Holders {
            user: scope.owner,
            in_group: roles(GroupRole::Admin).filter(|_| scope.claim.owner != ClaimOwner::SharedDrive),
            granted: scope.group.zip(scope.subject_as::<PvcKind>()).map(|(group, claim)| (group, claim, least)),
            ..none
        },
        Rule::OwnerOrInGroup(least) => Holders { user: scope.owner, in_group: roles(least), ..none },
        Rule::InGroupOrOwner(least) => {
            Holders { in_group: roles(least), owner_in_group: scope.group.zip(scope.owner), ..none }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use chrono::Utc;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::auth::policy::TokenScope;
    use crate::auth::policy::check;
    use crate::auth::principal::{Caller, Credential, OnlyProject, PlatformRole, Principal};
    use crate::error::Code;
    use crate::ids::{ApiTokenId, JobId, ProjectId, SessionId};

    fn people() -> Vec<UserId> {
        (1..4).map(|n| UserId::from_uuid(Uuid::from_u128(n))).collect()
    }

    fn groups() -> Vec<GroupId> {
        (1..4).map(|n| GroupId::from_uuid(Uuid::from_u128(n))).collect()
    }

    fn project() -> ProjectId {
        ProjectId::from_uuid(Uuid::from_u128(5))
    }

    fn any_credential() -> impl Strategy<Value = Credential> {
        let scope = proptest::sample::select(
            &[TokenScope::Read, TokenScope::Submit, TokenScope::Manage, TokenScope::Admin][..],
        );
        let only = proptest::option::of(
            proptest::sample::select(groups()).prop_map(|group| OnlyProject { project: project(), group }),
        );
        let token = (scope, only).prop_map(|(scope, project)| Credential::ApiToken {
            id: ApiTokenId::generate(),
            limits: TokenLimits { scope, project },
        });
        prop_oneof![Just(Credential::Session { id: SessionId::generate(), ends_at: Utc::now() }), token]
    }

    fn any_principal() -> impl Strategy<Value = Principal> {
        let role = prop_oneof![
            Just(None),
            Just(Some(GroupRole::Member)),
            Just(Some(GroupRole::Manager)),
            Just(Some(GroupRole::Admin))
        ];
        let of_platform = prop_oneof![4 => Just(PlatformRole::User), 1 => Just(PlatformRole::Admin)];
        (proptest::sample::select(people()), any_credential(), of_platform, proptest::collection::vec(role, 3))
            .prop_map(|(user, credential, platform_role, roles)| Principal {
                user,
                credential,
                platform_role,
                groups: groups().into_iter().zip(roles).filter_map(|(group, role)| Some((group, role?))).collect(),
                expires_at: Utc::now(),
            })
    }

    fn any_scope() -> impl Strategy<Value = Scope> {
        let (group, user) = (proptest::sample::select(groups()), proptest::sample::select(people()));
        let job = JobId::from_uuid(Uuid::from_u128(9));
        let claim = PvcId::from_uuid(Uuid::from_u128(10));
        let owner = prop_oneof![Just(ClaimOwner::Project), Just(ClaimOwner::Group)];
        let access = proptest::sample::select(StorageAccess::ALL);
        prop_oneof![
            Just(Scope::PLATFORM),
            (user.clone(), any::<bool>()).prop_map(|(user, fellow)| Scope::person(user).among(fellow)),
            group.clone().prop_map(Scope::group),
            group.clone().prop_map(move |group| Scope::within(group, job)),
            (group.clone(), user.clone()).prop_map(move |(group, user)| Scope::within(group, job).by(user)),
            (group.clone(), user.clone()).prop_map(move |(group, user)| {
                Scope::within(group, claim).by(user).claim(ClaimOwner::SharedDrive, StorageAccess::None)
            }),
            user.prop_map(move |user| Scope::owned(user, claim).claim(ClaimOwner::User, StorageAccess::None)),
            (group.clone(), owner, access)
                .prop_map(move |(group, owner, access)| { Scope::within(group, claim).claim(owner, access) }),
            group.clone().prop_map(move |group| Scope::within(group, job).in_project(project())),
        ]
    }

    fn is_among(holders: &Holders, person: Person<'_>, scope: &Scope) -> bool {
        let role = |group: &GroupId| person.groups.get(group);
        person.is_platform_admin()
            || holders.everybody
            || holders.user == Some(person.user)
            || (holders.fellows_of.is_some() && scope.shares_group)
            || holders
                .in_group
                .as_ref()
                .is_some_and(|(group, roles)| role(group).is_some_and(|role| roles.contains(role)))
            || holders.owner_in_group.is_some_and(|(group, owner)| owner == person.user && role(&group).is_some())
            || holders.granted.is_some_and(|(group, _, least)| role(&group).is_some() && scope.claim.access >= least)
    }

    proptest! {
        #[test]
        fn what_is_explained_is_what_is_decided(
            principal in any_principal(), scope in any_scope(), action in proptest::sample::select(Action::ALL)
        ) {
            let caller = Caller::Known(Arc::new(principal.clone()));
            let explained = explain(principal.credential.limits(), principal.person(), action, &scope);
            match check(&caller, action, scope) {
                Ok(_) => prop_assert!(explained.ground.is_some() && !explained.is_hidden),
                Err(error) => {
                    prop_assert_eq!(explained.ground, None);
                    prop_assert_eq!(explained.is_hidden, error.code == Code::NotFound);
                }
            }
            let holders = holders(action, &scope);
            let themselves = explain(None, principal.person(), action, &scope);
            prop_assert_eq!(is_among(&holders, principal.person(), &scope), themselves.ground.is_some());
        }

        /// A token never allows what its user may not do, and one with more limits never more than one with fewer.
        #[test]
        fn a_token_only_takes_away(
            principal in any_principal(), scope in any_scope(), action in proptest::sample::select(Action::ALL)
        ) {
            let ground = |limits: Option<&TokenLimits>| explain(limits, principal.person(), action, &scope).ground;
            let Some(limits) = principal.credential.limits().copied() else { return Ok(()) };
            let (with, without) = (ground(Some(&limits)), ground(None));
            prop_assert!(with.is_none() || with == without);
            let wider = TokenLimits { scope: TokenScope::Admin, ..limits };
            prop_assert!(with.is_none() || ground(Some(&wider)) == with);
            let everywhere = TokenLimits { project: None, ..limits };
            prop_assert!(with.is_none() || ground(Some(&everywhere)) == with);
        }
    }

    #[test]
    fn every_rule_is_a_sentence() {
        let groups = BTreeMap::new();
        let person = Person { user: people()[0], platform_role: PlatformRole::User, groups: &groups };
        let mut sentences: Vec<_> =
            Action::ALL.iter().map(|action| explain(None, person, *action, &Scope::PLATFORM).rule).collect();
        sentences.sort();
        sentences.dedup();
        insta::assert_snapshot!(sentences.join("\n"), @"
        Admins of the group and platform admins can do this.
        Every user can do this.
        Everybody can do this, without logging in.
        Managers and admins of its group, and platform admins, can do this.
        Managers and admins of the group, and platform admins, can do this.
        Members of the group and platform admins can do this.
        Members of the group with at least the role that the queue is for, and platform admins, can do this.
        Platform admins can do this.
        The user themselves and platform admins can do this.
        The user themselves, users who share a group with them, and platform admins can do this.
        The user who created the object, managers and admins of its group, and platform admins can do this.
        The user whose drive it is, admins of the group, for a claim of a project also managers, and platform admins can do this.
        The user whose drive it is, admins of the group, members to whom the claim grants it, and platform admins can do this.
        ");
    }
}
