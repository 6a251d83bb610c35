//! The types of the schema, for generating operations.

use std::collections::BTreeMap;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
};

/// The types by their names.
pub struct Types(BTreeMap<String, TypeDefinition>);

impl Types {
    /// Reads the schema's text.
    pub fn read(sdl: &str) -> Self {
        let definitions = parse_schema(sdl).unwrap().definitions.into_iter();
        let types = definitions.filter_map(|definition| match definition {
            TypeSystemDefinition::Type(definition) => Some((definition.node.name.node.to_string(), definition.node)),
            _ => None,
        });
        Self(types.collect())
    }

    /// The fields of an object or an interface; none of another type.
    pub fn fields(&self, name: &str) -> Vec<&FieldDefinition> {
        let fields = match self.0.get(name).map(|definition| &definition.kind) {
            Some(TypeKind::Object(object)) => &object.fields,
            Some(TypeKind::Interface(interface)) => &interface.fields,
            _ => return Vec::new(),
        };
        fields.iter().map(|field| &field.node).collect()
    }

    /// Whether a value of the type is selected from.
    pub fn is_composite(&self, name: &str) -> bool {
        !self.fields(name).is_empty()
    }

    /// The objects that a value of this type may be.
    pub fn objects_of(&self, name: &str) -> Vec<&str> {
        let implements = |definition: &TypeDefinition| match &definition.kind {
            TypeKind::Object(object) => object.implements.iter().any(|interface| interface.node == name),
            _ => false,
        };
        let objects = self.0.iter().filter(|(_, definition)| implements(definition));
        objects.map(|(name, _)| name.as_str()).collect()
    }

    /// The values of an enum; none of another type.
    pub fn enum_values(&self, name: &str) -> Vec<&str> {
        match self.0.get(name).map(|definition| &definition.kind) {
            Some(TypeKind::Enum(values)) => values.values.iter().map(|value| value.node.value.node.as_str()).collect(),
            _ => Vec::new(),
        }
    }

    /// The fields of an input object; none of another type.
    pub fn input_fields(&self, name: &str) -> Vec<&InputValueDefinition> {
        match self.0.get(name).map(|definition| &definition.kind) {
            Some(TypeKind::InputObject(input)) => input.fields.iter().map(|field| &field.node).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether exactly one field of an input object has to be given.
    pub fn is_one_of(&self, name: &str) -> bool {
        let directives = self.0.get(name).map(|definition| definition.directives.as_slice()).unwrap_or_default();
        directives.iter().any(|directive| directive.node.name.node == "oneOf")
    }
}

/// The name beneath the lists.
pub fn named(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(item) => named(item),
    }
}
