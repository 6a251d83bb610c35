//! Requests an export of the audit log.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::Utc;
use serde_json::json;

use super::types::AuditExport;
use super::worker::ExportWake;
use crate::audit::model::Selection;
use crate::audit::model::exports;
use crate::audit::query::{AuditFilter, OF_INPUT};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Key};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::context::RequestExt;
use crate::graphql::keyset::OrderDirection;
use crate::graphql::limits::directives::cost;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::AuditExportId;
use crate::objects::Store;

/// How many exports can wait or be written at a time.
const MOST_UNFINISHED: i64 = 20;

/// Input for `exportAudit`.
#[derive(Debug, Default, InputObject)]
pub struct ExportAuditInput {
    /// Which entries to export; all of them by default. Entries that are written after the request are not exported.
    pub filter: Option<AuditFilter>,
    /// A key of your choice. Repeating the mutation with the same key returns the same export.
    pub idempotency_key: Option<String>,
}

/// Result of `exportAudit`.
#[derive(Debug, SimpleObject)]
pub struct ExportAuditPayload {
    /// The export.
    pub export: AuditExport,
}

/// The mutations of exports of the audit log.
#[derive(Debug, Default)]
pub struct AuditExportMutation;

#[Object]
impl AuditExportMutation {
    /// Has entries of the audit log written to a file, which can be downloaded when it is complete: query the export until its `state`
    /// is COMPLETED. Use this for large exports; `GET /audit.ndjson` sends entries at once.
    ///
    /// Fails with BAD_USER_INPUT for a filter that is not valid, FORBIDDEN if you are not a platform admin or the platform has no object
    /// store, and CONFLICT if 20 exports are not finished or the idempotency key was used with a different input.
    #[graphql(directive = cost::apply("50".to_owned()))]
    async fn export_audit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to export.")] input: ExportAuditInput,
    ) -> ApiResult<Option<ExportAuditPayload>> {
        export(ctx, input).await.map(Some).graphql(ctx)
    }
}

async fn export(ctx: &Context<'_>, input: ExportAuditInput) -> Result<ExportAuditPayload, ApiErrors> {
    let me = ctx.caller().principal()?.user;
    let change = ctx.change(Action::ExportAudit, Scope::PLATFORM)?;
    if ctx.data_opt::<Store>().is_none() {
        return Err(ApiError::forbidden("the operator of this platform has not configured an object store").into());
    }
    let key = input.idempotency_key.as_deref().map(|key| Key::of(key, &input)).transpose()?;
    let filter = exports::stored(&selection(input.filter.unwrap_or_default())?);
    let new = AuditExportId::generate();
    let id = change
        .create(key.as_ref(), new, async |writes| {
            if exports::unfinished(writes.conn()).await? >= MOST_UNFINISHED {
                let message = format!("{MOST_UNFINISHED} exports are not finished; wait until one is");
                return Err(ApiError::conflict(message).into());
            }
            exports::insert(writes, new, me, &filter).await?;
            Ok(json!({ "filter": filter }))
        })
        .await?;
    if let Some(wake) = ctx.data_opt::<ExportWake>() {
        wake.0.now();
    }
    let found = exports::find(&mut *ctx.db()?.connection().await?, &[id]).await?.pop();
    let export = found.ok_or_else(|| ApiError::not_found("export", id))?;
    Ok(ExportAuditPayload { export: export.into() })
}

/// The filter, which ends now at the latest.
fn selection(filter: AuditFilter) -> Result<Selection, ApiErrors> {
    let (now, to) = (Utc::now(), filter.to);
    let selection = filter.selection(&OF_INPUT, OrderDirection::Asc)?;
    Ok(Selection { to: Some(to.unwrap_or(now).min(now)), ..selection })
}
