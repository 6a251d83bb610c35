//! Fields with the same response name must be the same field (specification, section 5.3.2, Field Selection Merging).
//!
//! Comparing all pairs of fields takes quadratic time. Instead, fields are grouped by response name, and each field of
//! a group is compared with the first one, as described by XING
//! (<https://tech.new-work.se/graphql-overlapping-fields-can-be-merged-fast-ea6e92e0a01>): once for their types, which
//! must agree whatever object they are on, and once for their names and arguments, among those that can be on the same
//! object. A set of fields is visited once however many paths lead to it, and what remains is bounded.

use std::collections::HashSet;

use async_graphql::indexmap::{IndexMap, IndexSet};
use async_graphql::parser::types::{BaseType, Field, Selection, SelectionSet, Type};
use async_graphql::{Name, Positioned};

use super::Validator;
use super::types::{FieldRule, named};

/// The number of fields that are visited for a document, most of them more than once.
const MOST_LOOKS: usize = 100_000;

/// A field with the type that it is selected on.
#[derive(Clone, Copy)]
struct Selected<'a> {
    on: &'a Name,
    field: &'a Positioned<Field>,
    rule: &'a FieldRule,
}

type Group<'a> = Vec<Selected<'a>>;

/// Two fields that cannot be merged, and why.
struct Conflict<'a> {
    path: Vec<&'a Name>,
    reason: String,
    fields: [Selected<'a>; 2],
}

struct Overlap<'v, 'a> {
    validator: &'v Validator<'a>,
    seen: [HashSet<Vec<*const Field>>; 2],
    conflicts: Vec<Conflict<'a>>,
    path: Vec<&'a Name>,
    looks: usize,
    repeats: bool,
}

/// The aspect that is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Types,
    Arguments,
}

impl<'a> Validator<'a> {
    /// Reports fields that cannot be merged; returns whether any can.
    pub(super) fn overlap(&mut self) -> bool {
        let mut overlap = Overlap {
            validator: self,
            seen: Default::default(),
            conflicts: Vec::new(),
            path: Vec::new(),
            looks: 0,
            repeats: false,
        };
        for (_, operation) in overlap.validator.document.operations.iter() {
            if let Some(root) = overlap.validator.types.root(operation.node.ty) {
                let fields = overlap.collect(&[(root, &operation.node.selection_set.node)]);
                overlap.compare(&fields, Pass::Arguments);
                overlap.compare(&fields, Pass::Types);
            }
        }
        let Overlap { conflicts, looks, repeats, .. } = overlap;
        if looks > MOST_LOOKS {
            self.too_complex("fields that are compared", MOST_LOOKS);
        }
        let mut told = HashSet::new();
        for Conflict { path, reason, fields } in conflicts {
            let places = fields.map(|selected| selected.field.pos);
            // Fields with different arguments may have different types as well.
            if told.insert(places.map(|pos| (pos.line, pos.column))) {
                let path: Vec<&str> = path.iter().map(|name| name.as_str()).collect();
                let message = format!(
                    "Fields \"{}\" conflict because {reason}. Use different aliases on the fields to fetch both if this was intentional.",
                    path.join(".")
                );
                self.fault(message, places);
            }
        }
        repeats
    }
}

impl<'a> Overlap<'_, 'a> {
    /// The fields of these selection sets, including those of the fragments in them.
    fn collect(&mut self, sets: &[(&'a Name, &'a SelectionSet)]) -> Group<'a> {
        let (mut fields, mut spread) = (Vec::new(), HashSet::new());
        for (on, set) in sets {
            self.collect_from(on, set, &mut fields, &mut spread);
        }
        self.looks += fields.len() + spread.len();
        fields
    }

    fn collect_from(
        &self,
        on: &'a Name,
        set: &'a SelectionSet,
        fields: &mut Group<'a>,
        spread: &mut HashSet<&'a Name>,
    ) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let rule = self.validator.types.field(on, &field.node.name.node);
                    fields.extend(rule.map(|rule| Selected { on, field, rule }));
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let on = condition.map_or(on, |condition| &condition.node.on.node);
                    self.collect_from(on, &fragment.node.selection_set.node, fields, spread);
                }
                Selection::FragmentSpread(one) => {
                    let name = &one.node.fragment_name.node;
                    if let Some(fragment) = self.validator.document.fragments.get(name)
                        && spread.insert(name)
                    {
                        let on = &fragment.node.type_condition.node.on.node;
                        self.collect_from(on, &fragment.node.selection_set.node, fields, spread);
                    }
                }
            }
        }
    }

    /// Compares fields with the same name among these and below them.
    fn compare(&mut self, fields: &[Selected<'a>], pass: Pass) {
        let mut same: Vec<*const Field> =
            fields.iter().map(|selected| std::ptr::from_ref(&selected.field.node)).collect();
        same.sort_unstable();
        if self.looks > MOST_LOOKS || !self.seen[usize::from(pass == Pass::Types)].insert(same) {
            return;
        }
        let mut groups: IndexMap<&'a Name, Group<'a>> = IndexMap::new();
        for selected in fields {
            groups.entry(&selected.field.node.response_key().node).or_default().push(*selected);
        }
        for (key, group) in groups {
            self.path.push(key);
            self.repeats |= group.len() > 1;
            match pass {
                Pass::Types => self.compare_group(&group, pass),
                Pass::Arguments => self.by_object(&group).iter().for_each(|group| self.compare_group(group, pass)),
            }
            self.path.pop();
        }
    }

    /// The fields that can be on the same object: those of each object type with those of all abstract types.
    fn by_object(&self, group: &[Selected<'a>]) -> Vec<Group<'a>> {
        let is_object = |selected: &&Selected<'a>| self.validator.types.is_object(selected.on);
        let objects: IndexSet<&Name> = group.iter().filter(is_object).map(|selected| selected.on).collect();
        if objects.len() < 2 {
            return vec![group.to_vec()];
        }
        let among = |object: &Name| {
            let among = group.iter().filter(|selected| selected.on == object || !is_object(selected));
            among.copied().collect()
        };
        objects.into_iter().map(among).collect()
    }

    fn compare_group(&mut self, group: &[Selected<'a>], pass: Pass) {
        let Some((first, others)) = group.split_first() else { return };
        self.looks += others.len();
        let conflict = others.iter().find_map(|other| {
            let reason = match pass {
                Pass::Arguments => different(&first.field.node, &other.field.node),
                Pass::Types => {
                    let (one, other) = (&first.rule.ty, &other.rule.ty);
                    (!self.agree(one, other))
                        .then(|| format!("they return conflicting types \"{one}\" and \"{other}\""))
                }
            };
            reason.map(|reason| Conflict { path: self.path.clone(), reason, fields: [*first, *other] })
        });
        if let Some(conflict) = conflict {
            self.conflicts.push(conflict);
            return;
        }
        let below = |selected: &Selected<'a>| (named(&selected.rule.ty), &selected.field.node.selection_set.node);
        let below: Vec<_> = group.iter().map(below).filter(|(_, set)| !set.items.is_empty()).collect();
        if !below.is_empty() {
            let fields = self.collect(&below);
            self.compare(&fields, pass);
        }
    }

    /// Whether values of these types have the same shape in the response.
    fn agree(&self, one: &Type, other: &Type) -> bool {
        one.nullable == other.nullable
            && match (&one.base, &other.base) {
                (BaseType::List(one), BaseType::List(other)) => self.agree(one, other),
                (BaseType::Named(one), BaseType::Named(other)) => {
                    let types = self.validator.types;
                    one == other || (types.is_composite(one) && types.is_composite(other))
                }
                (BaseType::List(_), BaseType::Named(_)) | (BaseType::Named(_), BaseType::List(_)) => false,
            }
    }
}

/// Why these are not the same field with the same arguments, if they are not.
fn different(one: &Field, other: &Field) -> Option<String> {
    if one.name.node != other.name.node {
        return Some(format!("\"{}\" and \"{}\" are different fields", one.name.node, other.name.node));
    }
    let among = |field: &Field, others: &Field| {
        field
            .arguments
            .iter()
            .all(|(name, value)| others.get_argument(&name.node).is_some_and(|other| other.node == value.node))
    };
    let same = one.arguments.len() == other.arguments.len() && among(one, other);
    (!same).then(|| "they have differing arguments".to_owned())
}
