//! Login and logout. What is changed of accounts is in the modules.

pub mod accounts;
pub mod api_tokens;
pub mod passwords;
pub mod registration;
pub mod sessions;
pub mod settings;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::Utc;
use http::{HeaderValue, header};
use serde_json::json;

use super::types::{SessionPayload, User};
use crate::auth::acting::CallerExt;
use crate::auth::attempts::ClientAddress;
use crate::auth::policy::{Action, Scope};
use crate::auth::{Authenticator, Credentials, OpenSession, SessionCookie, cookie, model};
use crate::change::{ChangeExt, Done};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::limits::directives::cost;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::trail::OriginExt;

/// Input for `login`.
#[derive(Debug, InputObject)]
pub struct LoginInput {
    /// The user's username, in any case.
    pub username: String,
    /// The user's password.
    pub password: String,
}

/// Input for `refreshSession`.
#[derive(Debug, InputObject)]
pub struct RefreshSessionInput {
    /// The refresh token from the last response of `login` or `refreshSession`. If it is omitted, the session of the cookie
    /// is refreshed.
    pub refresh_token: Option<String>,
}

/// Result of `logout`.
#[derive(Debug, SimpleObject)]
pub struct LogoutPayload {
    /// Always true: the session has ended and its tokens are no longer valid.
    pub ended: bool,
}

/// The mutations that need no session: they start or refresh one, or are for users who cannot log in.
pub const WITHOUT_SESSION: [&str; 8] = {
    let [code, token, start, finish] = super::providers::BEGIN_SESSIONS;
    ["login", "refreshSession", "register", "resetPassword", code, token, start, finish]
};

/// The mutation that ends a session, for which an expired access token is enough.
pub const END_SESSION: &str = "logout";

/// The mutations of sessions.
#[derive(Debug, Default)]
pub struct UserMutation;

#[Object]
impl UserMutation {
    /// Logs in with a username and a password, and starts a session. The access token and the cookie of the request, if
    /// it has any, are ignored.
    ///
    /// If the server stores sessions in cookies (`COOKIE_SESSIONS`), the response sets one, except over WebSocket and
    /// server-sent events.
    ///
    /// Fails with UNAUTHENTICATED if the username or the password is wrong, without saying which of them, or if the account
    /// waits for approval (`extensions.reason` is `ACCOUNT_WAITING` then), and with RATE_LIMITED after too many attempts
    /// within a minute for the same username or from the same address.
    #[graphql(directive = cost::apply("100".to_owned()))]
    async fn login(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The username and the password.")] input: LoginInput,
    ) -> ApiResult<Option<SessionPayload>> {
        login(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Exchanges a refresh token for a new access token and a new refresh token. The access token of the request, if it
    /// has one, is ignored.
    ///
    /// A refresh token can be used only once: using it again ends the session, because it may have been stolen. Within
    /// 30 seconds, however, the same refresh token gets the same tokens again, so that a client can retry, and the tabs
    /// of a browser can refresh at the same time.
    ///
    /// Without a refresh token, the session of the cookie is extended (`COOKIE_SESSIONS`). The response then contains no
    /// tokens, because scripts must not be able to read what the cookie protects. Not possible over WebSocket and
    /// server-sent events.
    ///
    /// Fails with UNAUTHENTICATED if the refresh token or the cookie is not valid; log in again in that case.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn refresh_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The refresh token.")] input: RefreshSessionInput,
    ) -> ApiResult<Option<SessionPayload>> {
        refresh(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Ends the session of the access token in this request, which may have expired, including its WebSocket connections.
    /// Without an access token, ends the session of the cookie. The cookie is deleted in any case.
    ///
    /// Fails with UNAUTHENTICATED if the request has neither, or if the session has already ended.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn logout(&self, ctx: &Context<'_>) -> ApiResult<Option<LogoutPayload>> {
        logout(ctx).await.map(Some).graphql(ctx)
    }
}

/// What authenticates users.
pub(super) fn authenticator<'a>(ctx: &'a Context<'_>) -> Result<&'a Authenticator, ApiError> {
    ctx.data_opt::<Authenticator>().ok_or_else(|| ApiError::internal("the request carries no authenticator"))
}

async fn login(ctx: &Context<'_>, input: LoginInput) -> Result<SessionPayload, ApiError> {
    let credentials = Credentials {
        username: input.username,
        password: input.password.into(),
        address: ctx.data_opt::<ClientAddress>().copied(),
        origin: ctx.origin(),
    };
    let session = authenticator(ctx)?.log_in(credentials).await?;
    told(ctx, session).await
}

async fn refresh(ctx: &Context<'_>, input: RefreshSessionInput) -> Result<SessionPayload, ApiError> {
    let authenticator = authenticator(ctx)?;
    let session = match input.refresh_token {
        Some(refresh_token) => authenticator.refresh(&refresh_token, ctx.origin()).await?,
        None => authenticator.extend(ctx.data_opt::<SessionCookie>(), ctx.origin()).await?,
    };
    told(ctx, session).await
}

/// The response to the mutation that opened `session`.
pub(super) async fn told(ctx: &Context<'_>, session: OpenSession) -> Result<SessionPayload, ApiError> {
    // The response is visible to the user who logged in, although the request itself was unauthenticated.
    ctx.acting().switch(authenticator(ctx)?.caller_of(&session).await?);
    if let Some(token) = &session.cookie {
        let left = session.refresh_expires_at - Utc::now();
        set_cookie(ctx, cookie::store(token, left.num_seconds()));
    }
    let user = User::load(ctx, session.user).await?;
    Ok(SessionPayload {
        tokens: session.tokens,
        expires_at: session.expires_at,
        refresh_expires_at: session.refresh_expires_at,
        user,
    })
}

/// Sets a cookie with the response. A WebSocket and an event stream have no headers for it.
fn set_cookie(ctx: &Context<'_>, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        ctx.append_http_header(header::SET_COOKIE, cookie);
    }
}

async fn logout(ctx: &Context<'_>) -> Result<LogoutPayload, ApiErrors> {
    if authenticator(ctx)?.sets_cookies() {
        // Even if there is no session to end: a script cannot delete it.
        set_cookie(ctx, cookie::delete());
    }
    let caller = ctx.caller();
    let principal = caller.principal()?;
    let session = principal.session()?;
    ctx.change(Action::Logout, Scope::owned(principal.user, session))?
        .commit(async |writes| {
            model::end(writes.conn(), session).await?;
            Ok(Done::to(session, json!({})))
        })
        .await?;
    Ok(LogoutPayload { ended: true })
}
