//! Written answers beside those of the executor alone: the same text, the same errors, the same cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::{Context, EmptyMutation, EmptySubscription, Object, Request, Response, Schema, Value, Variables};
use futures::FutureExt as _;
use serde_json::json;
use uuid::Uuid;

use super::{Part, Written, each};
use crate::config::DatabaseConfig;
use crate::db::coalesce::{ByKey, Read};
use crate::db::{Db, Lane};
use crate::error::ApiError;
use crate::graphql::connection::{Connection, Page, PageArgs, TotalCount, argument, connection};
use crate::graphql::cursor::Position;
use crate::graphql::executable::Executable;
use crate::graphql::limits::{CostTable, Document, Prepared};
use crate::graphql::loaders::{Loaders, ReadExt};
use crate::graphql::scalars::json_text;
use crate::graphql::waves::{Waves, drive};
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::tasks::Tasks;

/// The room with a number; there is none above 100, and 66 cannot be read.
enum Rooms {}

impl Read for Rooms {
    type Key = i32;
    type Value = i32;

    async fn read(_: &Lane, keys: Vec<i32>) -> Result<ByKey<i32, i32>, ApiError> {
        if keys.contains(&66) {
            return Err(ApiError::internal("66 cannot be read"));
        }
        Ok(keys.into_iter().filter(|key| *key <= 100).map(|key| (key, key)).collect())
    }
}

struct Query;

#[derive(Clone, Copy)]
struct Room(i32);

#[Object]
impl Query {
    async fn room(&self, number: i32) -> AtOnce<Room> {
        AtOnce(Room(number))
    }
    async fn rooms(&self, number: Option<i32>) -> Option<Connection<Room>> {
        Some(rooms(number.unwrap_or(1)))
    }
}

#[Object]
impl Room {
    async fn name(&self) -> String {
        format!("\"room\"\n{}", self.0)
    }
    async fn size(&self) -> Option<i32> {
        (self.0 % 2 == 0).then_some(self.0)
    }
    /// Not written.
    async fn color(&self) -> &str {
        "blue"
    }
    async fn beside(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<Room>> {
        beside(ctx, self.0).await.map(AtOnce).graphql(ctx)
    }
    async fn above(&self) -> Option<AtOnce<Room>> {
        (self.0 % 2 == 0).then_some(AtOnce(Room(self.0 + 10)))
    }
    async fn rooms(&self, number: Option<i32>) -> Connection<Room> {
        rooms(self.0 + number.unwrap_or(1))
    }
}

fn rooms(first: i32) -> Connection<Room> {
    let page = Page::parse(PageArgs { first: Some(3), ..PageArgs::default() }).unwrap();
    let position = |number: &i32| Position::numbered(i64::from(*number), Uuid::nil());
    connection(&page, (first..first + 4).collect(), position, Room, TotalCount::by(|_| async { Ok(40) }))
}

async fn beside(ctx: &Context<'_>, number: i32) -> Result<Room, ApiError> {
    let room = ctx.read::<Rooms>(number + 1).await?;
    room.map(Room).ok_or_else(|| ApiError::internal("no such room"))
}

impl Written for Room {
    fn part(field: &str) -> Option<Part<Self>> {
        Some(match field {
            "name" => Part::column(|room, json| json.put(&format!("\"room\"\n{}", room.0))),
            "size" => Part::column(|room, json| json.put(&(room.0 % 2 == 0).then_some(room.0))),
            "beside" => Part::one(|ctx, rooms| each(rooms, move |room| beside(ctx, room.0)).boxed()),
            "above" => Part::maybe(|_, rooms| {
                let above = rooms.iter().map(|room| (room.0 % 2 == 0).then_some(Room(room.0 + 10))).collect();
                async { Some(above) }.boxed()
            }),
            "rooms" => Part::one(|ctx, parents| {
                async move {
                    let given = ctx.field().arguments().ok()?;
                    let number = argument::<Option<i32>>(&given, "number")?;
                    Some(parents.iter().map(|room| rooms(room.0 + number.unwrap_or(1))).collect())
                }
                .boxed()
            }),
            _ => return None,
        })
    }
}

/// An answer: its text, its errors and its cost.
#[derive(Debug, PartialEq)]
struct Answer {
    text: String,
    errors: Vec<String>,
    cost: u64,
}

struct Stage {
    ours: Executable<Query, EmptyMutation, EmptySubscription>,
    alone: Schema<Query, EmptyMutation, EmptySubscription>,
    table: CostTable,
    db: Db,
}

impl Stage {
    fn new() -> Self {
        let build = || Schema::build(Query, EmptyMutation, EmptySubscription);
        let alone = build().extension(Waves).finish();
        let table = CostTable::read(&alone.sdl()).unwrap();
        let db = Db::new(&DatabaseConfig::nowhere(), &Tasks::default()).unwrap();
        Self { ours: Executable::new(build), alone, table, db }
    }

    fn request(&self, query: &str, variables: serde_json::Value) -> (Request, Prepared, Arc<Loaders>) {
        let prepared = Prepared::choose(Arc::new(Document::parse(query.into(), &self.table).unwrap()), None).unwrap();
        let variables = prepared.coerce(Variables::from_json(variables)).unwrap();
        let loaders = Arc::new(Loaders::new(self.db.lane()));
        let mut request = Request::new("");
        request.set_parsed_query(prepared.executable(&variables));
        (request.variables(variables).data(Arc::clone(&loaders)), prepared, loaders)
    }

    async fn ours(&self, query: &str, variables: serde_json::Value) -> (Answer, bool) {
        let (request, prepared, loaders) = self.request(query, variables);
        let executed = self.ours.execute(request, &prepared, &loaders, None).await;
        (answer(&executed.response, executed.cost), is_written(&executed.response.data))
    }

    async fn alone(&self, query: &str, variables: serde_json::Value) -> Answer {
        let (request, prepared, _) = self.request(query, variables);
        let mut response = self.alone.execute(request).await;
        let cost = prepared.settle(&mut response);
        answer(&response, cost)
    }
}

fn answer(response: &Response, cost: u64) -> Answer {
    let errors = response.errors.iter().map(|error| format!("{:?} {}", error.path, error.message));
    let mut errors: Vec<_> = errors.collect();
    errors.sort();
    Answer { text: serde_json::to_string(&response.data).unwrap(), errors, cost }
}

fn is_written(value: &Value) -> bool {
    match value {
        value if json_text(value).is_some() => true,
        Value::Object(fields) => fields.values().any(is_written),
        Value::List(items) => items.iter().any(is_written),
        _ => false,
    }
}

#[tokio::test]
async fn what_is_written_is_what_the_executor_answers() {
    let stage = Stage::new();
    for query in [
        "{ room(number: 1) { name size } }",
        "{ room(number: 1) { __typename a: name b: name size } other: room(number: 2) { size } }",
        "{ rooms { nodes { name size beside { name } above { size above { name } } } } }",
        "{ rooms { edges { cursor node { name } } pageInfo { hasNextPage endCursor } totalCount nodes { size } } }",
        "{ rooms { nodes { rooms { totalCount pageInfo { startCursor } edges { node { above { name } } cursor } } } } }",
        "{ room(number: 7) { rooms(number: 20) { nodes { name rooms { nodes { beside { name } } } } } } }",
        "query($n: Int) { room(number: 7) { rooms(number: $n) { nodes { name } } } }",
        "{ rooms { nodes { ...A ...B } } } fragment A on Room { beside { name } } fragment B on Room { beside { size } name }",
        "query($no: Boolean = false) { rooms { nodes { name @include(if: $no) size } } }",
    ] {
        let (ours, written) = stage.ours(query, json!({})).await;
        assert!(written, "{query}");
        assert_eq!(ours, stage.alone(query, json!({})).await, "{query}");
    }
}

#[tokio::test]
async fn what_is_not_written_or_fails_is_left_to_the_executor() {
    let stage = Stage::new();
    for query in [
        "{ room(number: 1) { color name } }",
        "{ room(number: 100) { name beside { name } } }",
        "{ rooms(number: 64) { nodes { beside { name } } } }",
        "{ rooms { nodes { name above { color } } } }",
        "query($no: Boolean = false) { room(number: 1) { name @include(if: $no) } }",
    ] {
        let (ours, written) = stage.ours(query, json!({})).await;
        assert!(!written, "{query}");
        assert_eq!(ours, stage.alone(query, json!({})).await, "{query}");
    }
}

#[tokio::test]
async fn a_part_that_fails_leaves_the_others_written() {
    let stage = Stage::new();
    let query = "{ well: rooms { nodes { name } } ill: rooms(number: 64) { nodes { beside { name } } } }";
    let (ours, written) = stage.ours(query, json!({})).await;
    assert!(written && !ours.errors.is_empty(), "{ours:?}");
    assert_eq!(ours, stage.alone(query, json!({})).await);
}

/// Counts what it is asked for.
enum Counted {}

static STATEMENTS: AtomicUsize = AtomicUsize::new(0);

impl Read for Counted {
    type Key = i32;
    type Value = i32;

    async fn read(_: &Lane, keys: Vec<i32>) -> Result<ByKey<i32, i32>, ApiError> {
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
        Ok(keys.into_iter().map(|key| (key, key)).collect())
    }
}

#[tokio::test]
async fn each_reads_for_all_parents_in_one_statement() {
    let db = Db::new(&DatabaseConfig::nowhere(), &Tasks::default()).unwrap();
    let loaders = Loaders::new(db.lane());
    let numbers: Vec<i32> = (0..50).collect();
    let parents: Vec<&i32> = numbers.iter().collect();
    let work = async {
        let each = each(&parents, |number| loaders.read::<Counted>(*number)).await;
        let all = loaders.read_all::<Counted>(&[3, 3, 99, 7]).await.unwrap();
        (each, all)
    };
    let (each, all) = drive(&loaders, None, work).await;
    assert_eq!(each.unwrap(), (0..50).map(Some).collect::<Vec<_>>());
    assert_eq!(all, [Some(3), Some(3), Some(99), Some(7)]);
    assert_eq!(STATEMENTS.load(Ordering::Relaxed), 2);
}
