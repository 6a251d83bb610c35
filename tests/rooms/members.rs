//! The members of a group: who adds, changes and removes whom, and that a group keeps an admin.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::permissions::Reached::Below;
use super::permissions::Rows;
use super::{World, errors, sql};

/// Who changes the members of a group. The membership is Eve's.
pub const ROWS: Rows = Rows {
    setup: "UPDATE group_members SET id = '00000000-0000-0000-0000-000000000001'
        FROM users WHERE users.id = user_id AND username = 'eve';",
    operations: &[
        (
            "addGroupMembers",
            "mutation($vision: ID!) { addGroupMembers(input: { groupId: $vision, usernames: [\"ben\"] }) { group { id } } }",
        ),
        (
            "setGroupRole",
            "mutation { setGroupRole(input: { membershipId: \"membership_00000000000000000000000001\", role: MANAGER }) {
                membership { id } } }",
        ),
        (
            "removeGroupMember",
            "mutation { removeGroupMember(input: { membershipId: \"membership_00000000000000000000000001\" }) { group { id } } }",
        ),
        ("leaveGroup", "mutation($vision: ID!) { leaveGroup(input: { groupId: $vision }) { groupId } }"),
    ],
    types: &[
        ("AddGroupMembersPayload", Below("addGroupMembers")),
        ("AddMemberResult", Below("addGroupMembers")),
        ("SetGroupRolePayload", Below("setGroupRole")),
        ("RemoveGroupMemberPayload", Below("removeGroupMember")),
        ("LeaveGroupPayload", Below("leaveGroup")),
    ],
};

const ADD: &str = "mutation($group: ID!, $names: [String!]!, $role: GroupRole) {
    addGroupMembers(input: { groupId: $group, usernames: $names, role: $role }) {
        results { username outcome membership { role user { username } } error } } }";
const SET: &str = "mutation($id: ID!, $role: GroupRole!) {
    setGroupRole(input: { membershipId: $id, role: $role }) { membership { role } } }";
const REMOVE: &str =
    "mutation($id: ID!) { removeGroupMember(input: { membershipId: $id }) { membershipId group { name } } }";
const LEAVE: &str = "mutation($group: ID!) { leaveGroup(input: { groupId: $group }) { groupId } }";

/// The demo tenant with Maya as an admin of vision; the ID of vision.
async fn tenant() -> (World, Value) {
    let world = World::new().await;
    sql(&world.url, &role_of("maya", "ADMIN")).await;
    let answer = world.ask("admin", "{ groups(filter: { names: [\"vision\"] }) { nodes { id } } }", json!({})).await;
    let group = answer["data"]["groups"]["nodes"][0]["id"].clone();
    (world, group)
}

/// Gives somebody a role in vision.
fn role_of(username: &str, role: &str) -> String {
    format!(
        "UPDATE group_members SET role = '{role}' FROM users, groups
         WHERE users.id = user_id AND username = '{username}' AND groups.id = group_id AND groups.name = 'vision';"
    )
}

/// The members of vision and their roles, oldest first.
async fn members(world: &World) -> String {
    let query =
        "{ groups(filter: { names: [\"vision\"] }) { nodes { members { nodes { role user { username } } } } } }";
    let answer = world.ask("admin", query, json!({})).await;
    let nodes = answer["data"]["groups"]["nodes"][0]["members"]["nodes"].as_array().unwrap().clone();
    let mut lines: Vec<String> = nodes
        .iter()
        .map(|node| format!("{} {}", node["user"]["username"].as_str().unwrap(), node["role"].as_str().unwrap()))
        .collect();
    lines.sort();
    lines.join(", ")
}

/// The ID of somebody's membership in vision.
async fn membership(world: &World, username: &str) -> Value {
    let query = "{ groups(filter: { names: [\"vision\"] }) { nodes { members { nodes { id user { username } } } } } }";
    let answer = world.ask("admin", query, json!({})).await;
    let nodes = answer["data"]["groups"]["nodes"][0]["members"]["nodes"].as_array().unwrap().clone();
    nodes.iter().find(|node| node["user"]["username"] == username).unwrap()["id"].clone()
}

async fn set(world: &World, who: &str, whom: &str, role: &str) -> String {
    let variables = json!({ "id": membership(world, whom).await, "role": role });
    errors(&world.ask(who, SET, variables).await)
}

async fn remove(world: &World, who: &str, whom: &str) -> String {
    let variables = json!({ "id": membership(world, whom).await });
    errors(&world.ask(who, REMOVE, variables).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_adds_several_users_and_learns_what_came_of_each() {
    let (world, group) = tenant().await;
    let names = json!(["Ben", "ada", "nobody", "ben"]);
    let answer = world.ask("maya", ADD, json!({ "group": group, "names": names, "role": "MANAGER" })).await;
    let results = answer["data"]["addGroupMembers"]["results"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let lines: String = results.iter().fold(String::new(), |mut lines, result| {
        let membership = &result["membership"];
        let (user, role) = (&membership["user"]["username"], &membership["role"]);
        writeln!(lines, "{} {} {user} {role} {}", result["username"], result["outcome"], result["error"]).unwrap();
        lines
    });
    insta::assert_snapshot!(lines, @r#"
    "Ben" "ADDED" "ben" "MANAGER" null
    "ada" "ALREADY_MEMBER" "ada" "MEMBER" "\"ada\" is already a member of the group, with the role MEMBER"
    "nobody" "NO_SUCH_USER" null null "there is no user \"nobody\""
    "ben" "ALREADY_MEMBER" "ben" "MANAGER" "\"ben\" is already a member of the group, with the role MANAGER"
    "#);
    assert_eq!(members(&world).await, "ada MEMBER, ben MANAGER, maya ADMIN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_names_and_an_id_that_is_none_are_told_together() {
    let (world, _) = tenant().await;
    let names: Vec<String> = (0..51).map(|number| format!("user-{number}")).collect();
    let answer = world.ask("maya", ADD, json!({ "group": "project_01h455vb4pex5vsknk084sn02q", "names": names })).await;
    insta::assert_snapshot!(errors(&answer), @r#"
    BAD_USER_INPUT input.groupId: "project_01h455vb4pex5vsknk084sn02q" is not a group id: it must be "group_" followed by 26 characters of 0-9 a-z without i, l, o, u
    BAD_USER_INPUT input.usernames: usernames has 51 names; it must have 1 to 50
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admins_of_a_group_are_made_and_unmade_by_platform_admins_only() {
    let (world, group) = tenant().await;
    let by_maya = [
        errors(&world.ask("maya", ADD, json!({ "group": group, "names": ["ben"], "role": "ADMIN" })).await),
        set(&world, "maya", "ada", "ADMIN").await,
        set(&world, "maya", "ada", "MANAGER").await,
    ];
    insta::assert_snapshot!(by_maya.join("\n"), @r"
    FORBIDDEN input.role: only platform admins can make users admins of a group, change the role of an admin or remove an admin
    FORBIDDEN input.membershipId: only platform admins can make users admins of a group, change the role of an admin or remove an admin
    ");
    assert_eq!(set(&world, "admin", "ada", "ADMIN").await, "");
    assert!(set(&world, "maya", "ada", "MEMBER").await.starts_with("FORBIDDEN"));
    assert!(remove(&world, "maya", "ada").await.starts_with("FORBIDDEN"));
    assert_eq!(members(&world).await, "ada ADMIN, maya ADMIN");
    assert_eq!(set(&world, "admin", "ada", "MEMBER").await, "");
    assert_eq!(remove(&world, "maya", "ada").await, "");
    assert_eq!(members(&world).await, "maya ADMIN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_admin_cannot_go_in_any_way() {
    let (world, group) = tenant().await;
    let refused = [
        errors(&world.ask("maya", LEAVE, json!({ "group": group })).await),
        set(&world, "admin", "maya", "MEMBER").await,
        remove(&world, "admin", "maya").await,
    ];
    insta::assert_snapshot!(refused.join("\n"), @r"
    CONFLICT input.groupId: the group would have no admin left; make another member an admin first
    CONFLICT input.role: the group would have no admin left; make another member an admin first
    CONFLICT input.membershipId: the group would have no admin left; make another member an admin first
    ");
    // An admin whose account is disabled administers nothing.
    let disabled = "UPDATE users SET disabled_at = now() WHERE username = 'ada';";
    sql(&world.url, &format!("{}{disabled}", role_of("ada", "ADMIN"))).await;
    assert!(errors(&world.ask("maya", LEAVE, json!({ "group": group })).await).starts_with("CONFLICT"));
    assert_eq!(remove(&world, "admin", "ada").await, "");
    assert_eq!(members(&world).await, "maya ADMIN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_admins_who_go_at_the_same_time_one_stays() {
    let (world, group) = tenant().await;
    for _ in 0..5 {
        sql(&world.url, &role_of("ada", "ADMIN")).await;
        let (maya, ada) = (world.caller("maya").await, world.caller("ada").await);
        let leave = |who| world.ask_as(who, LEAVE, json!({ "group": group }));
        let (one, other) = tokio::join!(leave(maya), leave(ada));
        let (one, other) = (errors(&one), errors(&other));
        assert!(one.is_empty() != other.is_empty(), "{one} {other}");
        let again = "INSERT INTO group_members (group_id, user_id, role) SELECT groups.id, users.id, 'ADMIN'
            FROM groups, users WHERE groups.name = 'vision' AND username IN ('ada', 'maya') ON CONFLICT DO NOTHING";
        sql(&world.url, again).await;
    }
    // Two platform admins who are admins of the group remove each other.
    let others = "UPDATE users SET platform_role = 'ADMIN' WHERE username IN ('ada', 'maya')";
    sql(&world.url, others).await;
    let (of_maya, of_ada) = (membership(&world, "maya").await, membership(&world, "ada").await);
    let (maya, ada) = (world.caller("maya").await, world.caller("ada").await);
    let remove = |who, id| world.ask_as(who, REMOVE, json!({ "id": id }));
    let (one, other) = tokio::join!(remove(maya, of_ada), remove(ada, of_maya));
    assert!(errors(&one).is_empty() != errors(&other).is_empty(), "{one} {other}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_leaves_and_sees_the_group_no_more() {
    let (world, group) = tenant().await;
    assert_eq!(errors(&world.ask("ada", LEAVE, json!({ "group": group })).await), "");
    assert_eq!(world.ask("ada", "{ groups { totalCount } }", json!({})).await["data"]["groups"]["totalCount"], 0);
    let again = world.ask("ada", LEAVE, json!({ "group": group })).await;
    assert!(errors(&again).starts_with("NOT_FOUND input.groupId"), "{again}");
    let no_member = world.ask("admin", LEAVE, json!({ "group": group })).await;
    assert!(errors(&no_member).starts_with("NOT_FOUND input.groupId: membership in group"), "{no_member}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_sees_what_they_can_do_to_each_member() {
    let (world, _) = tenant().await;
    let query = "{ groups(filter: { names: [\"vision\"] }) { nodes {
        viewerCanUpdate viewerCanDelete viewerCanManageMembers viewerCanAppointAdmins
        members { nodes { user { username } viewerCanSetRole viewerCanRemove } } } } }";
    let mut told = String::new();
    for who in ["ada", "maya", "admin"] {
        let answer = world.ask(who, query, json!({})).await;
        let group = &answer["data"]["groups"]["nodes"][0];
        let can = |thing: &Value, name: &str| if thing[name] == true { format!(" {name}") } else { String::new() };
        let names = ["viewerCanUpdate", "viewerCanDelete", "viewerCanManageMembers", "viewerCanAppointAdmins"];
        writeln!(told, "{who}:{}", names.map(|name| can(group, name)).concat()).unwrap();
        for member in group["members"]["nodes"].as_array().unwrap() {
            let user = member["user"]["username"].as_str().unwrap();
            writeln!(told, "  {user}:{}{}", can(member, "viewerCanSetRole"), can(member, "viewerCanRemove")).unwrap();
        }
    }
    insta::assert_snapshot!(told, @r"
    ada:
      maya:
      ada:
    maya: viewerCanUpdate viewerCanManageMembers
      maya:
      ada: viewerCanSetRole viewerCanRemove
    admin: viewerCanUpdate viewerCanDelete viewerCanManageMembers viewerCanAppointAdmins
      maya: viewerCanSetRole viewerCanRemove
      ada: viewerCanSetRole viewerCanRemove
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_role_is_in_the_audit_log_with_what_it_was() {
    let (world, _) = tenant().await;
    assert_eq!(set(&world, "maya", "ada", "MANAGER").await, "");
    assert_eq!(set(&world, "maya", "ada", "MANAGER").await, "");
    // Once: the second time, nothing was changed.
    let check = "DO $$ BEGIN
        ASSERT (SELECT count(*) FROM audit_log WHERE action = 'setGroupRole') = 1;
        ASSERT (SELECT changes #>> '{role,before}' || ' ' || (changes #>> '{role,after}') FROM audit_log WHERE action = 'setGroupRole') = 'MEMBER MANAGER';
    END $$";
    sql(&world.url, check).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_logged_in_is_told_so_before_anything_about_the_id() {
    let world = World::new().await;
    for mutation in [
        "mutation { setGroupRole(input: { membershipId: \"nope\", role: MEMBER }) { membership { id } } }",
        "mutation { removeGroupMember(input: { membershipId: \"nope\" }) { membershipId } }",
        "mutation { leaveGroup(input: { groupId: \"nope\" }) { groupId } }",
        "mutation { setGroupLimits(input: { groupId: \"nope\", maxMembers: 0 }) { group { id } } }",
    ] {
        let told = errors(&world.ask("anonymous", mutation, json!({})).await);
        assert!(told.starts_with("UNAUTHENTICATED -"), "{mutation}: {told}");
        assert_eq!(told.lines().count(), 1);
    }
}
