//! Fragments that are unused, that contain themselves (specification, sections 5.5.1.4 and 5.5.2.2), or that nest too
//! deeply.

use std::collections::{HashMap, HashSet};

use async_graphql::Name;

use super::{Scope, Scopes, Validator};

/// The maximum nesting of selections, through all fragments: the code that visits them is recursive.
const MOST_NESTED: usize = 64;

/// The state of a fragment during the search for cycles.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Open,
    /// Visited, with the number of levels of selections in it.
    Closed(usize),
}

impl<'a> Validator<'a> {
    /// Checks how fragments are used, and returns the number of levels of selections.
    pub(super) fn fragments(&mut self, scopes: &Scopes<'a>) -> usize {
        let by_name: HashMap<&Name, &Scope<'_>> =
            scopes.fragments.iter().map(|(name, _, scope)| (*name, scope)).collect();
        let mut used = HashSet::new();
        for (_, _, scope) in &scopes.operations {
            reach(scope, &by_name, &mut used);
        }
        for (name, fragment, _) in scopes.fragments.iter().filter(|(name, ..)| !used.contains(name)) {
            self.fault(format!("Fragment \"{name}\" is never used."), [fragment.pos]);
        }
        let mut seen = HashMap::new();
        for (name, _, _) in &scopes.fragments {
            self.cycles(name, &by_name, &mut seen);
        }
        let levels = scopes.operations.iter().map(|(_, _, scope)| levels(scope, &seen)).max().unwrap_or(0);
        if levels > MOST_NESTED {
            self.too_complex("nested selections", MOST_NESTED);
        }
        levels
    }

    /// Searches for spreads that lead from `start` back to itself, without recursion: a chain of fragments may be as
    /// long as the document.
    fn cycles<'s>(
        &mut self,
        start: &'s Name,
        by_name: &HashMap<&'s Name, &'s Scope<'s>>,
        seen: &mut HashMap<&'s Name, Seen>,
    ) {
        if seen.contains_key(start) {
            return;
        }
        let spreads = |name: &Name| by_name.get(name).map_or(&[][..], |scope| &scope.spreads);
        let mut path = vec![(start, spreads(start).iter())];
        seen.insert(start, Seen::Open);
        while let Some((name, rest)) = path.last_mut() {
            let Some((next, pos, _)) = rest.next() else {
                let name = *name;
                let levels = by_name.get(name).map_or(0, |scope| levels(scope, seen));
                seen.insert(name, Seen::Closed(levels));
                path.pop();
                continue;
            };
            match seen.get(next) {
                Some(Seen::Closed(_)) => {}
                Some(Seen::Open) => {
                    let via = path.iter().map(|(name, _)| *name).skip_while(|name| name != next).skip(1);
                    let via: Vec<String> = via.map(|name| format!("\"{name}\"")).collect();
                    let via = if via.is_empty() { String::new() } else { format!(" via {}", via.join(", ")) };
                    self.fault(format!("Fragment \"{next}\" cannot contain itself{via}."), [*pos]);
                }
                None => {
                    seen.insert(next, Seen::Open);
                    path.push((next, spreads(next).iter()));
                }
            }
        }
    }
}

/// Adds the fragments that a scope uses, and those that they use.
pub(super) fn reach<'a>(scope: &Scope<'a>, by_name: &HashMap<&Name, &Scope<'a>>, used: &mut HashSet<&'a Name>) {
    let mut open: Vec<&'a Name> = scope.spreads.iter().map(|(name, ..)| *name).collect();
    while let Some(name) = open.pop() {
        if used.insert(name) {
            open.extend(by_name.get(name).into_iter().flat_map(|scope| &scope.spreads).map(|(name, ..)| *name));
        }
    }
}

/// The number of levels of selections in a scope, with the fragments that were visited.
fn levels(scope: &Scope<'_>, seen: &HashMap<&Name, Seen>) -> usize {
    let through = scope.spreads.iter().map(|(name, _, level)| match seen.get(name) {
        Some(Seen::Closed(within)) => level.saturating_add(*within),
        Some(Seen::Open) | None => *level,
    });
    through.max().unwrap_or(0).max(scope.deepest)
}
