//! From the text of a document to its tree, by the grammar of the GraphQL specification (appendix C, Grammar Summary).
//!
//! The executor brings a parser of its own, which takes texts that are none (`queryName{a}`, `{a(b:1c:2)}`), refuses some
//! that are (`[ Int ]`, `"\u{1F600}"`, `$n: Int = 1 @d`) and forgets what validation needs to know: the second of two input
//! fields of one name. The tree is the executor's.

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

/// A document, and what the tree cannot hold.
#[derive(Debug)]
pub struct Parsed {
    /// The tree.
    pub document: ExecutableDocument,
    /// What makes the document invalid though it parses: two things of one name where the tree has room for one.
    pub faults: Vec<ServerError>,
}

/// Parses a text, whose brackets must not nest without limit (`graphql::nesting`): the parser is recursive.
///
/// # Errors
/// `GRAPHQL_PARSE_FAILED` with the place. `GRAPHQL_VALIDATION_FAILED` if it defines types or directives.
pub fn parse(text: &str) -> Result<Parsed, ServerError> {
    parser::Parser::new(text)?.document()
}

fn error(pos: Pos, problem: impl std::fmt::Display) -> ServerError {
    coded(Code::GraphqlParseFailed, format!("Syntax error: {problem}"), [pos])
}
