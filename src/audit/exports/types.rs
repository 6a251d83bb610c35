//! An export of the audit log as a GraphQL type.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};

use crate::audit::model::exports::Export;
pub use crate::audit::model::exports::ExportState;
use crate::error::{ApiError, Code};
use crate::graphql::scalars::{Json, Quantity};
use crate::graphql::written::Written;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::objects::{Key, Store};
use crate::quantity;
use crate::users::types::User;

/// How long a link is valid, in minutes: by default, and at most.
const LINK_MINUTES: i32 = 15;
const LONGEST_LINK_MINUTES: i32 = 24 * 60;

/// An export of the audit log.
#[derive(Debug, Clone)]
pub struct AuditExport(pub Arc<Export>);

impl From<Export> for AuditExport {
    fn from(export: Export) -> Self {
        Self(Arc::new(export))
    }
}

impl Written for AuditExport {}

/// A link to a file. Whoever has it can download the file, without logging in, until it expires.
#[derive(Debug, SimpleObject)]
pub struct DownloadLink {
    /// The URL. If it begins with a slash, it is a path on this server.
    pub url: String,
    /// When the link stops working.
    pub expires_at: DateTime<Utc>,
}

/// An export of the audit log: a file with one JSON object per line, oldest entry first, compressed with gzip. It is removed some
/// days after it was completed.
#[Object]
impl AuditExport {
    /// The ID of the export: `export_` followed by 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// The state of the export.
    async fn state(&self) -> ExportState {
        self.0.state
    }

    /// Which entries are exported, with the fields of `AuditFilter`. `to` is the time of the request if no earlier one was given.
    async fn filter(&self) -> Json {
        Json::of_text(self.0.filter.to_string())
    }

    /// How many entries were written so far.
    async fn entries(&self) -> i32 {
        i32::try_from(self.0.entries).unwrap_or(i32::MAX)
    }

    /// The size of the file in bytes; null until the export is completed.
    async fn size(&self) -> Option<Quantity> {
        self.0.bytes.map(|bytes| Quantity(quantity::Quantity::of_bytes(bytes).as_str().to_owned()))
    }

    /// Why the export has failed, or why it waits; null if it does neither.
    async fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// The user who has requested the export.
    async fn requested_by(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<User>> {
        User::load(ctx, self.0.requested_by).await.map(AtOnce).graphql(ctx)
    }

    /// When the export was requested.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When a server began to write it; null if none has.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.0.started_at
    }

    /// When it was completed or has failed; null before.
    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.0.finished_at
    }

    /// When the export is removed together with its file; null as long as it is not finished.
    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.0.expires_at
    }

    /// A new link to the file; null unless the export is completed.
    async fn download(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "For how many minutes the link is valid: 1 to 1440, 15 by default.")] minutes: Option<i32>,
    ) -> ApiResult<Option<DownloadLink>> {
        download(ctx, &self.0, minutes).await.graphql(ctx)
    }
}

async fn download(ctx: &Context<'_>, export: &Export, minutes: Option<i32>) -> Result<Option<DownloadLink>, ApiError> {
    let minutes = minutes.unwrap_or(LINK_MINUTES);
    if !(1..=LONGEST_LINK_MINUTES).contains(&minutes) {
        let message = format!("minutes was {minutes}; it must be between 1 and {LONGEST_LINK_MINUTES}");
        return Err(ApiError::bad_input("minutes", message));
    }
    // A server whose store was turned off has no links to it.
    let (Some(key), Some(store)) = (&export.object_key, ctx.data_opt::<Store>()) else { return Ok(None) };
    let key: Key = key.parse().map_err(ApiError::internal)?;
    let life = Duration::from_secs(60 * u64::from(minutes.unsigned_abs()));
    let link = store.link(&key, life).await;
    let link = link.map_err(|error| ApiError::new(Code::Internal, error.to_string()).caused_by(error))?;
    Ok(Some(DownloadLink { url: link.url, expires_at: link.expires_at }))
}
