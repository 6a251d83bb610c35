//! Whether a document can be executed at all (specification, section 5, Validation). It depends on the document and the
//! schema alone, so it is found out once for each document.
//!
//! The executor has rules of its own, which deviate: they take two fields of one name that cannot be merged, and look at
//! values only where a variable is given. `tests/clients/reference.test.mjs` holds these against the reference implementation.

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
use async_graphql::{Name, Pos, Positioned, ServerError};

use crate::error::Code;
use crate::graphql::errors::coded;

pub(super) use likely::did_you_mean;
pub use types::TypeSystem;
pub(super) use types::{InputRule, Inputs, Scalar, TypeRule};

/// Faults that are told at most: who generates documents needs a few to see what is wrong.
const FAULTS_TOLD: usize = 50;

/// Selections within selections that the executor takes as they are written: it refuses more than 32.
const EXECUTED_AS_WRITTEN: usize = 30;

/// Places of one fault that are told at most.
const PLACES_TOLD: usize = 10;

/// What validation learns of a valid document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Valid {
    /// Whether the executor can be given it as it is: no field is selected twice that can be executed once, something is
    /// selected of each thing, and it nests no deeper than the executor goes.
    pub as_written: bool,
}

/// Validates a parsed document, of which the parser has found `faults`.
///
/// # Errors
/// What is wrong with it, by place: `GRAPHQL_VALIDATION_FAILED`, or `QUERY_TOO_COMPLEX` where finding it out takes too long.
pub fn validate(
    types: &TypeSystem,
    document: &ExecutableDocument,
    faults: Vec<ServerError>,
) -> Result<Valid, Vec<ServerError>> {
    let mut validator = Validator { types, document, faults, may_select_nothing: false };
    let scopes = validator.definitions();
    let levels = validator.fragments(&scopes);
    // What follows relies on what was checked so far.
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

/// The faults as they are told: each once, with the places where it is.
fn told(faults: Vec<ServerError>) -> Vec<ServerError> {
    let mut told: IndexMap<String, ServerError> = IndexMap::new();
    for fault in faults {
        match told.entry(fault.message.clone()) {
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

fn place(fault: &ServerError) -> Option<(usize, usize)> {
    fault.locations.iter().map(|pos| (pos.line, pos.column)).max()
}

/// A document that is being validated.
struct Validator<'a> {
    types: &'a TypeSystem,
    document: &'a ExecutableDocument,
    faults: Vec<ServerError>,
    may_select_nothing: bool,
}

/// What an operation or a fragment uses.
#[derive(Debug, Default)]
struct Scope<'a> {
    variables: Vec<Usage<'a>>,
    /// Fragments, with where they are spread and how many selections are around that place.
    spreads: Vec<(&'a Name, Pos, usize)>,
    /// Selections around the place that is being looked at, and around the deepest.
    level: usize,
    deepest: usize,
}

/// A place where a variable stands.
#[derive(Debug)]
struct Usage<'a> {
    name: &'a Name,
    pos: Pos,
    /// What is expected there; `None` within a scalar whose values only a resolver knows.
    expected: Option<&'a Type>,
    /// Whether something takes its place there when it is left out.
    has_default: bool,
    /// Whether it stands in an input object of which exactly one field is given.
    one_of: bool,
}

/// The operations and fragments of a document with what they use, by place.
struct Scopes<'a> {
    operations: Vec<(Option<&'a Name>, &'a Positioned<OperationDefinition>, Scope<'a>)>,
    fragments: Vec<(&'a Name, &'a Positioned<FragmentDefinition>, Scope<'a>)>,
}

impl Validator<'_> {
    fn fault(&mut self, message: impl Into<String>, positions: impl IntoIterator<Item = Pos>) {
        self.faults.push(coded(Code::GraphqlValidationFailed, message, positions));
    }

    /// The suggestion at the end of a fault's message. Whoever makes many mistakes does not make them by a slip, and looking
    /// for what is like each of them takes time.
    fn likely<'n>(&self, given: &str, names: impl IntoIterator<Item = &'n str>) -> String {
        match self.faults.len() < FAULTS_TOLD {
            true => did_you_mean(given, names),
            false => String::new(),
        }
    }

    fn too_complex(&mut self, what: &str, allowed: usize) {
        let message = format!("the operation exceeds the limit \"{what}\": at most {allowed} are allowed");
        self.faults.push(coded(Code::QueryTooComplex, message, []));
    }
}

/// The names that come more than once: the places of the first and of another.
fn repeated<'n>(names: impl Iterator<Item = (&'n Name, Pos)>) -> Vec<(&'n Name, Pos, Pos)> {
    let mut first = std::collections::HashMap::new();
    let again = |(name, pos): (&'n Name, Pos)| {
        let before = *first.entry(name).or_insert(pos);
        (before != pos).then_some((name, before, pos))
    };
    names.filter_map(again).collect()
}
