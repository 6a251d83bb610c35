//! Arguments that are read when their resolver asks for them.
//!
//! The fields of a query are started together, and the executor reads the arguments of each when it starts it. Twenty
//! fields with the same variable of a megabyte would hold twenty copies of it, although they are resolved one after
//! another.

use std::borrow::Cow;
use std::marker::PhantomData;

use async_graphql::registry::Registry;
use async_graphql::{Context, InputType, InputValueResult, Value};

use crate::error::ApiError;

/// An argument that is a `T` in the schema.
#[derive(Debug, Clone, Copy)]
pub struct Later<T>(PhantomData<fn() -> T>);

impl<T: InputType> Later<T> {
    /// The value of the argument, which has this name.
    ///
    /// # Errors
    /// The value is not a `T`, which is a bug: it was validated.
    pub fn read(self, ctx: &Context<'_>, name: &str) -> Result<T, ApiError> {
        let read = ctx.param_value::<T>(name, None);
        read.map(|(_, value)| value).map_err(|error| ApiError::internal(error.message))
    }
}

impl<T: InputType> InputType for Later<T> {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn qualified_type_name() -> String {
        T::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    fn parse(_: Option<Value>) -> InputValueResult<Self> {
        Ok(Self(PhantomData))
    }

    fn to_value(&self) -> Value {
        Value::Null
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::{EmptyMutation, EmptySubscription, Object, Result, Schema, Variables};
    use serde_json::json;

    struct Query;

    #[Object]
    impl Query {
        async fn twice(&self, ctx: &Context<'_>, number: Later<i32>) -> Result<i32> {
            tokio::task::yield_now().await;
            Ok(number.read(ctx, "number")? * 2)
        }
    }

    #[tokio::test]
    async fn the_value_is_that_of_the_argument() {
        let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
        assert!(schema.sdl().contains("twice(number: Int!): Int!"), "{}", schema.sdl());
        let request = async_graphql::Request::new("query($n: Int!) { twice(number: $n) again: twice(number: 4) }");
        let answer = schema.execute(request.variables(Variables::from_json(json!({ "n": 3 })))).await;
        assert_eq!(answer.data.into_json().unwrap(), json!({ "twice": 6, "again": 8 }));
    }
}
