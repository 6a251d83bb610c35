//! Login and logout.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use serde_json::json;

use super::types::{SessionPayload, User};
use crate::auth::acting::CallerExt;
use crate::auth::attempts::ClientAddress;
use crate::auth::policy::{Action, Scope};
use crate::auth::{Authenticator, Credentials, OpenSession, model};
use crate::change::{ChangeExt, Done};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::limits::directives::cost;
use crate::graphql::{ApiResult, IntoGraphql};

/// Input for `login`.
#[derive(Debug, InputObject)]
pub struct LoginInput {
    /// The user's username.
    pub username: String,
    /// The user's password.
    pub password: String,
}

/// Input for `refreshSession`.
#[derive(Debug, InputObject)]
pub struct RefreshSessionInput {
    /// The refresh token from the last response of `login` or `refreshSession`.
    pub refresh_token: String,
}

/// Result of `logout`.
#[derive(Debug, SimpleObject)]
pub struct LogoutPayload {
    /// Always true: the session has ended and its tokens are no longer valid.
    pub ended: bool,
}

/// The mutations of sessions.
#[derive(Debug, Default)]
pub struct UserMutation;

#[Object]
impl UserMutation {
    /// Logs in with a username and a password, and starts a session.
    ///
    /// Fails with UNAUTHENTICATED if the username or the password is wrong, without saying which of them, and with
    /// RATE_LIMITED after too many attempts within a minute for the same username or from the same address.
    #[graphql(directive = cost::apply("100".to_owned()))]
    async fn login(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The username and the password.")] input: LoginInput,
    ) -> ApiResult<Option<SessionPayload>> {
        login(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Exchanges a refresh token for a new access token and a new refresh token. A refresh token can be used only once:
    /// using it again ends the session, because it may have been stolen.
    ///
    /// Fails with UNAUTHENTICATED if the refresh token is not valid; log in again in that case.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn refresh_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The refresh token.")] input: RefreshSessionInput,
    ) -> ApiResult<Option<SessionPayload>> {
        refresh(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Ends the session of the access token in this request, including its WebSocket connections.
    ///
    /// Fails with UNAUTHENTICATED if the request has no access token, or if its session has already ended.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn logout(&self, ctx: &Context<'_>) -> ApiResult<Option<LogoutPayload>> {
        logout(ctx).await.map(Some).graphql(ctx)
    }
}

fn authenticator<'a>(ctx: &'a Context<'_>) -> Result<&'a Authenticator, ApiError> {
    ctx.data_opt::<Authenticator>().ok_or_else(|| ApiError::internal("the request carries no authenticator"))
}

async fn login(ctx: &Context<'_>, input: LoginInput) -> Result<SessionPayload, ApiError> {
    let credentials = Credentials {
        username: input.username,
        password: input.password.into(),
        address: ctx.data_opt::<ClientAddress>().copied(),
    };
    let session = authenticator(ctx)?.log_in(credentials).await?;
    told(ctx, session).await
}

async fn refresh(ctx: &Context<'_>, input: RefreshSessionInput) -> Result<SessionPayload, ApiError> {
    let session = authenticator(ctx)?.refresh(&input.refresh_token).await?;
    told(ctx, session).await
}

async fn told(ctx: &Context<'_>, session: OpenSession) -> Result<SessionPayload, ApiError> {
    // The response is visible to the user who logged in, although the request itself was unauthenticated.
    ctx.acting().switch(authenticator(ctx)?.caller_of(&session).await?);
    Ok(SessionPayload {
        access_token: session.access_token,
        refresh_token: session.refresh_token.encode(),
        expires_at: session.expires_at,
        user: User::load(ctx, session.user).await?,
    })
}

async fn logout(ctx: &Context<'_>) -> Result<LogoutPayload, ApiErrors> {
    let caller = ctx.caller();
    let principal = caller.principal()?;
    let session = principal.session;
    ctx.change(Action::Logout, Scope::owned(principal.user, session))?
        .commit(async |writes| {
            model::end(writes.conn(), session).await?;
            Ok(Done::to(session, json!({})))
        })
        .await?;
    Ok(LogoutPayload { ended: true })
}
