//! Parts of a template that wait for each other: those that are waited for exist, and there is an order.

use std::collections::HashMap;

use crate::cluster::pod_rules::report::{At, Report, quoted};
use crate::cluster::yaml::nearest;

/// A task of a graph, or a container of a set.
pub(super) struct Part<'n> {
    pub(super) name: &'n str,
    /// The names of those that it waits for.
    pub(super) waits_for: Vec<&'n str>,
}

/// Names that a sentence shows of a circle at most.
const MAX_SHOWN: usize = 10;

/// Looks at a list of parts, which stands at `at`; `field` says whom a part waits for, and `kind` is what it is.
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

/// The question whether a name that is there was meant. Every short name is near to every other.
pub(super) fn meant(name: &str, names: &[&str]) -> String {
    let near = if name.len() > 2 { nearest(name, names) } else { None };
    near.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

/// Parts that wait for each other all around, each for the next.
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
    // Whoever is not free waits for one that is not free either: who follows them comes back.
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
