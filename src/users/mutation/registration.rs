//! Registration: accounts that people create for themselves, as far as the platform lets them.

use std::time::Instant;

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use chrono::{SubsecRound, Utc};
use serde_json::json;

use super::{authenticator, told};
use crate::auth::attempts::ClientAddress;
use crate::auth::policy::{Action, Scope};
use crate::auth::principal::{PlatformRole, UserState};
use crate::change::{ChangeExt, Done};
use crate::config::Registration;
use crate::db::or_taken;
use crate::error::{ApiError, ApiErrors, Problems};
use crate::graphql::limits::directives::cost;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::UserId;
use crate::trail::OriginExt as _;
use crate::users::model::{self, NewUser};
use crate::users::types::SessionPayload;
use crate::users::{names, service};

/// Whether people can create accounts for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum RegistrationMode {
    /// Everybody can register, and is logged in at once.
    Open,
    /// Everybody can register, and waits until a platform admin enables the account.
    Approval,
    /// Only platform admins create accounts.
    Closed,
}

impl From<Registration> for RegistrationMode {
    fn from(registration: Registration) -> Self {
        match registration {
            Registration::Open => Self::Open,
            Registration::Approval => Self::Approval,
            Registration::Closed => Self::Closed,
        }
    }
}

/// Input for `register`.
#[derive(Debug, InputObject)]
pub struct RegisterInput {
    /// The name to log in with, unique on the platform: 2 to 32 lowercase letters, digits and hyphens, starting with a
    /// letter. It cannot be changed.
    pub username: String,
    /// The password: 8 to 72 bytes. Common passwords, and passwords that contain your name, are refused.
    pub password: String,
    /// The display name: at most 100 characters. If it is omitted, the username is displayed.
    pub display_name: Option<String>,
    /// The email address. Only visible to you and to platform admins.
    pub email: Option<String>,
}

/// Result of `register`.
#[derive(Debug, SimpleObject)]
pub struct RegisterPayload {
    /// The state of the new account: ACTIVE, or WAITING if a platform admin has to enable it first.
    pub state: UserState,
    /// The session of the new user; null if the account has to be enabled first.
    pub session: Option<SessionPayload>,
}

/// The query for registration.
#[derive(Debug, Default)]
pub struct RegistrationQuery;

#[Object]
impl RegistrationQuery {
    /// Whether people can create accounts for themselves with `register`. Does not require a login.
    async fn registration(&self, ctx: &Context<'_>) -> ApiResult<RegistrationMode> {
        authenticator(ctx).map(|authenticator| authenticator.registration().into()).graphql(ctx)
    }
}

/// The mutation for registration.
#[derive(Debug, Default)]
pub struct RegistrationMutation;

#[Object]
impl RegistrationMutation {
    /// Creates an account for yourself, if the platform allows it: see `registration`. The access token of the request, if
    /// it has one, is ignored.
    ///
    /// Fails with FORBIDDEN if only platform admins create accounts, BAD_USER_INPUT for each invalid field, CONFLICT if the
    /// username is taken, and RATE_LIMITED after too many registrations within a minute from the same address.
    #[graphql(directive = cost::apply("100".to_owned()))]
    async fn register(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new account.")] input: RegisterInput,
    ) -> ApiResult<Option<RegisterPayload>> {
        register(ctx, input).await.map(Some).graphql(ctx)
    }
}

async fn register(ctx: &Context<'_>, input: RegisterInput) -> Result<RegisterPayload, ApiErrors> {
    let change = ctx.change(Action::Register, Scope::PLATFORM)?;
    let authenticator = authenticator(ctx)?;
    let waiting = match authenticator.registration() {
        Registration::Open => false,
        Registration::Approval => true,
        Registration::Closed => {
            return Err(ApiError::forbidden("registration is closed; ask a platform admin for an account").into());
        }
    };
    let address = ctx.data_opt::<ClientAddress>().copied();
    authenticator.attempts().count_registration(address, Instant::now())?;
    let passwords = authenticator.passwords();
    let mut problems = Problems::default();
    let personal = service::personal(&input.username, input.display_name.as_deref(), input.email.as_deref());
    let username = problems.take(names::username(input.username, "input.username"));
    let password = problems.take(passwords.check(input.password.into(), "input.password", personal).await);
    let display_name = input.display_name.map(|name| problems.take(names::display_name(name, "input.displayName")));
    let email = input.email.map(|email| problems.take(names::email(email, "input.email")));
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
        platform_role: PlatformRole::User,
        disabled_at: waiting.then(|| Utc::now().trunc_subsecs(6)),
        waiting,
    };
    let state = change.commit(async |writes| {
        let taken = || service::taken(&user.username, "input.username");
        let created = model::insert(writes, &user).await.map_err(or_taken("users_username_key", taken))?;
        let detail = json!({ "username": user.username, "state": created.state.as_str() });
        Ok(Done::to(user.id, detail).with(created.state))
    });
    let state = state.await?;
    let session = match state {
        UserState::Active => Some(told(ctx, authenticator.open(user.id, None, ctx.origin()).await?).await?),
        UserState::Waiting | UserState::Disabled | UserState::Deleted => None,
    };
    Ok(RegisterPayload { state, session })
}
