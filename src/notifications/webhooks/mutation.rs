//! Sets, tests and removes the webhook of a user.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::json;

use super::message;
use super::receiver::{self, Unusable};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Changed, Done};
use crate::config::WebhookConfig;
use crate::error::{ApiError, ApiErrors};
use crate::graphql::limits::directives::cost;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::NotificationId;
use crate::notifications::model::outbox;
use crate::notifications::model::webhooks::{self, Secret};
use crate::notifications::types::kinds::NotificationSettingsInput;
use crate::notifications::types::webhook::{Webhook, host_of};

/// Input for `setWebhook`. Omitted fields stay as they are.
#[derive(Debug, InputObject)]
pub struct SetWebhookInput {
    /// The URL that your notifications are sent to with POST. Its host must be one of `webhookHosts` in your settings. Each time
    /// that a URL is given, also if it is the same, the webhook gets a new secret and is enabled.
    pub url: Option<String>,
    /// Which of your notifications are sent.
    pub notifications: Option<NotificationSettingsInput>,
}

/// Result of `setWebhook`.
#[derive(Debug, SimpleObject)]
pub struct SetWebhookPayload {
    /// The webhook.
    pub webhook: Webhook,
    /// The secret that the signatures are made with, for any library of Standard Webhooks. It is not shown again. Null if no URL was
    /// given: the secret stays as it is.
    pub secret: Option<String>,
}

/// Input for `removeWebhook`.
#[derive(Debug, InputObject)]
pub struct RemoveWebhookInput {
    /// The host of the webhook, to confirm that it is the one to remove. It may be omitted.
    pub host: Option<String>,
}

/// Result of `removeWebhook`.
#[derive(Debug, SimpleObject)]
pub struct RemoveWebhookPayload {
    /// The host of the webhook that was removed; null if there was none.
    pub host: Option<String>,
}

/// Input for `testWebhook`.
#[derive(Debug, InputObject)]
pub struct TestWebhookInput {
    /// The host of the webhook, to confirm that it is the one to test. It may be omitted.
    pub host: Option<String>,
}

/// Result of `testWebhook`.
#[derive(Debug, SimpleObject)]
pub struct TestWebhookPayload {
    /// The webhook before the test: `lastDeliveredAt` or `lastFailedAt` changes when the test was sent, which takes a few seconds.
    pub webhook: Webhook,
}

/// The mutations of webhooks.
#[derive(Debug, Default)]
pub struct WebhookMutation;

#[Object]
impl WebhookMutation {
    /// Has your notifications sent to a URL from now on, or changes which of them are sent. The body is a JSON object with `id`,
    /// `kind`, `at`, `title`, `subjectId` and `link`; the headers `webhook-id`, `webhook-timestamp` and `webhook-signature` are
    /// those of Standard Webhooks. The receiver confirms a notification with any status from 200 to 299.
    ///
    /// Fails with BAD_USER_INPUT if the URL is not valid or missing, and FORBIDDEN if webhooks are turned off or the operator of
    /// the platform does not allow the host.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn set_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The webhook.")] input: SetWebhookInput,
    ) -> ApiResult<Option<SetWebhookPayload>> {
        set(ctx, input).await.map(Some).graphql(ctx)
    }

    /// No longer has your notifications sent to a URL. What was not sent yet is not sent any more. Has no effect if there is no
    /// webhook.
    ///
    /// Fails with CONFLICT if a host is given and the webhook has another one.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn remove_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to remove.")] input: RemoveWebhookInput,
    ) -> ApiResult<Option<RemoveWebhookPayload>> {
        remove(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Has a test sent to your webhook, whose `kind` is TEST.
    ///
    /// Fails with CONFLICT if you have no webhook, if it is disabled, or if a host is given and the webhook has another one.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn test_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to test.")] input: TestWebhookInput,
    ) -> ApiResult<Option<TestWebhookPayload>> {
        test(ctx, input).await.map(Some).graphql(ctx)
    }
}

fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

fn refused(unusable: Unusable) -> ApiError {
    let message = unusable.to_string();
    match unusable {
        Unusable::TurnedOff | Unusable::Host(_) => ApiError::forbidden(message).at("input.url"),
        Unusable::NoUrl | Unusable::TooLong(_) | Unusable::Scheme(_) | Unusable::Credentials | Unusable::Fragment => {
            ApiError::bad_input("input.url", message)
        }
    }
}

async fn set(ctx: &Context<'_>, input: SetWebhookInput) -> Result<SetWebhookPayload, ApiErrors> {
    let me = ctx.caller().principal()?.user;
    let change = ctx.change(Action::SetWebhook, Scope::person(me))?;
    let none = Arc::default();
    let config = ctx.data_opt::<Arc<WebhookConfig>>().unwrap_or(&none);
    let url = input.url.as_deref().map(|url| receiver::checked(url, config).map_err(refused)).transpose()?;
    let secret = url.as_ref().map(|_| Secret::generate());
    let webhook = change
        .commit(async |writes| {
            let before = webhooks::lock(writes, me).await?;
            let mut muted = before.as_ref().map(|webhook| webhook.muted.clone()).unwrap_or_default();
            input.notifications.unwrap_or_default().apply(&mut muted);
            let after = match (&url, &secret, &before) {
                (Some(url), Some(secret), _) => {
                    webhooks::set(writes, me, (url.as_str(), secret, &muted), now()).await?
                }
                (_, _, Some(_)) => webhooks::set_muted(writes, me, &muted).await?,
                (_, _, None) => {
                    return Err(ApiError::bad_input("input.url", "you have no webhook yet, so a URL is needed").into());
                }
            };
            // Not the URL, which may contain a secret.
            let changed = Changed::default()
                .field("host", &before.as_ref().map(|webhook| host_of(&webhook.url)), &Some(host_of(&after.url)))
                .field("secret", &before.as_ref().map(|webhook| webhook.set_at), &Some(after.set_at))
                .field("muted", &before.map(|webhook| webhook.muted).unwrap_or_default(), &after.muted);
            Ok(Done::to(me, json!({})).changed(changed).with(after))
        })
        .await?;
    let secret = secret.as_ref().map(message::shown);
    Ok(SetWebhookPayload { webhook: Arc::new(webhook).into(), secret })
}

async fn remove(ctx: &Context<'_>, input: RemoveWebhookInput) -> Result<RemoveWebhookPayload, ApiErrors> {
    let me = ctx.caller().principal()?.user;
    let change = ctx.change(Action::RemoveWebhook, Scope::person(me))?;
    let host = change
        .commit(async |writes| {
            let Some(webhook) = webhooks::lock(writes, me).await? else { return Ok(Done::nothing().with(None)) };
            let host = confirmed(&webhook, input.host.as_deref())?;
            webhooks::remove(writes, me).await?;
            let changed = Changed::default().field("host", &Some(&host), &None);
            Ok(Done::to(me, json!({})).changed(changed).with(Some(host)))
        })
        .await?;
    Ok(RemoveWebhookPayload { host })
}

async fn test(ctx: &Context<'_>, input: TestWebhookInput) -> Result<TestWebhookPayload, ApiErrors> {
    let me = ctx.caller().principal()?.user;
    let change = ctx.change(Action::TestWebhook, Scope::person(me))?;
    let webhook = change
        .commit(async |writes| {
            let missing = || ApiError::conflict("you have no webhook");
            let webhook = webhooks::lock(writes, me).await?.ok_or_else(missing)?;
            let host = confirmed(&webhook, input.host.as_deref())?;
            if webhook.disabled_at.is_some() {
                let message = "the webhook is disabled; set its URL again to enable it";
                return Err(ApiError::conflict(message).into());
            }
            outbox::put_test(writes, me, NotificationId::generate(), now()).await?;
            Ok(Done::to(me, json!({ "host": host })).with(webhook))
        })
        .await?;
    Ok(TestWebhookPayload { webhook: Arc::new(webhook).into() })
}

/// The host of the webhook, if it is the one that was given.
fn confirmed(webhook: &webhooks::Webhook, given: Option<&str>) -> Result<String, ApiError> {
    let host = host_of(&webhook.url);
    match given {
        Some(given) if given != host => {
            Err(ApiError::conflict(format!("the host of your webhook is {host}")).at("input.host"))
        }
        _ => Ok(host),
    }
}
