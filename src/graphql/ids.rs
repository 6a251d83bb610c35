//! Typed IDs as the GraphQL scalar `ID`. An `ID` can be any text, so whether it is the ID of the right kind of object is
//! checked where it is used, like every other rule for a field of the input: an invalid one does not hide the other
//! problems, and its error says which field it is in.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use async_graphql::registry::Registry;
use async_graphql::{ID, InputType, InputValueError, InputValueResult, Value};

use crate::error::{ApiError, ApiErrors};
use crate::ids::{Id, Kind};

/// The text that a client gave as the ID of a `K`.
pub struct GivenId<K> {
    text: String,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> GivenId<K> {
    /// The ID.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` at `field` if the text is not the ID of a `K`.
    pub fn at(&self, field: impl Into<Cow<'static, str>>) -> Result<Id<K>, ApiError> {
        self.text.parse().map_err(|error: crate::ids::InvalidId| ApiError::bad_input(field, error.to_string()))
    }
}

/// The ID, if one was given.
///
/// # Errors
/// `BAD_USER_INPUT` at `field` if it is not the ID of a `K`.
pub fn maybe<K: Kind>(given: Option<&GivenId<K>>, field: &'static str) -> Result<Option<Id<K>>, ApiError> {
    given.map(|given| given.at(field)).transpose()
}

/// All IDs of a list.
///
/// # Errors
/// `BAD_USER_INPUT` for each text that is not the ID of a `K`, at its index: `filter.jobIds.3`.
pub fn each<K: Kind>(given: &[GivenId<K>], field: &str) -> Result<Vec<Id<K>>, ApiErrors> {
    let mut problems = Vec::new();
    let mut ids = Vec::with_capacity(given.len());
    for (index, given) in given.iter().enumerate() {
        match given.text.parse() {
            Ok(id) => ids.push(id),
            Err(_) if problems.len() >= PROBLEMS_TOLD => {}
            Err(_) => problems.extend(given.at(format!("{field}.{index}")).err()),
        }
    }
    if problems.is_empty() { Ok(ids) } else { Err(ApiErrors(problems)) }
}

/// The maximum number of problems that are reported for a list.
const PROBLEMS_TOLD: usize = 50;

impl<K> Clone for GivenId<K> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), kind: PhantomData }
    }
}

impl<K> fmt::Debug for GivenId<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl<K: Kind> From<Id<K>> for GivenId<K> {
    fn from(id: Id<K>) -> Self {
        Self { text: id.to_text(), kind: PhantomData }
    }
}

impl<K: Kind> InputType for GivenId<K> {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        <ID as InputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <ID as InputType>::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let text = match value.unwrap_or_default() {
            Value::String(text) => text,
            // An ID may be written as a number (specification, section 3.5.5), although none of ours is one.
            Value::Number(number) => number.to_string(),
            other => return Err(InputValueError::expected_type(other)),
        };
        Ok(Self { text, kind: PhantomData })
    }

    fn to_value(&self) -> Value {
        Value::String(self.text.clone())
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{JobId, JobKind};

    fn given(text: &str) -> GivenId<JobKind> {
        GivenId::parse(Some(Value::String(text.to_owned()))).unwrap()
    }

    #[test]
    fn each_text_of_a_list_that_is_no_id_is_told_at_its_index() {
        let id = JobId::generate();
        assert_eq!(each(&[id.into(), id.into()], "filter.jobIds").unwrap(), [id, id]);
        let ApiErrors(errors) = each(&[given(""), id.into(), given("user_1")], "filter.jobIds").unwrap_err();
        let told: Vec<_> = errors.iter().map(|error| format!("{}: {error}", error.field.as_deref().unwrap())).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        filter.jobIds.0: "" is not a job id: it must be "job_" followed by 26 characters of 0-9 a-z without i, l, o, u
        filter.jobIds.2: "user_1" is not a job id: it must be "job_" followed by 26 characters of 0-9 a-z without i, l, o, u
        "#);
    }

    #[test]
    fn what_is_given_as_an_id_stays_as_it_is_for_the_key_of_a_request() {
        assert_eq!(given("lots").to_value(), Value::String("lots".to_owned()));
        assert!(maybe::<JobKind>(None, "id").unwrap().is_none() && maybe(Some(&given("x")), "id").is_err());
    }
}
