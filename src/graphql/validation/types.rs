//! The types of a schema, as needed by validation and the coercion of variables.

use std::collections::{HashMap, HashSet};

use async_graphql::Name;
use async_graphql::Positioned;
use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{
    BaseType, DirectiveLocation, FieldDefinition, InputValueDefinition, OperationType, ServiceDocument, Type, TypeKind,
    TypeSystemDefinition,
};

/// What every schema has besides its own types: introspection (specification, section 4.2), as the executor implements
/// it.
const BUILT_IN: &str = include_str!("built_in.graphql");

/// The types and directives of a schema. The default has none, so that every document is invalid.
#[derive(Debug, Default)]
pub struct TypeSystem {
    types: HashMap<Name, TypeRule>,
    directives: HashMap<Name, DirectiveRule>,
    /// The object types that a value of a composite type can have.
    possible: HashMap<Name, HashSet<Name>>,
    query: Option<Name>,
    mutation: Option<Name>,
    subscription: Option<Name>,
}

/// A type.
#[derive(Debug)]
pub(in crate::graphql) enum TypeRule {
    Scalar(Scalar),
    Enum(Vec<Name>),
    Input { fields: Inputs, one_of: bool },
    Composite { is_object: bool, fields: HashMap<Name, FieldRule> },
}

/// The scalars of the specification (section 3.5); for others, only a resolver knows the valid values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::graphql) enum Scalar {
    Int,
    Float,
    String,
    Boolean,
    Id,
    Custom,
}

/// Arguments or input fields.
pub(in crate::graphql) type Inputs = IndexMap<Name, InputRule>;

/// An argument or an input field.
#[derive(Debug)]
pub(in crate::graphql) struct InputRule {
    pub ty: Type,
    pub has_default: bool,
}

impl InputRule {
    /// Whether it is required.
    pub fn is_required(&self) -> bool {
        !self.ty.nullable && !self.has_default
    }
}

/// A field.
#[derive(Debug)]
pub(in crate::graphql) struct FieldRule {
    pub ty: Type,
    pub arguments: Inputs,
}

/// A directive.
#[derive(Debug)]
pub(in crate::graphql) struct DirectiveRule {
    pub arguments: Inputs,
    pub locations: Vec<DirectiveLocation>,
}

/// The name of a type without lists and non-nulls.
pub(super) fn named(ty: &Type) -> &Name {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(item) => named(item),
    }
}

impl TypeSystem {
    /// The types of a schema.
    pub(in crate::graphql) fn of(document: &ServiceDocument) -> Self {
        let mut types = Self {
            query: Some(Name::new("Query")),
            mutation: Some(Name::new("Mutation")),
            subscription: Some(Name::new("Subscription")),
            ..Self::default()
        };
        if let Ok(built_in) = async_graphql::parser::parse_schema(BUILT_IN) {
            types.add(&built_in);
        }
        types.add(document);
        types.remove_unused();
        let object = |name: &Name| matches!(types.types.get(name), Some(TypeRule::Composite { is_object: true, .. }));
        let objects: Vec<Name> = types.types.keys().filter(|name| object(name)).cloned().collect();
        for name in objects {
            types.possible.entry(name.clone()).or_default().insert(name);
        }
        for root in [&mut types.query, &mut types.mutation, &mut types.subscription] {
            root.take_if(|name| !types.types.contains_key(name));
        }
        if let Some(query) = types.query.clone() {
            types.add_introspection(&query);
        }
        types
    }

    fn add(&mut self, document: &ServiceDocument) {
        for definition in &document.definitions {
            match definition {
                TypeSystemDefinition::Schema(schema) => {
                    let root = |name: &Option<Positioned<Name>>| name.as_ref().map(|name| name.node.clone());
                    self.query = root(&schema.node.query);
                    self.mutation = root(&schema.node.mutation);
                    self.subscription = root(&schema.node.subscription);
                }
                TypeSystemDefinition::Type(definition) => {
                    let definition = &definition.node;
                    let one_of = definition.directives.iter().any(|directive| directive.node.name.node == "oneOf");
                    self.add_type(&definition.name.node, &definition.kind, one_of);
                }
                TypeSystemDefinition::Directive(directive) => {
                    let rule = DirectiveRule {
                        arguments: inputs(&directive.node.arguments),
                        locations: directive.node.locations.iter().map(|location| location.node).collect(),
                    };
                    self.directives.insert(directive.node.name.node.clone(), rule);
                }
            }
        }
    }

    fn add_type(&mut self, name: &Name, kind: &TypeKind, one_of: bool) {
        let rule = match kind {
            TypeKind::Scalar => TypeRule::Scalar(match name.as_str() {
                "Int" => Scalar::Int,
                "Float" => Scalar::Float,
                "String" => Scalar::String,
                "Boolean" => Scalar::Boolean,
                "ID" => Scalar::Id,
                _ => Scalar::Custom,
            }),
            TypeKind::Enum(kind) => {
                TypeRule::Enum(kind.values.iter().map(|value| value.node.value.node.clone()).collect())
            }
            TypeKind::InputObject(kind) => TypeRule::Input { fields: inputs(&kind.fields), one_of },
            TypeKind::Object(kind) => {
                self.add_possible(name, kind.implements.iter().map(|implemented| (&implemented.node, name)));
                TypeRule::Composite { is_object: true, fields: fields(&kind.fields) }
            }
            TypeKind::Interface(kind) => {
                self.possible.entry(name.clone()).or_default();
                TypeRule::Composite { is_object: false, fields: fields(&kind.fields) }
            }
            TypeKind::Union(kind) => {
                self.add_possible(name, kind.members.iter().map(|member| (name, &member.node)));
                TypeRule::Composite { is_object: false, fields: fields(&[]) }
            }
        };
        self.types.insert(name.clone(), rule);
    }

    /// A schema does not contain a scalar of the specification that it does not use (section 3.5).
    fn remove_unused(&mut self) {
        let of_inputs = |inputs: &Inputs| inputs.values().map(|input| named(&input.ty).clone()).collect::<Vec<_>>();
        let mut names: Vec<Name> =
            self.directives.values().flat_map(|directive| of_inputs(&directive.arguments)).collect();
        for rule in self.types.values() {
            match rule {
                TypeRule::Input { fields, .. } => names.extend(of_inputs(fields)),
                TypeRule::Composite { fields, .. } => fields.values().for_each(|field| {
                    names.push(named(&field.ty).clone());
                    names.extend(of_inputs(&field.arguments));
                }),
                TypeRule::Scalar(_) | TypeRule::Enum(_) => {}
            }
        }
        let used: HashSet<Name> = names.into_iter().collect();
        self.types.retain(|name, rule| match rule {
            TypeRule::Scalar(Scalar::Custom) => true,
            TypeRule::Scalar(_) => used.contains(name),
            TypeRule::Enum(_) | TypeRule::Input { .. } | TypeRule::Composite { .. } => true,
        });
    }

    fn add_possible<'a>(&mut self, name: &Name, pairs: impl Iterator<Item = (&'a Name, &'a Name)>) {
        self.possible.entry(name.clone()).or_default();
        for (composite, object) in pairs {
            self.possible.entry(composite.clone()).or_default().insert(object.clone());
        }
    }

    fn add_introspection(&mut self, query: &Name) {
        let Some(TypeRule::Composite { fields, .. }) = self.types.get_mut(query) else { return };
        let rule = |ty: &str, arguments: Inputs| Some(FieldRule { ty: Type::new(ty)?, arguments });
        let name = Type::new("String!").map(|ty| (Name::new("name"), InputRule { ty, has_default: false }));
        let schema = rule("__Schema!", Inputs::new()).map(|rule| (Name::new("__schema"), rule));
        let by_name = rule("__Type", name.into_iter().collect()).map(|rule| (Name::new("__type"), rule));
        fields.extend(schema.into_iter().chain(by_name));
    }

    pub(in crate::graphql) fn rule(&self, name: &str) -> Option<&TypeRule> {
        self.types.get(name)
    }

    pub(super) fn directive(&self, name: &str) -> Option<&DirectiveRule> {
        self.directives.get(name)
    }

    pub(super) fn type_names(&self) -> impl Iterator<Item = &Name> {
        self.types.keys()
    }

    pub(super) fn directive_names(&self) -> impl Iterator<Item = &Name> {
        self.directives.keys()
    }

    /// The fields of a composite type, including `__typename`.
    pub(super) fn fields(&self, on: &str) -> Option<&HashMap<Name, FieldRule>> {
        match self.types.get(on)? {
            TypeRule::Composite { fields, .. } => Some(fields),
            TypeRule::Scalar(_) | TypeRule::Enum(_) | TypeRule::Input { .. } => None,
        }
    }

    pub(super) fn field(&self, on: &str, name: &str) -> Option<&FieldRule> {
        self.fields(on)?.get(name)
    }

    pub(super) fn is_composite(&self, name: &str) -> bool {
        self.fields(name).is_some()
    }

    pub(super) fn is_object(&self, name: &str) -> bool {
        matches!(self.types.get(name), Some(TypeRule::Composite { is_object: true, .. }))
    }

    /// The root type of an operation.
    pub(in crate::graphql) fn root(&self, operation: OperationType) -> Option<&Name> {
        match operation {
            OperationType::Query => self.query.as_ref(),
            OperationType::Mutation => self.mutation.as_ref(),
            OperationType::Subscription => self.subscription.as_ref(),
        }
    }

    /// The type that a field returns, without lists and non-nulls.
    pub(in crate::graphql) fn returned(&self, on: &str, field: &str) -> Option<&Name> {
        self.field(on, field).map(|rule| named(&rule.ty))
    }

    /// Whether an object can have both types.
    pub(in crate::graphql) fn overlap(&self, one: &str, other: &str) -> bool {
        match (self.possible.get(one), self.possible.get(other)) {
            (Some(one), Some(other)) => !one.is_disjoint(other),
            _ => false,
        }
    }

    /// Whether all values of `part` are of type `whole`.
    pub(in crate::graphql) fn covers(&self, whole: &str, part: &str) -> bool {
        match (self.possible.get(whole), self.possible.get(part)) {
            (Some(whole), Some(part)) => part.is_subset(whole),
            _ => false,
        }
    }
}

fn inputs(definitions: &[Positioned<InputValueDefinition>]) -> Inputs {
    let input = |definition: &Positioned<InputValueDefinition>| {
        let definition = &definition.node;
        let rule = InputRule { ty: definition.ty.node.clone(), has_default: definition.default_value.is_some() };
        (definition.name.node.clone(), rule)
    };
    definitions.iter().map(input).collect()
}

fn fields(definitions: &[Positioned<FieldDefinition>]) -> HashMap<Name, FieldRule> {
    let field = |definition: &Positioned<FieldDefinition>| {
        let definition = &definition.node;
        let rule = FieldRule { ty: definition.ty.node.clone(), arguments: inputs(&definition.arguments) };
        (definition.name.node.clone(), rule)
    };
    let of_all = Type::new("String!").map(|ty| (Name::new("__typename"), FieldRule { ty, arguments: Inputs::new() }));
    definitions.iter().map(field).chain(of_all).collect()
}
