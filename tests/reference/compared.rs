//! The result of an operation, as far as two servers have to agree on it.

use std::collections::BTreeSet;

use async_graphql::{PathSegment, Response, ServerError};
use platform::graphql::executable::was_executed;
use serde_json::Value;

/// What came of an operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was not executed: the first reason.
    Refused(String),
    /// It was.
    Executed {
        /// The data.
        data: Value,
        /// Path and code of each error.
        errors: BTreeSet<(String, String)>,
    },
}

impl Outcome {
    /// What this answer says.
    pub fn of(response: &Response) -> Self {
        if !was_executed(response) {
            return Self::refused(&response.errors);
        }
        let errors = response.errors.iter().map(|error| (path(&error.path), code(error))).collect();
        Self::Executed { data: serde_json::to_value(&response.data).unwrap(), errors }
    }

    pub fn refused(errors: &[ServerError]) -> Self {
        Self::Refused(errors.first().map(|error| error.message.clone()).unwrap_or_default())
    }

    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// In a line, for whoever reads of a difference.
    pub fn told(&self) -> String {
        match self {
            Self::Refused(message) => format!("refused: {message}"),
            Self::Executed { data, errors } => format!("{data} {errors:?}").chars().take(1_500).collect(),
        }
    }
}

/// Whether two values are the same, and the fields of their objects stand in the same order.
pub fn is_same_text(one: &Value, other: &Value) -> bool {
    let (one, other) = (one.to_string(), other.to_string());
    one == other
}

fn path(segments: &[PathSegment]) -> String {
    let segments = segments.iter().map(|segment| match segment {
        PathSegment::Field(name) => name.clone(),
        PathSegment::Index(index) => index.to_string(),
    });
    segments.collect::<Vec<_>>().join(".")
}

/// What the library says by itself has no code; the server's transports add this one.
fn code(error: &ServerError) -> String {
    let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
    match code {
        Some(async_graphql::Value::String(code)) => code.clone(),
        _ => "BAD_USER_INPUT".to_owned(),
    }
}
