//! What was written, as a value of the answer, until the answer is complete: its JSON and what it cost.

use async_graphql::indexmap::IndexMap;
use async_graphql::{Name, Number, Value};

use super::json::Json;
use crate::graphql::scalars::RAW_VALUE_TOKEN;

/// The key of the cost, in points. No field has a name with this character.
const COST: &str = "$cost";

/// The value for what was written. What cannot be answered as text would be a defect; it is null.
pub(super) fn of(json: Json, cost: u64) -> Value {
    let Ok(text) = json.into_text() else { return Value::Null };
    Value::Object(IndexMap::from_iter([
        (Name::new(RAW_VALUE_TOKEN), Value::String(text)),
        (Name::new(COST), Value::Number(Number::from(cost))),
    ]))
}

/// What an object cost that was written; `None` for any other value.
pub(in crate::graphql) fn cost(fields: &IndexMap<Name, Value>) -> Option<u64> {
    match fields.get_index(1) {
        Some((name, Value::Number(cost))) if fields.len() == 2 && name.as_str() == COST => cost.as_u64(),
        _ => None,
    }
}

/// Leaves nothing but the JSON of a value that was written; whether it was.
pub(in crate::graphql) fn settle(value: &mut Value) -> bool {
    match value {
        Value::Object(fields) if cost(fields).is_some() => fields.pop().is_some(),
        _ => false,
    }
}
