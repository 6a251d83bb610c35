//! The types of parameters, and which texts are values of them.

use crate::cluster::yaml::{Plain, Replacement};
use crate::quantity::Quantity;

/// Maximum size of a value, in bytes.
const MAX_BYTES: usize = 10_000;

/// The type of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterType {
    /// Any text.
    String,
    /// A whole number.
    Int,
    /// A decimal number.
    Number,
    /// `true` or `false`.
    Bool,
    /// A Kubernetes quantity, such as `500m` or `4Gi`.
    Quantity,
    /// One of these texts.
    Enum(Vec<String>),
}

impl ParameterType {
    /// Whether a text is a value of the type.
    ///
    /// # Errors
    /// What it must be, phrased to follow "it must be".
    pub(super) fn check(&self, text: &str) -> Result<(), String> {
        let fits = match self {
            Self::String => !text.contains('\0'),
            Self::Int => number(text).is_some_and(|number| matches!(number, Plain::Int(_)) && is_whole(text)),
            Self::Number => number(text).is_some(),
            Self::Bool => matches!(text, "true" | "false"),
            Self::Quantity => text.parse::<Quantity>().is_ok(),
            Self::Enum(options) => options.iter().any(|option| option == text),
        };
        match fits {
            true if text.len() > MAX_BYTES => Err(format!("at most {MAX_BYTES} bytes long, not {}", text.len())),
            true => Ok(()),
            false if *self == Self::String => Err("a string without the character U+0000".to_owned()),
            false => Err(self.expected()),
        }
    }

    /// What a value must be, phrased to follow "it must be".
    pub(super) fn expected(&self) -> String {
        match self {
            Self::String => "a string".to_owned(),
            Self::Int => "a whole number such as 3".to_owned(),
            Self::Number => "a number such as 3 or 0.5".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Quantity => "a quantity such as 500m or 4Gi".to_owned(),
            Self::Enum(options) => format!("one of {}", options.join(", ")),
        }
    }

    /// A value with which a template is checked that requires one.
    pub(super) fn example(&self) -> String {
        match self {
            Self::String => "example".to_owned(),
            Self::Int | Self::Number | Self::Quantity => "1".to_owned(),
            Self::Bool => "false".to_owned(),
            Self::Enum(options) => options.first().cloned().unwrap_or_default(),
        }
    }

    /// The scalar for a value.
    pub(super) fn scalar(&self, text: &str) -> Replacement {
        let plain = match self {
            Self::Int | Self::Number => number(text),
            Self::Bool => Some(Plain::Bool(text == "true")),
            Self::String | Self::Quantity | Self::Enum(_) => None,
        };
        match plain {
            Some(plain) => Replacement::Plain(plain, text.to_owned()),
            None => Replacement::Text(text.to_owned()),
        }
    }
}

/// A number as JSON writes it, so that `010` is not taken for 8.
fn number(text: &str) -> Option<Plain> {
    let number: serde_json::Number = serde_json::from_str(text).ok()?;
    // A line break around it is no part of it.
    if text.trim() != text {
        return None;
    }
    if let Some(whole) = number.as_i64() {
        return Some(Plain::Int(whole));
    }
    let float = number.as_f64().filter(|float| float.is_finite())?;
    // As in YAML, `1.0` is a whole number. Those that a double holds exactly are enough.
    #[allow(clippy::cast_possible_truncation, reason = "it is whole and within the range")]
    let whole = (float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0).then_some(float as i64);
    Some(whole.map_or(Plain::Float(float), Plain::Int))
}

fn is_whole(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}
