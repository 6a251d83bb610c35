//! Groups: who sees them, paging through them, making them.

use serde_json::{Value, json};

use super::{World, errors, sql};

const CREATE: &str = "mutation($name: String!) { createGroup(input: { name: $name }) { group { name description } } }";

fn names(list: &Value) -> Vec<&str> {
    list["nodes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap()).collect()
}

/// Groups `extra-…`, each with a member and a project of its own and a config file in it.
async fn more_groups(world: &World, count: usize) {
    let statement = format!(
        "INSERT INTO groups (id, name) SELECT gen_random_uuid(), 'extra-' || lpad(n::text, 3, '0') FROM generate_series(1, {count}) n;
         INSERT INTO group_members (group_id, user_id, role) SELECT g.id, u.id, 'MEMBER' FROM groups g, users u WHERE g.name LIKE 'extra-%';
         INSERT INTO projects (id, group_id, name, namespace) SELECT gen_random_uuid(), id, 'project', 'proj-' || name FROM groups WHERE name LIKE 'extra-%';
         INSERT INTO config_files (id, project_id, name) SELECT gen_random_uuid(), id, 'file' FROM projects WHERE name = 'project';
         INSERT INTO config_blobs (sha256, yaml, kinds) VALUES (sha256('x'), 'x', '{{Pod}}');
         INSERT INTO config_commits (id, config_file_id, blob_sha256, message, author_id)
         SELECT gen_random_uuid(), f.id, sha256('x'), '', u.id FROM config_files f, users u WHERE f.name = 'file' AND u.username = 'ada'"
    );
    sql(&world.url, &statement).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_sees_their_own_groups_and_the_admin_all() {
    let world = World::new().await;
    for (who, seen) in [("ada", vec!["vision"]), ("ben", vec!["language"]), ("admin", vec!["language", "vision"])] {
        let answer = world.ask(who, "{ groups { nodes { name } totalCount } }", json!({})).await;
        assert_eq!(names(&answer["data"]["groups"]), seen, "{who}: {answer}");
        assert_eq!(answer["data"]["groups"]["totalCount"], seen.len(), "{who}");
    }
    let answer = world.ask("admin", "{ groups(filter: { mine: true }) { nodes { name } } }", json!({})).await;
    assert!(names(&answer["data"]["groups"]).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_join_without_a_gap_in_both_directions_and_orders() {
    let world = World::new().await;
    more_groups(&world, 25).await;
    let admin = world.caller("admin").await;
    for order in
        ["NAME, direction: ASC", "NAME, direction: DESC", "CREATED_AT, direction: ASC", "CREATED_AT, direction: DESC"]
    {
        let all = format!("{{ groups(first: 100, orderBy: {{ field: {order} }}) {{ nodes {{ name }} }} }}");
        let all = world.ask_as(admin.clone(), &all, json!({})).await;
        let all = names(&all["data"]["groups"]);
        assert_eq!(all.len(), 27);
        let page = |arguments: &str| {
            format!(
                "query($cursor: String) {{ groups({arguments}, orderBy: {{ field: {order} }}) {{ nodes {{ name }} pageInfo {{ startCursor endCursor hasNextPage hasPreviousPage }} }} }}"
            )
        };
        let (mut forward, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let answer =
                world.ask_as(admin.clone(), &page("first: 7, after: $cursor"), json!({ "cursor": cursor })).await;
            let list = &answer["data"]["groups"];
            forward.extend(names(list).into_iter().map(str::to_owned));
            cursor = list["pageInfo"]["endCursor"].clone();
            if list["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(forward, all, "{order}");
        let (mut backward, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let answer =
                world.ask_as(admin.clone(), &page("last: 7, before: $cursor"), json!({ "cursor": cursor })).await;
            let list = &answer["data"]["groups"];
            let page: Vec<String> = names(list).into_iter().map(str::to_owned).collect();
            backward.splice(0..0, page);
            cursor = list["pageInfo"]["startCursor"].clone();
            if list["pageInfo"]["hasPreviousPage"] == false {
                break;
            }
        }
        assert_eq!(backward, all, "{order}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_do_not_depend_on_how_many_rows_there_are() {
    let queries = [
        "{ groups(first: 50) { totalCount nodes { members { totalCount nodes { role user { username } group { name } } } } } }",
        "{ groups(first: 50) { nodes { projects { totalCount nodes { name group { name } } } } } }",
        "{ groups(first: 50) { nodes { projects { nodes { configFiles { totalCount nodes { name project { name } head { yaml kinds author { username } } commits { totalCount nodes { message parent { id } configFile { name } } } } } } } } } }",
        "{ users(first: 50) { totalCount nodes { memberships { totalCount nodes { group { name } user { username } } } } } }",
        "{ projects(first: 50) { totalCount nodes { group { name } configFiles { nodes { name } } } } }",
        "{ configFiles(first: 50) { totalCount nodes { project { name } head { message } } } }",
    ];
    let (few, many) = (World::new().await, World::new().await);
    more_groups(&few, 2).await;
    more_groups(&many, 50).await;
    let (admin_of_few, admin_of_many) = (few.caller("admin").await, many.caller("admin").await);
    for query in queries {
        let at_few = few.statements(admin_of_few.clone(), query).await;
        let at_many = many.statements(admin_of_many.clone(), query).await;
        assert_eq!(at_few, at_many, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_of_another_order_is_refused() {
    let world = World::new().await;
    let admin = world.caller("admin").await;
    let answer = world.ask_as(admin.clone(), "{ groups(first: 1) { pageInfo { endCursor } } }", json!({})).await;
    let cursor = answer["data"]["groups"]["pageInfo"]["endCursor"].clone();
    let query = "query($cursor: String) { groups(after: $cursor, orderBy: { field: CREATED_AT }) { nodes { name } } }";
    let answer = world.ask_as(admin, query, json!({ "cursor": cursor })).await;
    insta::assert_snapshot!(errors(&answer), @"BAD_USER_INPUT after: after is a cursor of a list in another order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_admin_makes_a_group_and_its_name_is_taken_then() {
    let world = World::new().await;
    let admin = world.caller("admin").await;
    let answer = world.ask_as(admin.clone(), CREATE, json!({ "name": "robotics" })).await;
    insta::assert_snapshot!(answer["data"]["createGroup"], @r#"{"group":{"name":"robotics","description":""}}"#);
    let answer = world.ask_as(admin, CREATE, json!({ "name": "robotics" })).await;
    insta::assert_snapshot!(errors(&answer), @r#"CONFLICT input.name: there is a group "robotics" already"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_wrong_is_told_at_once() {
    let world = World::new().await;
    let query =
        "mutation($text: String!) { createGroup(input: { name: \"Robotics\", description: $text }) { group { id } } }";
    let answer = world.ask("admin", query, json!({ "text": "x".repeat(2001) })).await;
    let mut told: Vec<String> = errors(&answer).lines().map(str::to_owned).collect();
    told.sort();
    insta::assert_snapshot!(told.join("\n"), @r#"
    BAD_USER_INPUT input.description: the text has 2001 characters; it may have 2000
    BAD_USER_INPUT input.name: "Robotics" is not a name: it may have 1 to 63 lower-case letters and digits, with "-" between them
    "#);
}
