//! Limits on the size of an operation and on what a caller may do at the same time. Everything is measured on the
//! parsed document before anything is executed. A rejection names the limit, its value and the measured value.

pub mod account;
mod answer;
mod bucket;
pub(crate) mod deadline;
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
pub use answer::{AnswerBytes, AnswerExt, Room};
pub use bucket::{Level, Rate};
pub use deadline::{Deadline, InTime};
pub use document::{Document, NotChosen, Prepared};
pub use measure::Usage;
pub use rate_limit::{RateLimitQuery, Spending};
pub use table::{CostTable, InvalidCosts};

/// The limits of a caller, which depend on their role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerLimits {
    /// The limits on the size of an operation.
    pub operation: OperationLimits,
    /// The timeout of a query or mutation.
    pub timeout: Duration,
    /// The rate of cost points; `None` disables this limit.
    pub rate: Option<Rate>,
    /// The number of concurrent queries and mutations, across all connections.
    pub operations: usize,
    /// The number of concurrent subscriptions, across all connections.
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

/// The limits of the transports, which are the same for all callers. Part of the request data, with [`CallerLimits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransportLimits {
    /// The size of the body of an HTTP request, in bytes.
    pub body_bytes: usize,
    /// The number of operations in an HTTP request; 0 if they cannot be batched.
    pub batch: usize,
    /// The size of a WebSocket message, in bytes.
    pub message_bytes: usize,
    /// The number of concurrent operations per WebSocket.
    pub socket_operations: usize,
    /// The interval between pings and heartbeats of the server.
    pub ping_every: Duration,
}

/// The limits of a single operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationLimits {
    /// The depth of nested fields.
    pub depth: u64,
    /// The number of lexical tokens in the document.
    pub tokens: u64,
    /// The number of aliases.
    pub aliases: u64,
    /// The number of directives, wherever they are.
    pub directives: u64,
    /// The number of root fields.
    pub root_fields: u64,
    /// The number of fields that the response may have, in all its objects together.
    pub fields: u64,
    /// The number of objects in the lists of the response.
    pub nodes: u64,
    /// The points according to `@cost` and `@listSize` in the schema.
    pub cost: u64,
    /// The number of items that may be requested of a list.
    pub page_size: u64,
    /// The number of items in a list of the input.
    pub list_items: u64,
    /// The size of the response in bytes, as JSON.
    pub answer_bytes: u64,
    /// Whether introspection is allowed.
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
    /// Nested lists of types: the schema is a graph with cycles.
    IntrospectionNesting,
}

impl Limit {
    /// The name of the limit.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Depth => "depth",
            Self::Tokens => "tokens",
            Self::Aliases => "aliases",
            Self::Directives => "directives",
            Self::RootFields => "root fields",
            Self::Fields => "fields in the response",
            Self::Nodes => "nodes in the response",
            Self::Cost => "cost",
            Self::PageSize => "page size",
            Self::ListItems => "items in an input list",
            Self::AnswerBytes => "bytes of the response",
            Self::IntrospectionNesting => "introspection nesting",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an operation is rejected before it is executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It exceeds a limit.
    #[error("the operation exceeds the limit \"{limit}\": it has {actual}, at most {allowed} are allowed")]
    Exceeded {
        /// Which limit.
        limit: Limit,
        /// The value of the limit.
        allowed: u64,
        /// The value of the operation.
        actual: u64,
    },
    /// It uses introspection, which is disabled for this caller.
    #[error("introspection is disabled for you on this server")]
    Introspection,
    /// The schema requires exactly one argument that determines the length of the list.
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
    /// Checks the text before it is parsed: a document that is too long is not worth parsing.
    pub fn check_text(&self, query: &str) -> Result<(), Refusal> {
        self.check_tokens(tokens::count(query))
    }

    fn check_tokens(&self, tokens: u64) -> Result<(), Refusal> {
        within(Limit::Tokens, self.tokens, tokens)
    }

    /// Checks the measurements of an operation against every limit.
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

/// The introspection query of common tools nests `fields`, `interfaces`, `possibleTypes` and `inputFields` once.
const MAX_INTROSPECTION_NESTING: u64 = 2;

fn within(limit: Limit, allowed: u64, actual: u64) -> Result<(), Refusal> {
    if actual > allowed { Err(Refusal::Exceeded { limit, allowed, actual }) } else { Ok(()) }
}
