//! A document, prepared for repeated measuring: what only depends on its text is looked up here, and what depends on
//! variables is left open.

use std::collections::HashMap;
use std::convert::Infallible;

use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, Value};

use super::table::{CostTable, FieldRule, as_size};

/// The cost of introspection, whose result is built for each request.
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

/// A selection set with the directives of the field, fragment or operation that it belongs to.
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
    /// Its response name.
    pub key: Name,
    pub kind: FieldKind,
    /// Whether it is nullable, whether the items of its list are, and so on.
    pub nullable: Box<[bool]>,
    pub aliased: bool,
    /// The points for each object that it returns.
    pub weight: u64,
    /// The points for its arguments, counted once.
    pub arguments: u64,
    /// Whether it returns a list of objects.
    pub list: bool,
    /// Whether the length of its list is given by the page of the parent field.
    pub sized: bool,
    /// The number of objects that it returns.
    pub size: Size,
    /// Whether this number applies to the lists of its fields, and it returns a single object.
    pub pages: bool,
    /// Whether neither it nor anything below it costs anything.
    pub free: bool,
    pub below: Group,
}

/// The kind of a field with regard to limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::graphql) enum FieldKind {
    Ordinary,
    /// `__schema`, `__type`.
    Introspection,
    /// A list of types in introspection.
    IntrospectedList,
}

/// The variables under which something is selected: all of these must have these values.
#[derive(Debug, Default)]
pub(in crate::graphql) struct When {
    pub never: bool,
    pub variables: Vec<(Name, bool)>,
}

/// The number of objects that a field returns.
#[derive(Debug)]
pub(in crate::graphql) enum Size {
    One,
    Fixed(u64),
    /// The value of the arguments, or otherwise this number.
    Sliced {
        by: Vec<Slice>,
        otherwise: u64,
        require_one: Option<Name>,
    },
}

/// An argument that determines the number.
#[derive(Debug)]
pub(in crate::graphql) enum Slice {
    Number(u64),
    Variable(Name),
}

impl Plan {
    /// Prepares a document. Whatever the table does not contain costs nothing, because validation rejects it.
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
