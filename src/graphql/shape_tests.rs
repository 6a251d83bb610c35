//! Responses of a real executor, brought into the shape that the specification requires.

use std::sync::Arc;

use async_graphql::{
    EmptyMutation, EmptySubscription, Object, PathSegment, Request, Result, Schema, ServerError, Value,
};
use serde_json::json;

use super::collect::NOTHING;
use super::limits::{CostTable, Document, Prepared};

struct Query;
struct Room;

#[Object]
impl Query {
    async fn room(&self) -> Option<Room> {
        Some(Room)
    }
    async fn must(&self) -> Room {
        Room
    }
    async fn rooms(&self) -> Vec<Room> {
        vec![Room, Room]
    }
    async fn some_rooms(&self) -> Vec<Option<Room>> {
        vec![Some(Room), None]
    }
    async fn maybe_rooms(&self) -> Option<Vec<Room>> {
        Some(vec![Room])
    }
    async fn broken(&self) -> Result<Room> {
        Err("broken".into())
    }
}

#[Object]
impl Room {
    async fn name(&self) -> &str {
        "blue"
    }
    async fn key(&self) -> Result<i32> {
        Err("no key".into())
    }
    async fn guest(&self) -> Result<Option<i32>> {
        Err("no guest".into())
    }
    async fn next(&self) -> Result<Option<Room>> {
        Ok(Some(Room))
    }
    async fn door(&self) -> Result<Option<Room>> {
        Err("no door".into())
    }
}

async fn data(query: &str) -> String {
    let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
    let table = CostTable::read(&schema.sdl()).unwrap();
    let prepared = Prepared::choose(Arc::new(Document::parse(query.into(), &table).unwrap()), None).unwrap();
    let mut response = schema.execute(Request::new(query)).await;
    prepared.shape().settle(&mut response);
    serde_json::to_string(&response.data).unwrap()
}

#[tokio::test]
async fn a_field_that_failed_and_may_be_null_is_null() {
    assert_eq!(data("{ must { name guest } }").await, r#"{"must":{"name":"blue","guest":null}}"#);
    assert_eq!(data("{ must { guest } }").await, r#"{"must":{"guest":null}}"#);
    assert_eq!(data("{ must { door { name } guest } }").await, r#"{"must":{"door":null,"guest":null}}"#);
    assert_eq!(data("{ must { next { guest } } }").await, r#"{"must":{"next":{"guest":null}}}"#);
}

#[tokio::test]
async fn a_field_that_failed_and_may_not_be_null_makes_what_is_above_it_null() {
    assert_eq!(data("{ room { name key } must { name } }").await, r#"{"room":null,"must":{"name":"blue"}}"#);
    assert_eq!(data("{ must { name next { key } } }").await, r#"{"must":{"name":"blue","next":null}}"#);
    assert_eq!(
        data("{ must { name next { next { name guest key } } } }").await,
        r#"{"must":{"name":"blue","next":{"next":null}}}"#
    );
}

#[tokio::test]
async fn it_makes_all_of_the_answer_null_where_nothing_between_may_be() {
    assert_eq!(data("{ broken { name } room { name } }").await, "null");
    assert_eq!(data("{ must { name key } room { name } }").await, "null");
    assert_eq!(data("{ rooms { key } room { name } }").await, "null");
    assert_eq!(data("{ room { guest } must { guest key } }").await, "null");
}

#[tokio::test]
async fn lists_are_null_whole_or_in_the_place_of_the_item() {
    assert_eq!(data("{ someRooms { name key } }").await, r#"{"someRooms":[null,null]}"#);
    assert_eq!(
        data("{ maybeRooms { name key } must { name } }").await,
        r#"{"maybeRooms":null,"must":{"name":"blue"}}"#
    );
    assert_eq!(data("{ rooms { guest } }").await, r#"{"rooms":[{"guest":null},{"guest":null}]}"#);
}

#[tokio::test]
async fn aliases_and_fragments_are_found() {
    let query =
        "{ a: must { ...Parts ... on Room { b: name c: next { d: key } } } } fragment Parts on Room { e: guest }";
    assert_eq!(data(query).await, r#"{"a":{"e":null,"b":"blue","c":null}}"#);
}

#[test]
fn fields_come_in_the_order_they_were_asked_for() {
    let query = "{ b: x { d c ...F ... { a } } a } fragment F on T { e }";
    let answer = json!({"a": 1, "b": [{"a": 1, "c": 2, "e": 3, "d": {"z": 1, "y": 2}}]});
    assert_eq!(ordered(query, answer), r#"{"b":[{"d":{"z":1,"y":2},"c":2,"e":3,"a":1}],"a":1}"#);
}

#[test]
fn what_is_never_selected_takes_no_place() {
    let query = "{ a @skip(if: true) ... @include(if: false) { b } ...F @skip(if: true) c b a } fragment F on T { a }";
    assert_eq!(ordered(query, json!({"a": 1, "b": 2, "c": 3})), r#"{"c":3,"b":2,"a":1}"#);
}

#[test]
fn an_object_of_which_all_is_left_out_is_empty() {
    let query = "{ a { b @skip(if: true) } c @include(if: false) { d } }";
    assert_eq!(ordered(query, json!({"a": {NOTHING: "T"}})), r#"{"a":{}}"#);
    assert_eq!(ordered("{ a @skip(if: true) }", json!({NOTHING: "Query"})), "{}");
}

#[test]
fn a_fragment_that_contains_itself_ends() {
    assert_eq!(ordered("{ ...F } fragment F on T { a ...F }", json!({"a": 1})), r#"{"a":1}"#);
}

fn ordered(query: &str, answer: serde_json::Value) -> String {
    let document = Document::parse(query.into(), &CostTable::default()).unwrap();
    let mut response = async_graphql::Response::new(Value::from_json(answer).unwrap());
    Prepared::find(Arc::new(document), None).unwrap().shape().settle(&mut response);
    serde_json::to_string(&response.data).unwrap()
}

#[test]
fn what_failed_itself_is_not_brought_back_by_what_failed_below_it() {
    let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
    let table = CostTable::read(&schema.sdl()).unwrap();
    let document = Document::parse("{ room { name guest } must { name } }".into(), &table).unwrap();
    let data = json!({"room": null, "must": {"name": "blue"}});
    let mut response = async_graphql::Response::new(Value::from_json(data.clone()).unwrap());
    // The guest failed first, then the room was late.
    for path in [vec!["room", "guest"], vec!["room"]] {
        let path = path.into_iter().map(|name| PathSegment::Field(name.to_owned())).collect();
        response.errors.push(ServerError::new("failed", None).with_path(path));
    }
    Prepared::find(Arc::new(document), None).unwrap().shape().settle(&mut response);
    assert_eq!(response.data.into_json().unwrap(), data);
}
