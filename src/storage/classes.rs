//! The storage class of a new claim, and what a class can do.

use std::sync::Arc;

use async_graphql::Context;

use crate::cluster::storage_classes::{Class, Classes};
use crate::cluster::{Cluster, ClusterError};
use crate::config::StorageConfig;
use crate::error::ApiError;
use crate::graphql::names::shown;

fn part<'c, T: Send + Sync + 'static>(ctx: &Context<'c>) -> Result<&'c T, ApiError> {
    let missing = || ApiError::internal(format!("the request carries no {}", std::any::type_name::<T>()));
    ctx.data_opt::<T>().ok_or_else(missing)
}

/// What the operator chose.
///
/// # Errors
/// The request carries it not, which is a bug.
pub fn defaults<'c>(ctx: &Context<'c>) -> Result<&'c StorageConfig, ApiError> {
    part(ctx)
}

/// The storage classes of the cluster.
///
/// # Errors
/// `CLUSTER_UNAVAILABLE` if they were never read.
pub async fn known(ctx: &Context<'_>) -> Result<Arc<Vec<Class>>, ApiError> {
    let (classes, cluster) = (part::<Classes>(ctx)?, part::<Cluster>(ctx)?);
    classes.known(cluster).await.map_err(unavailable)
}

fn unavailable(error: ClusterError) -> ApiError {
    ApiError::cluster_unavailable(error)
}

/// The class of a claim that names `given`. While the cluster does not say which classes it has, every one is accepted: the
/// claim tells later if there is none of this name.
///
/// # Errors
/// `BAD_USER_INPUT` if the cluster has no such class, or none is named and it has no default one.
pub async fn choose(ctx: &Context<'_>, given: Option<String>, field: &'static str) -> Result<Option<String>, ApiError> {
    let wanted = match given {
        Some(given) => Some(given),
        None => defaults(ctx)?.default_class.clone(),
    };
    // A class that was made a moment ago is not known yet.
    let is_known = |classes: &[Class], name: &str| classes.iter().any(|class| class.name == name);
    let classes = match (known(ctx).await, &wanted) {
        (Ok(classes), Some(name)) if !is_known(&classes, name) => refreshed(ctx).await,
        (Ok(classes), None) if !classes.iter().any(|class| class.is_default) => refreshed(ctx).await,
        (Ok(classes), _) => Some(classes),
        (Err(_), _) => None,
    };
    match (classes, wanted) {
        (Some(classes), Some(name)) if !is_known(&classes, &name) => {
            let message = format!("the cluster has no storage class {}; it has {}", shown(&name), names(&classes));
            Err(ApiError::bad_input(field, message))
        }
        (Some(classes), None) if !classes.iter().any(|class| class.is_default) => {
            let message = format!("the cluster has no default storage class; choose one: it has {}", names(&classes));
            Err(ApiError::bad_input(field, message))
        }
        (_, wanted) => Ok(wanted),
    }
}

async fn refreshed(ctx: &Context<'_>) -> Option<Arc<Vec<Class>>> {
    let (classes, cluster) = (part::<Classes>(ctx).ok()?, part::<Cluster>(ctx).ok()?);
    classes.refresh(cluster).await.ok()
}

fn names(classes: &[Class]) -> String {
    match classes {
        [] => "none".to_owned(),
        some => some.iter().map(|class| class.name.as_str()).collect::<Vec<_>>().join(", "),
    }
}

/// Whether claims of a class can be made larger. Unknown classes may: the cluster decides.
///
/// # Errors
/// `CONFLICT` if the class does not allow it, or no longer exists.
pub async fn check_expansion(ctx: &Context<'_>, class: Option<&str>) -> Result<(), ApiError> {
    let (Some(name), Ok(classes)) = (class, known(ctx).await) else { return Ok(()) };
    match classes.iter().find(|class| class.name == name) {
        Some(class) if class.expands => Ok(()),
        Some(_) => Err(ApiError::conflict(format!(
            "the storage class {name} does not allow claims to be made larger; create a larger claim and copy the data"
        ))),
        None if refreshed(ctx).await.is_some_and(|classes| classes.iter().any(|class| class.name == name)) => Ok(()),
        None => Err(ApiError::conflict(format!(
            "the storage class {name} no longer exists, so the claim cannot be made larger"
        ))),
    }
}
