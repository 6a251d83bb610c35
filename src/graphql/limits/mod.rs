//! How large one operation may be. Everything is measured on the parsed document before anything runs, and a refusal
//! says which limit it was, what it allows and what the operation has.

mod deadline;
mod measure;
mod tokens;

use std::fmt;

use async_graphql::Variables;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition};

use crate::error::{ApiError, Code};

pub use deadline::{Deadline, DeadlineExtension};
pub use measure::Usage;

/// The limits of one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationLimits {
    /// Levels of nested fields.
    pub depth: u64,
    /// Lexical tokens of the document.
    pub tokens: u64,
    /// Fields that are given another name.
    pub aliases: u64,
    /// Directives, wherever they stand.
    pub directives: u64,
    /// Fields of the operation itself.
    pub root_fields: u64,
    /// Fields the answer may have, lists multiplied by their page size.
    pub complexity: u64,
    /// Items that one list may be asked for.
    pub page_size: u64,
    /// Whether the schema may be asked about itself.
    pub introspection: bool,
}

impl Default for OperationLimits {
    fn default() -> Self {
        Self {
            depth: 15,
            tokens: 2_000,
            aliases: 30,
            directives: 50,
            root_fields: 20,
            complexity: 500_000,
            page_size: 100,
            introspection: true,
        }
    }
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`OperationLimits::depth`].
    Depth,
    /// [`OperationLimits::tokens`].
    Tokens,
    /// [`OperationLimits::aliases`].
    Aliases,
    /// [`OperationLimits::directives`].
    Directives,
    /// [`OperationLimits::root_fields`].
    RootFields,
    /// [`OperationLimits::complexity`].
    Complexity,
    /// [`OperationLimits::page_size`].
    PageSize,
    /// Lists of types inside lists of types: the schema is a graph with circles.
    IntrospectionNesting,
}

impl Limit {
    /// The limit in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Depth => "depth",
            Self::Tokens => "tokens",
            Self::Aliases => "aliases",
            Self::Directives => "directives",
            Self::RootFields => "root fields",
            Self::Complexity => "complexity",
            Self::PageSize => "page size",
            Self::IntrospectionNesting => "introspection nesting",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an operation is refused before it runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is larger than a limit allows.
    #[error("the operation exceeds the limit \"{limit}\": it has {actual}, allowed are {allowed}")]
    Exceeded {
        /// Which limit.
        limit: Limit,
        /// What the limit allows.
        allowed: u64,
        /// What the operation has.
        actual: u64,
    },
    /// It asks for the schema, and the operator has switched that off.
    #[error("introspection is switched off on this server")]
    Introspection,
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::Exceeded { .. } => Code::QueryTooComplex,
            Refusal::Introspection => Code::Forbidden,
        };
        Self::new(code, refusal.to_string())
    }
}

impl OperationLimits {
    /// Checks the text, before it is parsed: a document that is too long is not worth a parser's time.
    pub fn check_text(&self, query: &str) -> Result<(), Refusal> {
        let counted = tokens::count(query);
        within(Limit::Tokens, self.tokens, counted)
    }

    /// Measures `operation` and checks what it has against every limit.
    pub fn check(
        &self,
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        variables: &Variables,
    ) -> Result<Usage, Refusal> {
        let usage = measure::measure(document, operation, variables);
        if usage.introspection && !self.introspection {
            return Err(Refusal::Introspection);
        }
        within(Limit::RootFields, self.root_fields, usage.root_fields)?;
        within(Limit::Depth, self.depth, usage.depth)?;
        within(Limit::Aliases, self.aliases, usage.aliases)?;
        within(Limit::Directives, self.directives, usage.directives)?;
        within(Limit::PageSize, self.page_size, usage.page_size)?;
        within(Limit::IntrospectionNesting, MAX_INTROSPECTION_NESTING, usage.introspection_nesting)?;
        within(Limit::Complexity, self.complexity, usage.complexity)?;
        Ok(usage)
    }
}

/// The introspection query of every tool nests `fields`, `interfaces`, `possibleTypes` and `inputFields` once.
const MAX_INTROSPECTION_NESTING: u64 = 2;

fn within(limit: Limit, allowed: u64, actual: u64) -> Result<(), Refusal> {
    if actual > allowed { Err(Refusal::Exceeded { limit, allowed, actual }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;
    use serde_json::json;

    fn check(limits: &OperationLimits, query: &str, variables: serde_json::Value) -> Result<Usage, String> {
        limits.check_text(query).map_err(|refusal| refusal.to_string())?;
        let document = parse_query(query).unwrap();
        let operation = document.operations.iter().next().unwrap().1.node.clone();
        limits.check(&document, &operation, &Variables::from_json(variables)).map_err(|refusal| refusal.to_string())
    }

    fn refused(query: &str) -> String {
        check(&OperationLimits::default(), query, json!({})).unwrap_err()
    }

    #[test]
    fn depth_counts_through_fragments() {
        let mut query = String::from("query { a { ...F } } fragment F on T { ");
        query.push_str(&"b { ".repeat(15));
        query.push('c');
        query.push_str(&" }".repeat(16));
        insta::assert_snapshot!(refused(&query), @r#"the operation exceeds the limit "depth": it has 17, allowed are 15"#);
    }

    #[test]
    fn a_document_of_too_many_tokens_is_not_parsed() {
        let query = format!("{{ {} }}", "a ".repeat(3_000));
        insta::assert_snapshot!(refused(&query), @r#"the operation exceeds the limit "tokens": it has 3002, allowed are 2000"#);
    }

    #[test]
    fn alias_overloading_is_refused() {
        let aliases: String = (0..101).map(|n| format!("a{n}: viewer {{ id }} ")).collect();
        let limits = OperationLimits { root_fields: 1_000, ..OperationLimits::default() };
        insta::assert_snapshot!(
            check(&limits, &format!("{{ {aliases} }}"), json!({})).unwrap_err(),
            @r#"the operation exceeds the limit "aliases": it has 101, allowed are 30"#
        );
    }

    #[test]
    fn directive_overloading_is_refused() {
        let query = format!("{{ __typename {} }}", "@aa".repeat(60));
        insta::assert_snapshot!(refused(&query), @r#"the operation exceeds the limit "directives": it has 60, allowed are 50"#);
    }

    #[test]
    fn many_root_fields_are_refused() {
        let fields: String = (0..21).map(|n| format!("f{n} ")).collect();
        insta::assert_snapshot!(refused(&format!("{{ {fields} }}")), @r#"the operation exceeds the limit "root fields": it has 21, allowed are 20"#);
    }

    #[test]
    fn a_large_page_is_refused_even_from_a_variable() {
        let query = "query($n: Int) { jobs(first: $n) { nodes { id } } }";
        insta::assert_snapshot!(
            check(&OperationLimits::default(), query, json!({"n": 5000})).unwrap_err(),
            @r#"the operation exceeds the limit "page size": it has 5000, allowed are 100"#
        );
    }

    #[test]
    fn nested_lists_multiply() {
        let query =
            "{ groups(first: 100) { nodes { projects(first: 100) { nodes { jobs(first: 40) { nodes { id } } } } } } }";
        insta::assert_snapshot!(refused(query), @r#"the operation exceeds the limit "complexity": it has 820201, allowed are 500000"#);
    }

    #[test]
    fn circular_introspection_is_refused() {
        let query = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }";
        insta::assert_snapshot!(refused(query), @r#"the operation exceeds the limit "introspection nesting": it has 3, allowed are 2"#);
    }

    #[test]
    fn introspection_can_be_switched_off_without_refusing_typename() {
        let limits = OperationLimits { introspection: false, ..OperationLimits::default() };
        insta::assert_snapshot!(
            check(&limits, "{ __schema { types { name } } }", json!({})).unwrap_err(),
            @"introspection is switched off on this server"
        );
        assert!(check(&limits, "{ __typename }", json!({})).is_ok());
    }

    #[test]
    fn a_fragment_bomb_is_measured_without_being_expanded() {
        let mut query = String::from("{ ...F0 } ");
        for n in 0..60 {
            query.push_str(&format!("fragment F{n} on Query {{ ...F{next} ...F{next} }} ", next = n + 1));
        }
        query.push_str("fragment F60 on Query { a b c }");
        insta::assert_snapshot!(
            refused(&query),
            @r#"the operation exceeds the limit "root fields": it has 3458764513820540928, allowed are 20"#
        );
    }

    #[test]
    fn fragments_that_spread_themselves_are_left_to_validation() {
        assert!(check(&OperationLimits::default(), "{ ...A } fragment A on Q { x ...A }", json!({})).is_ok());
    }

    #[test]
    fn the_query_of_every_tool_passes() {
        let query = "query IntrospectionQuery { __schema { queryType { name } types { ...FullType } directives { name args { ...InputValue } } } }
            fragment FullType on __Type { kind name fields(includeDeprecated: true) { name args { ...InputValue } type { ...TypeRef } }
              inputFields { ...InputValue } interfaces { ...TypeRef } enumValues { name } possibleTypes { ...TypeRef } }
            fragment InputValue on __InputValue { name type { ...TypeRef } defaultValue }
            fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
              ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }";
        let usage = check(&OperationLimits::default(), query, json!({})).unwrap();
        assert_eq!(usage.depth, 1);
    }
}
