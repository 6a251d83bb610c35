//! Passwords: changing one's own, and one-time links for those who have none or have forgotten it.

use std::time::Instant;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use serde_json::json;

use super::authenticator;
use crate::auth::acting::CallerExt;
use crate::auth::attempts::ClientAddress;
use crate::auth::model::end_all;
use crate::auth::policy::{Action, Scope};
use crate::auth::principal::UserState;
use crate::change::{ChangeExt, Changed, Done};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::context::RequestExt;
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::cost;
use crate::graphql::loaders::ReadExt;
use crate::graphql::names::shown;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::UserKind;
use crate::users::loader::UsersById;
use crate::users::model;
use crate::users::model::accounts;
use crate::users::model::resets::{self, Link};
use crate::users::service;
use crate::users::types::User;

/// A one-time link with which a user sets a new password. Give it to the user over a channel that nobody else can read.
#[derive(Debug, SimpleObject)]
pub struct PasswordLink {
    /// The token for `resetPassword`, which can be used once.
    pub token: String,
    /// Until when the token is valid.
    pub expires_at: DateTime<Utc>,
}

impl From<Link> for PasswordLink {
    fn from(Link { token, expires_at }: Link) -> Self {
        Self { token, expires_at }
    }
}

/// Input for `changePassword`.
#[derive(Debug, InputObject)]
pub struct ChangePasswordInput {
    /// Your current password.
    pub current_password: String,
    /// The new password: 8 to 72 bytes. Common passwords, and passwords that contain your name, are refused.
    pub new_password: String,
}

/// Result of `changePassword`.
#[derive(Debug, SimpleObject)]
pub struct ChangePasswordPayload {
    /// The number of your other sessions, all of which have ended.
    pub ended_sessions: i32,
}

/// Input for `createPasswordReset`.
#[derive(Debug, InputObject)]
pub struct CreatePasswordResetInput {
    /// The ID of the user who needs a new password.
    pub user_id: GivenId<UserKind>,
}

/// Result of `createPasswordReset`.
#[derive(Debug, SimpleObject)]
pub struct CreatePasswordResetPayload {
    /// The user.
    pub user: User,
    /// The one-time link. It is not shown again.
    pub password_link: PasswordLink,
}

/// Input for `resetPassword`.
#[derive(Debug, InputObject)]
pub struct ResetPasswordInput {
    /// The token of the one-time link.
    pub token: String,
    /// The new password: 8 to 72 bytes. Common passwords, and passwords that contain the name of the user, are refused.
    pub new_password: String,
}

/// Result of `resetPassword`.
#[derive(Debug, SimpleObject)]
pub struct ResetPasswordPayload {
    /// The username to log in with.
    pub username: String,
}

/// The mutations of passwords.
#[derive(Debug, Default)]
pub struct PasswordMutation;

#[Object]
impl PasswordMutation {
    /// Changes your password. Your other sessions end, and this one continues.
    ///
    /// Fails with BAD_USER_INPUT if the current password is wrong or the new one is refused, RATE_LIMITED after too many
    /// attempts within a minute, and CONFLICT if the password was changed at the same time.
    #[graphql(directive = cost::apply("100".to_owned()))]
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The current and the new password.")] input: ChangePasswordInput,
    ) -> ApiResult<Option<ChangePasswordPayload>> {
        change(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Creates a one-time link with which a user sets a new password, for a user who has forgotten it. It is valid for an
    /// hour and replaces earlier links. The current password is valid until a new one is set.
    ///
    /// Fails with FORBIDDEN if you are not a platform admin, NOT_FOUND if the user does not exist, and CONFLICT if the user
    /// is deleted.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn create_password_reset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who needs a new password.")] input: CreatePasswordResetInput,
    ) -> ApiResult<Option<CreatePasswordResetPayload>> {
        create_reset(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Sets a new password with the token of a one-time link, without a login. All sessions of the user end; log in with the
    /// new password afterwards. The access token of the request, if it has one, is ignored.
    ///
    /// Fails with BAD_USER_INPUT if the token is not valid, was used, was replaced or has expired, or if the password is
    /// refused, and with RATE_LIMITED after too many attempts within a minute from the same address.
    #[graphql(directive = cost::apply("100".to_owned()))]
    async fn reset_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token and the new password.")] input: ResetPasswordInput,
    ) -> ApiResult<Option<ResetPasswordPayload>> {
        reset(ctx, input).await.map(Some).graphql(ctx)
    }
}

fn personal(user: &model::User) -> Vec<String> {
    service::personal(&user.username, Some(&user.display_name), user.email.as_deref())
}

async fn change(ctx: &Context<'_>, input: ChangePasswordInput) -> Result<ChangePasswordPayload, ApiErrors> {
    let caller = ctx.caller();
    let principal = caller.principal()?;
    let (me, session) = (principal.user, principal.session()?);
    let change = ctx.change(Action::ChangePassword, Scope::person(me))?;
    let authenticator = authenticator(ctx)?;
    let address = ctx.data_opt::<ClientAddress>().copied();
    let is_same = input.current_password == input.new_password;
    let old = authenticator.knows_password(me, input.current_password.into(), address).await?;
    let old = old.ok_or_else(|| ApiError::bad_input("input.currentPassword", "the current password is incorrect"))?;
    if is_same {
        return Err(ApiError::bad_input("input.newPassword", "the new password is the current one").into());
    }
    let user = ctx.read::<UsersById>(me).await?.ok_or_else(|| ApiError::not_found("user", me))?;
    let passwords = authenticator.passwords();
    let password = passwords.check(input.new_password.into(), "input.newPassword", personal(&user)).await?;
    let hash = passwords.hash(password).await?;
    let ended = change.commit(async |writes| {
        if !accounts::change_password(writes, me, &old, &hash).await? {
            return Err(ApiError::conflict("the password was changed at the same time; try again").into());
        }
        let ended = end_all(writes.conn(), me, Some(session)).await?;
        Ok(Done::to(me, json!({ "sessions": ended })).changed(replaced(&old, &hash)).with(ended))
    });
    Ok(ChangePasswordPayload { ended_sessions: i32::try_from(ended.await?).unwrap_or(i32::MAX) })
}

async fn create_reset(
    ctx: &Context<'_>,
    input: CreatePasswordResetInput,
) -> Result<CreatePasswordResetPayload, ApiErrors> {
    let change = ctx.change(Action::CreatePasswordReset, Scope::PLATFORM)?;
    let id = input.user_id.at("input.userId")?;
    let link = Link::new(resets::FORGOTTEN);
    let user = change.commit(async |writes| {
        let user = accounts::lock(writes, id).await?;
        let user = user.ok_or_else(|| ApiError::not_found("user", id).at("input.userId"))?;
        if user.state == UserState::Deleted {
            let message = format!("the user {} is deleted", shown(&user.username));
            return Err(ApiError::conflict(message).at("input.userId").into());
        }
        resets::put(writes, id, &link).await?;
        Ok(Done::to(id, json!({ "expiresAt": link.expires_at })).with(user))
    });
    let user = user.await?.into();
    Ok(CreatePasswordResetPayload { user, password_link: link.into() })
}

async fn reset(ctx: &Context<'_>, input: ResetPasswordInput) -> Result<ResetPasswordPayload, ApiErrors> {
    let change = ctx.change(Action::ResetPassword, Scope::PLATFORM)?;
    let authenticator = authenticator(ctx)?;
    authenticator.attempts().count_address(ctx.data_opt::<ClientAddress>().copied(), Instant::now())?;
    let invalid = || {
        let message =
            "the link is not valid: it was used or replaced, or has expired; ask a platform admin for a new one";
        ApiError::bad_input("input.token", message)
    };
    let token = resets::hash(&input.token);
    let user = resets::user_of(&mut *ctx.db()?.connection().await?, &token).await?.ok_or_else(invalid)?;
    let passwords = authenticator.passwords();
    let password = passwords.check(input.new_password.into(), "input.newPassword", personal(&user)).await?;
    let hash = passwords.hash(password).await?;
    change
        .commit(async |writes| {
            // Not before, so that a refused password does not use the link up.
            let id = resets::redeem(writes, &token).await?.ok_or_else(invalid)?;
            accounts::set_password(writes, id, &hash).await?;
            let ended = end_all(writes.conn(), id, None).await?;
            Ok(Done::to(id, json!({ "sessions": ended })).changed(replaced("", &hash)))
        })
        .await?;
    Ok(ResetPasswordPayload { username: user.username })
}

/// That the password was replaced. The values are hashes, and are not recorded.
fn replaced(old: &str, new: &str) -> Changed {
    Changed::default().field("password", old, new)
}
