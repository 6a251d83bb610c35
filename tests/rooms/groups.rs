//! Groups: who can see them, pagination, and creating them.

use serde_json::{Value, json};

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{World, errors, more_groups};

/// Who sees what of groups: the ways to it.
pub const ROWS: Rows = Rows {
    setup: "",
    operations: &[
        ("group", "query($vision: ID!) { group(id: $vision) { id } }"),
        ("groups", "{ groups { nodes { id } } }"),
        ("createGroup", "mutation { createGroup(input: { name: \"new\" }) { group { id } } }"),
        (
            "updateGroup",
            "mutation($vision: ID!) { updateGroup(input: { groupId: $vision, description: \"new\" }) { group { id } } }",
        ),
        (
            "deleteGroup",
            "mutation($vision: ID!) { deleteGroup(input: { groupId: $vision, confirmName: \"vision\" }) { groupId } }",
        ),
    ],
    types: &[
        ("Group", By("query($vision: ID!) { group(id: $vision) { FIELD } }")),
        ("Membership", By("query($vision: ID!) { group(id: $vision) { members(first: 1) { nodes { FIELD } } } }")),
        ("GroupConnection", By("{ groups(filter: { names: [\"vision\"] }) { FIELD } }")),
        ("GroupEdge", By("{ groups(filter: { names: [\"vision\"] }) { edges { FIELD } } }")),
        ("MembershipConnection", By("query($vision: ID!) { group(id: $vision) { members(first: 1) { FIELD } } }")),
        ("MembershipEdge", By("query($vision: ID!) { group(id: $vision) { members(first: 1) { edges { FIELD } } } }")),
        ("CreateGroupPayload", Below("createGroup")),
        ("UpdateGroupPayload", Below("updateGroup")),
        ("DeleteGroupPayload", Below("deleteGroup")),
    ],
};

const CREATE: &str = "mutation($name: String!) { createGroup(input: { name: $name }) { group { name description } } }";

fn names(list: &Value) -> Vec<&str> {
    list["nodes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap()).collect()
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
async fn a_cursor_of_another_order_is_refused() {
    let world = World::new().await;
    let admin = world.caller("admin").await;
    let answer = world.ask_as(admin.clone(), "{ groups(first: 1) { pageInfo { endCursor } } }", json!({})).await;
    let cursor = answer["data"]["groups"]["pageInfo"]["endCursor"].clone();
    let query = "query($cursor: String) { groups(after: $cursor, orderBy: { field: CREATED_AT }) { nodes { name } } }";
    let answer = world.ask_as(admin, query, json!({ "cursor": cursor })).await;
    insta::assert_snapshot!(errors(&answer), @"BAD_USER_INPUT after: after is a cursor of a list in a different order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_admin_makes_a_group_and_its_name_is_taken_then() {
    let world = World::new().await;
    let admin = world.caller("admin").await;
    let answer = world.ask_as(admin.clone(), CREATE, json!({ "name": "robotics" })).await;
    insta::assert_snapshot!(answer["data"]["createGroup"], @r#"{"group":{"name":"robotics","description":""}}"#);
    let answer = world.ask_as(admin, CREATE, json!({ "name": "robotics" })).await;
    insta::assert_snapshot!(errors(&answer), @r#"CONFLICT input.name: a group named "robotics" already exists"#);
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
    BAD_USER_INPUT input.description: the text has 2001 characters; at most 2000 are allowed
    BAD_USER_INPUT input.name: "Robotics" is not a valid name: it must have 1 to 63 lower-case letters and digits, with "-" only between them
    "#);
}

async fn group_id(world: &World, name: &str) -> Value {
    let query = format!("{{ groups(filter: {{ names: [\"{name}\"] }}) {{ nodes {{ id }} }} }}");
    world.ask("admin", &query, json!({})).await["data"]["groups"]["nodes"][0]["id"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_of_a_group_renames_it_and_what_is_omitted_stays() {
    let world = World::new().await;
    super::sql(
        &world.url,
        "UPDATE group_members SET role = 'ADMIN' FROM users WHERE users.id = user_id AND username = 'ada'",
    )
    .await;
    let vision = group_id(&world, "vision").await;
    let update = "mutation($id: ID!, $name: String) { updateGroup(input: { groupId: $id, name: $name }) { group { name description } } }";
    let answer = world.ask("ada", update, json!({ "id": vision, "name": "sight" })).await;
    insta::assert_snapshot!(answer["data"]["updateGroup"], @r#"{"group":{"name":"sight","description":"Detects and segments things in pictures."}}"#);
    let taken = world.ask("ada", update, json!({ "id": vision, "name": "language" })).await;
    insta::assert_snapshot!(errors(&taken), @r#"CONFLICT input.name: a group named "language" already exists"#);
    let refused = world.ask("maya", update, json!({ "id": vision, "name": "view" })).await;
    insta::assert_snapshot!(errors(&refused), @"FORBIDDEN input.groupId: only admins of the group can change it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_deleted_by_its_name_when_it_has_no_projects() {
    let world = World::new().await;
    let delete =
        "mutation($id: ID!, $name: String!) { deleteGroup(input: { groupId: $id, confirmName: $name }) { groupId } }";
    let vision = group_id(&world, "vision").await;
    let answer = world.ask("admin", delete, json!({ "id": vision, "name": "language" })).await;
    insta::assert_snapshot!(errors(&answer), @r#"BAD_USER_INPUT input.confirmName: "language" is not the name "vision""#);
    let answer = world.ask("admin", delete, json!({ "id": vision, "name": "vision" })).await;
    insta::assert_snapshot!(errors(&answer), @"CONFLICT input.groupId: the group still has 2 projects (detection, segmentation); delete them first");
    world.ask("admin", CREATE, json!({ "name": "robotics" })).await;
    let robotics = group_id(&world, "robotics").await;
    let add = "mutation($id: ID!) { addGroupMembers(input: { groupId: $id, usernames: [\"ada\"] }) { group { id } } }";
    assert_eq!(errors(&world.ask("admin", add, json!({ "id": robotics })).await), "");
    let answer = world.ask("admin", delete, json!({ "id": robotics, "name": "robotics" })).await;
    assert_eq!(answer["data"]["deleteGroup"]["groupId"], robotics, "{answer}");
    let left = world.ask("ada", "{ groups { nodes { name } } }", json!({})).await;
    assert_eq!(names(&left["data"]["groups"]), ["vision"]);
}
