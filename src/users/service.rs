//! Operations on users that need more than one statement.

use serde_json::json;

use super::model::{self, NewUser};
use super::names;
use crate::auth::passwords::Passwords;
use crate::auth::policy::{self, Action, Permit, Visible};
use crate::auth::principal::{Caller, PlatformRole};
use crate::change::{Change, Done};
use crate::db::{Db, or_taken};
use crate::error::{ApiError, ApiErrors, Problems};
use crate::graphql::names::shown;
use crate::ids::UserId;
use crate::trail::Origin;

/// A new administrator.
#[derive(Debug)]
pub struct NewAdmin {
    /// The username.
    pub username: String,
    /// The display name; the username if omitted.
    pub display_name: Option<String>,
    /// The email address.
    pub email: Option<String>,
    /// The password.
    pub password: secrecy::SecretString,
}

/// Creates the account of a platform admin, which does not need the permission of another one.
///
/// # Errors
/// `BAD_USER_INPUT` for each invalid field, `CONFLICT` if the username is taken.
pub async fn create_admin(db: &Db, passwords: &Passwords, admin: NewAdmin) -> Result<UserId, ApiErrors> {
    let mut problems = Problems::default();
    let personal = personal(&admin.username, admin.display_name.as_deref(), admin.email.as_deref());
    let username = problems.take(names::any_username(admin.username, "username"));
    let password = problems.take(passwords.check(admin.password, "password", personal).await);
    let display_name = admin.display_name.map(|name| problems.take(names::display_name(name, "displayName")));
    let email = admin.email.map(|email| problems.take(names::email(email, "email")));
    problems.finish()?;
    let (Some(username), Some(password)) = (username, password) else {
        return Err(ApiError::internal("a problem was not told").into());
    };
    let user = NewUser {
        id: UserId::generate(),
        display_name: display_name.flatten().unwrap_or_else(|| username.clone()),
        username,
        email: email.flatten(),
        password_hash: passwords.hash(password).await?,
        platform_role: PlatformRole::Admin,
        disabled_at: None,
        waiting: false,
    };
    let id = user.id;
    Change::new(db, Permit::of_operator(Action::CreateAdmin), Origin::command())
        .commit(async |writes| {
            let taken = || taken(&user.username, "username");
            model::insert(writes, &user).await.map_err(or_taken("users_username_key", taken))?;
            Ok(Done::to(user.id, json!({ "username": user.username })))
        })
        .await?;
    Ok(id)
}

/// The error for a username that somebody has, or has had.
pub(super) fn taken(username: &str, field: &'static str) -> ApiError {
    ApiError::conflict(format!("a user named {} already exists", shown(username))).at(field)
}

/// What others know about a user, and try first when they guess the password.
pub(super) fn personal(username: &str, display_name: Option<&str>, email: Option<&str>) -> Vec<String> {
    let local = email.and_then(|email| email.split('@').next());
    let words = display_name.into_iter().flat_map(str::split_whitespace);
    let all = [Some(username), display_name, email, local].into_iter().flatten().chain(words);
    all.filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// Whether the caller and this user share a group.
///
/// # Errors
/// `UNAUTHENTICATED` without a login, or the database's.
pub async fn shares_group(db: &Db, caller: &Caller, user: UserId) -> Result<bool, ApiError> {
    match policy::visible(caller)? {
        Visible::Everything => Ok(true),
        Visible::Groups { groups, .. } => Ok(model::is_in_one_of(&mut *db.connection().await?, user, &groups).await?),
    }
}
