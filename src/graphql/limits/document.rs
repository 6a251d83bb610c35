//! A parsed document with its plan. It is the same for everybody who sends the same text, so it is kept and shared.

use std::sync::{Arc, OnceLock};

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType};
use async_graphql::{Name, Positioned, ServerError, Value, Variables};

use super::input::InputLists;
use super::measure::{self, Usage};
use super::plan::{OperationPlan, Plan};
use super::table::CostTable;
use super::{OperationLimits, Refusal, rate_limit, tokens};
use crate::error::ApiError;
use crate::graphql::shape::Shape;
use crate::graphql::validity::Validity;

/// The least that an operation costs, whatever it asks for.
const MIN_COST: u64 = 1;

/// A document that was parsed and prepared for being measured.
#[derive(Debug)]
pub struct Document {
    text: Arc<str>,
    tokens: u64,
    lists: InputLists,
    parsed: ExecutableDocument,
    plan: Plan,
    /// As the plan's operations.
    executions: Vec<Execution>,
}

/// What the text says about executing one of its operations.
#[derive(Debug)]
struct Execution {
    validity: Validity,
    /// Made when it is first asked for: until it is within the limits, what fragments come to may be without end.
    shape: OnceLock<Shape>,
}

impl Document {
    /// Parses a text.
    ///
    /// # Errors
    /// It is no document of the GraphQL language.
    pub fn parse(text: Arc<str>, table: &CostTable) -> Result<Self, ServerError> {
        let parsed = async_graphql::parser::parse_query(&text)?;
        let plan = Plan::of(&parsed, table);
        let executions = parsed
            .operations
            .iter()
            .map(|(_, operation)| Execution { validity: Validity::unknown(&operation.node), shape: OnceLock::new() });
        let executions = executions.collect();
        let lists = InputLists::of_document(&parsed);
        Ok(Self { tokens: tokens::count(&text), lists, text, parsed, plan, executions })
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

    /// Whether its answer, if it has no errors, is the same for equal requests of one person.
    pub fn can_be_shared(&self) -> bool {
        self.operation_type() == OperationType::Query && !self.document.text.contains(rate_limit::FIELD)
    }

    /// Which of its document's operations it is.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether it need not be validated.
    pub fn validity(&self) -> &Validity {
        &self.document.executions[self.index].validity
    }

    /// What its answer must look like; for an operation that is within the limits.
    pub fn shape(&self) -> &Shape {
        self.document.executions[self.index].shape.get_or_init(|| Shape::of(self.plan(), &self.document.plan))
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

    /// Checks that every variable that may not be null is there (section 6.1.2 of the specification, Coercing Variable
    /// Values). What else is wrong with a value, validation finds.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with the variable.
    pub fn check_variables(&self, variables: &Variables) -> Result<(), ApiError> {
        let definitions = self.definition().map_or(&[][..], |definition| &definition.node.variable_definitions);
        for variable in definitions.iter().map(|definition| &definition.node) {
            let (name, ty) = (&variable.name.node, &variable.var_type.node);
            let problem = match variables.get(name) {
                _ if ty.nullable => continue,
                None if variable.default_value.is_none() => "is missing",
                Some(Value::Null) => "is null",
                Some(_) | None => continue,
            };
            return Err(ApiError::bad_input(
                format!("variables.{name}"),
                format!("the variable \"${name}\" of type {ty} {problem}"),
            ));
        }
        Ok(())
    }

    /// Measures it as these variables make it, and checks what it has against the limits.
    ///
    /// # Errors
    /// It is larger than a limit allows.
    pub fn check(&self, variables: &Variables, limits: &OperationLimits) -> Result<Usage, Refusal> {
        limits.check_tokens(self.document.tokens)?;
        let mut usage = measure::measure(&self.document.plan, self.plan(), variables)
            .map_err(|unsliced| Refusal::UnslicedList(unsliced.0.to_string()))?;
        let lists = self.document.lists.and(InputLists::of_variables(variables));
        usage.list_items = lists.longest;
        usage.input_cost = lists.cost();
        usage.cost = usage.cost.saturating_add(usage.input_cost).max(MIN_COST);
        limits.check(&usage)?;
        Ok(usage)
    }

    /// What an answer cost.
    pub fn actual_cost(&self, answer: &Value) -> u64 {
        measure::actual(&self.document.plan, self.plan(), answer).max(MIN_COST)
    }
}
