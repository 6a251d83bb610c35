//! The costs of the fields of an operation, to count the cost of a response without looking into it.

use async_graphql::Name;

use super::plan::{FieldStep, Group, Plan, Step};

/// The maximum nesting of fragments; validation rejects fragments that contain themselves.
const DEEPEST: usize = 64;

/// The costs of the selection at one place of an operation.
#[derive(Debug)]
pub(in crate::graphql) struct Weights<'p> {
    plan: &'p Plan,
    groups: Vec<&'p Group>,
}

/// The cost of a field, as [`super::measure::actual`] counts it in a response.
#[derive(Debug)]
pub(in crate::graphql) struct Found<'p> {
    /// The cost of each object that it returns.
    pub each: u64,
    /// The cost of each execution.
    pub arguments: u64,
    /// How often it is selected; each time counts.
    selections: usize,
    /// The selection below it.
    pub below: Weights<'p>,
}

impl<'p> Weights<'p> {
    /// The costs of the fields of `selection`.
    pub fn new(plan: &'p Plan, selection: &'p Group) -> Self {
        Self { plan, groups: vec![selection] }
    }

    /// The field with this response name.
    pub fn field(&self, key: &str) -> Found<'p> {
        let below = Self { plan: self.plan, groups: Vec::new() };
        let mut found = Found { each: 0, arguments: 0, selections: 0, below };
        self.groups.iter().for_each(|group| found.add(group, key, 0));
        found
    }

    /// The field at the end of this path, if it is selected once.
    pub fn at<'k>(self, path: &mut impl Iterator<Item = &'k str>) -> Option<Found<'p>> {
        let mut found = self.field(path.next()?);
        for key in path {
            found = found.below.field(key);
        }
        (found.selections == 1).then_some(found)
    }
}

impl<'p> Found<'p> {
    fn add(&mut self, group: &'p Group, key: &str, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        for step in &group.steps {
            match step {
                Step::Field(field) if is_named(&field.key, key) => self.add_field(field),
                Step::Field(_) => {}
                Step::Inline(_, group) => self.add(group, key, depth + 1),
                Step::Spread { fragment, .. } => {
                    let plan = self.below.plan;
                    self.add(&plan.fragments[*fragment], key, depth + 1);
                }
            }
        }
    }

    fn add_field(&mut self, field: &'p FieldStep) {
        self.selections += 1;
        self.each += field.weight;
        self.arguments += field.arguments;
        if !field.below.steps.is_empty() {
            self.below.groups.push(&field.below);
        }
    }
}

fn is_named(name: &Name, key: &str) -> bool {
    name.as_str() == key
}
