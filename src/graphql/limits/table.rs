//! The cost of every field of the schema and the number of objects it returns, read once from the SDL that clients
//! read.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_graphql::parser::types::{
    BaseType, ConstDirective, FieldDefinition, OperationType, Type, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Name, Positioned, Value};

use crate::graphql::validation::TypeSystem;

/// The costs of a schema, with its types.
#[derive(Debug, Default)]
pub struct CostTable {
    system: Arc<TypeSystem>,
    types: HashMap<Name, HashMap<Name, FieldRule>>,
    query: Option<Name>,
    mutation: Option<Name>,
    subscription: Option<Name>,
}

/// The cost directives of a schema are invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the schema's cost directives: {0}")]
pub struct InvalidCosts(String);

/// One field.
#[derive(Debug)]
pub(super) struct FieldRule {
    /// The points for each object that it returns.
    pub weight: u64,
    /// The points for each argument that is passed.
    pub arguments: Vec<(Name, u64)>,
    /// The type it returns, without list and non-null.
    pub returns: Name,
    /// Whether it is nullable, whether the items of its list are, and so on.
    pub nullable: Box<[bool]>,
    /// Whether it returns objects, not scalars or enum values.
    pub objects: bool,
    /// Whether it returns a list.
    pub list: bool,
    /// Whether the parent field determines the length of its list.
    pub sized: bool,
    /// The arguments of `@listSize`.
    pub size: Option<ListSize>,
}

/// The arguments of `@listSize`.
#[derive(Debug, Clone, Default)]
pub(super) struct ListSize {
    pub assumed: Option<u64>,
    pub slicing: Vec<Name>,
    pub sized_fields: Vec<Name>,
    pub require_one: bool,
}

impl CostTable {
    /// Reads a schema.
    ///
    /// # Errors
    /// It cannot be parsed, a weight is not a whole number, or `sizedFields` names a field that does not exist.
    pub fn read(sdl: &str) -> Result<Self, InvalidCosts> {
        let document = async_graphql::parser::parse_schema(sdl).map_err(|error| InvalidCosts(error.to_string()))?;
        let mut weights = HashMap::new();
        let mut objects = HashSet::new();
        for definition in &document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = &definition.node.name.node;
            if let Some(weight) = weight(&definition.node.directives)? {
                weights.insert(name.clone(), weight);
            }
            if matches!(definition.node.kind, TypeKind::Object(_) | TypeKind::Interface(_) | TypeKind::Union(_)) {
                objects.insert(name.clone());
            }
        }
        let mut table = Self {
            system: Arc::new(TypeSystem::of(&document)),
            types: HashMap::new(),
            query: Some(Name::new("Query")),
            mutation: Some(Name::new("Mutation")),
            subscription: Some(Name::new("Subscription")),
        };
        for definition in document.definitions {
            match definition {
                TypeSystemDefinition::Schema(schema) => {
                    let root = |name: Option<Positioned<Name>>| name.map(|name| name.node);
                    table.query = root(schema.node.query);
                    table.mutation = root(schema.node.mutation);
                    table.subscription = root(schema.node.subscription);
                }
                TypeSystemDefinition::Type(definition) => {
                    let fields = match definition.node.kind {
                        TypeKind::Object(object) => object.fields,
                        TypeKind::Interface(interface) => interface.fields,
                        _ => continue,
                    };
                    let rule = |field: Positioned<FieldDefinition>| {
                        let rule = FieldRule::of(&field.node, &weights, &objects)?;
                        Ok((field.node.name.node, rule))
                    };
                    let fields = fields.into_iter().map(rule).collect::<Result<_, _>>()?;
                    table.types.insert(definition.node.name.node, fields);
                }
                TypeSystemDefinition::Directive(_) => {}
            }
        }
        table.mark_sized()?;
        Ok(table)
    }

    /// The types of the schema.
    pub(super) fn types(&self) -> &Arc<TypeSystem> {
        &self.system
    }

    /// A field of a type.
    pub(super) fn field(&self, on: &str, name: &str) -> Option<&FieldRule> {
        self.types.get(on)?.get(name)
    }

    /// The root type of an operation.
    pub(super) fn root(&self, operation: OperationType) -> Option<&Name> {
        match operation {
            OperationType::Query => self.query.as_ref(),
            OperationType::Mutation => self.mutation.as_ref(),
            OperationType::Subscription => self.subscription.as_ref(),
        }
    }

    /// Fields that return lists of objects and do not declare their length, as `Type.field`.
    pub fn unsized_lists(&self) -> Vec<String> {
        let fields = self.types.iter().flat_map(|(on, fields)| fields.iter().map(move |field| (on, field)));
        let mut found: Vec<_> = fields
            .filter(|(_, (_, rule))| rule.list && rule.objects && !rule.sized && rule.size.is_none())
            .map(|(on, (name, _))| format!("{on}.{name}"))
            .collect();
        found.sort();
        found
    }

    fn mark_sized(&mut self) -> Result<(), InvalidCosts> {
        let fields = self.types.values().flat_map(HashMap::values);
        let sized: Vec<(Name, Name)> = fields
            .filter_map(|rule| Some((rule, rule.size.as_ref()?)))
            .flat_map(|(rule, size)| size.sized_fields.iter().map(|field| (rule.returns.clone(), field.clone())))
            .collect();
        for (on, name) in sized {
            let rule = self.types.get_mut(&on).and_then(|fields| fields.get_mut(&name));
            let missing = || InvalidCosts(format!("sizedFields names {on}.{name}, which is not there"));
            rule.ok_or_else(missing)?.sized = true;
        }
        Ok(())
    }
}

impl FieldRule {
    fn of(
        field: &FieldDefinition,
        weights: &HashMap<Name, u64>,
        objects: &HashSet<Name>,
    ) -> Result<Self, InvalidCosts> {
        let (returns, list) = named(&field.ty.node);
        let gives_objects = objects.contains(returns);
        let of_type = || weights.get(returns).copied().unwrap_or(u64::from(gives_objects));
        let mut arguments = Vec::new();
        for argument in &field.arguments {
            if let Some(weight) = weight(&argument.node.directives)? {
                arguments.push((argument.node.name.node.clone(), weight));
            }
        }
        Ok(Self {
            weight: weight(&field.directives)?.unwrap_or_else(of_type),
            arguments,
            returns: returns.clone(),
            nullable: nullable(&field.ty.node),
            objects: gives_objects,
            list,
            sized: false,
            size: directive(&field.directives, "listSize").map(ListSize::of),
        })
    }
}

impl ListSize {
    fn of(directive: &ConstDirective) -> Self {
        let argument = |name: &str| directive.get_argument(name).map(|value| &value.node);
        let names = |name: &str| match argument(name) {
            Some(Value::List(names)) => names.iter().filter_map(as_name).collect(),
            _ => Vec::new(),
        };
        let slicing: Vec<Name> = names("slicingArguments");
        Self {
            assumed: argument("assumedSize").and_then(as_size),
            require_one: !slicing.is_empty()
                && !matches!(argument("requireOneSlicingArgument"), Some(Value::Boolean(false))),
            slicing,
            sized_fields: names("sizedFields"),
        }
    }
}

/// The length that a value determines: the value of an Int, or the length of a list.
pub(super) fn as_size(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::List(items) => Some(items.len() as u64),
        _ => None,
    }
}

fn as_name(value: &Value) -> Option<Name> {
    match value {
        Value::String(text) => Some(Name::new(text)),
        _ => None,
    }
}

/// The name of a type, and whether it is a list.
fn named(ty: &Type) -> (&Name, bool) {
    match &ty.base {
        BaseType::Named(name) => (name, false),
        BaseType::List(item) => (named(item).0, true),
    }
}

/// Whether a value of this type is nullable, whether the items of its list are, and so on.
fn nullable(mut ty: &Type) -> Box<[bool]> {
    let mut nullable = vec![ty.nullable];
    while let BaseType::List(item) = &ty.base {
        ty = item;
        nullable.push(ty.nullable);
    }
    nullable.into()
}

fn directive<'a>(directives: &'a [Positioned<ConstDirective>], name: &str) -> Option<&'a ConstDirective> {
    directives.iter().map(|directive| &directive.node).find(|directive| directive.name.node == name)
}

fn weight(directives: &[Positioned<ConstDirective>]) -> Result<Option<u64>, InvalidCosts> {
    let Some(cost) = directive(directives, "cost") else { return Ok(None) };
    let given = cost.get_argument("weight").map(|weight| &weight.node);
    let parsed = match given {
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    let given = given.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    parsed.map(Some).ok_or_else(|| InvalidCosts(format!("a weight is {given}; it must be a whole number as a string")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(sdl: &str) -> String {
        CostTable::read(sdl).unwrap_err().to_string()
    }

    #[test]
    fn a_directive_that_makes_no_sense_is_named() {
        insta::assert_snapshot!(
            refused("type Query { a: Int @cost(weight: \"dear\") }"),
            @r#"the schema's cost directives: a weight is "dear"; it must be a whole number as a string"#
        );
        insta::assert_snapshot!(
            refused("type Query { a: Query @listSize(assumedSize: 1, sizedFields: [\"nodes\"]) }"),
            @"the schema's cost directives: sizedFields names Query.nodes, which is not there"
        );
    }

    #[test]
    fn a_list_of_objects_that_says_no_size_is_found() {
        let table =
            CostTable::read("type Query { all: [T!]! some: [T] @listSize(assumedSize: 3) } type T { a: [Int!] }");
        assert_eq!(table.unwrap().unsized_lists(), ["Query.all"]);
    }
}
