//! `meta.k8s.io/v1` Tables: the rows and columns that `kubectl get` shows.

mod age;
mod builtin;
mod cell;
mod core;
mod custom;
mod jsonpath;
mod pod;
#[cfg(test)]
mod tests;
mod workloads;

use chrono::{DateTime, Utc};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

/// The types of cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ColumnType {
    /// The object's name, by which kubectl prefixes the kind.
    Name,
    Text,
    Integer,
    Number,
    Boolean,
    Date,
}

impl ColumnType {
    fn parse(word: &str) -> ColumnType {
        match word {
            "integer" => ColumnType::Integer,
            "number" => ColumnType::Number,
            "boolean" => ColumnType::Boolean,
            "date" => ColumnType::Date,
            _ => ColumnType::Text,
        }
    }

    fn word(self) -> &'static str {
        match self {
            ColumnType::Name | ColumnType::Text => "string",
            ColumnType::Integer => "integer",
            ColumnType::Number => "number",
            ColumnType::Boolean => "boolean",
            ColumnType::Date => "date",
        }
    }
}

/// The columns of one kind.
#[derive(Clone)]
pub struct Columns(Kind);

#[derive(Clone)]
enum Kind {
    Builtin(&'static [builtin::Column]),
    Custom(Vec<custom::Column>),
}

impl Columns {
    /// The columns of a built-in kind (name and time of creation for one without columns of its own).
    pub fn builtin(group: &str, kind: &str) -> Columns {
        Columns(Kind::Builtin(builtin::columns(group, kind)))
    }

    /// The columns that a definition gives a version of its resource.
    pub fn custom(definition: &CustomResourceDefinition, version: &str) -> Columns {
        Columns(Kind::Custom(custom::columns(definition, version)))
    }

    fn definitions(&self) -> Value {
        let described = |name: &str, kind: ColumnType, format: &str, description: &str, priority: i32| {
            let format = if kind == ColumnType::Name { "name" } else { format };
            json!({"name": name, "type": kind.word(), "format": format, "description": description, "priority": priority})
        };
        match &self.0 {
            Kind::Builtin(columns) => columns
                .iter()
                .map(|column| described(column.name, column.kind, "", column.name, column.priority))
                .collect(),
            Kind::Custom(columns) => columns
                .iter()
                .map(|column| {
                    described(&column.name, column.kind, &column.format, &column.description, column.priority)
                })
                .collect(),
        }
    }

    fn cells(&self, object: &Value, now: DateTime<Utc>) -> Value {
        match &self.0 {
            Kind::Builtin(columns) => {
                let row = cell::Row { object, now };
                columns.iter().map(|column| (column.cell)(&row)).collect()
            }
            Kind::Custom(columns) => columns.iter().map(|column| column.cell(object, now)).collect(),
        }
    }
}

/// What a row carries of its object (`?includeObject=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IncludeObject {
    /// Nothing.
    None,
    /// Its `PartialObjectMetadata`: the default.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

/// Renders objects as a Table. `list_meta` is the list's `metadata` (`resourceVersion`, `continue`, `remainingItemCount`),
/// or for a single object `{"resourceVersion": …}`; `headers` is false for every event of a watch but the first.
pub fn render(
    columns: &Columns,
    list_meta: &Value,
    objects: &[&Value],
    include: IncludeObject,
    headers: bool,
    now: DateTime<Utc>,
) -> Value {
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut row = json!({"cells": columns.cells(object, now)});
            match include {
                IncludeObject::None => {}
                IncludeObject::Metadata => row["object"] = metadata_only(object),
                IncludeObject::Object => row["object"] = Value::clone(object),
            }
            row
        })
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": list_meta,
        "columnDefinitions": if headers { columns.definitions() } else { Value::Null },
        "rows": rows,
    })
}

fn metadata_only(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}
