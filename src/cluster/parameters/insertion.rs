//! Puts values in the place of `${{ params.NAME }}` in the strings of a document.

use std::collections::HashSet;

use super::declaration::is_of_name;
use super::{ParameterType, Values};
use crate::cluster::yaml::{Found, Node, Problem, Replacement, shown};

/// Maximum size of all values that are put into a document, in bytes: a value can be used often.
const MAX_INSERTED: usize = 1024 * 1024;

/// A document with values in the place of its parameters.
#[derive(Debug)]
pub struct Insertion {
    /// The document.
    pub node: Node,
    /// Every placeholder that cannot be replaced.
    pub problems: Vec<Problem>,
    /// Whether it has placeholders.
    pub is_template: bool,
    /// The paths of strings that contain an example, because a value must be given later. What is wrong with these
    /// strings is not known yet.
    pub examples: HashSet<String>,
}

impl Insertion {
    /// The document with these values.
    pub fn of(node: &Node, values: &Values<'_>) -> Self {
        let (mut problems, mut examples, mut inserted, mut is_template) = (Vec::new(), HashSet::new(), 0, false);
        let mut replace = |found: &Found<'_, '_>| {
            let mut refuse = |what: String| {
                problems.push(Problem { place: found.place, path: found.path(), what });
                None
            };
            let parts = match parts(found.text) {
                Ok(parts) => parts?,
                Err(what) => return refuse(what),
            };
            is_template = true;
            if found.is_key {
                return refuse("has a parameter in its name; parameters can only be used in values".to_owned());
            }
            if matches!(found.path().as_str(), "apiVersion" | "kind") {
                return refuse("cannot contain a parameter: a template always is of the same kind".to_owned());
            }
            let mut scalars = Vec::with_capacity(parts.len());
            for part in parts {
                match part {
                    Part::Text(text) => scalars.push((None, text)),
                    Part::Parameter(name) => {
                        let Some((of_type, value)) = values.values.get(name) else {
                            return refuse(undeclared(name, values));
                        };
                        inserted += value.len();
                        if values.examples.contains(name) {
                            examples.insert(found.path());
                        }
                        scalars.push((Some(*of_type), value.as_str()));
                    }
                }
            }
            if inserted > MAX_INSERTED {
                let what =
                    format!("is beyond the limit: parameters can add at most {MAX_INSERTED} bytes to a document");
                return refuse(what);
            }
            Some(scalar(&scalars, found.is_plain))
        };
        let node = node.rewritten(&mut replace);
        // The first string beyond the limit says enough.
        problems.dedup_by(|second, first| second.what == first.what && second.what.starts_with("is beyond the limit"));
        Self { node, problems, is_template, examples }
    }
}

/// The scalar of these texts, each with the type of the parameter that it is the value of.
fn scalar(texts: &[(Option<&ParameterType>, &str)], is_plain: bool) -> Replacement {
    match texts {
        [(Some(of_type), value)] if is_plain => of_type.scalar(value),
        several => Replacement::Text(several.iter().map(|(_, text)| *text).collect()),
    }
}

fn undeclared(name: &str, values: &Values<'_>) -> String {
    let declared: Vec<&str> = values.values.keys().copied().collect();
    let rest = match declared.as_slice() {
        [] => format!("declare it with a comment: # platform: param {name} string - What it means"),
        declared => format!("the declared parameters are {}", declared.join(", ")),
    };
    format!("uses the parameter {}, which is not declared; {rest}", shown(name))
}

/// A part of a string.
#[derive(Debug, PartialEq, Eq)]
enum Part<'t> {
    Text(&'t str),
    Parameter(&'t str),
}

/// The parts of a string with placeholders; `None` if it has none.
///
/// # Errors
/// A placeholder that cannot be read.
fn parts(text: &str) -> Result<Option<Vec<Part<'_>>>, String> {
    let (mut parts, mut rest, mut searched) = (Vec::new(), text, 0);
    while let Some(at) = rest.get(searched..).and_then(|behind| behind.find("${{")).map(|at| searched + at) {
        let inside = rest[at + 3..].trim_start_matches(' ');
        // Other expressions are none of ours.
        let Some(name) = inside.strip_prefix("params.") else {
            searched = at + 3;
            continue;
        };
        let length = name.bytes().take_while(|byte| is_of_name(*byte)).count();
        let (name, behind) = name.split_at(length);
        let behind = behind.trim_start_matches(' ').strip_prefix("}}").filter(|_| !name.is_empty());
        let behind = behind.ok_or("has a placeholder that cannot be read; it must be ${{ params.NAME }}")?;
        if at > 0 {
            parts.push(Part::Text(&rest[..at]));
        }
        parts.push(Part::Parameter(name));
        (rest, searched) = (behind, 0);
    }
    if parts.is_empty() {
        return Ok(None);
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(Some(parts))
}
