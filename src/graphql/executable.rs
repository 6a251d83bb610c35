//! A schema as it is executed: with validation where it is needed, and without where an operation is known to be valid.

use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation};
use async_graphql::parser::types::OperationType;
use async_graphql::{
    CacheControl, ObjectType, Request, Response, Schema, SchemaBuilder, ServerError, SubscriptionType,
    ValidationResult, async_trait,
};
use futures::stream::BoxStream;

use super::limits::{Deadline, Prepared};
use super::loaders::Loaders;
use super::waves::{self, Waves};

/// An executable schema. Clones are the same one.
pub struct Executable<Q, M, S> {
    /// Validates, and sees to every field's deadline.
    checked: Schema<Q, M, S>,
    /// Does neither: rules that are kept and deadlines of fields that are ready cost as much as the execution itself.
    bare: Schema<Q, M, S>,
}

impl<Q, M, S> Clone for Executable<Q, M, S> {
    fn clone(&self) -> Self {
        Self { checked: self.checked.clone(), bare: self.bare.clone() }
    }
}

impl<Q, M, S> Executable<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    /// The schema that `builder` builds, the same each time.
    pub fn new(builder: impl Fn() -> SchemaBuilder<Q, M, S>) -> Self {
        Self { checked: builder().extension(Waves).finish(), bare: builder().extension(KnownValid).finish() }
    }

    /// Executes a query or a mutation, whose answer comes in the shape that the specification wants.
    pub async fn execute(
        &self,
        request: Request,
        prepared: &Prepared,
        loaders: &Loaders,
        deadline: Option<Deadline>,
    ) -> Response {
        let validity = prepared.validity();
        // A mutation waits for more than its loaders, and is not worth the haste.
        let mut response = if prepared.operation_type() == OperationType::Query && validity.holds(&request.variables) {
            waves::drive(loaders, deadline, self.bare.execute(request)).await
        } else {
            let tells = validity.is_told_by(&request.variables);
            let response = self.checked.execute(request).await;
            if tells && was_executed(&response) {
                validity.prove();
            }
            response
        };
        prepared.shape().settle(&mut response);
        response
    }

    /// Starts a subscription.
    pub fn execute_stream(&self, request: Request) -> BoxStream<'static, Response> {
        self.checked.execute_stream(request)
    }
}

/// Keeps no rules: what is executed with it has kept them before.
struct KnownValid;

impl ExtensionFactory for KnownValid {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for KnownValid {
    async fn validation(
        &self,
        _ctx: &ExtensionContext<'_>,
        _next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        // Cost and depth are measured and cached answers marked elsewhere (`graphql::limits`, `http::graphql`).
        Ok(ValidationResult { cache_control: CacheControl::default(), complexity: 0, depth: 0 })
    }
}

/// Whether execution began. Only then has the answer a `data` entry: an error of a field has a path, one of the
/// request (parsing, validation, limits) has none.
pub fn was_executed(response: &Response) -> bool {
    response.errors.is_empty()
        || response.data != async_graphql::Value::Null
        || response.errors.iter().any(|error| !error.path.is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::config::DatabaseConfig;
    use crate::db::coalesce::{ByKey, Read};
    use crate::db::{Db, Lane};
    use crate::error::ApiError;
    use crate::graphql::limits::{CostTable, Document, InTime};
    use crate::graphql::loaders::ReadExt;
    use crate::graphql::{ApiResult, IntoGraphql};
    use crate::tasks::Tasks;
    use async_graphql::{Context, EmptyMutation, EmptySubscription, Object, Variables};
    use serde_json::json;

    /// Its keys are the seconds that it takes.
    enum Slow {}

    impl Read for Slow {
        type Key = u64;
        type Value = u64;
        const CONNECTIONS: usize = 8;

        async fn read(_: &Lane, keys: Vec<u64>) -> Result<ByKey<u64, u64>, ApiError> {
            let longest = keys.iter().max().copied().unwrap_or_default();
            tokio::time::sleep(Duration::from_secs(longest)).await;
            Ok(keys.into_iter().map(|key| (key, key)).collect())
        }
    }

    struct Query;

    #[Object]
    impl Query {
        async fn quick(&self) -> i32 {
            1
        }
        async fn read(&self, ctx: &Context<'_>, seconds: i32) -> ApiResult<Option<u64>> {
            ctx.read::<Slow>(u64::from(seconds.unsigned_abs())).await.graphql(ctx)
        }
        async fn two(&self, ctx: &Context<'_>) -> ApiResult<Option<u64>> {
            let first = ctx.read::<Slow>(1).await.graphql(ctx)?;
            ctx.read::<Slow>(first.unwrap_or_default() + 1).await.graphql(ctx)
        }
        async fn other(&self, ctx: &Context<'_>) -> ApiResult<Option<u64>> {
            let other = async {
                tokio::time::sleep(Duration::from_secs(60)).await;
                Ok::<_, ApiError>(Some(1))
            };
            other.in_time(ctx).await.graphql(ctx)
        }
    }

    struct Stage {
        schema: Executable<Query, EmptyMutation, EmptySubscription>,
        db: Db,
        prepared: Prepared,
    }

    impl Stage {
        fn of(query: &str) -> Self {
            let schema = Executable::new(|| Schema::build(Query, EmptyMutation, EmptySubscription));
            let db = Db::new(&DatabaseConfig::nowhere(), &Tasks::default()).unwrap();
            let table = CostTable::read(&schema.checked.sdl()).unwrap();
            let document = Document::parse(query.into(), &table).unwrap();
            Self { schema, db, prepared: Prepared::choose(Arc::new(document), None).unwrap() }
        }

        async fn answer(&self, variables: serde_json::Value, allowed: Duration) -> Response {
            let deadline = Deadline::after(allowed);
            let loaders = Arc::new(Loaders::new(self.db.lane()));
            let mut request = Request::new("").variables(Variables::from_json(variables));
            request.set_parsed_query(self.prepared.document().parsed().clone());
            let request = request.data(deadline).data(Arc::clone(&loaders));
            self.schema.execute(request, &self.prepared, &loaders, Some(deadline)).await
        }

        /// As somebody is told it who asks first, and as somebody who asks what is known to be valid.
        async fn twice(&self, variables: serde_json::Value, allowed: Duration) -> [String; 2] {
            let mut told = Vec::new();
            for _ in 0..2 {
                let answer = self.answer(variables.clone(), allowed).await;
                let mut errors: Vec<_> =
                    answer.errors.iter().map(|error| format!("{:?}: {}", error.path, error.message)).collect();
                errors.sort();
                told.push(format!("{} {errors:#?}", answer.data));
            }
            told.try_into().unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_in_time_is_answered_whether_it_was_validated_or_not() {
        let stage = Stage::of("{ quick one: read(seconds: 1) late: read(seconds: 60) two other }");
        let [first, second] = stage.twice(json!({}), Duration::from_secs(2)).await;
        insta::assert_snapshot!(first, @r#"
        {quick: 1, one: null, late: null, two: null, other: null} [
            "[Field(\"late\")]: the operation's deadline of 2000 ms passed before this was ready",
            "[Field(\"one\")]: the operation's deadline of 2000 ms passed before this was ready",
            "[Field(\"other\")]: the operation's deadline of 2000 ms passed before this was ready",
            "[Field(\"two\")]: the operation's deadline of 2000 ms passed before this was ready",
        ]
        "#);
        assert!(stage.prepared.validity().holds(&Variables::default()));
        assert_eq!(first, second);
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_wave_that_is_late_leaves_what_the_first_has_brought() {
        let stage = Stage::of("{ one: read(seconds: 1) two }");
        let [first, second] = stage.twice(json!({}), Duration::from_secs(2)).await;
        insta::assert_snapshot!(first, @r#"
        {one: 1, two: null} [
            "[Field(\"two\")]: the operation's deadline of 2000 ms passed before this was ready",
        ]
        "#);
        assert_eq!(first, second);
    }

    #[tokio::test(start_paused = true)]
    async fn a_variable_that_is_wrong_is_refused_of_an_operation_that_was_valid_before() {
        let stage = Stage::of("query($n: Int!) { read(seconds: $n) }");
        let [first, second] = stage.twice(json!({"n": 1}), Duration::from_secs(2)).await;
        assert_eq!((first.as_str(), second.as_str()), ("{read: 1} []", "{read: 1} []"));
        let wrong = [json!({"n": "1"}), json!({"n": null}), json!({"n": 1.5})];
        for variables in wrong {
            let answer = stage.answer(variables.clone(), Duration::from_secs(2)).await;
            assert!(!was_executed(&answer) && !answer.errors.is_empty(), "{variables}: {answer:?}");
        }
    }
}
