//! A field that failed is null, or its nearest nullable parent is (section 6.4.4 of the specification).

use serde_json::{Value, json};

use super::World;

const MISSING: &str = "job_00000000000000000000000000";

/// The data of an answer and the paths of its errors.
async fn told(world: &World, query: &str) -> Value {
    let answer = world.ask("maya", query, json!({})).await;
    let errors = answer["errors"].as_array().map_or(&[][..], Vec::as_slice);
    json!({ "data": answer["data"], "failed": errors.iter().map(|error| &error["path"]).collect::<Vec<_>>() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_field_that_may_not_be_null_leaves_no_answer_without_it() {
    let world = World::new().await;
    let query = format!("{{ viewer {{ username }} missing: job(id: \"{MISSING}\") {{ name }} }}");
    // As it is told when the document is new, and when it is known.
    for _ in 0..2 {
        assert_eq!(told(&world, &query).await, json!({ "data": null, "failed": [["missing"]] }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thing_that_is_not_there_is_null_where_it_may_be_and_leaves_the_rest() {
    let world = World::new().await;
    let query = format!("{{ viewer {{ username }} missing: node(id: \"{MISSING}\") {{ id }} }}");
    for _ in 0..2 {
        let expected = json!({ "data": { "viewer": { "username": "maya" }, "missing": null }, "failed": [] });
        assert_eq!(told(&world, &query).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mutation_that_failed_does_not_hide_behind_one_that_did_not() {
    let world = World::new().await;
    let query =
        format!("mutation {{ logout {{ __typename }} cancelJob(input: {{id: \"{MISSING}\"}}) {{ job {{ id }} }} }}");
    assert_eq!(told(&world, &query).await["data"], Value::Null);
}
