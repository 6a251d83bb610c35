//! Values and keys of a payload in messages, truncated if they are long.

use serde_json::Value;

/// A value: scalars as they are, others by their type.
pub fn value(value: &Value) -> String {
    match value {
        Value::Object(_) => "a mapping".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(text) => cut(text, |start| format!("{start:?}")),
        Value::Null | Value::Bool(_) | Value::Number(_) => cut(&value.to_string(), str::to_owned),
    }
}

/// A key, in quotes if it is not a plain word.
pub fn key(key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_/.".contains(&byte));
    if plain { cut(key, str::to_owned) } else { cut(key, |start| format!("{start:?}")) }
}

/// The path step to an entry whose key is chosen by users.
pub fn entry(key: &str) -> String {
    format!("[{}]", cut(key, |start| format!("{start:?}")))
}

fn cut(text: &str, show: impl Fn(&str) -> String) -> String {
    let start: String = text.chars().take(80).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    format!("{}{more}", show(&start))
}
