//! Measures an operation on its parsed document. A fragment is measured once however often it is spread, so that a
//! document of nested spreads costs what its text costs and not what it would expand to.

use std::collections::HashMap;

use async_graphql::parser::types::{
    ExecutableDocument, Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, Value, Variables};

/// The page a connection has when it is not asked for another.
const DEFAULT_PAGE: u64 = 20;

/// What an operation has of all that is limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Levels of nested fields; the schema's own (`__schema`, `__type`) count as one.
    pub depth: u64,
    /// Renamed fields.
    pub aliases: u64,
    /// Directives.
    pub directives: u64,
    /// Fields of the operation itself.
    pub root_fields: u64,
    /// Fields the answer may have.
    pub complexity: u64,
    /// The largest page that a list is asked for.
    pub page_size: u64,
    /// Whether it asks for the schema.
    pub introspection: bool,
    /// Lists of types within lists of types.
    pub introspection_nesting: u64,
}

impl Usage {
    /// Both of two selections of one parent.
    fn beside(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            root_fields: self.root_fields.saturating_add(other.root_fields),
            complexity: self.complexity.saturating_add(other.complexity),
            page_size: self.page_size.max(other.page_size),
            introspection: self.introspection || other.introspection,
            introspection_nesting: self.introspection_nesting.max(other.introspection_nesting),
        }
    }
}

/// Measures `operation` of `document` as these variables make it.
pub(super) fn measure(document: &ExecutableDocument, operation: &OperationDefinition, variables: &Variables) -> Usage {
    let mut walk = Walk { fragments: &document.fragments, operation, variables, measured: HashMap::new() };
    let mut usage = walk.selection_set(&operation.selection_set.node, 1);
    usage.directives = usage.directives.saturating_add(operation.directives.len() as u64);
    usage
}

/// A fragment under a connection depends on the connection's page, so both are the key.
type Measured<'a> = HashMap<(&'a Name, u64), Usage>;

struct Walk<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
    measured: Measured<'a>,
}

impl<'a> Walk<'a> {
    /// `page` is how many items the connection holds that this is the selection of; 1 where it is none.
    fn selection_set(&mut self, set: &'a SelectionSet, page: u64) -> Usage {
        set.items.iter().fold(Usage::default(), |sum, selection| {
            sum.beside(match &selection.node {
                Selection::Field(field) => self.field(&field.node, page),
                Selection::InlineFragment(fragment) => {
                    let mut usage = self.selection_set(&fragment.node.selection_set.node, page);
                    usage.directives = usage.directives.saturating_add(fragment.node.directives.len() as u64);
                    usage
                }
                Selection::FragmentSpread(spread) => {
                    let mut usage = self.fragment(&spread.node.fragment_name.node, page);
                    usage.directives = usage.directives.saturating_add(spread.node.directives.len() as u64);
                    usage
                }
            })
        })
    }

    fn fragment(&mut self, name: &'a Name, page: u64) -> Usage {
        if let Some(usage) = self.measured.get(&(name, page)) {
            return *usage;
        }
        let Some(fragment) = self.fragments.get(name) else { return Usage::default() };
        // A fragment that spreads itself finds this empty entry; validation refuses the document.
        self.measured.insert((name, page), Usage::default());
        let mut usage = self.selection_set(&fragment.node.selection_set.node, page);
        usage.directives = usage.directives.saturating_add(fragment.node.directives.len() as u64);
        self.measured.insert((name, page), usage);
        usage
    }

    fn field(&mut self, field: &'a Field, page: u64) -> Usage {
        let name = field.name.node.as_str();
        let asked = self.asked_page(field);
        let items = asked.unwrap_or(DEFAULT_PAGE);
        let below = self.selection_set(&field.selection_set.node, items);
        let listed = self.listed_ids(field);
        let times = if matches!(name, "nodes" | "edges") { page } else { listed };
        let introspection = matches!(name, "__schema" | "__type");
        Usage {
            depth: if introspection { 1 } else { below.depth.saturating_add(1) },
            aliases: below.aliases.saturating_add(u64::from(field.alias.is_some())),
            directives: below.directives.saturating_add(field.directives.len() as u64),
            root_fields: 1,
            complexity: below.complexity.saturating_add(1).saturating_mul(times),
            page_size: below.page_size.max(asked.unwrap_or(0)).max(listed),
            introspection: introspection || below.introspection,
            introspection_nesting: below
                .introspection_nesting
                .saturating_add(u64::from(matches!(name, "fields" | "interfaces" | "possibleTypes" | "inputFields"))),
        }
    }

    /// The page that `first` or `last` asks for.
    fn asked_page(&self, field: &Field) -> Option<u64> {
        ["first", "last"]
            .iter()
            .filter_map(|argument| match self.argument(field, argument)? {
                Value::Number(number) => number.as_u64(),
                _ => None,
            })
            .max()
    }

    /// How many things are asked for by id: `nodes(ids: […])`.
    fn listed_ids(&self, field: &Field) -> u64 {
        match self.argument(field, "ids") {
            Some(Value::List(ids)) => (ids.len() as u64).max(1),
            _ => 1,
        }
    }

    /// An argument's value; `None` when it is not given, or is a variable that has none.
    fn argument(&self, field: &Field, name: &str) -> Option<Value> {
        let given = field.get_argument(name)?;
        given
            .node
            .clone()
            .into_const_with::<()>(|name| {
                let given = self.variables.get(&name).cloned();
                given.or_else(|| self.default_of(&name)).ok_or(())
            })
            .ok()
    }

    fn default_of(&self, variable: &Name) -> Option<Value> {
        let definition =
            self.operation.variable_definitions.iter().find(|definition| definition.node.name.node == *variable)?;
        definition.node.default_value.as_ref().map(|value| value.node.clone())
    }
}
