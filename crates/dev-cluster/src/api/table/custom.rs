//! The columns of custom resources: `additionalPrinterColumns`, or the age where a definition gives none.

use super::jsonpath::JsonPath;
use super::{ColumnType, age};
use chrono::{DateTime, Utc};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition,
};
use serde_json::{Value, json};

/// One column of a custom resource.
#[derive(Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: ColumnType,
    pub(super) format: String,
    pub(super) description: String,
    pub(super) priority: i32,
    path: Option<JsonPath>,
}

/// The columns of a version.
pub(super) fn columns(definition: &CustomResourceDefinition, version: &str) -> Vec<Column> {
    let version = definition.spec.versions.iter().find(|candidate| candidate.name == version);
    let own = version.and_then(|version| version.additional_printer_columns.as_deref()).unwrap_or_default();
    let name = Column {
        name: "Name".to_owned(),
        kind: ColumnType::Name,
        format: "name".to_owned(),
        description: "Name must be unique within a namespace.".to_owned(),
        priority: 0,
        path: JsonPath::parse(".metadata.name"),
    };
    let mut columns = vec![name];
    columns.extend(own.iter().map(Column::read));
    if own.is_empty() {
        columns.push(Column {
            name: "Age".to_owned(),
            kind: ColumnType::Date,
            format: String::new(),
            description: "The time since the object was created.".to_owned(),
            priority: 0,
            path: JsonPath::parse(".metadata.creationTimestamp"),
        });
    }
    columns
}

impl Column {
    fn read(column: &CustomResourceColumnDefinition) -> Column {
        Column {
            name: column.name.clone(),
            kind: ColumnType::parse(&column.type_),
            format: column.format.clone().unwrap_or_default(),
            description: column.description.clone().unwrap_or_else(|| {
                format!("Custom resource definition column (in JSONPath format): {}", column.json_path)
            }),
            priority: column.priority.unwrap_or(0),
            path: JsonPath::parse(&column.json_path),
        }
    }

    /// What the column shows of an object; `null` for what is not there or has another type.
    pub(super) fn cell(&self, object: &Value, now: DateTime<Utc>) -> Value {
        let Some(value) = self.path.as_ref().and_then(|path| path.first(object)) else { return Value::Null };
        match self.kind {
            ColumnType::Name | ColumnType::Text => match value {
                Value::String(text) => json!(text),
                other => json!(other.to_string()),
            },
            ColumnType::Integer => value.as_i64().or_else(|| whole(value)).map_or(Value::Null, Value::from),
            ColumnType::Number => value.as_f64().map_or(Value::Null, |_| value.clone()),
            ColumnType::Boolean => value.as_bool().map_or(Value::Null, Value::from),
            ColumnType::Date => json!(age::since(Some(value), now)),
        }
    }
}

/// A number with a fraction, cut.
#[expect(clippy::cast_possible_truncation, reason = "cutting is what the API server does")]
fn whole(value: &Value) -> Option<i64> {
    value.as_f64().map(|number| number as i64)
}
