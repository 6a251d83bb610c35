//! The settings of a user: how the platform looks to them, and what they are notified of.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use icu_locale_core::Locale;
use serde_json::json;

use crate::auth::acting::CallerExt;
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Changed, Done};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::limits::directives::cost;
use crate::graphql::names::shown;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::notifications::types::kinds::NotificationSettingsInput;
use crate::users::model::settings::{self, Theme};
use crate::users::types::settings::UserSettings;

/// The maximum length of a language tag, which has room for every extension that is in use (RFC 5646, section 4.4.1).
const LONGEST_TAG: usize = 64;

/// Input for `updateUserSettings`. Omitted fields stay as they are.
#[derive(Debug, InputObject)]
pub struct UpdateUserSettingsInput {
    /// The colors of the user interface.
    pub theme: Option<Theme>,
    /// The language of the user interface, as a BCP 47 tag such as `en`, `pt-BR` or `zh-Hant`. An empty text leaves it to
    /// the client.
    pub language: Option<String>,
    /// What you want to be notified of.
    pub notifications: Option<NotificationSettingsInput>,
}

/// Result of `updateUserSettings`.
#[derive(Debug, SimpleObject)]
pub struct UpdateUserSettingsPayload {
    /// Your settings after the change.
    pub settings: UserSettings,
}

/// The mutation of settings.
#[derive(Debug, Default)]
pub struct SettingsMutation;

#[Object]
impl SettingsMutation {
    /// Changes your settings.
    ///
    /// Fails with BAD_USER_INPUT if the language is not a language tag.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn update_user_settings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateUserSettingsInput,
    ) -> ApiResult<Option<UpdateUserSettingsPayload>> {
        update(ctx, input).await.map(Some).graphql(ctx)
    }
}

async fn update(ctx: &Context<'_>, input: UpdateUserSettingsInput) -> Result<UpdateUserSettingsPayload, ApiErrors> {
    let caller = ctx.caller();
    let me = caller.principal()?.user;
    let change = ctx.change(Action::UpdateUserSettings, Scope::person(me))?;
    let language = input.language.map(|tag| language(&tag)).transpose()?;
    let changed = change.commit(async |writes| {
        let before = settings::lock(writes, me).await?;
        let mut after = before.clone();
        after.theme = input.theme.unwrap_or(after.theme);
        if let Some(language) = language {
            after.language = language;
        }
        if let Some(wanted) = input.notifications {
            wanted.apply(&mut after.muted);
        }
        if after == before {
            return Ok(Done::nothing().with(after));
        }
        settings::put(writes, me, &after).await?;
        let changed = Changed::default()
            .field("theme", before.theme.as_str(), after.theme.as_str())
            .field("language", &before.language, &after.language)
            .field("muted", &before.muted, &after.muted);
        Ok(Done::to(me, json!({})).changed(changed).with(after))
    });
    Ok(UpdateUserSettingsPayload { settings: UserSettings::new(me, Arc::new(changed.await?)) })
}

/// The tag in its usual spelling, such as `pt-BR`; `None` for an empty text.
fn language(tag: &str) -> Result<Option<String>, ApiError> {
    let tag = tag.trim();
    if tag.is_empty() {
        return Ok(None);
    }
    let locale =
        Locale::try_from_str(tag).ok().filter(|locale| tag.len() <= LONGEST_TAG && !locale.id.language.is_unknown());
    let invalid = || {
        let message = format!("{} is not a language tag (BCP 47), such as en, pt-BR or zh-Hant", shown(tag));
        ApiError::bad_input("input.language", message)
    };
    locale.map(|locale| Some(locale.to_string())).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_tag_is_checked_and_spelled_as_usual() {
        for (given, kept) in
            [("en", "en"), ("PT-br", "pt-BR"), ("zh-hant-tw", "zh-Hant-TW"), ("de-u-co-phonebk", "de-u-co-phonebk")]
        {
            assert_eq!(language(given).unwrap().as_deref(), Some(kept));
        }
        assert_eq!(language(" ").unwrap(), None);
        for bad in ["english!", "e", "en_", "-", "und", "12", "en-\0", &"en-x-".repeat(20)] {
            assert!(language(bad).is_err(), "{bad:?}");
        }
    }
}
