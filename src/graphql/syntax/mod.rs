//! Parses the text of a document into a tree, by the grammar of the GraphQL specification (appendix C, Grammar
//! Summary).
//!
//! The executor has its own parser, which accepts texts that are invalid (`queryName{a}`, `{a(b:1c:2)}`), rejects some
//! that are valid (`[ Int ]`, `"\u{1F600}"`, `$n: Int = 1 @d`) and discards what validation needs to know: the second
//! of two input fields with the same name. The tree is that of the executor.

mod parser;
mod text;
mod token;
mod value;

#[cfg(test)]
mod tests;

use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Pos, ServerError};

use crate::error::Code;
use crate::graphql::errors::coded;

/// A document, and what the tree cannot represent.
#[derive(Debug)]
pub struct Parsed {
    /// The tree.
    pub document: ExecutableDocument,
    /// What makes the document invalid although it can be parsed: two things with the same name where the tree has room
    /// for one.
    pub faults: Vec<ServerError>,
}

/// Parses a text, whose brackets must not nest without limit (`graphql::nesting`), because the parser is recursive.
///
/// # Errors
/// `GRAPHQL_PARSE_FAILED` with the position. `GRAPHQL_VALIDATION_FAILED` if it defines types or directives.
pub fn parse(text: &str) -> Result<Parsed, ServerError> {
    parser::Parser::new(text)?.document()
}

fn error(pos: Pos, problem: impl std::fmt::Display) -> ServerError {
    coded(Code::GraphqlParseFailed, format!("Syntax error: {problem}"), [pos])
}
