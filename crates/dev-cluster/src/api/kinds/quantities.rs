//! Quantities as the server writes them, however they came: `1000m` is `1`, a number is text.

use cluster_resources::Quantity;
use serde_json::{Value, json};

/// The members that are lists of amounts by name.
const LISTS: [&str; 12] = [
    "limits",
    "requests",
    "capacity",
    "allocatable",
    "allocatedResources",
    "overhead",
    "hard",
    "used",
    "min",
    "max",
    "default",
    "defaultRequest",
];

/// Rewrites every quantity in the spec and the status of a built-in object.
pub fn canonical(object: &mut Value) {
    for part in ["spec", "status"] {
        if let Some(part) = object.get_mut(part) {
            walk(part);
        }
    }
}

/// Whether anything that should be a quantity is none.
pub fn has_broken(object: &Value) -> bool {
    ["spec", "status"].iter().filter_map(|part| object.get(part)).any(is_broken)
}

fn is_broken(value: &Value) -> bool {
    let nonsense = |amount: &Value| amount.as_str().is_some_and(|text| text.parse::<Quantity>().is_err());
    match value {
        Value::Object(members) => members.iter().any(|(name, member)| match member {
            Value::Object(amounts) if LISTS.contains(&name.as_str()) => amounts.values().any(nonsense),
            _ => is_broken(member),
        }),
        Value::Array(list) => list.iter().any(is_broken),
        _ => false,
    }
}

fn walk(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::Object(amounts) if LISTS.contains(&name.as_str()) => {
                        amounts.iter_mut().for_each(|(_, amount)| rewrite(amount));
                    }
                    Value::String(_) | Value::Number(_) if matches!(name.as_str(), "sizeLimit" | "divisor") => {
                        rewrite(member);
                    }
                    _ => walk(member),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(walk),
        _ => {}
    }
}

fn rewrite(amount: &mut Value) {
    if let Some(quantity) = Quantity::of_json(amount) {
        *amount = json!(quantity.canonical());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_containers_are_rewritten_and_nothing_else() {
        let mut pod = json!({"metadata": {"annotations": {"limits": "1000m"}}, "spec": {"containers": [
            {"env": [{"name": "limits", "value": "1000m"}], "resources": {"limits": {"cpu": "1000m", "memory": 1024}}},
        ], "volumes": [{"emptyDir": {"sizeLimit": "1024Mi"}}]}});
        canonical(&mut pod);
        insta::assert_snapshot!(pod, @r#"{"metadata":{"annotations":{"limits":"1000m"}},"spec":{"containers":[{"env":[{"name":"limits","value":"1000m"}],"resources":{"limits":{"cpu":"1","memory":"1024"}}}],"volumes":[{"emptyDir":{"sizeLimit":"1Gi"}}]}}"#);
    }
}
