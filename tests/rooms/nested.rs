//! Lists under a parent are filtered and sorted as the lists of the root are, whether the parents are one or many.

use serde_json::{Value, json};

use super::{World, errors, sql};

/// The roles of the memberships in a list, with the names of their groups.
fn shown(memberships: &Value) -> Vec<String> {
    let nodes = memberships["nodes"].as_array().unwrap_or_else(|| panic!("{memberships}"));
    nodes
        .iter()
        .map(|one| format!("{} {}", one["role"].as_str().unwrap(), one["group"]["name"].as_str().unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memberships_of_a_user_have_a_filter_and_an_order() {
    let world = World::new().await;
    sql(
        &world.url,
        "UPDATE group_members SET joined_at = now() - interval '1 day' FROM groups
         WHERE groups.id = group_id AND groups.name = 'language'",
    )
    .await;
    let query = "query($filter: UserMembershipFilter, $order: MembershipOrder) {
        viewer { memberships(filter: $filter, orderBy: $order) { totalCount nodes { role group { name } } } }
        users { nodes { username memberships(filter: $filter, orderBy: $order) { totalCount nodes { role group { name } } } } } }";
    let ask = async |who: &str, filter: Value, order: Value| {
        let data = world.ask(who, query, json!({ "filter": filter, "order": order })).await["data"].take();
        let own = shown(&data["viewer"]["memberships"]);
        assert_eq!(data["viewer"]["memberships"]["totalCount"], own.len());
        // The same in a list of users, which is written without the executor.
        let users = data["users"]["nodes"].as_array().unwrap();
        let listed = users.iter().find(|user| user["username"] == who).unwrap();
        assert_eq!(shown(&listed["memberships"]), own);
        own
    };
    let newest = json!({ "field": "JOINED_AT", "direction": "DESC" });
    assert_eq!(ask("maya", Value::Null, Value::Null).await, ["MEMBER language", "MANAGER vision"]);
    assert_eq!(ask("maya", Value::Null, newest.clone()).await, ["MANAGER vision", "MEMBER language"]);
    assert_eq!(ask("maya", json!({ "roles": ["MANAGER", "ADMIN"] }), newest.clone()).await, ["MANAGER vision"]);
    assert_eq!(ask("maya", json!({ "search": "LANG" }), newest.clone()).await, ["MEMBER language"]);
    assert_eq!(ask("maya", json!({ "search": "lang", "roles": ["MANAGER"] }), newest).await, Vec::<String>::new());
    // What a viewer may not see stays out, whatever is asked for.
    let of_maya = "{ users(filter: { search: \"maya\" }) { nodes { memberships(filter: { search: \"language\" }) { totalCount } } } }";
    let answer = world.ask("ada", of_maya, json!({})).await;
    assert_eq!(answer["data"]["users"]["nodes"][0]["memberships"]["totalCount"], 0);
    let bad = "{ viewer { memberships(filter: { search: \"--\" }) { totalCount } } }";
    insta::assert_snapshot!(errors(&world.ask("ada", bad, json!({})).await), @r#"BAD_USER_INPUT filter.search: "--" cannot be searched for: it must have a letter or a digit"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_versions_of_a_config_file_have_a_filter_and_an_order() {
    let world = World::new().await;
    let more = "INSERT INTO config_commits (id, config_file_id, blob_sha256, parent_id, message, author_id, created_at)
        SELECT gen_random_uuid(), c.config_file_id, c.blob_sha256, c.id, 'by ada', u.id, c.created_at + interval '1 hour'
        FROM config_commits c JOIN config_files f ON f.id = c.config_file_id, users u
        WHERE f.name = 'train.yaml' AND u.username = 'ada'";
    sql(&world.url, more).await;
    let query = "query($filter: ConfigCommitFilter, $order: ConfigCommitOrder) {
        configFiles(filter: { names: [\"train.yaml\"] }) { nodes { id commits(filter: $filter, orderBy: $order) {
            totalCount nodes { message createdAt author { id username } } } } } }";
    let ask = async |filter: Value, order: Value| {
        let answer = world.ask("maya", query, json!({ "filter": filter, "order": order })).await;
        let file = answer["data"]["configFiles"]["nodes"][0].clone();
        let commits = file["commits"]["nodes"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
        assert_eq!(file["commits"]["totalCount"], commits.len());
        // The same of one file, which the executor resolves.
        let one = query.replace("configFiles(filter: { names: [\"train.yaml\"] }) { nodes {", "configFile(id: $id) {");
        let one = one.replace("query(", "query($id: ID!, ").replacen("} } } } } }", "} } } } }", 1);
        let alone = world.ask("maya", &one, json!({ "id": file["id"], "filter": filter, "order": order })).await;
        assert_eq!(alone["data"]["configFile"]["commits"], file["commits"], "{alone}");
        commits
    };
    let messages = |commits: &[Value]| {
        commits.iter().map(|commit| commit["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = ask(Value::Null, Value::Null).await;
    assert_eq!(messages(&all), ["by ada", "Train on two GPUs"]);
    let oldest = ask(Value::Null, json!({ "field": "CREATED_AT", "direction": "ASC" })).await;
    assert_eq!(messages(&oldest), ["Train on two GPUs", "by ada"]);
    let of_ada = json!({ "authorId": all[0]["author"]["id"] });
    assert_eq!(messages(&ask(of_ada, Value::Null).await), ["by ada"]);
    let before = json!({ "createdAt": { "to": all[0]["createdAt"] } });
    assert_eq!(messages(&ask(before, Value::Null).await), ["Train on two GPUs"]);
    let bad = "{ configFiles { nodes { commits(filter: { authorId: \"x\", createdAt: { from: \"2026-11-02T00:00:00Z\", to: \"2026-11-01T00:00:00Z\" } }) { totalCount } } } }";
    let told = errors(&world.ask("maya", bad, json!({})).await);
    assert!(told.contains("filter.authorId: \"x\" is not a user id") && told.contains("filter.createdAt.to"), "{told}");
}
