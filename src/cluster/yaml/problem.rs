//! A problem with a document, with its position in the text and its path.

use std::fmt::{self, Write};

/// Maximum number of characters of a value in a message.
const MAX_SHOWN: usize = 80;

/// A position in a text, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

impl From<Place> for (u32, u32) {
    fn from(Place { line, column }: Place) -> Self {
        (line, column)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A problem with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {}{}{what}", .path, if .path.is_empty() { "" } else { " " })]
pub struct Problem {
    /// Its position in the text.
    pub place: Place,
    /// Its path in the document: `spec.containers[0].image`; empty for the document itself.
    pub path: String,
    /// What is wrong, phrased to follow the path.
    pub what: String,
}

/// One step into a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step<'n> {
    /// To the value of this key.
    Key(&'n str),
    /// To this item, counted from 0.
    Item(usize),
}

/// The path that these steps lead to from `from`.
pub(super) fn path_of(from: &str, steps: &[Step<'_>]) -> String {
    let mut path = from.to_owned();
    for step in steps {
        match step {
            Step::Key(key) => push_key(&mut path, key),
            // Writing to a string does not fail.
            Step::Item(index) => drop(write!(path, "[{index}]")),
        }
    }
    path
}

/// Appends a key to a path: `.cpu`, or `["nvidia.com/gpu"]` if it is not a plain word.
pub(super) fn push_key(path: &mut String, key: &str) {
    let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !plain {
        path.push_str(&format!("[{}]", shown(key)));
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(&cut(key));
}

/// A text in quotes, truncated if it is long.
pub fn shown(text: &str) -> String {
    let start: String = text.chars().take(MAX_SHOWN).collect();
    format!("{start:?}{}", if start.len() < text.len() { "…" } else { "" })
}

/// A text without quotes, truncated if it is long.
pub(super) fn cut(text: &str) -> String {
    let start: String = text.chars().take(MAX_SHOWN).filter(|c| !c.is_control()).collect();
    format!("{start}{}", if text.chars().nth(MAX_SHOWN).is_some() { "…" } else { "" })
}
