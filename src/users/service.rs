//! Operations on users that need more than one statement.

use chrono::{SubsecRound, Utc};
use serde_json::json;

use super::model::{self, User};
use crate::auth::passwords::{NewPassword, Passwords};
use crate::auth::policy::{self, Action, Permit, Visible};
use crate::auth::principal::{Caller, PlatformRole};
use crate::change::{Change, Done};
use crate::db::{Db, or_taken};
use crate::error::{ApiError, ApiErrors, Problems};
use crate::graphql::names;
use crate::ids::UserId;

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
    let username = problems.take(names::name(admin.username, "-._", "username"));
    let password = problems.take(NewPassword::parse(admin.password, "password"));
    let display_name = admin.display_name.map(|name| problems.take(names::prose(name, names::MAX_NAME, "displayName")));
    problems.finish()?;
    let (Some(username), Some(password)) = (username, password) else {
        return Err(ApiError::internal("a problem was not told").into());
    };
    let hash = passwords.hash(password).await?;
    let user = User {
        id: UserId::generate(),
        display_name: display_name.flatten().unwrap_or_else(|| username.clone()),
        username,
        email: admin.email,
        platform_role: PlatformRole::Admin,
        disabled_at: None,
        deleted_at: None,
        created_at: Utc::now().trunc_subsecs(6),
    };
    let id = user.id;
    Change::new(db, Permit::of_operator(Action::CreateAdmin), None)
        .commit(async |writes| {
            let taken = || {
                let name = names::shown(&user.username);
                ApiError::conflict(format!("a user named {name} already exists")).at("username")
            };
            model::insert(writes, &user, &hash).await.map_err(or_taken("users_username_key", taken))?;
            Ok(Done::to(user.id, json!({ "username": user.username })))
        })
        .await?;
    Ok(id)
}

/// Whether the caller and this user share a group.
///
/// # Errors
/// `UNAUTHENTICATED` without a login, or the database's.
pub async fn shares_group(db: &Db, caller: &Caller, user: UserId) -> Result<bool, ApiError> {
    match policy::visible(caller)? {
        Visible::Everything => Ok(true),
        Visible::Groups(groups) => Ok(model::is_in_one_of(&mut *db.connection().await?, user, &groups).await?),
    }
}
