//! The accounts of others: creating, changing, disabling, enabling and deleting them.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use serde_json::json;

use super::authenticator;
use super::passwords::PasswordLink;
use crate::auth::acting::CallerExt;
use crate::auth::model::end_all;
use crate::auth::passwords::NO_PASSWORD;
use crate::auth::policy::{self, Action, Scope};
use crate::auth::principal::{PlatformRole, UserState};
use crate::change::{ChangeExt, Changed, Done, Writes};
use crate::db::or_taken;
use crate::error::{ApiError, ApiErrors, Problems};
use crate::graphql::context::RequestExt;
use crate::graphql::ids::GivenId;
use crate::graphql::limits::InTime;
use crate::graphql::limits::directives::cost;
use crate::graphql::names::shown;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::{UserId, UserKind};
use crate::users::model::accounts::{self, Changes};
use crate::users::model::resets::{self, Link};
use crate::users::model::{self, NewUser};
use crate::users::types::User;
use crate::users::{names, service};

/// Input for `createUser`.
#[derive(Debug, InputObject)]
pub struct CreateUserInput {
    /// The name to log in with, unique on the platform: 2 to 32 lowercase letters, digits and hyphens, starting with a
    /// letter. It cannot be changed.
    pub username: String,
    /// The display name: at most 100 characters. If it is omitted, the username is displayed.
    pub display_name: Option<String>,
    /// The email address. Only visible to the user and to platform admins.
    pub email: Option<String>,
    /// The password: 8 to 72 bytes. If it is omitted, the user chooses one with the one-time link in the response.
    pub password: Option<String>,
    /// The role on the platform.
    #[graphql(default_with = "Some(PlatformRole::User)")]
    pub platform_role: Option<PlatformRole>,
}

/// Result of `createUser`.
#[derive(Debug, SimpleObject)]
pub struct CreateUserPayload {
    /// The new user.
    pub user: User,
    /// The one-time link with which the user chooses a password; null if the input has a password. It is not shown again.
    pub password_link: Option<PasswordLink>,
}

/// Input for `updateUser`. Omitted fields stay as they are.
#[derive(Debug, InputObject)]
pub struct UpdateUserInput {
    /// The ID of the user.
    pub id: GivenId<UserKind>,
    /// The display name: at most 100 characters.
    pub display_name: Option<String>,
    /// The email address. An empty text removes it.
    pub email: Option<String>,
    /// The role on the platform. Only platform admins can change it.
    pub platform_role: Option<PlatformRole>,
}

/// Result of `updateUser`.
#[derive(Debug, SimpleObject)]
pub struct UpdateUserPayload {
    /// The user after the change.
    pub user: User,
}

/// Input for `disableUser`.
#[derive(Debug, InputObject)]
pub struct DisableUserInput {
    /// The ID of the user.
    pub id: GivenId<UserKind>,
}

/// Result of `disableUser`.
#[derive(Debug, SimpleObject)]
pub struct DisableUserPayload {
    /// The user after the change.
    pub user: User,
}

/// Input for `enableUser`.
#[derive(Debug, InputObject)]
pub struct EnableUserInput {
    /// The ID of the user.
    pub id: GivenId<UserKind>,
}

/// Result of `enableUser`.
#[derive(Debug, SimpleObject)]
pub struct EnableUserPayload {
    /// The user after the change.
    pub user: User,
}

/// Input for `deleteUser`.
#[derive(Debug, InputObject)]
pub struct DeleteUserInput {
    /// The ID of the user.
    pub id: GivenId<UserKind>,
    /// The username, to confirm that this is the user to delete.
    pub username: String,
}

/// Result of `deleteUser`.
#[derive(Debug, SimpleObject)]
pub struct DeleteUserPayload {
    /// The deleted user.
    pub user: User,
}

/// The mutations of accounts.
#[derive(Debug, Default)]
pub struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Creates a user account, with a password or with a one-time link to choose one.
    ///
    /// Fails with FORBIDDEN if you are not a platform admin, BAD_USER_INPUT for each invalid field, and CONFLICT if the
    /// username is taken or was taken by a deleted user.
    #[graphql(directive = cost::apply("100".to_owned()))]
    async fn create_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new user.")] input: CreateUserInput,
    ) -> ApiResult<Option<CreateUserPayload>> {
        create(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Changes the account of a user: your own, or any if you are a platform admin. A changed role is in effect at once, also
    /// for open WebSockets and subscriptions.
    ///
    /// Fails with NOT_FOUND if you cannot see the user, FORBIDDEN if you can see them and the account is not yours, or if
    /// you change a platform role without being a platform admin, BAD_USER_INPUT for each invalid field, and CONFLICT if
    /// the user is deleted or is the last platform admin.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn update_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateUserInput,
    ) -> ApiResult<Option<UpdateUserPayload>> {
        update(ctx, input).await.map(|user| Some(UpdateUserPayload { user })).graphql(ctx)
    }

    /// Disables the account of a user, who cannot log in from then on. All of their sessions end; their jobs continue.
    ///
    /// Fails with FORBIDDEN if you are not a platform admin, NOT_FOUND if the user does not exist, and CONFLICT if the user
    /// is deleted or is the last platform admin.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn disable_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user to disable.")] input: DisableUserInput,
    ) -> ApiResult<Option<DisableUserPayload>> {
        disable(ctx, input).await.map(|user| Some(DisableUserPayload { user })).graphql(ctx)
    }

    /// Enables an account that is disabled, or that waits for approval since its user has registered.
    ///
    /// Fails with FORBIDDEN if you are not a platform admin, NOT_FOUND if the user does not exist, and CONFLICT if the user
    /// is deleted.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn enable_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user to enable.")] input: EnableUserInput,
    ) -> ApiResult<Option<EnableUserPayload>> {
        enable(ctx, input).await.map(|user| Some(EnableUserPayload { user })).graphql(ctx)
    }

    /// Deletes the account of a user. All of their sessions end and they leave their groups, but what they have created
    /// stays, with their name on it. The username is not given to anybody else. This cannot be undone.
    ///
    /// Fails with FORBIDDEN if you are not a platform admin, NOT_FOUND if the user does not exist, BAD_USER_INPUT if the
    /// username is not that of the user, and CONFLICT if the user is already deleted or is the last platform admin.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn delete_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user to delete.")] input: DeleteUserInput,
    ) -> ApiResult<Option<DeleteUserPayload>> {
        delete(ctx, input).await.map(|user| Some(DeleteUserPayload { user })).graphql(ctx)
    }
}

async fn create(ctx: &Context<'_>, input: CreateUserInput) -> Result<CreateUserPayload, ApiErrors> {
    let change = ctx.change(Action::CreateUser, Scope::PLATFORM)?;
    let passwords = authenticator(ctx)?.passwords();
    let mut problems = Problems::default();
    let personal = service::personal(&input.username, input.display_name.as_deref(), input.email.as_deref());
    let username = problems.take(names::username(input.username, "input.username"));
    let display_name = input.display_name.map(|name| problems.take(names::display_name(name, "input.displayName")));
    let email = input.email.map(|email| problems.take(names::email(email, "input.email")));
    let password = match input.password {
        Some(password) => problems.take(passwords.check(password.into(), "input.password", personal).await),
        None => None,
    };
    problems.finish()?;
    let username = username.unwrap_or_default();
    let (password_hash, link) = match password {
        Some(password) => (passwords.hash(password).await?, None),
        None => (NO_PASSWORD.to_owned(), Some(Link::new(resets::INVITED))),
    };
    let platform_role = input.platform_role.unwrap_or(PlatformRole::User);
    let user = NewUser {
        id: UserId::generate(),
        display_name: display_name.flatten().unwrap_or_else(|| username.clone()),
        username,
        email: email.flatten(),
        password_hash,
        platform_role,
        disabled_at: None,
        waiting: false,
    };
    let created = change
        .commit(async |writes| {
            let taken = || service::taken(&user.username, "input.username");
            let created = model::insert(writes, &user).await.map_err(or_taken("users_username_key", taken))?;
            if let Some(link) = &link {
                resets::put(writes, user.id, link).await?;
            }
            let detail = json!({ "username": user.username, "platformRole": platform_role.as_str() });
            Ok(Done::to(user.id, detail).with(created))
        })
        .await?;
    Ok(CreateUserPayload { user: created.into(), password_link: link.map(PasswordLink::from) })
}

async fn update(ctx: &Context<'_>, input: UpdateUserInput) -> Result<User, ApiErrors> {
    let id = input.id.at("input.id")?;
    let fellow = service::shares_group(ctx.db()?, &ctx.caller(), id).in_time(ctx).await?;
    let change =
        ctx.change(Action::UpdateUser, Scope::person(id).among(fellow)).map_err(|error| error.at("input.id"))?;
    if input.platform_role.is_some() {
        policy::check(&ctx.caller(), Action::SetPlatformRole, Scope::PLATFORM)
            .map_err(|error| error.at("input.platformRole"))?;
    }
    let mut problems = Problems::default();
    let display_name =
        input.display_name.and_then(|name| problems.take(names::display_name(name, "input.displayName")));
    let email = match input.email {
        Some(email) if email.trim().is_empty() => Some(None),
        Some(email) => problems.take(names::email(email, "input.email")).map(Some),
        None => None,
    };
    problems.finish()?;
    let changes = Changes { display_name, email, platform_role: input.platform_role };
    let updated = change.commit(async |writes| {
        let may_demote = changes.platform_role == Some(PlatformRole::User);
        let admins = if may_demote { accounts::lock_admins(writes).await? } else { Vec::new() };
        let user = existing(writes, id).await?;
        if may_demote {
            keep_one_admin(&admins, id).map_err(|error| error.at("input.platformRole"))?;
        }
        if changes == Changes::default() {
            return Ok(Done::nothing().with(user));
        }
        let updated = accounts::update(writes, id, &changes).await?;
        // Not the address, which the audit log would keep after it was removed.
        let detail = json!({ "username": user.username, "emailChanged": user.email != updated.email });
        let changed = Changed::default().field("displayName", &user.display_name, &updated.display_name).field(
            "platformRole",
            user.platform_role.as_str(),
            updated.platform_role.as_str(),
        );
        Ok(Done::to(id, detail).changed(changed).with(updated))
    });
    updated.await.map(User::from)
}

async fn disable(ctx: &Context<'_>, input: DisableUserInput) -> Result<User, ApiErrors> {
    let change = ctx.change(Action::DisableUser, Scope::PLATFORM)?;
    let id = input.id.at("input.id")?;
    let disabled = change.commit(async |writes| {
        let admins = accounts::lock_admins(writes).await?;
        let user = existing(writes, id).await?;
        if user.state == UserState::Disabled {
            return Ok(Done::nothing().with(user));
        }
        keep_one_admin(&admins, id).map_err(|error| error.at("input.id"))?;
        let disabled = accounts::set_enabled(writes, id, false).await?;
        let sessions = end_all(writes.conn(), id, None).await?;
        let changed = Changed::default().field("state", user.state.as_str(), disabled.state.as_str());
        Ok(Done::to(id, json!({ "username": user.username, "sessions": sessions })).changed(changed).with(disabled))
    });
    disabled.await.map(User::from)
}

async fn enable(ctx: &Context<'_>, input: EnableUserInput) -> Result<User, ApiErrors> {
    let change = ctx.change(Action::EnableUser, Scope::PLATFORM)?;
    let id = input.id.at("input.id")?;
    let enabled = change.commit(async |writes| {
        let user = existing(writes, id).await?;
        if user.state == UserState::Active {
            return Ok(Done::nothing().with(user));
        }
        let enabled = accounts::set_enabled(writes, id, true).await?;
        let changed = Changed::default().field("state", user.state.as_str(), enabled.state.as_str());
        Ok(Done::to(id, json!({ "username": user.username })).changed(changed).with(enabled))
    });
    enabled.await.map(User::from)
}

async fn delete(ctx: &Context<'_>, input: DeleteUserInput) -> Result<User, ApiErrors> {
    let change = ctx.change(Action::DeleteUser, Scope::PLATFORM)?;
    let id = input.id.at("input.id")?;
    let deleted = change.commit(async |writes| {
        let admins = accounts::lock_admins(writes).await?;
        let user = existing(writes, id).await?;
        if user.username != input.username {
            let (given, name) = (shown(&input.username), shown(&user.username));
            let message = format!("{given} is not the username of this user: enter {name} to delete them");
            return Err(ApiError::bad_input("input.username", message).into());
        }
        keep_one_admin(&admins, id).map_err(|error| error.at("input.id"))?;
        let sessions = end_all(writes.conn(), id, None).await?;
        let deleted = accounts::delete(writes, id).await?;
        let changed = Changed::default().field("state", user.state.as_str(), deleted.state.as_str());
        Ok(Done::to(id, json!({ "username": user.username, "sessions": sessions })).changed(changed).with(deleted))
    });
    deleted.await.map(User::from)
}

/// The user, locked, unless they are deleted.
async fn existing(writes: &mut Writes<'_>, id: UserId) -> Result<model::User, ApiError> {
    let user = accounts::lock(writes, id).await?;
    let user = user.ok_or_else(|| ApiError::not_found("user", id).at("input.id"))?;
    if user.state == UserState::Deleted {
        return Err(ApiError::conflict(format!("the user {} is deleted", shown(&user.username))).at("input.id"));
    }
    Ok(user)
}

/// That somebody else is left to administer the platform.
fn keep_one_admin(admins: &[UserId], leaving: UserId) -> Result<(), ApiError> {
    if admins == [leaving] {
        let message = "this is the last platform admin; make another user a platform admin first";
        return Err(ApiError::conflict(message));
    }
    Ok(())
}
