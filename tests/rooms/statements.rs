//! The number of SQL statements of an operation follows from its shape, never from the number of its rows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use diesel_async::RunQueryDsl as _;
use serde_json::{Value, json};

use super::{World, more_groups};

/// The same question where there are few rows and where there are many.
async fn compare(queries: impl IntoIterator<Item = String>) {
    let (few, many) = (World::new().await, World::new().await);
    more_groups(&few, 2).await;
    more_groups(&many, 50).await;
    let (admin_of_few, admin_of_many) = (few.caller("admin").await, many.caller("admin").await);
    for query in queries {
        let at_few = few.statements(admin_of_few.clone(), &query).await;
        let at_many = many.statements(admin_of_many.clone(), &query).await;
        assert_eq!(at_few, at_many, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_level_of_lists_takes_as_many_at_2_rows_as_at_50() {
    let deep = [
        "{ groups(first: 50) { nodes { projects { nodes { jobs { nodes { name submittedBy { username } } } } } } } }",
        "{ groups(first: 50) { totalCount nodes { members { totalCount nodes { role user { username } group { name } } } } } }",
        "{ groups(first: 50) { nodes { projects { nodes { configFiles { totalCount nodes { name project { name } head { yaml kinds author { username } } commits { totalCount nodes { message parent { id } configFile { name } } } } } } } } } }",
        "{ users(first: 50) { totalCount nodes { memberships { totalCount nodes { group { name } user { username } } } } } }",
        "{ jobs(first: 50) { nodes { project { name group { name } } submittedBy { username } events { totalCount nodes { phase } } } } }",
    ];
    compare(deep.map(str::to_owned)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_levels_of_lists_and_a_person_take_four_statements() {
    let world = World::new().await;
    more_groups(&world, 50).await;
    let query =
        "{ groups(first: 50) { nodes { projects { nodes { jobs { nodes { submittedBy { username } } } } } } } }";
    let admin = world.caller("admin").await;
    assert_eq!(world.statements(admin, query).await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_edge_of_the_schema_takes_as_many_at_2_rows_as_at_50() {
    let world = World::new().await;
    let queries = list_edges(&world).await;
    assert!(queries.len() > 10, "{queries:?}");
    compare(queries).await;
}

const TYPES: &str = "{ __schema { types { name fields { name args { name type { kind } } type { ...t } } } } }
    fragment t on __Type { name kind ofType { name kind ofType { name kind ofType { name kind } } } }";

/// The shortest query to each connection that hangs below a list, with its items' ids and its count.
async fn list_edges(world: &World) -> Vec<String> {
    let schema = world.ask("admin", TYPES, json!({})).await;
    let types = schema["data"]["__schema"]["types"].as_array().unwrap();
    let fields: BTreeMap<&str, &Vec<Value>> =
        types.iter().filter_map(|of_type| Some((of_type["name"].as_str()?, of_type["fields"].as_array()?))).collect();
    let mut queries = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open: VecDeque<(&str, Vec<String>)> = VecDeque::from([("Query", Vec::new())]);
    while let Some((parent, path)) = open.pop_front() {
        for field in fields[parent] {
            let (name, target) = (field["name"].as_str().unwrap(), named(&field["type"]));
            let needs_more = field["args"].as_array().unwrap().iter().any(|arg| arg["type"]["kind"] == "NON_NULL");
            let Some(node) = target.strip_suffix("Connection") else { continue };
            if needs_more || !fields.contains_key(node) || !seen.insert((parent, name)) {
                continue;
            }
            let path: Vec<String> = path.iter().cloned().chain([name.to_owned()]).collect();
            queries.push(query(&path, fields[node].iter().any(|field| field["name"] == "id")));
            open.push_back((node, path));
        }
    }
    queries
}

fn named(of_type: &Value) -> &str {
    of_type["name"].as_str().unwrap_or_else(|| named(&of_type["ofType"]))
}

fn query(path: &[String], has_id: bool) -> String {
    let leaf = if has_id { "totalCount nodes { id }" } else { "totalCount nodes { __typename }" };
    let nested = path.iter().rev().enumerate().fold(String::new(), |inner, (depth, field)| match depth {
        0 => format!("{field} {{ {leaf} }}"),
        _ => format!("{field} {{ nodes {{ {inner} }} }}"),
    });
    format!("{{ {} }}", nested.replacen(" {", "(first: 50) {", 1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_by_keys_are_planned_once_and_everything_else_for_its_values() {
    let world = World::new().await;
    let setting = async |mut connection: platform::db::Connection| {
        let setting = diesel::dsl::sql::<diesel::sql_types::Text>("current_setting('plan_cache_mode')");
        diesel::select(setting).get_result::<String>(&mut connection).await.unwrap()
    };
    assert_eq!(setting(world.db.lookup().await.unwrap()).await, "force_generic_plan");
    assert_eq!(setting(world.db.connection().await.unwrap()).await, "auto");
}
