//! Creating and revoking API tokens.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, SubsecRound, Utc};
use serde_json::json;

use super::authenticator;
use crate::auth::acting::{CallerExt, PolicyExt};
use crate::auth::api_tokens::ApiSecret;
use crate::auth::policy::{Action, Scope, TokenScope};
use crate::change::{ChangeExt, Done};
use crate::db::or_taken;
use crate::error::{ApiError, ApiErrors, Code, both};
use crate::graphql::ids::{self, GivenId};
use crate::graphql::limits::directives::cost;
use crate::graphql::loaders::ReadExt;
use crate::graphql::names::{self, shown};
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::{ApiTokenId, ApiTokenKind, ProjectId, ProjectKind};
use crate::projects::loader::ProjectsById;
use crate::users::loader::ApiTokensById;
use crate::users::model::api_tokens as model;
use crate::users::types::api_tokens::ApiToken;

/// The maximum number of valid tokens of a user.
const MOST: i64 = 50;
/// The maximum length of a name in characters.
const MAX_NAME: usize = 100;
const DAY: Duration = Duration::from_hours(24);

/// Input for `createApiToken`.
#[derive(Debug, InputObject)]
pub struct CreateApiTokenInput {
    /// What the token is for, such as `nightly training`: at most 100 characters, and unique among your valid tokens.
    pub name: String,
    /// What the token can be used for. A token never allows more than you are allowed yourself.
    pub scope: TokenScope,
    /// The ID of the only project that the token can be used for. Without it, the token can be used for everything that you
    /// can see.
    pub project_id: Option<GivenId<ProjectKind>>,
    /// In how many days the token expires: at least 1, and at most as many as the operator has configured
    /// (`API_TOKEN_MAX_DAYS`, 365 by default).
    pub expires_in_days: i32,
}

/// Result of `createApiToken`.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct CreateApiTokenPayload {
    /// The token.
    pub api_token: ApiToken,
    /// The secret, which is not kept.
    #[graphql(skip)]
    pub secret: ApiSecret,
}

#[ComplexObject]
impl CreateApiTokenPayload {
    /// The secret: `plat_` followed by 49 letters and digits. Send it as `Authorization: Bearer <secret>`, wherever an access
    /// token can be sent. It is not shown again.
    async fn secret(&self) -> String {
        self.secret.encode()
    }
}

/// Input for `revokeApiToken`.
#[derive(Debug, InputObject)]
pub struct RevokeApiTokenInput {
    /// The ID of the token.
    pub id: GivenId<ApiTokenKind>,
}

/// Result of `revokeApiToken`.
#[derive(Debug, SimpleObject)]
pub struct RevokeApiTokenPayload {
    /// The token, which is no longer valid.
    pub api_token: ApiToken,
}

/// The mutations of API tokens.
#[derive(Debug, Default)]
pub struct ApiTokenMutation;

#[Object]
impl ApiTokenMutation {
    /// Creates an API token, with which scripts call the API as you. The response contains its secret, which is not shown
    /// again. If the response is lost, revoke the token and create another one.
    ///
    /// Fails with FORBIDDEN if the request has an API token itself, NOT_FOUND if you cannot see the project, BAD_USER_INPUT
    /// for an invalid name or lifetime, CONFLICT if you have a valid token of this name, and QUOTA_EXCEEDED if you have 50
    /// valid tokens.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn create_api_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token to create.")] input: CreateApiTokenInput,
    ) -> ApiResult<Option<CreateApiTokenPayload>> {
        create(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Revokes one of your API tokens, or, as a platform admin, any. It is no longer valid, and the WebSockets and
    /// subscriptions that were started with it end within a second.
    ///
    /// Fails with FORBIDDEN if the request has an API token itself, and with NOT_FOUND if there is no such token, if it was
    /// revoked or has expired, or if it is not yours.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn revoke_api_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token to revoke.")] input: RevokeApiTokenInput,
    ) -> ApiResult<Option<RevokeApiTokenPayload>> {
        revoke(ctx, input).await.map(|api_token| Some(RevokeApiTokenPayload { api_token })).graphql(ctx)
    }
}

async fn create(ctx: &Context<'_>, input: CreateApiTokenInput) -> Result<CreateApiTokenPayload, ApiErrors> {
    let me = ctx.caller().principal()?.user;
    let change = ctx.change(Action::CreateApiToken, Scope::person(me))?;
    let now = Utc::now().trunc_subsecs(6);
    let life = authenticator(ctx)?.api_token_life();
    let valid = both(name(&input.name), expiry(now, life, input.expires_in_days));
    let ((name, expires_at), project_id) = both(valid, ids::maybe(input.project_id.as_ref(), "input.projectId"))?;
    if let Some(project) = project_id {
        check_project(ctx, project).await.map_err(|error| error.at("input.projectId"))?;
    }
    let token = model::ApiToken {
        id: ApiTokenId::generate(),
        user_id: me,
        name,
        scope: input.scope,
        project_id,
        created_at: now,
        expires_at,
        last_used_at: None,
    };
    let secret = ApiSecret::generate();
    change
        .commit(async |writes| {
            let count = model::count(writes, me).await?.ok_or_else(|| ApiError::not_found("user", me))?;
            if count >= MOST {
                let message = format!("you have {count} valid API tokens, and at most {MOST} are allowed; revoke one");
                return Err(ApiError::new(Code::QuotaExceeded, message).into());
            }
            let inserted = model::insert(writes, &token, &secret.hash()).await;
            let taken = || {
                ApiError::conflict(format!("you have a valid API token named {}", shown(&token.name))).at("input.name")
            };
            inserted.map_err(or_taken("api_tokens_name_key", taken))?;
            let detail = json!({
                "name": token.name,
                "scope": token.scope.as_str(),
                "project": token.project_id.map(ProjectId::to_text),
                "expiresAt": token.expires_at,
            });
            let done = Done::to(token.id, detail);
            Ok(token.project_id.into_iter().fold(done, Done::in_project))
        })
        .await?;
    Ok(CreateApiTokenPayload { api_token: Arc::new(token).into(), secret })
}

/// A name is one line.
fn name(given: &str) -> Result<String, ApiError> {
    let name = names::prose(given.trim().to_owned(), MAX_NAME, "input.name")?;
    match name.is_empty() || name.contains(['\n', '\r']) {
        true => Err(ApiError::bad_input("input.name", "the name must be one line and not empty")),
        false => Ok(name),
    }
}

fn expiry(now: DateTime<Utc>, longest: Duration, days: i32) -> Result<DateTime<Utc>, ApiError> {
    let most = longest.as_secs() / DAY.as_secs();
    match u64::try_from(days) {
        Ok(days) if (1..=most).contains(&days) => Ok(now + Duration::from_secs(days * DAY.as_secs())),
        Ok(_) | Err(_) => {
            let message = format!("expiresInDays was {days}; it must be between 1 and {most}");
            Err(ApiError::bad_input("input.expiresInDays", message))
        }
    }
}

async fn check_project(ctx: &Context<'_>, id: ProjectId) -> Result<(), ApiError> {
    let project = ctx.read::<ProjectsById>(id).await?.ok_or_else(|| ApiError::not_found("project", id))?;
    ctx.check(Action::ViewProject, Scope::within(project.group_id, id)).map(drop)
}

async fn revoke(ctx: &Context<'_>, input: RevokeApiTokenInput) -> Result<ApiToken, ApiErrors> {
    ctx.caller().principal()?;
    let id = input.id.at("input.id")?;
    let missing = || ApiError::not_found("API token", id).at("input.id");
    let token = ctx.read::<ApiTokensById>(id).await?.ok_or_else(missing)?;
    let change =
        ctx.change(Action::RevokeApiToken, Scope::owned(token.user_id, id)).map_err(|error| error.at("input.id"))?;
    change
        .commit(async |writes| {
            if !model::revoke(writes, id).await? {
                return Err(missing().into());
            }
            let done = Done::to(id, json!({ "name": token.name, "user": token.user_id.to_string() }));
            Ok(token.project_id.into_iter().fold(done, Done::in_project))
        })
        .await?;
    Ok(token.into())
}
