//! A document, prepared once for being measured again and again: what depends on nothing but its text is looked up
//! here, what depends on variables is left open.

use std::collections::HashMap;
use std::convert::Infallible;

use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, Value};

use super::table::{CostTable, FieldRule, as_size};

/// What asking for the schema costs: it is put together anew each time.
const INTROSPECTION_WEIGHT: u64 = 100;

/// The prepared operations of a document.
#[derive(Debug)]
pub(in crate::graphql) struct Plan {
    pub operations: Vec<(Option<Name>, OperationPlan)>,
    /// Each fragment once, however often it is spread.
    pub fragments: Vec<Group>,
}

/// One operation.
#[derive(Debug)]
pub(in crate::graphql) struct OperationPlan {
    pub selection: Group,
    pub defaults: HashMap<Name, Value>,
}

/// A selection set with the directives on whatever it belongs to.
#[derive(Debug, Default)]
pub(in crate::graphql) struct Group {
    pub steps: Vec<Step>,
    pub directives: u64,
}

/// One selection.
#[derive(Debug)]
pub(in crate::graphql) enum Step {
    Field(FieldStep),
    Inline(When, Group),
    Spread { when: When, directives: u64, fragment: usize },
}

/// A field.
#[derive(Debug)]
pub(in crate::graphql) struct FieldStep {
    pub when: When,
    /// Its name in the answer.
    pub key: Name,
    pub kind: FieldKind,
    /// Whether it may be null, whether the items of its list may be, and so on.
    pub nullable: Box<[bool]>,
    pub aliased: bool,
    /// Points for each thing it gives.
    pub weight: u64,
    /// Points for its arguments, once.
    pub arguments: u64,
    /// Whether it gives a list of objects.
    pub list: bool,
    /// Whether its list is as long as the page of the field above.
    pub sized: bool,
    /// How many things it gives.
    pub size: Size,
    /// Whether that many are in the lists of its fields, and it gives one thing.
    pub pages: bool,
    /// Whether neither it nor anything below it costs anything.
    pub free: bool,
    pub below: Group,
}

/// What a field is to the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::graphql) enum FieldKind {
    Ordinary,
    /// `__schema`, `__type`.
    Introspection,
    /// A list of types within introspection.
    IntrospectedList,
}

/// Under which variables something is selected: all of these have these values.
#[derive(Debug, Default)]
pub(in crate::graphql) struct When {
    pub never: bool,
    pub variables: Vec<(Name, bool)>,
}

/// How many things a field gives.
#[derive(Debug)]
pub(in crate::graphql) enum Size {
    One,
    Fixed(u64),
    /// What the arguments say, or else this many.
    Sliced {
        by: Vec<Slice>,
        otherwise: u64,
        require_one: Option<Name>,
    },
}

/// An argument that says how many.
#[derive(Debug)]
pub(in crate::graphql) enum Slice {
    Number(u64),
    Variable(Name),
}

impl Plan {
    /// Prepares a document. What the table does not know costs nothing: validation refuses it.
    pub fn of(document: &ExecutableDocument, table: &CostTable) -> Self {
        let names: HashMap<&str, usize> = document.fragments.keys().map(Name::as_str).zip(0..).collect();
        let compiler = Compiler { table, fragments: names };
        let mut fragments: Vec<Group> = Vec::new();
        fragments.resize_with(document.fragments.len(), Group::default);
        for (name, fragment) in &document.fragments {
            let on = fragment.node.type_condition.node.on.node.as_str();
            let group = compiler.group(&fragment.node.selection_set.node, Some(on), &fragment.node.directives);
            if let Some(index) = compiler.fragments.get(name.as_str()) {
                fragments[*index] = group;
            }
        }
        let prepared = |(name, operation): (Option<&Name>, &Positioned<OperationDefinition>)| {
            (name.cloned(), compiler.operation(&operation.node))
        };
        Self { operations: document.operations.iter().map(prepared).collect(), fragments }
    }
}

struct Compiler<'a> {
    table: &'a CostTable,
    fragments: HashMap<&'a str, usize>,
}

impl Compiler<'_> {
    fn operation(&self, operation: &OperationDefinition) -> OperationPlan {
        let on = self.table.root(operation.ty).map(Name::as_str);
        let selection = self.group(&operation.selection_set.node, on, &operation.directives);
        let defaults = operation.variable_definitions.iter().filter_map(|definition| {
            let default = definition.node.default_value.as_ref()?;
            Some((definition.node.name.node.clone(), default.node.clone()))
        });
        OperationPlan { selection, defaults: defaults.collect() }
    }

    fn group(&self, set: &SelectionSet, on: Option<&str>, directives: &[Positioned<Directive>]) -> Group {
        let steps = set.items.iter().map(|selection| match &selection.node {
            Selection::Field(field) => Step::Field(self.field(&field.node, on)),
            Selection::InlineFragment(fragment) => {
                let fragment = &fragment.node;
                let on = fragment.type_condition.as_ref().map(|condition| condition.node.on.node.as_str()).or(on);
                let group = self.group(&fragment.selection_set.node, on, &fragment.directives);
                Step::Inline(When::of(&fragment.directives), group)
            }
            Selection::FragmentSpread(spread) => {
                let spread = &spread.node;
                let when = When::of(&spread.directives);
                match self.fragments.get(spread.fragment_name.node.as_str()) {
                    Some(&fragment) => Step::Spread { when, directives: spread.directives.len() as u64, fragment },
                    None => Step::Inline(when, Group::default()),
                }
            }
        });
        Group { steps: steps.collect(), directives: directives.len() as u64 }
    }

    fn field(&self, field: &Field, on: Option<&str>) -> FieldStep {
        let name = field.name.node.as_str();
        let rule = on.and_then(|on| self.table.field(on, name));
        let kind = match name {
            "__schema" | "__type" => FieldKind::Introspection,
            "fields" | "interfaces" | "possibleTypes" | "inputFields" if rule.is_none() => FieldKind::IntrospectedList,
            _ => FieldKind::Ordinary,
        };
        let sizes = rule.and_then(|rule| rule.size.as_ref());
        let given = rule.map_or(&[][..], |rule| &rule.arguments);
        let arguments = given.iter().filter(|(name, _)| field.get_argument(name).is_some()).map(|(_, weight)| weight);
        let arguments = arguments.sum();
        let weight = match kind {
            FieldKind::Introspection => INTROSPECTION_WEIGHT,
            _ => rule.map_or(0, |rule| rule.weight),
        };
        let returns = rule.map(|rule| rule.returns.as_str());
        let below = self.group(&field.selection_set.node, returns, &field.directives);
        let free = weight == 0
            && arguments == 0
            && below.steps.iter().all(|step| matches!(step, Step::Field(field) if field.free));
        FieldStep {
            when: When::of(&field.directives),
            key: field.response_key().node.clone(),
            kind,
            nullable: rule.map(|rule| rule.nullable.clone()).unwrap_or_default(),
            aliased: field.alias.is_some(),
            weight,
            arguments,
            list: rule.is_some_and(|rule| rule.list && rule.objects),
            sized: rule.is_some_and(|rule| rule.sized),
            size: size(field, rule),
            pages: sizes.is_some_and(|sizes| !sizes.sized_fields.is_empty()),
            free,
            below,
        }
    }
}

fn size(field: &Field, rule: Option<&FieldRule>) -> Size {
    let Some(size) = rule.and_then(|rule| rule.size.as_ref()) else { return Size::One };
    let by: Vec<Slice> = size
        .slicing
        .iter()
        .filter_map(|argument| {
            let mut variable = None;
            let given = field.get_argument(argument)?.node.clone().into_const_with::<Infallible>(|name| {
                variable = Some(name);
                Ok(Value::Null)
            });
            match (given, variable) {
                (Ok(Value::Null), Some(name)) => Some(Slice::Variable(name)),
                (Ok(given), _) => as_size(&given).map(Slice::Number),
            }
        })
        .collect();
    let otherwise = size.assumed.unwrap_or(1);
    let require_one = size.require_one.then(|| field.name.node.clone());
    if by.is_empty() && require_one.is_none() {
        return Size::Fixed(otherwise);
    }
    Size::Sliced { by, otherwise, require_one }
}

impl When {
    fn of(directives: &[Positioned<Directive>]) -> Self {
        let mut when = Self::default();
        for directive in directives.iter().map(|directive| &directive.node) {
            let wanted = match directive.name.node.as_str() {
                "include" => true,
                "skip" => false,
                _ => continue,
            };
            let Some(condition) = directive.get_argument("if") else { continue };
            let mut variable = None;
            let given = condition.node.clone().into_const_with::<Infallible>(|name| {
                variable = Some(name);
                Ok(Value::Null)
            });
            match (given, variable) {
                (Ok(Value::Boolean(given)), _) => when.never |= given != wanted,
                (Ok(Value::Null), Some(name)) => when.variables.push((name, wanted)),
                _ => {}
            }
        }
        when
    }
}
