//! Written JSON as a value of the response, with its cost until the response is complete.

use async_graphql::indexmap::IndexMap;
use async_graphql::{Name, Number, Value};

use super::json::Json;
use crate::graphql::scalars::RAW_VALUE_TOKEN;

/// The key of the cost, in points. No field has a name with this character.
const COST: &str = "$cost";

/// The value for written JSON. Invalid UTF-8 would be a bug, and becomes null.
pub(super) fn of(json: Json, cost: u64) -> Value {
    let Ok(text) = json.into_text() else { return Value::Null };
    Value::Object(IndexMap::from_iter([
        (Name::new(RAW_VALUE_TOKEN), Value::String(text)),
        (Name::new(COST), Value::Number(Number::from(cost))),
    ]))
}

/// The cost of a written value; `None` for any other value.
pub(in crate::graphql) fn cost(fields: &IndexMap<Name, Value>) -> Option<u64> {
    match fields.get_index(1) {
        Some((name, Value::Number(cost))) if fields.len() == 2 && name.as_str() == COST => cost.as_u64(),
        _ => None,
    }
}

/// Removes the cost from a written value. Returns whether the value was written.
pub(in crate::graphql) fn settle(value: &mut Value) -> bool {
    match value {
        Value::Object(fields) if cost(fields).is_some() => fields.pop().is_some(),
        _ => false,
    }
}
