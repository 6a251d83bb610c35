//! Ending sessions: one of them, or all.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use serde_json::json;

use super::{authenticator, set_cookie};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{Action, Scope};
use crate::auth::{cookie, model};
use crate::change::{ChangeExt, Done};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::cost;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::SessionKind;
use crate::users::loader::SessionsById;
use crate::users::types::sessions::Session;

/// Input for `endSession`.
#[derive(Debug, InputObject)]
pub struct EndSessionInput {
    /// The ID of the session.
    pub id: GivenId<SessionKind>,
}

/// Result of `endSession`.
#[derive(Debug, SimpleObject)]
pub struct EndSessionPayload {
    /// The session that has ended.
    pub session: Session,
}

/// Result of `logoutEverywhere`.
#[derive(Debug, SimpleObject)]
pub struct LogoutEverywherePayload {
    /// The number of sessions that have ended, including the one of this request.
    pub ended_sessions: i32,
}

/// The mutations that end sessions.
#[derive(Debug, Default)]
pub struct SessionMutation;

#[Object]
impl SessionMutation {
    /// Ends one of your sessions, or, as a platform admin, any session. Its tokens are no longer valid, and its WebSockets
    /// and subscriptions end within a second.
    ///
    /// Fails with NOT_FOUND if there is no such session, if it has ended, or if it is not yours.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn end_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session to end.")] input: EndSessionInput,
    ) -> ApiResult<Option<EndSessionPayload>> {
        end(ctx, input).await.map(|session| Some(EndSessionPayload { session })).graphql(ctx)
    }

    /// Ends all of your sessions, on all devices, including the one of this request. The cookie is deleted.
    ///
    /// Fails with UNAUTHENTICATED if the session has already ended.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn logout_everywhere(&self, ctx: &Context<'_>) -> ApiResult<Option<LogoutEverywherePayload>> {
        everywhere(ctx).await.map(Some).graphql(ctx)
    }
}

async fn end(ctx: &Context<'_>, input: EndSessionInput) -> Result<Session, ApiErrors> {
    ctx.caller().principal()?;
    let id = input.id.at("input.id")?;
    let missing = || ApiError::not_found("session", id).at("input.id");
    let session = ctx.read::<SessionsById>(id).await?.ok_or_else(missing)?;
    let change =
        ctx.change(Action::EndSession, Scope::owned(session.user_id, id)).map_err(|error| error.at("input.id"))?;
    change
        .commit(async |writes| {
            model::end(writes.conn(), id).await?;
            Ok(Done::to(id, json!({ "user": session.user_id.to_string() })))
        })
        .await?;
    Ok(Session::from(session))
}

async fn everywhere(ctx: &Context<'_>) -> Result<LogoutEverywherePayload, ApiErrors> {
    let caller = ctx.caller();
    let me = caller.principal()?.user;
    let ended = ctx.change(Action::LogoutEverywhere, Scope::person(me))?.commit(async |writes| {
        let ended = model::end_all(writes.conn(), me, None).await?;
        Ok(Done::to(me, json!({ "sessions": ended })).with(ended))
    });
    let ended = ended.await?;
    if authenticator(ctx)?.sets_cookies() {
        set_cookie(ctx, cookie::delete());
    }
    Ok(LogoutEverywherePayload { ended_sessions: i32::try_from(ended).unwrap_or(i32::MAX) })
}
