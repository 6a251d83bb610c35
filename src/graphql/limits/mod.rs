//! How large one operation may be and how much one caller may do. Everything is measured on the parsed document before
//! anything runs, and a refusal says which limit it was, what it allows and what the operation has.

pub mod account;
mod answer;
mod bucket;
pub mod deadline;
pub mod directives;
mod document;
mod input;
mod measure;
pub(super) mod plan;
mod rate_limit;
mod table;
#[cfg(test)]
mod tests;
mod tokens;
pub(super) mod weights;

use std::fmt;
use std::time::Duration;

use crate::error::{ApiError, Code};

pub use account::{Account, Accounts, Admission, Principal};
pub use answer::{AnswerBytes, AnswerExt};
pub use bucket::{Level, Rate};
pub use deadline::{Deadline, InTime};
pub use document::{Document, NotChosen, Prepared};
pub use measure::Usage;
pub use rate_limit::{RateLimitQuery, Spending};
pub use table::{CostTable, InvalidCosts};

/// What one caller may do: depends on their role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerLimits {
    /// How large an operation may be.
    pub operation: OperationLimits,
    /// The time a query or mutation gets.
    pub timeout: Duration,
    /// How fast cost points may be spent; `None` turns this limit off.
    pub rate: Option<Rate>,
    /// Queries and mutations at once, over all connections.
    pub operations: usize,
    /// Subscriptions at once, over all connections.
    pub subscriptions: usize,
    /// Open sockets.
    pub sockets: usize,
}

impl Default for CallerLimits {
    fn default() -> Self {
        Self {
            operation: OperationLimits::default(),
            timeout: Duration::from_secs(30),
            rate: None,
            operations: 100,
            subscriptions: 1_000,
            sockets: 50,
        }
    }
}

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
    /// Fields the answer may have, of all its objects together.
    pub fields: u64,
    /// Things in the lists of the answer.
    pub nodes: u64,
    /// Points by the schema's `@cost` and `@listSize`.
    pub cost: u64,
    /// Items that one list may be asked for.
    pub page_size: u64,
    /// Items that one list of the input may have.
    pub list_items: u64,
    /// Bytes that the answer may have, as JSON.
    pub answer_bytes: u64,
    /// Whether the schema may be asked about itself.
    pub introspection: bool,
}

impl Default for OperationLimits {
    fn default() -> Self {
        Self {
            depth: 16,
            tokens: 5_000,
            aliases: 50,
            directives: 50,
            root_fields: 20,
            fields: 500_000,
            nodes: 50_000,
            cost: 100_000,
            page_size: 100,
            list_items: 1_000,
            answer_bytes: 8 << 20,
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
    /// [`OperationLimits::fields`].
    Fields,
    /// [`OperationLimits::nodes`].
    Nodes,
    /// [`OperationLimits::cost`].
    Cost,
    /// [`OperationLimits::page_size`].
    PageSize,
    /// [`OperationLimits::list_items`].
    ListItems,
    /// [`OperationLimits::answer_bytes`].
    AnswerBytes,
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
            Self::Fields => "fields in the answer",
            Self::Nodes => "nodes in the answer",
            Self::Cost => "cost",
            Self::PageSize => "page size",
            Self::ListItems => "items in an input list",
            Self::AnswerBytes => "bytes of the answer",
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
    /// It asks for the schema, and the operator does not show it to this caller.
    #[error("introspection is switched off for you on this server")]
    Introspection,
    /// The schema wants exactly one argument that says how long the list is.
    #[error("\"{0}\" needs exactly one of the arguments that say how long its list is")]
    UnslicedList(String),
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::Exceeded { .. } => Code::QueryTooComplex,
            Refusal::Introspection => Code::Forbidden,
            Refusal::UnslicedList(_) => Code::BadUserInput,
        };
        Self::new(code, refusal.to_string())
    }
}

impl OperationLimits {
    /// Checks the text, before it is parsed: a document that is too long is not worth a parser's time.
    pub fn check_text(&self, query: &str) -> Result<(), Refusal> {
        self.check_tokens(tokens::count(query))
    }

    fn check_tokens(&self, tokens: u64) -> Result<(), Refusal> {
        within(Limit::Tokens, self.tokens, tokens)
    }

    /// Checks what an operation has against every limit.
    pub fn check(&self, usage: &Usage) -> Result<(), Refusal> {
        if usage.introspection && !self.introspection {
            return Err(Refusal::Introspection);
        }
        within(Limit::RootFields, self.root_fields, usage.root_fields)?;
        within(Limit::Depth, self.depth, usage.depth)?;
        within(Limit::Aliases, self.aliases, usage.aliases)?;
        within(Limit::Directives, self.directives, usage.directives)?;
        within(Limit::PageSize, self.page_size, usage.page_size)?;
        within(Limit::ListItems, self.list_items, usage.list_items)?;
        within(Limit::IntrospectionNesting, MAX_INTROSPECTION_NESTING, usage.introspection_nesting)?;
        within(Limit::Cost, self.cost, usage.cost)?;
        within(Limit::Nodes, self.nodes, usage.nodes)?;
        within(Limit::Fields, self.fields, usage.fields)
    }
}

/// The introspection query of every tool nests `fields`, `interfaces`, `possibleTypes` and `inputFields` once.
const MAX_INTROSPECTION_NESTING: u64 = 2;

fn within(limit: Limit, allowed: u64, actual: u64) -> Result<(), Refusal> {
    if actual > allowed { Err(Refusal::Exceeded { limit, allowed, actual }) } else { Ok(()) }
}
