//! Sign-in with OpenID Connect providers, as queries and mutations.

use std::sync::Arc;
use std::time::Instant;

use async_graphql::{ComplexObject, Context, Enum, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use serde_json::json;

use super::loader::UsersById;
use super::model::identities;
use super::mutation::{authenticator, told};
use super::types::{SessionPayload, User};
use super::{model, provided};
use crate::auth::attempts::ClientAddress;
use crate::auth::oidc::{DeviceLogin, DevicePoll, Identity, SignIns};
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Changed, Done};
use crate::config::OidcProvider;
use crate::error::{ApiError, ApiErrors};
use crate::graphql::context::RequestExt;
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::{assumed_list, cost};
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::{UserId, UserKind};
use crate::trail::OriginExt as _;

/// An OpenID Connect provider that users can sign in with.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct SignInProvider {
    /// What identifies the provider in the inputs of mutations.
    pub key: String,
    /// The name for a button.
    pub name: String,
    /// The issuer, as in the `iss` claim of its ID tokens.
    pub issuer: String,
}

impl From<&OidcProvider> for SignInProvider {
    fn from(provider: &OidcProvider) -> Self {
        let OidcProvider { key, name, issuer, .. } = provider.clone();
        Self { key, name, issuer }
    }
}

#[ComplexObject]
impl SignInProvider {
    /// The path on this server that a browser goes to for signing in. Add `&return_to=` and the URL-encoded page to
    /// return to: a path of this server, or a URL of an allowed origin.
    ///
    /// The browser returns to that page with `#signInCode=...`, which the page exchanges with `completeSignIn`. If the
    /// server stores sessions in cookies (`COOKIE_SESSIONS`), it returns to pages of the server with the cookie instead,
    /// unless you add `&session=code`. If nobody was signed in, it returns with `#signInError=...`, a sentence for the
    /// user.
    async fn start_path(&self) -> String {
        format!("/auth/oidc/start?provider={}", self.key)
    }
}

/// Input for `completeSignIn`.
#[derive(Debug, InputObject)]
pub struct CompleteSignInInput {
    /// The code in the fragment of the URL, `signInCode`.
    pub code: String,
}

/// Input for `loginWithIdToken`.
#[derive(Debug, InputObject)]
pub struct LoginWithIdTokenInput {
    /// The `key` of the provider that issued the token. Can be omitted if there is only one.
    pub provider: Option<String>,
    /// The ID token. Its audience must be this server, or an application that the operator allows (`OIDC_AUDIENCES`).
    pub id_token: String,
    /// The nonce with which your application requested the token. If it is given, the token must contain it.
    pub nonce: Option<String>,
}

/// Input for `startDeviceLogin`.
#[derive(Debug, InputObject)]
pub struct StartDeviceLoginInput {
    /// The `key` of the provider to sign in with. Can be omitted if there is only one.
    pub provider: Option<String>,
}

/// Input for `finishDeviceLogin`.
#[derive(Debug, InputObject)]
pub struct FinishDeviceLoginInput {
    /// The `key` of the provider, as for `startDeviceLogin`.
    pub provider: Option<String>,
    /// The device code from `startDeviceLogin`.
    pub device_code: String,
}

/// Input for `linkIdentity`.
#[derive(Debug, InputObject)]
pub struct LinkIdentityInput {
    /// The ID of the user.
    pub user_id: GivenId<UserKind>,
    /// The `key` of the provider. Can be omitted if there is only one.
    pub provider: Option<String>,
    /// The identifier of the user at the provider, which is the `sub` claim of their ID tokens: 1 to 255 characters.
    pub subject: String,
}

/// Input for `unlinkIdentity`.
#[derive(Debug, InputObject)]
pub struct UnlinkIdentityInput {
    /// The ID of the user.
    pub user_id: GivenId<UserKind>,
    /// The `key` of the provider. Can be omitted if there is only one.
    pub provider: Option<String>,
    /// The identifier of the user at the provider.
    pub subject: String,
}

/// Result of `linkIdentity` and `unlinkIdentity`.
#[derive(Debug, SimpleObject)]
pub struct IdentityPayload {
    /// The user.
    pub user: User,
}

/// A sign-in with a device code: the user opens a page of the provider, on any device, and enters the code.
#[derive(Debug, SimpleObject)]
pub struct StartDeviceLoginPayload {
    /// The code for `finishDeviceLogin`. Keep it secret.
    pub device_code: String,
    /// The code that the user enters.
    pub user_code: String,
    /// The page on which the user enters the code.
    pub verification_uri: String,
    /// The page with the code already entered; null if the provider has none.
    pub verification_uri_complete: Option<String>,
    /// When both codes expire.
    pub expires_at: DateTime<Utc>,
    /// How long to wait between two calls of `finishDeviceLogin`, in seconds.
    pub interval_seconds: i32,
}

impl From<DeviceLogin> for StartDeviceLoginPayload {
    fn from(login: DeviceLogin) -> Self {
        let DeviceLogin { device_code, user_code, verification_uri, verification_uri_complete, expires_at, interval } =
            login;
        let interval_seconds = i32::try_from(interval.as_secs()).unwrap_or(i32::MAX);
        Self { device_code, user_code, verification_uri, verification_uri_complete, expires_at, interval_seconds }
    }
}

/// How far a sign-in with a device code has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum DeviceLoginState {
    /// The user has not finished. Call `finishDeviceLogin` again after the interval.
    Pending,
    /// The user has not finished, and you asked too early. Add 5 seconds to the interval.
    SlowDown,
    /// The user refused.
    Denied,
    /// The codes have expired. Start again.
    Expired,
    /// The user has signed in.
    SignedIn,
}

/// Result of `finishDeviceLogin`.
#[derive(Debug, SimpleObject)]
pub struct FinishDeviceLoginPayload {
    /// How far the sign-in has come.
    pub state: DeviceLoginState,
    /// The session if the state is SIGNED_IN; otherwise null.
    pub session: Option<SessionPayload>,
}

/// The query for sign-in providers.
#[derive(Debug, Default)]
pub struct ProviderQuery;

#[Object]
impl ProviderQuery {
    /// The OpenID Connect providers that users can sign in with, for buttons on a login page. Requires no login.
    #[graphql(directive = assumed_list::apply(9))]
    async fn sign_in_providers(&self, ctx: &Context<'_>) -> ApiResult<Vec<SignInProvider>> {
        sign_ins(ctx).map(|sign_ins| sign_ins.providers().map(SignInProvider::from).collect()).graphql(ctx)
    }
}

/// The mutations for sign-in providers.
#[derive(Debug, Default)]
pub struct ProviderMutation;

#[Object]
impl ProviderMutation {
    /// Exchanges the code with which a browser returned from a sign-in provider for a session. The code can be used once,
    /// within 60 seconds.
    ///
    /// Fails with UNAUTHENTICATED if the code is not valid.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn complete_sign_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code.")] input: CompleteSignInInput,
    ) -> ApiResult<Option<SessionPayload>> {
        complete(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Exchanges an ID token that your application got from a sign-in provider for a session. Each token can be used
    /// once.
    ///
    /// Fails with UNAUTHENTICATED if the token is not valid, FORBIDDEN if the user has no account or it is disabled, and
    /// BAD_USER_INPUT if there is no such provider.
    #[graphql(directive = cost::apply("100".to_owned()))]
    async fn login_with_id_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token.")] input: LoginWithIdTokenInput,
    ) -> ApiResult<Option<SessionPayload>> {
        with_token(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Starts a sign-in with a device code, for command lines and devices without a browser: show the user `userCode` and
    /// `verificationUri`, and call `finishDeviceLogin` every `intervalSeconds` until they have signed in.
    ///
    /// Fails with BAD_USER_INPUT if there is no such provider, or it does not support device codes.
    #[graphql(directive = cost::apply("50".to_owned()))]
    async fn start_device_login(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The provider.")] input: StartDeviceLoginInput,
    ) -> ApiResult<Option<StartDeviceLoginPayload>> {
        start_device(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Finishes a sign-in with a device code, as soon as the user has signed in.
    ///
    /// Fails with UNAUTHENTICATED if the device code is not valid, and FORBIDDEN if the user has no account or it is
    /// disabled.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn finish_device_login(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The device code.")] input: FinishDeviceLoginInput,
    ) -> ApiResult<Option<FinishDeviceLoginPayload>> {
        finish_device(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Links a user with an account at a sign-in provider, with which they can sign in from then on. Does nothing if they
    /// are linked already.
    ///
    /// Fails with FORBIDDEN if you are not a platform admin, NOT_FOUND if the user does not exist, and CONFLICT if the
    /// account is linked with another user.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn link_identity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user, and their account at the provider.")] input: LinkIdentityInput,
    ) -> ApiResult<Option<IdentityPayload>> {
        let LinkIdentityInput { user_id, provider, subject } = input;
        link(ctx, user_id, provider, subject, true).await.map(Some).graphql(ctx)
    }

    /// Removes the link of a user with an account at a sign-in provider. Their sessions continue. Does nothing if they are
    /// not linked.
    ///
    /// Fails with FORBIDDEN if you are not a platform admin, and NOT_FOUND if the user does not exist.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn unlink_identity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user, and their account at the provider.")] input: UnlinkIdentityInput,
    ) -> ApiResult<Option<IdentityPayload>> {
        let UnlinkIdentityInput { user_id, provider, subject } = input;
        link(ctx, user_id, provider, subject, false).await.map(Some).graphql(ctx)
    }
}

/// The mutations of sign-in providers that need no session, because they start one.
pub const BEGIN_SESSIONS: [&str; 4] = ["completeSignIn", "loginWithIdToken", "startDeviceLogin", "finishDeviceLogin"];

fn sign_ins<'a>(ctx: &'a Context<'_>) -> Result<&'a SignIns, ApiError> {
    ctx.data_opt::<SignIns>().ok_or_else(|| ApiError::internal("the request carries no sign-ins"))
}

/// Counts an attempt to log in.
fn count(ctx: &Context<'_>) -> Result<(), ApiError> {
    authenticator(ctx)?.attempts().count_address(ctx.data_opt::<ClientAddress>().copied(), Instant::now())
}

/// A session of a user who has signed in.
async fn open(ctx: &Context<'_>, user: UserId) -> Result<SessionPayload, ApiError> {
    told(ctx, authenticator(ctx)?.open(user, None, ctx.origin()).await?).await
}

async fn complete(ctx: &Context<'_>, input: CompleteSignInInput) -> Result<SessionPayload, ApiError> {
    count(ctx)?;
    let user = sign_ins(ctx)?.user_of_code(&input.code).await?;
    open(ctx, user).await
}

async fn with_token(ctx: &Context<'_>, input: LoginWithIdTokenInput) -> Result<SessionPayload, ApiErrors> {
    count(ctx)?;
    let LoginWithIdTokenInput { provider, id_token, nonce } = input;
    let identity = sign_ins(ctx)?.verify(provider.as_deref(), &id_token, nonce.as_deref()).await?;
    session_of(ctx, &identity).await
}

async fn start_device(ctx: &Context<'_>, input: StartDeviceLoginInput) -> Result<StartDeviceLoginPayload, ApiError> {
    count(ctx)?;
    sign_ins(ctx)?.start_device(input.provider.as_deref()).await.map(StartDeviceLoginPayload::from)
}

async fn finish_device(
    ctx: &Context<'_>,
    input: FinishDeviceLoginInput,
) -> Result<FinishDeviceLoginPayload, ApiErrors> {
    count(ctx)?;
    let poll = sign_ins(ctx)?.poll_device(input.provider.as_deref(), &input.device_code).await?;
    let (state, session) = match poll {
        DevicePoll::Pending => (DeviceLoginState::Pending, None),
        DevicePoll::SlowDown => (DeviceLoginState::SlowDown, None),
        DevicePoll::Denied => (DeviceLoginState::Denied, None),
        DevicePoll::Expired => (DeviceLoginState::Expired, None),
        DevicePoll::Done(identity) => (DeviceLoginState::SignedIn, Some(session_of(ctx, &identity).await?)),
    };
    Ok(FinishDeviceLoginPayload { state, session })
}

async fn session_of(ctx: &Context<'_>, identity: &Identity) -> Result<SessionPayload, ApiErrors> {
    let user = provided::user_of(ctx.db()?, identity, ctx.origin()).await?;
    Ok(open(ctx, user).await?)
}

async fn link(
    ctx: &Context<'_>,
    user: GivenId<UserKind>,
    provider: Option<String>,
    subject: String,
    linked: bool,
) -> Result<IdentityPayload, ApiErrors> {
    let change = ctx.change(Action::LinkIdentity, Scope::PLATFORM)?;
    let id: UserId = user.at("input.userId")?;
    let issuer = sign_ins(ctx)?.find(provider.as_deref(), "input.provider")?.issuer.clone();
    if subject.is_empty() || subject.chars().count() > 255 || subject.chars().any(char::is_control) {
        let message = "the subject must have 1 to 255 characters, as in the sub claim of the user's ID tokens";
        return Err(ApiError::bad_input("input.subject", message).into());
    }
    let user: Arc<model::User> =
        ctx.read::<UsersById>(id).await?.ok_or_else(|| ApiError::not_found("user", id).at("input.userId"))?;
    change
        .commit(async |writes| {
            let changed = match linked {
                true => {
                    let changed = identities::link(writes, id, &issuer, &subject).await?;
                    let known = identities::identified(writes.conn(), &issuer, &subject).await?;
                    if known.is_some_and(|known| known.user_id != id) {
                        let message = "this account at the provider is already linked with another user";
                        return Err(ApiError::conflict(message).at("input.subject").into());
                    }
                    changed
                }
                false => identities::unlink(writes, id, &issuer, &subject).await?,
            };
            Ok(match changed {
                true => Done::to(id, json!({ "issuer": issuer, "subject": subject }))
                    .changed(Changed::default().field("linked", &!linked, &linked)),
                false => Done::nothing(),
            })
        })
        .await?;
    Ok(IdentityPayload { user: User(user) })
}
