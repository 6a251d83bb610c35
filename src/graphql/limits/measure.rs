//! The measurements of an operation for all limits, and its cost once it is answered. A fragment is measured once
//! however often it is spread, so measuring nested spreads takes time in proportion to their text and not to their
//! expansion.

use std::collections::HashMap;

use async_graphql::{Name, Value, Variables};

use super::plan::{FieldKind, FieldStep, Group, OperationPlan, Plan, Size, Slice, Step, When};
use super::table::as_size;
use crate::graphql::scalars::json_text;
use crate::graphql::written;

/// The maximum nesting of fragments: anything beyond is reported as more fields than any limit allows.
const MAX_NESTED_FRAGMENTS: usize = 200;

/// The measurements of an operation for all limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// The depth of nested fields; introspection (`__schema`, `__type`) counts as one level.
    pub depth: u64,
    /// The number of aliases.
    pub aliases: u64,
    /// Directives.
    pub directives: u64,
    /// The number of root fields.
    pub root_fields: u64,
    /// The number of fields that the response may have, in all its objects together.
    pub fields: u64,
    /// The number of objects in the lists of the response.
    pub nodes: u64,
    /// The points according to `@cost` and `@listSize` in the schema.
    pub cost: u64,
    /// The largest page that is requested of a list.
    pub page_size: u64,
    /// The number of items in the longest list of its input.
    pub list_items: u64,
    /// The part of `cost` for the lists in its input, regardless of the response.
    pub input_cost: u64,
    /// Whether it uses introspection.
    pub introspection: bool,
    /// The nesting of lists of types.
    pub introspection_nesting: u64,
}

impl Usage {
    /// The sum for two selections of the same parent.
    fn beside(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            root_fields: self.root_fields.saturating_add(other.root_fields),
            fields: self.fields.saturating_add(other.fields),
            nodes: self.nodes.saturating_add(other.nodes),
            cost: self.cost.saturating_add(other.cost),
            page_size: self.page_size.max(other.page_size),
            list_items: self.list_items.max(other.list_items),
            input_cost: self.input_cost.saturating_add(other.input_cost),
            introspection: self.introspection || other.introspection,
            introspection_nesting: self.introspection_nesting.max(other.introspection_nesting),
        }
    }

    /// The product for each of `items`. Fields count once even if there is no item, because they have to be checked.
    fn times(self, items: u64) -> Self {
        Self {
            fields: self.fields.saturating_mul(items.max(1)),
            nodes: self.nodes.saturating_mul(items),
            cost: self.cost.saturating_mul(items),
            ..self
        }
    }
}

/// A field that requires exactly one of the arguments that determine the length of its list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnslicedList(pub Name);

/// The variables of a request, and their defaults.
#[derive(Clone, Copy)]
struct Given<'a> {
    variables: &'a Variables,
    defaults: &'a HashMap<Name, Value>,
}

impl<'a> Given<'a> {
    fn get(self, name: &Name) -> Option<&'a Value> {
        self.variables.get(name).or_else(|| self.defaults.get(name))
    }

    /// Whether something is selected. Undecidable conditions count as selected; validation rejects them.
    fn selects(self, when: &When) -> bool {
        let holds = |(name, wanted): &(Name, bool)| match self.get(name) {
            Some(Value::Boolean(given)) => given == wanted,
            _ => true,
        };
        !when.never && when.variables.iter().all(holds)
    }
}

/// A selection: what it costs once, and what it costs for each item of the page that it is a selection of.
#[derive(Clone, Copy, Default)]
struct Measured {
    once: Usage,
    per_item: Usage,
}

impl Measured {
    fn on_page_of(self, items: u64) -> Usage {
        self.once.beside(self.per_item.times(items))
    }

    /// What is skipped in this request costs nothing. It is validated all the same, so its text counts.
    fn left_out(self) -> Self {
        let unpriced = |usage| Usage { nodes: 0, cost: 0, page_size: 0, ..usage };
        Self { once: unpriced(self.once), per_item: unpriced(self.per_item) }
    }
}

struct Walk<'a> {
    plan: &'a Plan,
    given: Given<'a>,
    fragments: Vec<Option<Measured>>,
    nested: usize,
    unsliced: Option<UnslicedList>,
}

/// Measures an operation with these variables.
pub(super) fn measure(plan: &Plan, operation: &OperationPlan, variables: &Variables) -> Result<Usage, UnslicedList> {
    let given = Given { variables, defaults: &operation.defaults };
    let fragments = vec![None; plan.fragments.len()];
    let mut walk = Walk { plan, given, fragments, nested: 0, unsliced: None };
    let usage = walk.group(&operation.selection).on_page_of(1);
    walk.unsliced.map_or(Ok(usage), Err)
}

impl Walk<'_> {
    fn group(&mut self, group: &Group) -> Measured {
        let mut sum = Measured::default();
        sum.once.directives = group.directives;
        for step in &group.steps {
            let (when, measured) = match step {
                Step::Field(field) => (&field.when, self.field(field)),
                Step::Inline(when, group) => (when, self.group(group)),
                Step::Spread { when, directives, fragment } => {
                    let mut measured = self.fragment(*fragment);
                    measured.once.directives = measured.once.directives.saturating_add(*directives);
                    (when, measured)
                }
            };
            let measured = if self.given.selects(when) { measured } else { measured.left_out() };
            sum.once = sum.once.beside(measured.once);
            sum.per_item = sum.per_item.beside(measured.per_item);
        }
        sum
    }

    fn fragment(&mut self, index: usize) -> Measured {
        if let Some(measured) = self.fragments[index] {
            return measured;
        }
        if self.nested >= MAX_NESTED_FRAGMENTS {
            return Measured { once: Usage { fields: u64::MAX, ..Usage::default() }, ..Measured::default() };
        }
        // A fragment that spreads itself finds this empty entry; validation rejects the document.
        self.fragments[index] = Some(Measured::default());
        self.nested += 1;
        let measured = self.group(&self.plan.fragments[index]);
        self.nested -= 1;
        self.fragments[index] = Some(measured);
        measured
    }

    fn field(&mut self, field: &FieldStep) -> Measured {
        let (items, asked) = self.size(field);
        let below = self.group(&field.below).on_page_of(if field.pages { items } else { 1 });
        let introspection = field.kind == FieldKind::Introspection;
        let each = Usage {
            depth: if introspection { 1 } else { below.depth.saturating_add(1) },
            aliases: below.aliases.saturating_add(u64::from(field.aliased)),
            root_fields: 1,
            fields: below.fields.saturating_add(1),
            nodes: below.nodes.saturating_add(u64::from(field.list)),
            cost: below.cost.saturating_add(field.weight),
            page_size: below.page_size.max(asked),
            introspection: introspection || below.introspection,
            introspection_nesting: below
                .introspection_nesting
                .saturating_add(u64::from(field.kind == FieldKind::IntrospectedList)),
            ..below
        };
        if field.sized {
            let per_item = Usage { fields: each.fields, nodes: each.nodes, cost: each.cost, ..Usage::default() };
            let once = Usage { fields: 0, nodes: 0, cost: field.arguments, ..each };
            return Measured { once, per_item };
        }
        let mut once = if field.pages { each } else { each.times(items) };
        once.cost = once.cost.saturating_add(field.arguments);
        Measured { once, per_item: Usage::default() }
    }

    /// The number of objects that a field returns, and the number that was explicitly requested.
    fn size(&mut self, field: &FieldStep) -> (u64, u64) {
        match &field.size {
            Size::One => (1, 0),
            Size::Fixed(items) => (*items, 0),
            Size::Sliced { by, otherwise, require_one } => {
                let said = by.iter().filter_map(|slice| match slice {
                    Slice::Number(items) => Some(*items),
                    Slice::Variable(name) => self.given.get(name).and_then(as_size),
                });
                let (asked, arguments) = said.fold((0, 0), |(most, number), items| (items.max(most), number + 1));
                if arguments != 1
                    && let Some(field) = require_one
                {
                    self.unsliced = Some(UnslicedList(field.clone()));
                }
                (if arguments == 0 { *otherwise } else { asked }, asked)
            }
        }
    }
}

/// The actual cost of a response: each object in it, and each field that is null, for the time it took to find that
/// out. What was not selected in this request is not in the response, so the variables do not matter.
pub(super) fn actual(plan: &Plan, operation: &OperationPlan, answer: &Value) -> u64 {
    let mut points = 0;
    count(plan, &operation.selection, answer, &mut points);
    points
}

fn count(plan: &Plan, group: &Group, parent: &Value, points: &mut u64) {
    for step in &group.steps {
        match step {
            Step::Field(field) if field.free => {}
            Step::Field(field) => {
                let value = match parent {
                    Value::Object(fields) => fields.get(&field.key),
                    // The error of a field removed its whole parent; the field was executed.
                    _ => Some(&Value::Null),
                };
                if let Some(value) = value {
                    *points = points.saturating_add(field.arguments);
                    count_value(plan, field, value, points);
                }
            }
            Step::Inline(_, group) => count(plan, group, parent, points),
            Step::Spread { fragment, .. } => count(plan, &plan.fragments[*fragment], parent, points),
        }
    }
}

fn count_value(plan: &Plan, field: &FieldStep, value: &Value, points: &mut u64) {
    match (value, text_bytes(value)) {
        // The weight is that of the largest possible text.
        (_, Some(bytes)) => {
            let by_size = (bytes / BYTES_A_POINT) as u64 + 1;
            *points = points.saturating_add(field.weight.min(by_size));
        }
        (Value::List(items), None) => items.iter().for_each(|item| count_value(plan, field, item, points)),
        (Value::Object(fields), None) => match written::cost(fields) {
            Some(cost) => *points = points.saturating_add(cost),
            None => {
                *points = points.saturating_add(field.weight);
                count(plan, &field.below, value, points);
            }
        },
        (_, None) => *points = points.saturating_add(field.weight),
    }
}

/// The number of bytes of a text that cost a point.
const BYTES_A_POINT: usize = 16 << 10;

/// The length of a value that has no fields and no size of its own.
fn text_bytes(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.len()),
        value => json_text(value).map(str::len),
    }
}
