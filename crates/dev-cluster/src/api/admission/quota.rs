//! Resource quotas: nothing is created that would use more than its namespace has.

use super::core;
use crate::api::object;
use crate::api::status::{ApiError, ApiResult};
use crate::api::store::Key;
use crate::api::write::Write;
use crate::quota::{Amounts, add, amounts, counts, unspecified, usage};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a write costs a quota.
pub struct Charge {
    quota: Key,
    used: Amounts,
}

/// Refuses what a quota has no room for; otherwise says what the write costs, for [`charge`] once it is stored.
pub fn check(write: &Write<'_>, value: &Value, old: Option<&Value>) -> ApiResult<Vec<Charge>> {
    let (Some(namespace), None) = (write.namespace, write.subresource) else { return Ok(Vec::new()) };
    let (group, plural) = (write.kind.group.as_str(), write.kind.plural.as_str());
    // Of what is there already only claims and services come to use more.
    if old.is_some() && !(group.is_empty() && matches!(plural, "persistentvolumeclaims" | "services")) {
        return Ok(Vec::new());
    }
    let mut asked = usage(group, plural, value);
    if let Some(old) = old {
        for (name, amount) in usage(group, plural, old) {
            asked.entry(name).and_modify(|asked| *asked = &*asked - &amount);
        }
    }
    asked.retain(|_, amount| amount.is_positive());
    let refuse = |why: String| Err(ApiError::forbidden(write.kind, object::name(value), &why));
    let mut charges = Vec::new();
    for (key, quota) in write.cluster.store.list(&core("resourcequotas"), Some(namespace)).objects {
        if !counts(&quota, group, plural, value) {
            continue;
        }
        let hard = amounts(quota.pointer("/status/hard"));
        if old.is_none()
            && write.kind.is_core("pods")
            && let Some(missing) = unspecified(value, &hard)
        {
            return refuse(format!("failed quota: {}: must specify {missing}", key.name));
        }
        let requested: Amounts = asked.clone().into_iter().filter(|(name, _)| hard.contains_key(name)).collect();
        let used = amounts(quota.pointer("/status/used"));
        let unknown: Vec<_> = requested.keys().filter(|name| !used.contains_key(*name)).cloned().collect();
        if !unknown.is_empty() {
            return refuse(format!("status unknown for quota: {}, resources: {}", key.name, unknown.join(",")));
        }
        let mut after = used.clone();
        add(&mut after, &requested);
        let exceeded: Vec<&String> = requested.keys().filter(|name| after.get(*name) > hard.get(*name)).collect();
        if !exceeded.is_empty() {
            let list = |amounts: &Amounts| {
                let parts =
                    exceeded.iter().filter_map(|name| Some(format!("{name}={}", amounts.get(*name)?.canonical())));
                parts.collect::<Vec<_>>().join(",")
            };
            return refuse(format!(
                "exceeded quota: {}, requested: {}, used: {}, limited: {}",
                key.name,
                list(&requested),
                list(&used),
                list(&hard)
            ));
        }
        if !requested.is_empty() {
            charges.push(Charge { quota: key, used: after });
        }
    }
    Ok(charges)
}

/// Writes down what was used, in the writer's turn in which it was checked.
pub fn charge(write: &Write<'_>, charges: Vec<Charge>) {
    if write.options.dry_run {
        return;
    }
    for charge in charges {
        let Some(quota) = write.cluster.store.get(&core("resourcequotas"), &charge.quota) else { continue };
        let mut quota = Arc::unwrap_or_clone(quota);
        let used = object::member_mut(&mut quota, "status").entry("used").or_insert_with(|| json!({}));
        for (name, amount) in charge.used {
            object::object_mut(used).insert(name, json!(amount.canonical()));
        }
        write.cluster.store.put(&core("resourcequotas"), charge.quota, quota);
    }
}
