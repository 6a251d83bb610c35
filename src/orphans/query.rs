//! The cluster as platform admins see it.

use async_graphql::{Context, Object};
use chrono::Utc;

use super::judge::{self, Mentioned, Orphan as Found};
use super::model;
use super::types::{MOST, Orphan, OrphanKind, OrphanList};
use crate::auth::acting::PolicyExt;
use crate::auth::policy::{Action, Scope};
use crate::cluster::{Cluster, orphans};
use crate::config::StorageConfig;
use crate::error::ApiError;
use crate::graphql::context::RequestExt;
use crate::graphql::limits::directives::cost;
use crate::graphql::{ApiResult, IntoGraphql};

/// The queries for the cluster.
#[derive(Debug, Default)]
pub struct ClusterQuery;

#[Object]
impl ClusterQuery {
    /// The Kubernetes cluster that jobs run in. You must be a platform admin.
    async fn cluster(&self, ctx: &Context<'_>) -> ApiResult<Option<ClusterInfo>> {
        ctx.check(Action::ViewCluster, Scope::PLATFORM).graphql(ctx)?;
        Ok(Some(ClusterInfo))
    }
}

/// The cluster.
#[derive(Debug)]
pub struct ClusterInfo;

/// The Kubernetes cluster that jobs run in. Its fields are null, with an error for each, while the cluster does not respond.
#[Object(name = "Cluster")]
impl ClusterInfo {
    /// The version of Kubernetes.
    ///
    /// Fails with CLUSTER_UNAVAILABLE if the cluster does not respond.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn version(&self, ctx: &Context<'_>) -> ApiResult<Option<String>> {
        let version = async { cluster(ctx)?.version().await.map_err(ApiError::cluster_unavailable) };
        version.await.map(Some).graphql(ctx)
    }

    /// The objects in the cluster that the platform has created and that belong to nothing any more. Nothing that was created in the
    /// last minutes is among them (`STORAGE_ORPHAN_MINUTES`). The cluster is asked with each query.
    ///
    /// Fails with CLUSTER_UNAVAILABLE if the cluster does not respond.
    #[graphql(directive = cost::apply("200".to_owned()))]
    async fn orphans(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only return orphans of these kinds; all kinds by default.")] kinds: Option<Vec<OrphanKind>>,
    ) -> ApiResult<Option<OrphanList>> {
        list(ctx, kinds).await.map(Some).graphql(ctx)
    }
}

fn cluster<'c>(ctx: &Context<'c>) -> Result<&'c Cluster, ApiError> {
    ctx.data_opt::<Cluster>().ok_or_else(|| ApiError::internal("the request carries no cluster"))
}

async fn list(ctx: &Context<'_>, kinds: Option<Vec<OrphanKind>>) -> Result<OrphanList, ApiError> {
    let mut found = found(ctx).await?;
    if let Some(kinds) = kinds {
        found.retain(|orphan| kinds.contains(&orphan.object.kind.into()));
    }
    let total_count = i32::try_from(found.len()).unwrap_or(i32::MAX);
    Ok(OrphanList { total_count, nodes: found.into_iter().take(MOST).map(Orphan).collect() })
}

/// The orphans that there are now.
///
/// # Errors
/// `CLUSTER_UNAVAILABLE`, or the database's.
pub(super) async fn found(ctx: &Context<'_>) -> Result<Vec<Found>, ApiError> {
    // The cluster first: what is created in between has a row by then.
    let objects = orphans::all(cluster(ctx)?).await.map_err(ApiError::cluster_unavailable)?;
    let mentioned = Mentioned::by(&objects);
    let known = model::known(&mut *ctx.db()?.connection().await?, &mentioned).await?;
    let age = ctx.data_opt::<StorageConfig>().map(|config| config.orphan_age);
    let age = age.ok_or_else(|| ApiError::internal("the request carries no storage defaults"))?;
    Ok(judge::orphans(objects, &known, Utc::now() - age))
}
