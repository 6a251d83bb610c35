//! Human-readable names of Kubernetes' types and of expected values.

use super::node::{Content, Node};
use super::problem::{cut, shown};
use super::scalar::{Plain, Resolved, untagged};

/// The type in words, with its article: `HTTPGetAction` is "an HTTP get action".
pub(super) fn of_type(name: &str) -> String {
    match name {
        "ObjectMeta" => return "metadata".to_owned(),
        "EnvVar" => return "an environment variable".to_owned(),
        "ResourceRequirements" | "VolumeResourceRequirements" => return "resource requirements".to_owned(),
        "Inputs" | "Outputs" | "Arguments" | "Metrics" => return name.to_lowercase(),
        "EnvVarSource" => return "the source of an environment variable".to_owned(),
        _ => {}
    }
    let kind = ["FlashJob", "CronJob", "ConfigMap", "PersistentVolumeClaim"].into_iter().find(|kind| {
        name.strip_prefix(kind).is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_uppercase()))
    });
    let mut words: Vec<String> = kind.into_iter().map(str::to_owned).collect();
    let rest: Vec<char> = name[kind.map_or(0, str::len)..].chars().collect();
    let mut start = 0;
    for at in 1..=rest.len() {
        let ends = at == rest.len()
            || (rest[at].is_uppercase()
                && (rest[at - 1].is_lowercase() || rest.get(at + 1).is_some_and(|next| next.is_lowercase())));
        if ends {
            let word: String = rest[start..at].iter().collect();
            let acronym = at - start > 1 && rest[start..at].iter().all(|c| c.is_uppercase());
            words.push(if acronym { word } else { word.to_lowercase() });
            start = at;
        }
    }
    let words = words.join(" ");
    let vowel = words.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']) || words.starts_with("HTTP");
    format!("{} {words}", if vowel { "an" } else { "a" })
}

/// What a visitor expects, in words.
pub(super) fn expected(by_visitor: &str) -> String {
    match by_visitor {
        "Quantity" => "a quantity such as 500m or 2Gi".to_owned(),
        "IntOrString" => "a whole number or a string".to_owned(),
        "Time" | "MicroTime" => "a time such as \"2026-01-31T08:00:00Z\"".to_owned(),
        "ByteString" => "base64 in a string".to_owned(),
        other => other.to_owned(),
    }
}

/// The name that `key` was probably meant to be, if one is similar.
pub(in crate::cluster) fn nearest<'f>(key: &str, fields: &[&'f str]) -> Option<&'f str> {
    let lower = key.to_lowercase();
    if lower.chars().count() > 64 {
        return None;
    }
    let most = (lower.chars().count() / 3).clamp(1, 3);
    let distance = |field: &&str| strsim::damerau_levenshtein(&lower, &field.to_lowercase());
    fields.iter().map(|field| (distance(field), *field)).filter(|(far, _)| *far <= most).min().map(|(_, field)| field)
}

/// A value in a message: what it is, and how it was written if that differs.
pub(super) fn of_value(node: &Node) -> String {
    let (value, written) = match &node.content {
        Content::Text(text) => return shown(text),
        Content::List(_) => return "a list".to_owned(),
        Content::Map(_) => return "a mapping".to_owned(),
        Content::Plain(Plain::Null, _) => return "null".to_owned(),
        Content::Plain(Plain::Bool(value), written) => (value.to_string(), written),
        Content::Plain(Plain::Int(value), written) => (value.to_string(), written),
        Content::Plain(Plain::Float(value), written) => (value.to_string(), written),
    };
    if value == **written { value } else { format!("{} (written {})", cut(&value), cut(written)) }
}

/// Whether it would be a number without quotes.
pub(super) fn reads_as_number(text: &str) -> bool {
    matches!(untagged(text), Resolved::Int(_) | Resolved::Large(_) | Resolved::Float(_))
}

/// Whether it would be a boolean without quotes.
pub(super) fn reads_as_bool(text: &str) -> bool {
    matches!(untagged(text), Resolved::Bool(_))
}
