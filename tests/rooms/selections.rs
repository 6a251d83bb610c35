//! The rules of the GraphQL specification for selections, with a real database.

use serde_json::json;

use super::{World, errors};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mutation_that_is_selected_twice_is_executed_once() {
    let world = World::new().await;
    let query = "mutation($name: String!) {
        createGroup(input: { name: $name }) { group { name } }
        ...Again
        other: createGroup(input: { name: \"other\" }) { group { name } }
    }
    fragment Again on Mutation { createGroup(input: { name: $name }) { group { description } } }";
    let answer = world.ask("admin", query, json!({ "name": "once" })).await;
    assert_eq!(
        answer["data"],
        json!({ "createGroup": { "group": { "name": "once", "description": "" } }, "other": { "group": { "name": "other" } } }),
        "{answer}"
    );
    let answer = world.ask("admin", "{ groups(filter: { names: [\"once\"] }) { totalCount } }", json!({})).await;
    assert_eq!(answer["data"]["groups"]["totalCount"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_input_field_that_is_given_twice_changes_nothing() {
    let world = World::new().await;
    let query = "mutation { createGroup(input: { name: \"first\", name: \"second\" }) { group { name } } }";
    let answer = world.ask("admin", query, json!({})).await;
    insta::assert_snapshot!(errors(&answer), @r#"GRAPHQL_VALIDATION_FAILED -: There can be only one input field named "name"."#);
    let answer = world.ask("admin", "{ groups { totalCount } }", json!({})).await;
    assert_eq!(answer["data"]["groups"]["totalCount"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thing_of_which_nothing_is_selected_is_there() {
    let world = World::new().await;
    let viewer = world.ask("ada", "{ viewer { id } }", json!({})).await["data"]["viewer"]["id"].clone();
    let query = "query($id: ID!, $x: Boolean!) { node(id: $id) { ... on Job { name } ...G } viewer { id @include(if: $x) } } fragment G on Group { name }";
    let answer = world.ask("ada", query, json!({ "id": viewer, "x": false })).await;
    assert_eq!(answer, json!({ "data": { "node": {}, "viewer": {} } }));
    let answer = world.ask("ada", "{ viewer @skip(if: true) { id } }", json!({})).await;
    assert_eq!(answer, json!({ "data": {} }));
    let answer = world.ask("ada", query, json!({ "id": "user_01h455vb4pex5vsknk084sn02q", "x": false })).await;
    assert_eq!(answer["data"]["node"], json!(null));
}
