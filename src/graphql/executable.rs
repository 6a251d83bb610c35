//! An executable schema. Operations were validated before (`graphql::validation`).

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
use super::written::MayWrite;

/// An executable schema. Clones are the same one.
pub struct Executable<Q, M, S> {
    /// Enforces the deadline of every field.
    timed: Schema<Q, M, S>,
    /// Does not: deadlines of fields that are ready cost as much as the execution itself.
    bare: Schema<Q, M, S>,
}

/// What came of a query or a mutation.
#[derive(Debug)]
pub struct Executed {
    /// The answer, in the shape that the specification wants.
    pub response: Response,
    /// What the answer cost, in points.
    pub cost: u64,
}

impl<Q, M, S> Clone for Executable<Q, M, S> {
    fn clone(&self) -> Self {
        Self { timed: self.timed.clone(), bare: self.bare.clone() }
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
        Self { timed: builder().extension(Waves).finish(), bare: builder().extension(KnownValid).finish() }
    }

    /// Executes a query or a mutation, and shapes the response as the specification requires.
    pub async fn execute(
        &self,
        request: Request,
        prepared: &Prepared,
        loaders: &Loaders,
        deadline: Option<Deadline>,
    ) -> Executed {
        let mut response = match prepared.operation_type() {
            OperationType::Query => {
                let request = request.data(MayWrite(prepared.clone()));
                waves::drive(loaders, deadline, self.bare.execute(request)).await
            }
            // A mutation waits for more than its loaders, and does not need the fast path.
            OperationType::Mutation | OperationType::Subscription => self.timed.execute(request).await,
        };
        let cost = prepared.settle(&mut response);
        Executed { response, cost }
    }

    /// Starts a subscription.
    pub fn execute_stream(&self, request: Request) -> BoxStream<'static, Response> {
        self.timed.execute_stream(request)
    }
}

/// Prevents the executor from validating again by its own rules, which deviate.
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
        Ok(known_valid())
    }
}

/// The result that the executor gets instead of validating.
pub(super) fn known_valid() -> ValidationResult {
    // Cost and depth are measured, and cached responses marked, elsewhere (`graphql::limits`, `http::graphql`).
    ValidationResult { cache_control: CacheControl::default(), complexity: 0, depth: 0 }
}

/// Whether execution started. Only then does the response have a `data` entry: an error of a field has a path, an error
/// of the request (parsing, validation, limits) has none.
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
            let table = CostTable::read(&schema.timed.sdl()).unwrap();
            let document = Document::parse(query.into(), &table).unwrap();
            Self { schema, db, prepared: Prepared::choose(Arc::new(document), None).unwrap() }
        }

        async fn answer(&self, variables: serde_json::Value, allowed: Duration) -> Response {
            let deadline = Deadline::after(allowed);
            let loaders = Arc::new(Loaders::new(self.db.lane()));
            let variables = self.prepared.coerce(Variables::from_json(variables)).unwrap();
            let mut request = Request::new("");
            request.set_parsed_query(self.prepared.executable(&variables));
            let request = request.variables(variables);
            let request = request.data(deadline).data(Arc::clone(&loaders));
            self.schema.execute(request, &self.prepared, &loaders, Some(deadline)).await.response
        }

        async fn told(&self, variables: serde_json::Value, allowed: Duration) -> String {
            let answer = self.answer(variables, allowed).await;
            let mut errors: Vec<_> =
                answer.errors.iter().map(|error| format!("{:?}: {}", error.path, error.message)).collect();
            errors.sort();
            format!("{} {errors:#?}", answer.data)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_in_time_is_answered() {
        let stage = Stage::of("{ quick one: read(seconds: 1) late: read(seconds: 60) two other }");
        insta::assert_snapshot!(stage.told(json!({}), Duration::from_secs(2)).await, @r#"
        {quick: 1, one: null, late: null, two: null, other: null} [
            "[Field(\"late\")]: the operation exceeded its deadline of 2000 ms before this was ready",
            "[Field(\"one\")]: the operation exceeded its deadline of 2000 ms before this was ready",
            "[Field(\"other\")]: the operation exceeded its deadline of 2000 ms before this was ready",
            "[Field(\"two\")]: the operation exceeded its deadline of 2000 ms before this was ready",
        ]
        "#);
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_wave_that_is_late_leaves_what_the_first_has_brought() {
        let stage = Stage::of("{ one: read(seconds: 1) two }");
        insta::assert_snapshot!(stage.told(json!({}), Duration::from_secs(2)).await, @r#"
        {one: 1, two: null} [
            "[Field(\"two\")]: the operation exceeded its deadline of 2000 ms before this was ready",
        ]
        "#);
    }
}
