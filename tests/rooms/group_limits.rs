//! The limits of a group: who sets them, and that nobody is added to a group that is full, in whichever way.

use serde_json::{Value, json};

use super::permissions::Reached::Below;
use super::permissions::Rows;
use super::{World, errors};

/// Who sets the limits of groups.
pub const ROWS: Rows = Rows {
    setup: "",
    operations: &[(
        "setGroupLimits",
        "mutation($vision: ID!) { setGroupLimits(input: { groupId: $vision, maxMembers: 50 }) { group { id } } }",
    )],
    types: &[("SetGroupLimitsPayload", Below("setGroupLimits"))],
};

const SET: &str =
    "mutation($g: ID!, $n: Int) { setGroupLimits(input: { groupId: $g, maxMembers: $n }) { group { maxMembers } } }";
const ADD: &str =
    "mutation($g: ID!, $u: [String!]!) { addGroupMembers(input: { groupId: $g, usernames: $u }) { results {
    username outcome error } } }";

/// A group that the admin has just created.
async fn group(world: &World) -> Value {
    let create = "mutation { createGroup(input: { name: \"robots\" }) { group { id maxMembers } } }";
    let created = world.ask("admin", create, json!({})).await;
    assert_eq!(created["data"]["createGroup"]["group"]["maxMembers"], Value::Null, "{created}");
    created["data"]["createGroup"]["group"]["id"].clone()
}

async fn members(world: &World, group: &Value) -> Value {
    let query = "query($g: ID!) { group(id: $g) { members { totalCount } } }";
    world.ask("admin", query, json!({ "g": group })).await["data"]["group"]["members"]["totalCount"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn platform_admins_set_the_limit_and_remove_it() {
    let world = World::new().await;
    let robots = group(&world).await;
    let set = async |who: &str, most: Value| world.ask(who, SET, json!({ "g": robots, "n": most })).await;
    assert_eq!(set("admin", json!(3)).await["data"]["setGroupLimits"]["group"]["maxMembers"], 3);
    insta::assert_snapshot!(errors(&set("admin", json!(0)).await), @"BAD_USER_INPUT input.maxMembers: maxMembers was 0; it must be at least 1");
    assert_eq!(set("admin", Value::Null).await["data"]["setGroupLimits"]["group"]["maxMembers"], Value::Null);
    let log = "{ auditLog(filter: { actions: [\"setGroupLimits\"] }, orderBy: { field: AT }) { nodes { changes { field before after } } } }";
    let log = world.ask("admin", log, json!({})).await;
    insta::assert_snapshot!(log["data"]["auditLog"]["nodes"], @r#"[{"changes":[{"field":"maxMembers","before":null,"after":3}]},{"changes":[{"field":"maxMembers","before":3,"after":null}]}]"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_fit_is_told_so_and_the_others_are_added() {
    let world = World::new().await;
    let robots = group(&world).await;
    world.ask("admin", SET, json!({ "g": robots, "n": 2 })).await;
    let added = world.ask("admin", ADD, json!({ "g": robots, "u": ["ada", "nobody", "ben", "ada", "maya"] })).await;
    let lines: Vec<_> = added["data"]["addGroupMembers"]["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| format!("{} {} {}", result["username"], result["outcome"], result["error"]))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    "ada" "ADDED" null
    "nobody" "NO_SUCH_USER" "there is no user \"nobody\""
    "ben" "ADDED" null
    "ada" "ALREADY_MEMBER" "\"ada\" is already a member of the group, with the role MEMBER"
    "maya" "GROUP_FULL" "the group has as many members as it can have, so \"maya\" was not added"
    "#);
    assert_eq!(members(&world, &robots).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn those_who_are_added_at_the_same_time_do_not_exceed_the_limit_together() {
    let world = World::new().await;
    let robots = group(&world).await;
    world.ask("admin", SET, json!({ "g": robots, "n": 1 })).await;
    let admin = world.caller("admin").await;
    let add = async |who: &str| {
        let answer = world.ask_as(admin.clone(), ADD, json!({ "g": robots, "u": [who] })).await;
        answer["data"]["addGroupMembers"]["results"][0]["outcome"].as_str().unwrap().to_owned()
    };
    let (ada, ben, maya) = tokio::join!(add("ada"), add("ben"), add("maya"));
    let mut outcomes = [ada, ben, maya];
    outcomes.sort();
    assert_eq!(outcomes, ["ADDED", "GROUP_FULL", "GROUP_FULL"]);
    assert_eq!(members(&world, &robots).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_to_join_a_full_group_waits_until_there_is_room() {
    let world = World::new().await;
    let robots = group(&world).await;
    world.ask("admin", SET, json!({ "g": robots, "n": 1 })).await;
    world.ask("admin", ADD, json!({ "g": robots, "u": ["maya"] })).await;
    let open = "mutation($g: ID!) { openRequest(input: { tag: ACCESS, title: \"t\", text: \"x\", groupId: $g, wantedRole: MEMBER }) { request { id } } }";
    let opened = world.ask("ada", open, json!({ "g": robots })).await;
    let request = opened["data"]["openRequest"]["request"]["id"].clone();
    let resolve = "mutation($r: ID!) { resolveRequest(input: { id: $r, status: RESOLVED }) { request { status } } }";
    let resolved = async || world.ask("admin", resolve, json!({ "r": request })).await;
    insta::assert_snapshot!(errors(&resolved().await), @"CONFLICT input.status: the group robots has as many members as it can have");
    world.ask("admin", SET, json!({ "g": robots, "n": 2 })).await;
    assert_eq!(resolved().await["data"]["resolveRequest"]["request"]["status"], "RESOLVED");
    assert_eq!(members(&world, &robots).await, 2);
}
