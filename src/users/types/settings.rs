//! The settings of a user as a GraphQL object.

use std::sync::Arc;

use async_graphql::{Context, Object};

use crate::config::WebhookConfig;
use crate::graphql::limits::directives::assumed_list;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::UserId;
use crate::notifications::loader::WebhookOfUser;
use crate::notifications::types::kinds::NotificationSettings;
use crate::notifications::types::webhook::Webhook;
use crate::users::model::settings::{Settings, Theme};

/// The settings of a user.
#[derive(Debug, Clone)]
pub struct UserSettings {
    user: UserId,
    settings: Arc<Settings>,
}

impl UserSettings {
    /// The settings of this user.
    pub const fn new(user: UserId, settings: Arc<Settings>) -> Self {
        Self { user, settings }
    }
}

/// The settings of a user.
#[Object]
impl UserSettings {
    /// The colors of the user interface.
    async fn theme(&self) -> Theme {
        self.settings.theme
    }

    /// The language of the user interface, as a BCP 47 tag such as `en` or `pt-BR`; null if the client chooses it.
    async fn language(&self) -> Option<&str> {
        self.settings.language.as_deref()
    }

    /// What the user wants to be notified of.
    async fn notifications(&self) -> NotificationSettings {
        NotificationSettings::all_but(self.settings.muted.clone())
    }

    /// Where the user's notifications are sent; null if they are not sent anywhere. Set it with `setWebhook`.
    async fn webhook(&self, ctx: &Context<'_>) -> ApiResult<Option<Webhook>> {
        Ok(ctx.read::<WebhookOfUser>(self.user).await.graphql(ctx)?.map(Webhook::from))
    }

    /// The hosts that notifications may be sent to, as the operator of the platform has listed them: `*.` stands for all
    /// subdomains. The list is empty if webhooks are turned off.
    #[graphql(directive = assumed_list::apply(10))]
    async fn webhook_hosts(&self, ctx: &Context<'_>) -> Vec<String> {
        let config = ctx.data_opt::<Arc<WebhookConfig>>();
        config.map(|config| config.hosts.texts().map(str::to_owned).collect()).unwrap_or_default()
    }
}
