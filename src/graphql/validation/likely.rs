//! Suggestions for misspelled names.

use async_graphql::Name;

use super::types::{Inputs, TypeRule, TypeSystem, named};

/// The maximum number of suggestions.
const SUGGESTED: usize = 3;

/// ` Did you mean "…"?` with the names that are most similar to `given`, or nothing.
/// `graphql::errors::without_suggestions` removes it again for callers that cannot query the schema.
pub(in crate::graphql) fn did_you_mean<'n>(given: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    // Longer ones are not typing errors, and comparing them takes long.
    if given.len() > 100 {
        return String::new();
    }
    let allowed = given.len() * 2 / 5 + 1;
    let mut likely: Vec<(usize, &str)> = names
        .into_iter()
        .filter(|name| !name.starts_with("__") && name.len().abs_diff(given.len()) <= allowed)
        .map(|name| (distance(given, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    likely.sort_unstable();
    likely.truncate(SUGGESTED);
    one_of(likely.into_iter().map(|(_, name)| name))
}

/// Like [`did_you_mean`], for a field that an input object does not have. If one of its fields has it, it was probably moved
/// there: ` Did you mean "source.spec"?`.
pub(in crate::graphql) fn input_field(types: &TypeSystem, given: &str, fields: &Inputs) -> String {
    let within = fields.iter().filter(|(_, rule)| {
        matches!(types.rule(named(&rule.ty)), Some(TypeRule::Input { fields, .. }) if fields.contains_key(given))
    });
    let within: Vec<String> = within.map(|(field, _)| format!("{field}.{given}")).take(SUGGESTED).collect();
    match within.is_empty() {
        true => did_you_mean(given, fields.keys().map(Name::as_str)),
        false => one_of(within.iter().map(String::as_str)),
    }
}

/// ` Did you mean "a", "b" or "c"?`
pub(super) fn one_of<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("\"{name}\"")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => format!(" Did you mean {one}?"),
        [some @ .., last] => format!(" Did you mean {} or {last}?", some.join(", ")),
    }
}

/// The number of letters that have to be inserted, deleted, replaced or swapped with their neighbor to turn `one` into
/// the `other`, ignoring case.
fn distance(one: &str, other: &str) -> usize {
    let (one, other) = (one.to_ascii_lowercase().into_bytes(), other.to_ascii_lowercase().into_bytes());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, &a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &b) in other.iter().enumerate() {
            let mut least = (last[j] + usize::from(a != b)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a == other[j - 1] && one[i - 1] == b {
                least = least.min(before_last[j - 1] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_slip_away_is_suggested_and_nothing_else() {
        let names = ["viewer", "viewers", "project", "__schema"];
        assert_eq!(did_you_mean("veiwer", names), r#" Did you mean "viewer" or "viewers"?"#);
        assert_eq!(did_you_mean("Projects", names), r#" Did you mean "project"?"#);
        assert_eq!(did_you_mean("cluster", names), "");
        assert_eq!(did_you_mean("_schema", names), "");
    }
}
