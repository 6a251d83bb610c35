//! Logging in and out.

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

/// Who wants to log in.
#[derive(Debug, InputObject)]
pub struct LoginInput {
    /// The log-in name.
    pub username: String,
    /// The password.
    pub password: String,
}

/// The session to go on with.
#[derive(Debug, InputObject)]
pub struct RefreshSessionInput {
    /// The refresh token of the last answer to `login` or `refreshSession`.
    pub refresh_token: String,
}

/// The session that has ended.
#[derive(Debug, SimpleObject)]
pub struct LogoutPayload {
    /// True: the session and all its tokens are valid no longer.
    pub ended: bool,
}

/// The people part of the mutation root.
#[derive(Debug, Default)]
pub struct UserMutation;

#[Object]
impl UserMutation {
    /// Begins a session.
    ///
    /// Fails with UNAUTHENTICATED when the name or the password is wrong, without saying which, and with RATE_LIMITED
    /// after too many attempts in a minute for one name or from one address.
    #[graphql(directive = cost::apply("100".to_owned()))]
    async fn login(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Name and password.")] input: LoginInput,
    ) -> ApiResult<SessionPayload> {
        login(ctx, input).await.graphql(ctx)
    }

    /// A new access token and a new refresh token. The old refresh token is good no longer: using it a second time
    /// ends the session, because somebody else may have it.
    ///
    /// Fails with UNAUTHENTICATED when the refresh token is not in force: then log in again.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn refresh_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The refresh token.")] input: RefreshSessionInput,
    ) -> ApiResult<SessionPayload> {
        refresh(ctx, input).await.graphql(ctx)
    }

    /// Ends the session of the access token that this request came with, on all its sockets too.
    ///
    /// Fails with UNAUTHENTICATED when the request has no access token, or one whose session has ended already.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn logout(&self, ctx: &Context<'_>) -> ApiResult<LogoutPayload> {
        logout(ctx).await.graphql(ctx)
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
    // What the answer shows of the person, it shows to the person: the request itself came from nobody.
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
