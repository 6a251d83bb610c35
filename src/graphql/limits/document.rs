//! A parsed document with its plan. It is the same for everybody who sends the same text, so it is cached and shared.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection,
};
use async_graphql::{Name, Positioned, Response, ServerError, Value, Variables};

use super::input::InputLists;
use super::measure::{self, Usage};
use super::plan::{OperationPlan, Plan};
use super::table::CostTable;
use super::weights::Weights;
use super::{OperationLimits, Refusal, rate_limit, tokens};
use crate::error::ApiErrors;
use crate::graphql::shape::Shape;
use crate::graphql::validation::{self, TypeSystem, Valid};
use crate::graphql::{coercion, collect, place, syntax};

/// The minimum cost of an operation.
const MIN_COST: u64 = 1;

/// A document that was parsed, validated and prepared for measuring.
#[derive(Debug)]
pub struct Document {
    text: Arc<str>,
    tokens: u64,
    lists: InputLists,
    parsed: ExecutableDocument,
    types: Arc<TypeSystem>,
    validity: Result<Valid, Vec<ServerError>>,
    plan: Plan,
    /// The shapes of the responses, in the order of the operations of the plan. Each is created when it is first
    /// needed: as long as an operation has not passed the limits, its fragments may expand exponentially.
    shapes: Vec<OnceLock<Shape>>,
}

/// Why an operation of a document cannot be executed.
#[derive(Debug)]
pub enum NotChosen {
    /// The document is not valid.
    Invalid(Vec<ServerError>),
    /// None of its operations has the name, or it has several and no name was given; with an explanation.
    Unknown(String),
}

impl Document {
    /// Parses and validates a text. An invalid document is kept with its errors, so that it is validated only once as
    /// well.
    ///
    /// # Errors
    /// The text is not a GraphQL document.
    pub fn parse(text: Arc<str>, table: &CostTable) -> Result<Self, ServerError> {
        let syntax::Parsed { document: parsed, faults } = syntax::parse(&text)?;
        let types = Arc::clone(table.types());
        let validity = validation::validate(&types, &parsed, faults);
        let plan = Plan::of(&parsed, table);
        let shapes = plan.operations.iter().map(|_| OnceLock::new()).collect();
        let lists = InputLists::of_document(&parsed);
        Ok(Self { tokens: tokens::count(&text), lists, text, parsed, types, validity, plan, shapes })
    }

    /// The text.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The parsed document.
    pub fn parsed(&self) -> &ExecutableDocument {
        &self.parsed
    }

    /// Its approximate size in bytes.
    pub fn bytes(&self) -> u64 {
        // A token becomes about two hundred bytes of nodes, in the document and in the plan.
        self.text.len() as u64 + 200 * self.tokens + 500
    }
}

/// An operation of a valid document.
#[derive(Debug, Clone)]
pub struct Prepared {
    document: Arc<Document>,
    index: usize,
}

impl Prepared {
    /// The operation with this name, or the only one if no name is given.
    ///
    /// # Errors
    /// The document is not valid, or the operation does not exist.
    pub fn choose(document: Arc<Document>, asked: Option<&str>) -> Result<Self, NotChosen> {
        if let Err(errors) = &document.validity {
            return Err(NotChosen::Invalid(errors.clone()));
        }
        Self::find(document, asked).map_err(NotChosen::Unknown)
    }

    /// The limit that an operation of an invalid document exceeds nevertheless: this is more informative than the
    /// problems of each of its parts.
    pub fn exceeded(document: &Arc<Document>, asked: Option<&str>, limits: &OperationLimits) -> Option<Refusal> {
        let prepared = Self::find(Arc::clone(document), asked).ok()?;
        match prepared.check(&Variables::default(), limits) {
            Err(refusal @ (Refusal::Exceeded { .. } | Refusal::Introspection)) => Some(refusal),
            Err(Refusal::UnslicedList(_)) | Ok(_) => None,
        }
    }

    /// The operation with this name, of a document that may be invalid.
    pub(in crate::graphql) fn find(document: Arc<Document>, asked: Option<&str>) -> Result<Self, String> {
        let operations = &document.plan.operations;
        let index = match asked {
            Some(asked) => operations
                .iter()
                .position(|(name, _)| name.as_ref().is_some_and(|name| name == asked))
                .ok_or_else(|| format!("the document has no operation named \"{asked}\""))?,
            None if operations.len() == 1 => 0,
            None => {
                let message =
                    format!("the document has {} operations: specify one with operationName", operations.len());
                return Err(message);
            }
        };
        Ok(Self { document, index })
    }

    /// The document.
    pub fn document(&self) -> &Arc<Document> {
        &self.document
    }

    /// Whether its response, if it has no errors, is the same for identical requests of a user.
    pub fn can_be_shared(&self) -> bool {
        self.operation_type() == OperationType::Query && !self.document.text.contains(rate_limit::FIELD)
    }

    /// The index of the operation in its document.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The shape of its response, for an operation that is within the limits.
    pub fn shape(&self) -> &Shape {
        self.document.shapes[self.index].get_or_init(|| Shape::of(self.plan(), &self.document.plan))
    }

    /// What its fields cost.
    pub(in crate::graphql) fn weights(&self) -> Weights<'_> {
        Weights::new(&self.document.plan, &self.plan().selection)
    }

    fn plan(&self) -> &OperationPlan {
        &self.document.plan.operations[self.index].1
    }

    /// Its name in the document, if it has one.
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

    /// Whether it is a mutation that only consists of fields with these names, in its own selection set and in fragments.
    pub fn mutates_only(&self, names: &[&str]) -> bool {
        let fragments = &self.document.parsed.fragments;
        let mut pending = match self.definition() {
            Some(operation) if operation.node.ty == OperationType::Mutation => vec![&operation.node.selection_set],
            Some(_) | None => return false,
        };
        // A valid document has no cycles, but may spread a fragment any number of times.
        let mut spread = HashSet::new();
        while let Some(set) = pending.pop() {
            for selection in &set.node.items {
                match &selection.node {
                    Selection::Field(field) => {
                        let name = field.node.name.node.as_str();
                        if name != "__typename" && !names.contains(&name) {
                            return false;
                        }
                    }
                    Selection::InlineFragment(inline) => pending.push(&inline.node.selection_set),
                    Selection::FragmentSpread(named) => {
                        let name = &named.node.fragment_name.node;
                        let Some(fragment) = fragments.get(name) else { return false };
                        if spread.insert(name) {
                            pending.push(&fragment.node.selection_set);
                        }
                    }
                }
            }
        }
        true
    }

    /// The values of its variables, from those that were given and the defaults.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for each value that does not match the declared type of its variable, with its path.
    pub fn coerce(&self, given: Variables) -> Result<Variables, ApiErrors> {
        let declared = self.definition().map_or(&[][..], |definition| &definition.node.variable_definitions);
        coercion::coerce(&self.document.types, declared, given, |variable| self.place_of(variable))
    }

    /// The path of the input that a variable is for: `input.name`.
    pub fn place_of(&self, variable: &str) -> String {
        let found = self
            .definition()
            .and_then(|definition| place::of_variable(&self.document.parsed, &definition.node, variable));
        found.unwrap_or_else(|| format!("variables.{variable}"))
    }

    /// What is executed for these coerced variables.
    pub fn executable(&self, variables: &Variables) -> ExecutableDocument {
        let parsed = &self.document.parsed;
        let Some(operation) = self.definition() else { return parsed.clone() };
        let declared = &operation.node.variable_definitions;
        let as_written = operation.node.ty != OperationType::Subscription
            && self.document.validity.as_ref().is_ok_and(|valid| valid.as_written)
            && declared.iter().all(|variable| variables.contains_key(&variable.node.name.node));
        match as_written {
            true => parsed.clone(),
            false => collect::collect(&self.document.types, parsed, (self.name(), operation), variables),
        }
    }

    /// Measures it with these variables, and checks it against the limits.
    ///
    /// # Errors
    /// It exceeds a limit.
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

    /// Puts the executor's answer into its shape; what it cost.
    pub(in crate::graphql) fn settle(&self, response: &mut Response) -> u64 {
        self.shape().fail_all(response);
        let cost = self.actual_cost(&response.data);
        self.shape().sort(&mut response.data);
        cost
    }

    /// The cost of a response.
    pub fn actual_cost(&self, answer: &Value) -> u64 {
        measure::actual(&self.document.plan, self.plan(), answer).max(MIN_COST)
    }
}
