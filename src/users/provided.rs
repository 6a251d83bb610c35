//! Users who sign in with a provider: found by issuer and subject, created on first sight, with the roles that their
//! groups at the provider give.

use std::collections::BTreeMap;

use serde_json::json;

use super::model::identities::{self, Known};
use super::model::{self, NewUser};
use super::names as usernames;
use crate::auth::oidc::Identity;
use crate::auth::passwords::NO_PASSWORD;
use crate::auth::policy::Permit;
use crate::auth::principal::{GroupRole, PlatformRole, UserState};
use crate::change::{Change, Changed, Done, Writes};
use crate::config::ProvidedRole;
use crate::db::{Db, or_taken};
use crate::error::{ApiError, ApiErrors, SignInReason};
use crate::groups::model as groups;
use crate::ids::UserId;
use crate::trail::Origin;

/// The maximum length of a username.
const LONGEST: usize = 32;
/// How many usernames are tried if the preferred one is taken.
const TRIED: u32 = 99;

/// The user of `identity`, with the roles of their groups.
///
/// # Errors
/// `FORBIDDEN` if there is none and none is created, or the account is disabled.
pub async fn user_of(db: &Db, identity: &Identity, origin: Origin) -> Result<UserId, ApiErrors> {
    Change::new(db, Permit::of_identity(identity), origin)
        .commit(async |writes| {
            identities::lock(writes.conn(), &identity.issuer, &identity.subject).await?;
            let found = identities::identified(writes.conn(), &identity.issuer, &identity.subject).await?;
            let (user, created) = match found {
                Some(Known { state: UserState::Active, user_id }) => {
                    identities::touch(writes, &identity.issuer, &identity.subject).await?;
                    (user_id, false)
                }
                Some(Known { state: UserState::Waiting, .. }) => {
                    let message = "the account waits for the approval of a platform admin; try again later";
                    return Err(ApiError::unauthenticated(SignInReason::AccountWaiting, message).into());
                }
                Some(Known { state: UserState::Disabled | UserState::Deleted, .. }) => {
                    let message = "your account is disabled; ask an administrator of this platform";
                    return Err(ApiError::forbidden(message).into());
                }
                None if identity.may_be_created => (create(writes, identity).await?, true),
                None => {
                    let message =
                        "you have no account on this platform; ask an administrator to create one and link it";
                    return Err(ApiError::forbidden(message).into());
                }
            };
            let changed = give_roles(writes, user, identity).await?;
            if !created && changed.is_empty() {
                return Ok(Done::nothing().with(user));
            }
            let detail = json!({ "issuer": identity.issuer, "subject": identity.subject, "created": created });
            Ok(Done::to(user, detail).changed(changed).with(user))
        })
        .await
}

async fn create(writes: &mut Writes<'_>, identity: &Identity) -> Result<UserId, ApiErrors> {
    let names: Vec<String> = candidates(identity).collect();
    let taken = identities::taken(writes.conn(), &names).await?;
    let free = names.into_iter().find(|name| !taken.contains(name));
    let conflict =
        || ApiError::conflict("there is no free username for you; ask an administrator to create an account");
    let username = free.ok_or_else(conflict)?;
    let display_name = identity.name.clone().and_then(|name| usernames::display_name(name, "name").ok());
    let user = NewUser {
        id: UserId::generate(),
        display_name: display_name.unwrap_or_else(|| username.clone()),
        username,
        email: identity.email.clone().and_then(|email| usernames::email(email, "email").ok()),
        password_hash: NO_PASSWORD.to_owned(),
        platform_role: PlatformRole::User,
        disabled_at: None,
        waiting: false,
    };
    let again = || ApiError::conflict("another user got the same name at this moment; sign in again");
    model::insert(writes, &user).await.map_err(or_taken("users_username_key", again))?;
    identities::link(writes, user.id, &identity.issuer, &identity.subject).await?;
    Ok(user.id)
}

/// Usernames for a new user, best first: what they prefer at the provider, with a number if that is taken.
fn candidates(identity: &Identity) -> impl Iterator<Item = String> {
    let local = identity.email.as_deref().and_then(|email| email.split('@').next());
    let hints = [identity.username.as_deref().and_then(|name| name.split('@').next()), local, identity.name.as_deref()];
    let base = hints.into_iter().flatten().find_map(username).unwrap_or_else(|| "member".to_owned());
    let numbered = base.clone();
    std::iter::once(base).chain((2..=TRIED).map(move |number| {
        let suffix = format!("-{number}");
        let room = LONGEST - suffix.len();
        format!("{}{suffix}", numbered[..numbered.len().min(room)].trim_end_matches('-'))
    }))
}

/// The lowercase letters, digits and hyphens of `hint`, if they are a username.
fn username(hint: &str) -> Option<String> {
    let plain = hint.chars().flat_map(char::to_lowercase).map(|c| match c {
        'a'..='z' | '0'..='9' => c,
        _ => '-',
    });
    let mut name = String::new();
    for c in plain {
        if !(c == '-' && (name.is_empty() || name.ends_with('-'))) && name.len() < LONGEST {
            name.push(c);
        }
    }
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase()).trim_end_matches('-');
    usernames::username(name.to_owned(), "username").ok()
}

/// Brings the memberships in the groups that the provider decides about up to date, and returns what changed. Group admins stay
/// as they are.
async fn give_roles(writes: &mut Writes<'_>, user: UserId, identity: &Identity) -> Result<Changed, ApiErrors> {
    let mut roles: BTreeMap<&str, Option<ProvidedRole>> = BTreeMap::new();
    for rule in &identity.rules {
        let role = identity.groups.contains(&rule.theirs).then_some(rule.role);
        let given = roles.entry(&rule.ours).or_default();
        *given = role.max(*given);
    }
    let mut changed = Changed::default();
    for (group, role) in roles {
        let after = role.map(group_role);
        let before = match after {
            Some(role) => groups::provide(writes, user, group, role).await?,
            None => groups::withdraw(writes, user, group).await?.map(Some),
        };
        if let Some(before) = before {
            let text = |role: Option<GroupRole>| role.map(GroupRole::as_str);
            changed = changed.field(&format!("roles.{group}"), &text(before), &text(after));
        }
    }
    Ok(changed)
}

fn group_role(role: ProvidedRole) -> GroupRole {
    match role {
        ProvidedRole::Member => GroupRole::Member,
        ProvidedRole::Manager => GroupRole::Manager,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_username_is_made_of_what_the_provider_calls_the_user() {
        for (hint, name) in [
            ("Ada.Lovelace", Some("ada-lovelace")),
            ("ada", Some("ada")),
            ("  7 of 9 ", Some("of-9")),
            ("Ünal Ö", Some("nal")),
            ("李", None),
            ("a", None),
            ("admin", None),
            ("---", None),
        ] {
            assert_eq!(username(hint).as_deref(), name, "{hint}");
        }
    }

    proptest! {
        #[test]
        fn every_username_is_valid(username in proptest::option::of(".{0,60}"), email in proptest::option::of("[a-zA-Z0-9.+-]{0,40}@x.example")) {
            let identity = Identity::called(username, email);
            for name in candidates(&identity) {
                prop_assert!((2..=32).contains(&name.len()), "{name}");
                prop_assert!(name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-'), "{name}");
                prop_assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
            }
        }
    }
}
