//! A parsed document with its plan. It is the same for everybody who sends the same text, so it is kept and shared.

use std::sync::Arc;

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType};
use async_graphql::{Name, Positioned, ServerError, Value, Variables};

use super::measure::{self, Usage};
use super::plan::{OperationPlan, Plan};
use super::table::CostTable;
use super::{OperationLimits, Refusal, tokens};

/// The least that an operation costs, whatever it asks for.
const MIN_COST: u64 = 1;

/// A document that was parsed and prepared for being measured.
#[derive(Debug)]
pub struct Document {
    text: Arc<str>,
    tokens: u64,
    parsed: ExecutableDocument,
    plan: Plan,
}

impl Document {
    /// Parses a text.
    ///
    /// # Errors
    /// It is no document of the GraphQL language.
    pub fn parse(text: Arc<str>, table: &CostTable) -> Result<Self, ServerError> {
        let parsed = async_graphql::parser::parse_query(&text)?;
        let plan = Plan::of(&parsed, table);
        Ok(Self { tokens: tokens::count(&text), text, parsed, plan })
    }

    /// The text.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The parsed document.
    pub fn parsed(&self) -> &ExecutableDocument {
        &self.parsed
    }

    /// How many bytes it takes, roughly.
    pub fn bytes(&self) -> u64 {
        // A token becomes about two hundred bytes of nodes, in the document and in the plan.
        self.text.len() as u64 + 200 * self.tokens + 500
    }
}

/// An operation of a document.
#[derive(Debug, Clone)]
pub struct Prepared {
    document: Arc<Document>,
    index: usize,
}

impl Prepared {
    /// The operation with this name; without a name the only one.
    ///
    /// # Errors
    /// Says why there is none.
    pub fn choose(document: Arc<Document>, asked: Option<&str>) -> Result<Self, String> {
        let operations = &document.plan.operations;
        let index = match asked {
            Some(asked) => operations
                .iter()
                .position(|(name, _)| name.as_ref().is_some_and(|name| name == asked))
                .ok_or_else(|| format!("the document has no operation named \"{asked}\""))?,
            None if operations.len() == 1 => 0,
            None => {
                let message = format!("the document has {} operations: say which with operationName", operations.len());
                return Err(message);
            }
        };
        Ok(Self { document, index })
    }

    /// The document.
    pub fn document(&self) -> &Arc<Document> {
        &self.document
    }

    fn plan(&self) -> &OperationPlan {
        &self.document.plan.operations[self.index].1
    }

    /// Its name, where the document has one for it.
    pub fn name(&self) -> Option<&Name> {
        self.document.plan.operations[self.index].0.as_ref()
    }

    /// What it does.
    pub fn operation_type(&self) -> OperationType {
        self.definition().map_or(OperationType::Query, |definition| definition.node.ty)
    }

    fn definition(&self) -> Option<&Positioned<OperationDefinition>> {
        match (&self.document.parsed.operations, self.name()) {
            (DocumentOperations::Single(operation), _) => Some(operation),
            (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name),
            (DocumentOperations::Multiple(_), None) => None,
        }
    }

    /// Measures it as these variables make it, and checks what it has against the limits.
    ///
    /// # Errors
    /// It is larger than a limit allows.
    pub fn check(&self, variables: &Variables, limits: &OperationLimits) -> Result<Usage, Refusal> {
        limits.check_tokens(self.document.tokens)?;
        let mut usage = measure::measure(&self.document.plan, self.plan(), variables)
            .map_err(|unsliced| Refusal::UnslicedList(unsliced.0.to_string()))?;
        usage.cost = usage.cost.max(MIN_COST);
        limits.check(&usage)?;
        Ok(usage)
    }

    /// What an answer cost.
    pub fn actual_cost(&self, answer: &Value) -> u64 {
        measure::actual(&self.document.plan, self.plan(), answer).max(MIN_COST)
    }
}
