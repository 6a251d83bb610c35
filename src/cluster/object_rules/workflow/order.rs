//! Dependencies between parts of a template: the dependencies exist, and there is no cycle.

use std::collections::HashMap;

use crate::cluster::pod_rules::report::{At, Report, quoted};
use crate::cluster::yaml::nearest;

/// A task in a graph, or a container in a set.
pub(super) struct Part<'n> {
    pub(super) name: &'n str,
    /// The names of its dependencies.
    pub(super) waits_for: Vec<&'n str>,
}

/// Maximum number of names of a cycle in a message.
const MAX_SHOWN: usize = 10;

/// Checks the parts in the list at `at`; `field` contains the dependencies of a part, and `kind` is its kind.
pub(super) fn check(parts: &[Part<'_>], field: &str, kind: &str, at: &At<'_>, report: &mut Report) {
    let places: HashMap<&str, usize> = parts.iter().enumerate().map(|(index, part)| (part.name, index)).collect();
    let names: Vec<&str> = parts.iter().map(|part| part.name).collect();
    for (index, part) in parts.iter().enumerate() {
        for name in part.waits_for.iter().filter(|name| !places.contains_key(*name)) {
            if report.is_full() {
                return;
            }
            let meant = meant(name, &names);
            report
                .say(&at.item(index).field(field), format!("has {}, which is not a {kind} here{meant}", quoted(name)));
        }
    }
    if let Some(circle) = circle(parts, &places) {
        let mut names: Vec<&str> = circle.iter().map(|index| parts[*index].name).take(MAX_SHOWN).collect();
        if circle.len() > MAX_SHOWN {
            names.push("…");
        }
        names.extend(circle.first().map(|index| parts[*index].name));
        if let Some(first) = circle.first() {
            let why = match circle.as_slice() {
                [_] => format!("has the {kind} itself, which can therefore never start"),
                _ => format!("is a cycle, in which nothing can start: {}", names.join(" → ")),
            };
            report.say(&at.item(*first).field(field), why);
        }
    }
}

/// A suggestion for a misspelled name. Every short name is similar to every other, so those get none.
pub(super) fn meant(name: &str, names: &[&str]) -> String {
    let near = if name.len() > 2 { nearest(name, names) } else { None };
    near.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

/// Parts that depend on each other in a cycle, each on the next.
fn circle(parts: &[Part<'_>], places: &HashMap<&str, usize>) -> Option<Vec<usize>> {
    let waits_for = |index: usize| parts[index].waits_for.iter().filter_map(|name| places.get(name).copied());
    let mut waited_for_by = vec![Vec::new(); parts.len()];
    let mut left: Vec<usize> = (0..parts.len()).map(|index| waits_for(index).count()).collect();
    for index in 0..parts.len() {
        waits_for(index).for_each(|other| waited_for_by[other].push(index));
    }
    let mut free: Vec<usize> = (0..parts.len()).filter(|index| left[*index] == 0).collect();
    while let Some(index) = free.pop() {
        for &other in &waited_for_by[index] {
            left[other] -= 1;
            if left[other] == 0 {
                free.push(other);
            }
        }
    }
    // A part that is not free depends on another that is not free: following them leads back.
    let mut walk = vec![left.iter().position(|left| *left > 0)?];
    let mut visited = vec![false; parts.len()];
    while let Some(&here) = walk.last() {
        visited[here] = true;
        let next = waits_for(here).find(|other| left[*other] > 0)?;
        if visited[next] {
            let start = walk.iter().position(|index| *index == next)?;
            return Some(walk.split_off(start));
        }
        walk.push(next);
    }
    None
}
