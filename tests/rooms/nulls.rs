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
async fn what_is_asked_for_by_its_id_and_is_not_there_leaves_the_rest() {
    let world = World::new().await;
    let fields =
        [("job", "job"), ("project", "project"), ("group", "group"), ("user", "user"), ("configFile", "config")];
    for (field, prefix) in fields {
        for id in [format!("{prefix}_{}", "0".repeat(26)), "nope".to_owned()] {
            let query = format!("{{ viewer {{ username }} missing: {field}(id: \"{id}\") {{ id }} }}");
            // As it is told when the document is new, and when it is known.
            for _ in 0..2 {
                let data = json!({ "viewer": { "username": "maya" }, "missing": null });
                assert_eq!(told(&world, &query).await, json!({ "data": data, "failed": [["missing"]] }), "{query}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_may_not_be_null_takes_the_nearest_parent_that_may() {
    let world = World::new().await;
    let query = "{ groups { nodes { members(first: -1) { totalCount } } } viewer { username } }";
    let answer = told(&world, query).await;
    assert_eq!((&answer["data"], answer["failed"][0][0].as_str()), (&Value::Null, Some("groups")));
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
async fn a_list_of_ids_has_null_and_an_error_for_each_that_leads_to_nothing() {
    let world = World::new().await;
    let me = world.ask("maya", "{ viewer { id } }", json!({})).await["data"]["viewer"]["id"].clone();
    let ids = json!([me, MISSING, "nope", "nothing_00000000000000000000000000", me]);
    let answer =
        world.ask("maya", "query($ids: [ID!]!) { found: nodes(ids: $ids) { id } }", json!({ "ids": ids })).await;
    assert_eq!(answer["data"], json!({ "found": [{ "id": me }, null, null, null, { "id": me }] }));
    let path =
        |error: &Value| error["path"].as_array().unwrap().iter().map(|step| format!("{step}.")).collect::<String>();
    let errors = answer["errors"].as_array().unwrap().iter();
    let mut lines: Vec<_> = errors
        .map(|error| {
            format!(
                "{} {} {} {}",
                path(error),
                error["extensions"]["code"],
                error["extensions"]["field"],
                error["message"]
            )
        })
        .collect();
    lines.sort();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    "found".1. "NOT_FOUND" "ids.1" "object \"job_00000000000000000000000000\" not found"
    "found".2. "BAD_USER_INPUT" "ids.2" "\"nope\" is not an id: it must be user_, session_, token_, group_, membership_, project_, config_, commit_, template_, job_, pvc_, files_, audit_, export_, request_, message_ or notification_ followed by 26 characters"
    "found".3. "BAD_USER_INPUT" "ids.3" "\"nothing_00000000000000000000000000\" is not an id: it must be user_, session_, token_, group_, membership_, project_, config_, commit_, template_, job_, pvc_, files_, audit_, export_, request_, message_ or notification_ followed by 26 characters"
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mutation_that_failed_leaves_the_answers_of_the_others() {
    let world = World::new().await;
    let project = "{ projects(filter: { names: [\"detection\"] }) { nodes { id } } }";
    let project = world.ask("maya", project, json!({})).await["data"]["projects"]["nodes"][0]["id"].clone();
    let query = "mutation($p: ID!) {
        one: submitJob(input: { projectId: $p, source: { spec: { image: \"python:3.12\" } } }) { job { id } }
        bad: submitJob(input: { projectId: $p, source: { spec: { image: \"Python\" } } }) { job { id } }
        cancelJob(input: { id: \"job_00000000000000000000000000\" }) { job { id } }
        two: submitJob(input: { projectId: $p, source: { spec: { image: \"python:3.12\" } } }) { job { id } }
    }";
    let answer = world.ask("maya", query, json!({ "p": project })).await;
    let data = &answer["data"];
    assert!(data["one"]["job"]["id"].is_string() && data["two"]["job"]["id"].is_string(), "{answer}");
    assert_eq!((&data["bad"], &data["cancelJob"]), (&Value::Null, &Value::Null));
    let paths: Vec<_> = answer["errors"].as_array().unwrap().iter().map(|error| error["path"].clone()).collect();
    assert_eq!(paths, [json!(["bad"]), json!(["cancelJob"])]);
}

/// A field with several errors has the path in each of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_error_of_a_field_has_its_path() {
    let world = World::new().await;
    let query = "{ a: jobs(first: 1, last: 1, after: \"x\", before: \"y\") { totalCount } }";
    assert_eq!(told(&world, query).await["failed"], json!([["a"], ["a"], ["a"]]));
    let query = "mutation { b: createGroup(input: {name: \"A\", description: \"\\u0001\"}) { group { id } } }";
    let answer = world.ask("admin", query, json!({})).await;
    let paths: Vec<_> = answer["errors"].as_array().unwrap().iter().map(|error| error["path"].clone()).collect();
    assert_eq!(paths, [json!(["b"]), json!(["b"])]);
}
