//! The shape of a response: its fields in the order of the selection, and nulls for fields that failed.
//!
//! The executor returns fields in the order in which they were ready and omits those that failed. The specification
//! requires the order of the selection (section 7.2.2, Serialized Map Ordering), null for a field that failed and, if
//! it cannot be null, null for the nearest parent that can (section 6.4.4, Handling Field Errors).

use async_graphql::indexmap::IndexMap;
use async_graphql::{Name, PathSegment, Response, Value};

use super::collect::NOTHING;
use super::limits::plan::{FieldStep, Group, OperationPlan, Plan, Step};
use super::written;

/// Deeper than any accepted operation; a fragment that contains itself ends here.
const DEEPEST: usize = 64;

/// The fields of a selection set, by response name.
#[derive(Debug, Default)]
pub struct Shape(IndexMap<Name, Expected, foldhash::fast::RandomState>);

/// An expected field.
#[derive(Debug, Default)]
struct Expected {
    /// Whether it is nullable, whether the items of its list are, whether theirs are, and so on.
    nullable: Box<[bool]>,
    below: Shape,
}

/// What is added to a shape: what may be selected, or also what literal conditions exclude.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Selected {
    Possibly,
    Never,
}

/// The effect of a failed field on the value that contains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Stays,
    BecomesNull,
}

impl Shape {
    /// The shape of the responses to this operation of `plan`.
    pub(super) fn of(operation: &OperationPlan, plan: &Plan) -> Self {
        let mut shape = Self::default();
        // What a literal condition excludes has no position among the others (section 6.3.2, CollectFields). It is
        // added all the same: a field without subfields is a leaf.
        shape.add(&operation.selection, plan, Selected::Possibly, 0);
        shape.add(&operation.selection, plan, Selected::Never, 0);
        shape
    }

    fn add(&mut self, group: &Group, plan: &Plan, selected: Selected, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        for step in &group.steps {
            match step {
                Step::Field(FieldStep { when, .. }) | Step::Inline(when, _) | Step::Spread { when, .. }
                    if when.never && selected == Selected::Possibly => {}
                Step::Field(field) => {
                    let expected = self.0.entry(field.key.clone()).or_default();
                    expected.nullable.clone_from(&field.nullable);
                    expected.below.add(&field.below, plan, selected, depth + 1);
                }
                Step::Inline(_, group) => self.add(group, plan, selected, depth + 1),
                Step::Spread { fragment, .. } => self.add(&plan.fragments[*fragment], plan, selected, depth + 1),
            }
        }
    }

    /// Brings a response into this shape.
    pub fn settle(&self, response: &mut Response) {
        self.fail_all(response);
        self.sort(&mut response.data);
    }

    /// Has every failure take its effect.
    pub(super) fn fail_all(&self, response: &mut Response) {
        let paths = || response.errors.iter().map(|error| error.path.as_slice()).filter(|path| !path.is_empty());
        // An object in which every field failed is returned as null. The nullable fields are processed first and
        // restore it, unless it failed itself, so that null is left only for what is not nullable.
        paths().for_each(|path| self.put_null(&mut response.data, path, true));
        paths().for_each(|path| self.put_null(&mut response.data, path, false));
        for path in paths() {
            if self.fail(&mut response.data, path) == Effect::BecomesNull {
                response.data = Value::Null;
            }
        }
    }

    /// Sets null at `path`, if it is nullable; on the way there, it restores what was returned as null, if possible.
    fn put_null(&self, value: &mut Value, path: &[PathSegment], brings_back: bool) {
        let [PathSegment::Field(name), rest @ ..] = path else { return };
        let Some(expected) = self.0.get(name.as_str()) else { return };
        if rest.is_empty() && !expected.may_be_null(0) {
            return;
        }
        if brings_back && *value == Value::Null && self.allows_null(path) {
            *value = Value::Object(IndexMap::new());
        }
        let Value::Object(fields) = value else { return };
        match (fields.get_mut(name.as_str()), rest) {
            (None, []) => drop(fields.insert(Name::new(name), Value::Null)),
            (Some(field), []) => *field = Value::Null,
            (None, _) => {}
            (Some(field), rest) => expected.put_null(field, rest, brings_back),
        }
    }

    /// Whether `path` leads to a nullable field.
    fn allows_null(&self, path: &[PathSegment]) -> bool {
        let mut fields = path.iter().filter_map(|segment| match segment {
            PathSegment::Field(name) => Some(name.as_str()),
            PathSegment::Index(_) => None,
        });
        let ends_in_field = matches!(path.last(), Some(PathSegment::Field(_)));
        let first = fields.next().and_then(|name| self.0.get(name));
        let last = fields.fold(first, |expected, name| expected?.below.0.get(name));
        ends_in_field && last.is_some_and(|expected| expected.may_be_null(0))
    }

    /// Applies the failure at `path` within `value`, an object of this shape.
    fn fail(&self, value: &mut Value, path: &[PathSegment]) -> Effect {
        let [PathSegment::Field(name), rest @ ..] = path else { return Effect::Stays };
        let Some(expected) = self.0.get(name.as_str()) else { return Effect::Stays };
        let Value::Object(fields) = value else {
            return if *value == Value::Null { Effect::BecomesNull } else { Effect::Stays };
        };
        let effect = match fields.get_mut(name.as_str()) {
            None => Effect::BecomesNull,
            Some(field) => expected.fail(field, rest, 0),
        };
        match effect {
            Effect::BecomesNull if expected.may_be_null(0) => {
                fields.insert(Name::new(name), Value::Null);
                Effect::Stays
            }
            effect => effect,
        }
    }

    /// Orders the fields of `value`.
    pub(super) fn sort(&self, value: &mut Value) {
        // What was written directly was written in this order.
        if written::settle(value) {
            return;
        }
        match value {
            Value::List(items) => items.iter_mut().for_each(|item| self.sort(item)),
            // A scalar that is an object has its own order.
            Value::Object(fields) if self.0.keys().eq(fields.keys()) => {
                fields.values_mut().zip(self.0.values()).for_each(|(field, expected)| expected.below.sort(field));
            }
            Value::Object(fields) if !self.0.is_empty() => {
                let mut ordered = IndexMap::with_capacity(fields.len());
                for (key, expected) in &self.0 {
                    if let Some(mut field) = fields.swap_remove(key) {
                        expected.below.sort(&mut field);
                        ordered.insert(key.clone(), field);
                    }
                }
                // Nothing was selected, and that is what is returned.
                fields.swap_remove(NOTHING);
                ordered.append(fields);
                *fields = ordered;
            }
            _ => {}
        }
    }
}

impl Expected {
    /// Whether it is nullable at this depth of its lists. Anything that the schema does not contain is.
    fn may_be_null(&self, depth: usize) -> bool {
        self.nullable.get(depth).copied().unwrap_or(true)
    }

    fn put_null(&self, value: &mut Value, path: &[PathSegment], brings_back: bool) {
        match (value, path) {
            (Value::List(items), [PathSegment::Index(index), rest @ ..]) => {
                items.get_mut(*index).into_iter().for_each(|item| self.put_null(item, rest, brings_back));
            }
            (value, path) => self.below.put_null(value, path, brings_back),
        }
    }

    /// Like [`Shape::fail`], for the value of the field, or at some depth of its lists.
    fn fail(&self, value: &mut Value, path: &[PathSegment], depth: usize) -> Effect {
        match (value, path) {
            (_, []) => Effect::Stays,
            (Value::Null, _) => Effect::BecomesNull,
            (Value::List(items), [PathSegment::Index(index), rest @ ..]) => {
                let Some(item) = items.get_mut(*index) else { return Effect::Stays };
                match self.fail(item, rest, depth + 1) {
                    Effect::BecomesNull if self.may_be_null(depth + 1) => {
                        *item = Value::Null;
                        Effect::Stays
                    }
                    effect => effect,
                }
            }
            (value, path) => self.below.fail(value, path),
        }
    }
}
