//! Queries for storage claims and storage classes.

use std::sync::Arc;

use async_graphql::{Context, Object};

use super::classes;
use super::loader::{ClaimPages, ClaimsById, scope_for};
use super::model::Claim;
use super::model::list::{self, Selection};
use super::types::filter::{PvcFilter, PvcOrder, selection};
use super::types::{Pvc, StorageClass};
use crate::auth::acting::{CallerExt, PolicyExt};
use crate::auth::policy::{self, Action, Scope, StorageAccess};
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::connection::{Connection, Page, PageArgs, TotalCount, connection};
use crate::graphql::context::RequestExt;
use crate::graphql::ids::GivenId;
use crate::graphql::keyset::SortType;
use crate::graphql::limits::directives::{assumed_list, connection_size};
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::{PvcId, PvcKind};

/// The queries for storage.
#[derive(Debug, Default)]
pub struct StorageQuery;

#[Object]
impl StorageQuery {
    /// Finds a storage claim by ID. You must be a member of its group, or it must be your drive.
    async fn pvc(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ID of the claim: `pvc_` followed by 26 characters.")] id: GivenId<PvcKind>,
    ) -> ApiResult<Option<AtOnce<Pvc>>> {
        async { find(ctx, id.at("id")?).await.map(AtOnce).map(Some) }.await.graphql(ctx)
    }

    /// The storage claims of your groups and their projects, and your drive, oldest first by default. Platform admins see
    /// all claims.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn pvcs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the claims that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the claims that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which claims to return; all that you can see by default.")] filter: Option<PvcFilter>,
        #[graphql(desc = "The order of the list; oldest first by default.")] order_by: Option<PvcOrder>,
    ) -> ApiResult<Connection<Pvc>> {
        list(ctx, PageArgs { first, after, last, before }, filter, order_by).await.graphql(ctx)
    }

    /// The storage classes of the cluster, by name, and what each can do.
    ///
    /// Fails with CLUSTER_UNAVAILABLE if they were never read.
    #[graphql(directive = assumed_list::apply(10))]
    async fn storage_classes(&self, ctx: &Context<'_>) -> ApiResult<Vec<StorageClass>> {
        let read = async {
            ctx.check(Action::ViewStorageClasses, Scope::PLATFORM)?;
            Ok::<_, ApiError>(classes::known(ctx).await?.iter().map(StorageClass::from).collect())
        };
        read.await.graphql(ctx)
    }
}

/// The claim with this ID, if the caller can see it.
///
/// # Errors
/// `NOT_FOUND` if it does not exist or the caller cannot see it.
pub async fn find(ctx: &Context<'_>, id: PvcId) -> Result<Pvc, ApiError> {
    Ok(Pvc(visible(ctx, id).await?))
}

/// The row of the claim with this ID, if the caller can see it.
///
/// # Errors
/// `NOT_FOUND` if it does not exist or the caller cannot see it.
pub(super) async fn visible(ctx: &Context<'_>, id: PvcId) -> Result<Arc<Claim>, ApiError> {
    // Checked first, so that unauthenticated clients cannot find out which IDs exist.
    ctx.caller().principal()?;
    let claim = ctx.read::<ClaimsById>(id).await?.ok_or_else(|| ApiError::not_found("storage claim", id))?;
    policy::check(&ctx.caller(), Action::ViewPvc, claim.scope(StorageAccess::None))?;
    Ok(claim)
}

/// The claim for the policy, as it concerns the caller.
///
/// # Errors
/// `UNAUTHENTICATED`, or the database's.
pub async fn scope(ctx: &Context<'_>, claim: &Claim) -> Result<Scope, ApiError> {
    let user = ctx.caller().principal()?.user;
    scope_for(ctx, claim, user).await
}

async fn list(
    ctx: &Context<'_>,
    args: PageArgs,
    filter: Option<PvcFilter>,
    order: Option<PvcOrder>,
) -> Result<Connection<Pvc>, ApiErrors> {
    let seen = policy::visible(&ctx.caller())?;
    let viewer = ctx.caller().principal()?.user;
    let page = Page::parse(args).and_then(|page| page.sorted_by(SortType::Time));
    let (selection, page) = both(selection(filter, order), page)?;
    let db = ctx.db()?.clone();
    let key = (seen.clone(), viewer, selection.clone(), page.clone());
    let rows = ctx.read::<ClaimPages>(key).await?.unwrap_or_default();
    let total = TotalCount::by(move |_| {
        let (db, seen, selection) = (db.clone(), seen.clone(), selection.clone());
        async move { Ok(list::count(&mut *db.connection().await?, &seen, viewer, &selection).await?) }
    });
    let position = |claim: &Claim| Selection::position(claim);
    Ok(connection(&page, rows.to_vec(), position, Pvc::from, total))
}
