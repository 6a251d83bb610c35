//! Queries for exports of the audit log.

use async_graphql::{Context, Object};

use super::types::AuditExport;
use crate::audit::loader::{ExportPages, ExportsById};
use crate::audit::model::exports::{self, Export};
use crate::auth::acting::PolicyExt;
use crate::auth::policy::{Action, Scope};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::connection::{Connection, Page, PageArgs, TotalCount, connection};
use crate::graphql::context::RequestExt;
use crate::graphql::cursor::Position;
use crate::graphql::ids::GivenId;
use crate::graphql::keyset::SortType;
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::{AuditExportId, AuditExportKind};

/// The queries for exports of the audit log.
#[derive(Debug, Default)]
pub struct AuditExportQuery;

#[Object]
impl AuditExportQuery {
    /// Finds an export of the audit log by ID. You must be a platform admin.
    async fn audit_export(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ID of the export: `export_` followed by 26 characters.")] id: GivenId<AuditExportKind>,
    ) -> ApiResult<Option<AtOnce<AuditExport>>> {
        async { find(ctx, id.at("id")?).await.map(AtOnce).map(Some) }.await.graphql(ctx)
    }

    /// The exports of the audit log that were requested with `exportAudit` and have not expired, newest first. You must be a platform
    /// admin.
    #[graphql(directive = connection_size::apply())]
    async fn audit_exports(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the exports that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the exports that come before this cursor.")] before: Option<String>,
    ) -> ApiResult<Connection<AuditExport>> {
        list(ctx, PageArgs { first, after, last, before }).await.graphql(ctx)
    }
}

/// The export with this ID, if the caller can see it.
///
/// # Errors
/// `FORBIDDEN` if the caller cannot see exports, `NOT_FOUND` if it does not exist.
pub async fn find(ctx: &Context<'_>, id: AuditExportId) -> Result<AuditExport, ApiError> {
    ctx.check(Action::ViewAuditExport, Scope::PLATFORM)?;
    let export = ctx.read::<ExportsById>(id).await?;
    export.map(AuditExport).ok_or_else(|| ApiError::not_found("export", id))
}

async fn list(ctx: &Context<'_>, args: PageArgs) -> Result<Connection<AuditExport>, ApiErrors> {
    ctx.check(Action::ViewAuditExport, Scope::PLATFORM)?;
    let page = Page::parse(args)?.sorted_by(SortType::Time)?;
    let db = ctx.db()?.clone();
    let rows = ctx.read::<ExportPages>(page.clone()).await?.unwrap_or_default();
    let total = TotalCount::by(move |_| {
        let db = db.clone();
        async move { Ok(exports::count(&mut *db.connection().await?).await?) }
    });
    let position = |export: &Export| Position::at(export.created_at, export.id.uuid());
    Ok(connection(&page, rows.to_vec(), position, AuditExport::from, total))
}
