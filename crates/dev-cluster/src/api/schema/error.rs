//! What is wrong with one field, in the words and with the reasons of the Kubernetes API server (`field.Error`).

use serde_json::{Value, json};
use std::fmt;

/// Why a field was refused: the `reason` of a status cause and the first words of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The value is not allowed here.
    Invalid,
    /// The value has the wrong type.
    TypeInvalid,
    /// A required value is missing.
    Required,
    /// The value occurs twice where it must be unique.
    Duplicate,
    /// The value is none of those listed.
    NotSupported,
    /// The value has more bytes than allowed.
    TooLong,
    /// The list or map has more entries than allowed.
    TooMany,
    /// What the value refers to is not there.
    NotFound,
    /// The field may not be set at all.
    Forbidden,
}

impl Reason {
    /// The machine-readable word of a status cause.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Invalid => "FieldValueInvalid",
            Reason::TypeInvalid => "FieldValueTypeInvalid",
            Reason::Required => "FieldValueRequired",
            Reason::Duplicate => "FieldValueDuplicate",
            Reason::NotSupported => "FieldValueNotSupported",
            Reason::TooLong => "FieldValueTooLong",
            Reason::TooMany => "FieldValueTooMany",
            Reason::NotFound => "FieldValueNotFound",
            Reason::Forbidden => "FieldValueForbidden",
        }
    }

    /// Whether CEL rules are not evaluated on an object that was refused for this.
    pub(super) fn blocks_rules(self) -> bool {
        match self {
            Reason::TypeInvalid | Reason::Required | Reason::NotSupported | Reason::TooLong | Reason::TooMany => true,
            Reason::Invalid | Reason::Duplicate | Reason::NotFound | Reason::Forbidden => false,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Reason::Invalid | Reason::TypeInvalid => "Invalid value",
            Reason::Required => "Required value",
            Reason::Duplicate => "Duplicate value",
            Reason::NotSupported => "Unsupported value",
            Reason::TooLong => "Too long",
            Reason::TooMany => "Too many",
            Reason::NotFound => "Not found",
            Reason::Forbidden => "Forbidden",
        }
    }
}

/// One refused field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    /// Where, as in `spec.tasks[0].spec`; empty at the object itself.
    pub path: String,
    /// Why.
    pub reason: Reason,
    /// The refused value as it is shown, where the reason shows one: `0`, `"text"` or `"array"` for what is not a scalar.
    pub shown: Option<String>,
    /// What is allowed.
    pub detail: String,
}

impl FieldError {
    /// An error that shows no value.
    pub fn new(path: impl Into<String>, reason: Reason, detail: impl Into<String>) -> Self {
        FieldError { path: path.into(), reason, shown: None, detail: detail.into() }
    }

    /// An error that shows the refused value the way the API server does: scalars as they are, others by their type.
    pub fn showing(path: impl Into<String>, reason: Reason, value: &Value, detail: impl Into<String>) -> Self {
        let shown = match value {
            Value::Object(_) => "\"object\"".to_owned(),
            Value::Array(_) => "\"array\"".to_owned(),
            scalar => scalar.to_string(),
        };
        FieldError { path: path.into(), reason, shown: Some(shown), detail: detail.into() }
    }

    /// The message without the path: `Invalid value: 0: should be greater than or equal to 1`.
    pub fn message(&self) -> String {
        let mut text = self.reason.words().to_owned();
        if let Some(shown) = &self.shown {
            text.push_str(": ");
            text.push_str(shown);
        }
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text
    }

    /// The entry of a `Status`' `details.causes`.
    pub fn cause(&self) -> Value {
        json!({"reason": self.reason.as_str(), "message": self.message(), "field": self.shown_path()})
    }

    fn shown_path(&self) -> &str {
        if self.path.is_empty() { "<nil>" } else { &self.path }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.shown_path(), self.message())
    }
}

/// The message of a 422 `Status`: `FlashJob.scheduling.flash-sched.io "a" is invalid: spec.tasks: …`,
/// or all errors in brackets where there are several.
pub fn invalid_message(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> String {
    let kind = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
    // The API server says the same thing once, however many checks came to it.
    let mut texts: Vec<String> = Vec::new();
    for error in errors {
        let text = error.to_string();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    match texts.as_slice() {
        [] => format!("{kind} {name:?} is invalid"),
        [one] => format!("{kind} {name:?} is invalid: {one}"),
        several => format!("{kind} {name:?} is invalid: [{}]", several.join(", ")),
    }
}

/// The whole 422 `Status` for an object that breaks its schema.
pub fn invalid_status(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": invalid_message(group, kind, name, errors),
        "reason": "Invalid",
        "details": {
            "name": name, "group": group, "kind": kind,
            "causes": errors.iter().map(FieldError::cause).collect::<Vec<_>>(),
        },
        "code": 422,
    })
}
