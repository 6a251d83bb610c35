//! Removes orphans on command.

use std::collections::HashMap;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use serde_json::json;

use super::judge::Orphan as Found;
use super::query::found;
use super::types::{MOST, OrphanKind};
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Done};
use crate::cluster::orphans::{NotRemoved, remove};
use crate::cluster::{Cluster, ClusterError};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::limits::directives::{assumed_list, cost};
use crate::graphql::names::shown;
use crate::graphql::{ApiResult, IntoGraphql};

/// An orphan to remove.
#[derive(Debug, InputObject)]
pub struct OrphanInput {
    /// The uid of the orphan.
    pub uid: ID,
    /// The name of the orphan, to confirm that its data can be lost. Required if `hasData` is true.
    pub confirm_name: Option<String>,
}

/// Input for `removeOrphans`.
#[derive(Debug, InputObject)]
pub struct RemoveOrphansInput {
    /// The orphans to remove: 1 to 100.
    pub orphans: Vec<OrphanInput>,
}

/// What became of an orphan.
#[derive(Debug, SimpleObject)]
pub struct RemoveOrphanResult {
    /// The uid that was given.
    pub uid: ID,
    /// Whether the cluster is removing it, or has removed it.
    pub removed: bool,
    /// Why it is not being removed; null if it is.
    pub error: Option<String>,
}

/// Result of `removeOrphans`.
#[derive(Debug, SimpleObject)]
pub struct RemoveOrphansPayload {
    /// What became of each, in the order of the input.
    #[graphql(directive = assumed_list::apply(10))]
    pub results: Vec<RemoveOrphanResult>,
}

/// The mutations of orphans.
#[derive(Debug, Default)]
pub struct OrphanMutation;

#[Object]
impl OrphanMutation {
    /// Removes objects from the cluster that belong to nothing on the platform any more. Whether they still do is checked again before.
    /// Each is removed or not: the results say which are.
    ///
    /// Fails with BAD_USER_INPUT for no orphan or more than 100, FORBIDDEN if you are not a platform admin, and CLUSTER_UNAVAILABLE if
    /// the cluster does not respond.
    #[graphql(directive = cost::apply("500".to_owned()))]
    async fn remove_orphans(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to remove.")] input: RemoveOrphansInput,
    ) -> ApiResult<Option<RemoveOrphansPayload>> {
        remove_all(ctx, input).await.map(Some).graphql(ctx)
    }
}

async fn remove_all(ctx: &Context<'_>, input: RemoveOrphansInput) -> Result<RemoveOrphansPayload, ApiErrors> {
    let change = ctx.change(Action::RemoveOrphans, Scope::PLATFORM)?;
    let count = input.orphans.len();
    if !(1..=MOST).contains(&count) {
        let message = format!("{count} orphans were given; it must be 1 to {MOST}");
        return Err(ApiError::bad_input("input.orphans", message).into());
    }
    let found = found(ctx).await?;
    let mut outcomes: HashMap<&str, Result<(), String>> = HashMap::new();
    let mut wanted: Vec<&Found> = Vec::new();
    for given in &input.orphans {
        let outcome = match chosen(given, &found) {
            Ok(orphan) => {
                wanted.push(orphan);
                Ok(())
            }
            Err(why) => Err(why),
        };
        outcomes.insert(given.uid.as_str(), outcome);
    }
    // In the order in which they can be removed, and each once.
    wanted = found.iter().filter(|orphan| wanted.iter().any(|other| other.object.uid == orphan.object.uid)).collect();
    if !wanted.is_empty() {
        let detail = json!({ "orphans": wanted.iter().map(|orphan| described(orphan)).collect::<Vec<_>>() });
        // Before they go: what was recorded and not removed is there to be seen, and the reverse is not.
        change.commit(async |_| Ok(Done::to_platform(detail))).await?;
    }
    let cluster = ctx.data_opt::<Cluster>().ok_or_else(|| ApiError::internal("the request carries no cluster"))?;
    for orphan in wanted {
        if let Err(error) = remove(cluster, &orphan.object).await {
            tracing::warn!(name = orphan.object.name, %error, "an orphan was not removed");
            outcomes.insert(&orphan.object.uid, Err(told(&error)));
        }
    }
    let result = |given: &OrphanInput| {
        let error = outcomes.get(given.uid.as_str()).and_then(|outcome| outcome.clone().err());
        RemoveOrphanResult { uid: given.uid.clone(), removed: error.is_none(), error }
    };
    Ok(RemoveOrphansPayload { results: input.orphans.iter().map(result).collect() })
}

/// The orphan that is to be removed.
fn chosen<'f>(given: &OrphanInput, found: &'f [Found]) -> Result<&'f Found, String> {
    let orphan = found.iter().find(|orphan| orphan.object.uid == given.uid.as_str());
    let orphan = orphan.ok_or_else(|| "there is no such orphan, or it is not one any more".to_owned())?;
    match &given.confirm_name {
        None if orphan.has_data => Err("its data can be lost; give its name in confirmName".to_owned()),
        Some(name) if *name != orphan.object.name => {
            Err(format!("{} is not the name {}", shown(name), shown(&orphan.object.name)))
        }
        None | Some(_) => Ok(orphan),
    }
}

fn described(orphan: &Found) -> serde_json::Value {
    let object = &orphan.object;
    let kind = OrphanKind::from(object.kind).as_str();
    json!({ "kind": kind, "namespace": object.namespace, "name": object.name, "uid": object.uid, "reason": orphan.reason })
}

fn told(error: &NotRemoved) -> String {
    match error {
        NotRemoved::Cluster(ClusterError::Away(_) | ClusterError::Unconfigured(_)) => {
            "the cluster does not respond".to_owned()
        }
        NotRemoved::Cluster(_) | NotRemoved::Shared(_) | NotRemoved::Changed => error.to_string(),
    }
}
