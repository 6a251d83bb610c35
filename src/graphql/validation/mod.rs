//! Whether a document can be executed at all (specification, section 5, Validation). It only depends on the document
//! and the schema, so it is checked once per document.
//!
//! The executor has its own rules, which deviate: they accept two fields with the same name that cannot be merged, and
//! check values only if a variable is given. `tests/clients/reference.test.mjs` compares these with the reference
//! implementation.

mod definitions;
mod directives;
mod fragments;
mod likely;
mod overlap;
mod selections;
mod subscriptions;
#[cfg(test)]
mod tests;
mod types;
mod values;
mod variables;

use async_graphql::indexmap::IndexMap;
use async_graphql::indexmap::map::Entry;
use async_graphql::parser::types::{ExecutableDocument, FragmentDefinition, OperationDefinition, Type};
use async_graphql::{Name, Pos, Positioned, ServerError, Value};

use crate::error::Code;
use crate::graphql::errors::coded;

pub(super) use likely::{did_you_mean, input_field};
pub use types::TypeSystem;
pub(super) use types::{InputRule, Inputs, Scalar, TypeRule};

/// The maximum number of faults that are reported: a developer needs only a few to see what is wrong.
const FAULTS_TOLD: usize = 50;

/// The nesting of selections that the executor accepts as written: it rejects more than 32.
const EXECUTED_AS_WRITTEN: usize = 30;

/// The maximum number of positions that are reported for a fault.
const PLACES_TOLD: usize = 10;

/// What validation learns of a valid document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Valid {
    /// Whether it can be executed as it is: no field is selected twice that can be executed once, every object has a
    /// selection, and it does not nest more deeply than the executor allows.
    pub as_written: bool,
}

/// Validates a parsed document, in which the parser has found `faults`.
///
/// # Errors
/// The faults by position: `GRAPHQL_VALIDATION_FAILED`, or `QUERY_TOO_COMPLEX` if finding them takes too long.
pub fn validate(
    types: &TypeSystem,
    document: &ExecutableDocument,
    faults: Vec<ServerError>,
) -> Result<Valid, Vec<ServerError>> {
    let mut validator = Validator { types, document, faults, at: Vec::new(), may_select_nothing: false };
    let scopes = validator.definitions();
    let levels = validator.fragments(&scopes);
    // What follows relies on what has been checked so far.
    if validator.faults.is_empty() {
        validator.variables(&scopes);
        validator.subscriptions();
    }
    let repeats = validator.faults.is_empty() && validator.overlap();
    let Validator { mut faults, may_select_nothing, .. } = validator;
    if faults.is_empty() {
        return Ok(Valid { as_written: !repeats && !may_select_nothing && levels <= EXECUTED_AS_WRITTEN });
    }
    faults.sort_by(|one, other| place(one).cmp(&place(other)).then_with(|| one.message.cmp(&other.message)));
    Err(told(faults))
}

/// The faults as they are reported: each once for a field of the input, with all its positions.
fn told(faults: Vec<ServerError>) -> Vec<ServerError> {
    let mut told: IndexMap<(String, Option<String>), ServerError> = IndexMap::new();
    for fault in faults {
        match told.entry((fault.message.clone(), field_of(&fault).map(str::to_owned))) {
            Entry::Occupied(mut known) => {
                let places = &mut known.get_mut().locations;
                let others = fault.locations.into_iter().filter(|place| !places.contains(place)).collect::<Vec<_>>();
                places.extend(others.into_iter().take(PLACES_TOLD.saturating_sub(places.len())));
            }
            Entry::Vacant(place) => drop(place.insert(fault)),
        }
    }
    told.into_values().take(FAULTS_TOLD).collect()
}

/// The input field of a fault.
fn field_of(fault: &ServerError) -> Option<&str> {
    match fault.extensions.as_ref()?.get("field")? {
        Value::String(field) => Some(field),
        _ => None,
    }
}

/// The fault in this field of the input.
fn with_field(mut fault: ServerError, field: String) -> ServerError {
    fault.extensions.get_or_insert_default().set("field", field);
    fault
}

fn place(fault: &ServerError) -> Option<(usize, usize)> {
    fault.locations.iter().map(|pos| (pos.line, pos.column)).max()
}

/// A document that is being validated.
struct Validator<'a> {
    types: &'a TypeSystem,
    document: &'a ExecutableDocument,
    faults: Vec<ServerError>,
    /// The path of the value that is being checked, from the name of its argument.
    at: Vec<String>,
    may_select_nothing: bool,
}

/// What an operation or a fragment uses.
#[derive(Debug, Default)]
struct Scope<'a> {
    variables: Vec<Usage<'a>>,
    /// Fragments, with where they are spread and the number of selections around that position.
    spreads: Vec<(&'a Name, Pos, usize)>,
    /// The number of selections around the current position, and around the deepest.
    level: usize,
    deepest: usize,
}

/// A position where a variable is used.
#[derive(Debug)]
struct Usage<'a> {
    name: &'a Name,
    pos: Pos,
    /// The expected type; `None` within a scalar whose values only a resolver knows.
    expected: Option<&'a Type>,
    /// Whether there is a default value if it is not given.
    has_default: bool,
    /// Whether it is in an input object of which exactly one field must be given.
    one_of: bool,
    /// The path of the value that it stands for.
    field: String,
}

/// The operations and fragments of a document with what they use, by position.
struct Scopes<'a> {
    operations: Vec<(Option<&'a Name>, &'a Positioned<OperationDefinition>, Scope<'a>)>,
    fragments: Vec<(&'a Name, &'a Positioned<FragmentDefinition>, Scope<'a>)>,
}

impl Validator<'_> {
    fn fault(&mut self, message: impl Into<String>, positions: impl IntoIterator<Item = Pos>) {
        self.faults.push(coded(Code::GraphqlValidationFailed, message, positions));
    }

    /// A fault of the value at the current path.
    fn value_fault(&mut self, message: impl Into<String>, pos: Pos) {
        let fault = coded(Code::GraphqlValidationFailed, message, [pos]);
        self.faults.push(with_field(fault, self.at.join(".")));
    }

    /// A fault of what a variable is used as.
    fn usage_fault(&mut self, message: String, definition: Pos, usage: &Usage<'_>) {
        let fault = coded(Code::GraphqlValidationFailed, message, [definition, usage.pos]);
        self.faults.push(with_field(fault, usage.field.clone()));
    }

    /// Runs `check` one step further into a value.
    fn within(&mut self, step: impl ToString, check: impl FnOnce(&mut Self)) {
        self.at.push(step.to_string());
        check(self);
        self.at.pop();
    }

    /// The suggestion at the end of a fault's message. Many mistakes in a document are not slips of the pen, and
    /// looking for similar names takes time for each of them.
    fn likely<'n>(&self, given: &str, names: impl IntoIterator<Item = &'n str>) -> String {
        match self.faults.len() < FAULTS_TOLD {
            true => did_you_mean(given, names),
            false => String::new(),
        }
    }

    /// Like [`Self::likely`], for a field of an input object.
    fn likely_input(&self, given: &str, fields: &Inputs) -> String {
        match self.faults.len() < FAULTS_TOLD {
            true => input_field(self.types, given, fields),
            false => String::new(),
        }
    }

    fn too_complex(&mut self, what: &str, allowed: usize) {
        let message = format!("the operation exceeds the limit \"{what}\": at most {allowed} are allowed");
        self.faults.push(coded(Code::QueryTooComplex, message, []));
    }
}

/// The names that occur more than once: the positions of the first and of another.
fn repeated<'n>(names: impl Iterator<Item = (&'n Name, Pos)>) -> Vec<(&'n Name, Pos, Pos)> {
    let mut first = std::collections::HashMap::new();
    let again = |(name, pos): (&'n Name, Pos)| {
        let before = *first.entry(name).or_insert(pos);
        (before != pos).then_some((name, before, pos))
    };
    names.filter_map(again).collect()
}
