//! The audit log as people see it: whose entries, which of their fields, in which order, and with which filters.

use serde_json::{Value, json};

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{World, errors, sql};

/// Who sees what of the audit log: the ways to it.
pub const ROWS: Rows = Rows {
    setup: "
        WITH entry AS (
            INSERT INTO audit_log (id, actor_id, action, subject, \"group\", project, changes, address, user_agent, request_id, credential)
            SELECT gen_random_uuid(), users.id, 'updateProject', 'project_00000000000000000000000000', projects.group_id, projects.id,
                   '{\"name\": {\"before\": \"a\", \"after\": \"b\"}}', '192.0.2.7', 'curl', 'r1', 'SESSION'
              FROM users, projects WHERE users.username = 'maya' AND projects.name = 'detection' RETURNING *)
        INSERT INTO events (kind, subject, project, \"group\", person, payload)
        SELECT 'audit', id, project, \"group\", actor_id, '{\"action\": \"updateProject\", \"outcome\": \"DONE\"}' FROM entry;
        INSERT INTO audit_exports (id, requested_by, filter, state, object_key, next_attempt_at)
        SELECT '00000000-0000-0000-0000-000000000001', id, '{}', 'COMPLETED', 'exports/audit/a/1/a.gz', NULL FROM users WHERE username = 'admin';",
    operations: &[
        ("auditLog", "{ auditLog { nodes { id } } }"),
        ("auditExport", "{ auditExport(id: \"export_00000000000000000000000001\") { id } }"),
        ("auditExports", "{ auditExports { nodes { id } } }"),
        ("exportAudit", "mutation { exportAudit(input: {}) { export { state } } }"),
        (
            "auditEvents",
            "subscription($vision: ID!, $start: FeedCursor) { auditEvents(filter: { groupId: $vision }, after: $start) { cursor } }",
        ),
    ],
    types: &[
        ("AuditEntry", By("query($vision: ID!) { auditLog(filter: { groupId: $vision }) { nodes { FIELD } } }")),
        ("AuditChange", By("query($vision: ID!) { auditLog(filter: { groupId: $vision }) { nodes { changes { FIELD } } } }")),
        ("AuditEntryConnection", By("query($vision: ID!) { auditLog(filter: { groupId: $vision }) { FIELD } }")),
        ("AuditEntryEdge", By("query($vision: ID!) { auditLog(filter: { groupId: $vision }) { edges { FIELD } } }")),
        ("AuditEvent", Below("auditEvents")),
        ("AuditExport", By("{ auditExport(id: \"export_00000000000000000000000001\") { FIELD } }")),
        ("DownloadLink", By("{ auditExport(id: \"export_00000000000000000000000001\") { download { FIELD } } }")),
        ("AuditExportConnection", By("{ auditExports { FIELD } }")),
        ("AuditExportEdge", By("{ auditExports { edges { FIELD } } }")),
        ("ExportAuditPayload", Below("exportAudit")),
    ],
};

/// Entries of both groups and of the platform, a minute apart.
const ENTRIES: &str = "
    INSERT INTO audit_log (id, at, actor_id, action, outcome, subject, \"group\", project, address)
    SELECT gen_random_uuid(), '2026-11-26T10:00:00Z'::timestamptz + n * interval '1 minute', users.id,
           CASE n % 2 WHEN 0 THEN 'createProject' ELSE 'cancelJob' END, CASE n % 3 WHEN 0 THEN 'REFUSED' ELSE 'DONE' END,
           'job_0000000000000000000000000' || n % 4, groups.id, projects.id, '192.0.2.' || n
      FROM generate_series(0, 11) n
      JOIN users ON users.username = CASE n % 2 WHEN 0 THEN 'maya' ELSE 'ada' END
      LEFT JOIN groups ON groups.name = CASE n % 3 WHEN 0 THEN 'vision' WHEN 1 THEN 'language' END
      LEFT JOIN projects ON projects.group_id = groups.id AND projects.name = 'detection'";

async fn world() -> World {
    let world = World::new().await;
    sql(&world.url, ENTRIES).await;
    sql(&world.url, "UPDATE group_members SET role = 'ADMIN' FROM users, groups WHERE users.id = user_id AND groups.id = group_id AND username = 'maya' AND groups.name = 'vision'").await;
    world
}

fn addresses(answer: &Value) -> Vec<String> {
    let nodes = answer["data"]["auditLog"]["nodes"].as_array().unwrap_or_else(|| panic!("{answer}"));
    nodes.iter().map(|node| node["address"].as_str().unwrap_or("hidden").replace("192.0.2.", "")).collect()
}

/// The entries that a filter selects for the platform admin, by the number at the end of their address.
async fn filtered(world: &World, filter: &str) -> String {
    let query = format!(
        "{{ auditLog(first: 50, filter: {{ {filter} }}, orderBy: {{ field: AT }}) {{ nodes {{ address }} totalCount }} }}"
    );
    let answer = world.ask("admin", &query, json!({})).await;
    let found = addresses(&answer);
    assert_eq!(answer["data"]["auditLog"]["totalCount"], found.len());
    found.into_iter().filter(|address| address != "hidden").collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_admin_sees_the_entries_of_the_group_without_the_clients_and_a_member_none() {
    let world = world().await;
    let query = "{ auditLog { totalCount nodes { address userAgent group { name } } } }";
    for (who, seen) in [("maya", 4), ("ada", 0), ("ben", 0)] {
        let answer = world.ask(who, query, json!({})).await;
        assert_eq!(answer["data"]["auditLog"]["totalCount"], seen, "{who}: {answer}");
        for node in answer["data"]["auditLog"]["nodes"].as_array().unwrap() {
            assert_eq!(node, &json!({ "address": null, "userAgent": null, "group": { "name": "vision" } }));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_filter_restricts_and_several_do_together() {
    let world = world().await;
    let ids = world
        .ask("admin", "{ ada: users(filter: { usernames: [\"ada\"] }) { nodes { id } } vision: groups(filter: { names: [\"vision\"] }) { nodes { id } }
            detection: projects(filter: { names: [\"detection\"] }) { nodes { id } } }", json!({}))
        .await;
    let id = |name: &str| ids["data"][name]["nodes"][0]["id"].to_string();
    insta::assert_snapshot!(filtered(&world, "actions: [\"cancelJob\"]").await, @"1 3 5 7 9 11");
    insta::assert_snapshot!(filtered(&world, "outcome: REFUSED").await, @"0 3 6 9");
    insta::assert_snapshot!(filtered(&world, &format!("actorId: {}, actions: [\"cancelJob\"]", id("ada"))).await, @"1 3 5 7 9 11");
    insta::assert_snapshot!(filtered(&world, &format!("groupId: {}", id("vision"))).await, @"0 3 6 9");
    insta::assert_snapshot!(filtered(&world, &format!("projectId: {}, actions: [\"cancelJob\"]", id("detection"))).await, @"3 9");
    insta::assert_snapshot!(filtered(&world, "subjectId: \"job_00000000000000000000000001\"").await, @"1 5 9");
    insta::assert_snapshot!(filtered(&world, "from: \"2026-11-26T10:02:00Z\", to: \"2026-11-26T10:05:00Z\"").await, @"2 3 4");
    let answer = world
        .ask("admin", "{ auditLog(filter: { actorId: \"x\", groupId: \"user_1\" }) { totalCount } }", json!({}))
        .await;
    insta::assert_snapshot!(errors(&answer), @r#"
    BAD_USER_INPUT filter.actorId: "x" is not a user id: it must be "user_" followed by 26 characters of 0-9 a-z without i, l, o, u
    BAD_USER_INPUT filter.groupId: "user_1" is not a group id: it must be "group_" followed by 26 characters of 0-9 a-z without i, l, o, u
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_join_without_a_gap_in_both_orders() {
    let world = world().await;
    let admin = world.caller("admin").await;
    for direction in ["ASC", "DESC"] {
        let (mut found, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let query = format!(
                "query($cursor: String) {{ auditLog(first: 5, after: $cursor, filter: {{ to: \"2026-11-26T10:30:00Z\", from: \"2026-11-26T10:00:00Z\" }},
                    orderBy: {{ field: AT, direction: {direction} }}) {{ nodes {{ address }} pageInfo {{ endCursor hasNextPage }} }} }}"
            );
            let answer = world.ask_as(admin.clone(), &query, json!({ "cursor": cursor })).await;
            found.extend(addresses(&answer));
            let info = &answer["data"]["auditLog"]["pageInfo"];
            cursor = info["endCursor"].clone();
            if info["hasNextPage"] == false {
                break;
            }
        }
        let mut expected: Vec<String> = (0..12).map(|n| n.to_string()).collect();
        if direction == "DESC" {
            expected.reverse();
        }
        assert_eq!(found, expected, "{direction}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_is_a_node_for_those_who_see_it() {
    let world = world().await;
    let query = "{ auditLog(first: 50, filter: { actions: [\"createProject\"] }) { nodes { id group { name } } } }";
    let answer = world.ask("admin", query, json!({})).await;
    for entry in answer["data"]["auditLog"]["nodes"].as_array().unwrap() {
        let query = format!("{{ node(id: {}) {{ id ... on AuditEntry {{ action }} }} }}", entry["id"]);
        let seen = world.ask("maya", &query, json!({})).await["data"]["node"]["action"] == "createProject";
        assert_eq!(seen, entry["group"]["name"] == "vision", "{entry}");
    }
}
