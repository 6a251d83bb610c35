//! Notifications: one's own, marked as read one by one or all together, and written with what they tell.

use serde_json::{Value, json};

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{World, errors, sql};

/// Who sees what of notifications: the ways to it.
pub const ROWS: Rows = Rows {
    // One for each who is asked, and a known one of Ada's.
    setup: "
        INSERT INTO notifications (id, user_id, kind, subject, message, created_at)
        SELECT CASE username WHEN 'ada' THEN '00000000-0000-0000-0000-000000000001'::uuid ELSE gen_random_uuid() END, id, 'ROLE_CHANGED', 'group_00000000000000000000000000', 'x', now()
          FROM users;
        INSERT INTO events (kind, subject, person, payload)
        SELECT 'notification', id, user_id, '{\"kind\": \"ROLE_CHANGED\"}' FROM notifications;",
    operations: &[
        ("notifications", "{ notifications { nodes { id } } }"),
        ("markNotificationsRead", "mutation($told: ID!) { markNotificationsRead(input: { ids: [$told] }) { marked } }"),
        ("notificationEvents", "subscription($start: FeedCursor) { notificationEvents(after: $start) { cursor } }"),
    ],
    types: &[
        ("Notification", By("query($told: ID!) { node(id: $told) { ... on Notification { FIELD } } }")),
        ("NotificationConnection", By("{ notifications { FIELD } }")),
        ("NotificationEdge", By("{ notifications { edges { FIELD } } }")),
        ("NotificationEvent", Below("notificationEvents")),
        ("MarkNotificationsReadPayload", Below("markNotificationsRead")),
    ],
};

const MARK: &str = "mutation($ids: [ID!]) { markNotificationsRead(input: { ids: $ids }) { marked } }";

async fn unread(world: &World, who: &str) -> Value {
    let query = "{ notifications(filter: { unread: true }) { totalCount } }";
    world.ask(who, query, json!({})).await["data"]["notifications"]["totalCount"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notifications_are_marked_one_by_one_or_all_and_only_one_s_own() {
    let world = World::new().await;
    sql(&world.url, "INSERT INTO notifications (id, user_id, kind, subject, message, created_at)
        SELECT gen_random_uuid(), users.id, 'JOB_ENDED', 'job_00000000000000000000000000', n::text, now() + n * interval '1 second'
          FROM users, generate_series(1, 3) n WHERE username IN ('ada', 'ben')").await;
    let own = world.ask("ada", "{ notifications { nodes { id message readAt } } }", json!({})).await;
    let own = own["data"]["notifications"]["nodes"].as_array().unwrap().clone();
    let messages: Vec<_> = own.iter().map(|note| note["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["3", "2", "1"], "newest first");
    let marked = async |who: &str, ids: Value| {
        world.ask(who, MARK, json!({ "ids": ids })).await["data"]["markNotificationsRead"]["marked"].clone()
    };
    assert_eq!(marked("ben", json!([own[0]["id"]])).await, 0, "it is not his");
    assert_eq!(marked("ada", json!([own[0]["id"]])).await, 1);
    assert_eq!(marked("ada", json!([own[0]["id"]])).await, 0, "it was marked before");
    assert_eq!(unread(&world, "ada").await, 2);
    assert_eq!(marked("ada", Value::Null).await, 2);
    assert_eq!((unread(&world, "ada").await, unread(&world, "ben").await), (json!(0), json!(3)));
    let wrong = world.ask("ada", MARK, json!({ "ids": ["nope"] })).await;
    assert!(errors(&wrong).starts_with("BAD_USER_INPUT input.ids.0"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn managers_are_told_once_that_a_limit_is_nearly_reached() {
    let world = World::new().await;
    let project =
        world.ask("ada", "{ projects(filter: { names: [\"detection\"] }) { nodes { id } } }", json!({})).await;
    let project = project["data"]["projects"]["nodes"][0]["id"].clone();
    sql(
        &world.url,
        "DELETE FROM jobs; DELETE FROM project_quotas;
        INSERT INTO project_quotas (project_id, concurrent_jobs) SELECT id, 10 FROM projects WHERE name = 'detection'",
    )
    .await;
    let submit = "mutation($i: SubmitJobInput!) { submitJob(input: $i) { job { id } } }";
    let input = json!({ "i": { "projectId": project, "source": { "spec": { "image": "python:3.12" } } } });
    for job in 1..=10 {
        let answer = world.ask("ada", submit, input.clone()).await;
        assert!(answer["errors"].is_null(), "{answer}");
        assert_eq!(unread(&world, "maya").await, i32::from(job >= 9), "after {job} jobs");
    }
    assert_eq!(unread(&world, "ada").await, 0);
    let told = world.ask("maya", "{ notifications { nodes { kind message } } }", json!({})).await;
    insta::assert_snapshot!(told["data"]["notifications"]["nodes"], @r#"[{"kind":"QUOTA_NEARLY_USED","message":"The project detection uses at least 90 % of its limit of unfinished jobs."}]"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_told_of_a_new_role_unless_they_do_not_want_to_be() {
    let world = World::new().await;
    let told = async |who: &str| {
        let answer = world.ask(who, "{ notifications { nodes { kind message } } }", json!({})).await;
        answer["data"]["notifications"]["nodes"].clone()
    };
    let groups = world.ask("admin", "{ groups(filter: { names: [\"vision\"] }) { nodes { id } } }", json!({})).await;
    let group = groups["data"]["groups"]["nodes"][0]["id"].clone();
    let add = "mutation($g: ID!) { addGroupMembers(input: { groupId: $g, usernames: [\"ben\"] }) { results { membership { id } } } }";
    let added = world.ask("admin", add, json!({ "g": group })).await;
    let membership = added["data"]["addGroupMembers"]["results"][0]["membership"]["id"].clone();
    assert!(membership.is_string(), "{added}");
    insta::assert_snapshot!(told("ben").await, @r#"[{"kind":"ROLE_CHANGED","message":"Your role in the group vision is MEMBER now."}]"#);
    let mute = "mutation { updateUserSettings(input: { notifications: { roleChanged: false } }) { settings { notifications { roleChanged } } } }";
    let muted = world.ask("ben", mute, json!({})).await;
    assert!(muted["errors"].is_null(), "{muted}");
    let set = "mutation($m: ID!, $r: GroupRole!) { setGroupRole(input: { membershipId: $m, role: $r }) { membership { role } } }";
    let changed = world.ask("admin", set, json!({ "m": membership, "r": "MANAGER" })).await;
    assert!(changed["errors"].is_null(), "{changed}");
    assert_eq!(told("ben").await.as_array().unwrap().len(), 1, "he does not want to be told");
    assert_eq!(told("ada").await.as_array().unwrap().len(), 0, "nobody else is told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_unread_notifications_is_kept_up_to_date_by_the_feed() {
    let world = World::new().await;
    sql(&world.url, "INSERT INTO notifications (id, user_id, kind, subject, message, created_at)
        SELECT gen_random_uuid(), users.id, 'JOB_ENDED', 'job_00000000000000000000000000', n::text, now() + n * interval '1 second'
          FROM users, generate_series(1, 3) n WHERE username = 'ada'").await;
    let viewer = world.ask("ada", "{ eventCursor viewer { unreadNotifications } }", json!({})).await;
    assert_eq!(viewer["data"]["viewer"]["unreadNotifications"], 3);
    let cursor = viewer["data"]["eventCursor"].clone();
    let others = "{ users(filter: { usernames: [\"ada\"] }) { nodes { unreadNotifications } } }";
    let seen = async |who: &str| {
        world.ask(who, others, json!({})).await["data"]["users"]["nodes"][0]["unreadNotifications"].clone()
    };
    assert_eq!((seen("admin").await, seen("maya").await), (json!(3), Value::Null));
    let first = world.ask("ada", "{ notifications(first: 1) { nodes { id } } }", json!({})).await;
    world.ask("ada", MARK, json!({ "ids": [first["data"]["notifications"]["nodes"][0]["id"]] })).await;
    let feed = "subscription($after: FeedCursor) { notificationEvents(after: $after) { kind unreadNotifications notification { id } } }";
    let told = world.first_of("ada", feed, json!({ "after": cursor })).await;
    let read = json!({ "kind": "READ", "notification": null, "unreadNotifications": 2 });
    assert_eq!(told["data"]["notificationEvents"], read);
    let cursor = world.ask("ada", "{ eventCursor }", json!({})).await["data"]["eventCursor"].clone();
    let groups = world.ask("admin", "{ groups(filter: { names: [\"language\"] }) { nodes { id } } }", json!({})).await;
    let add =
        "mutation($g: ID!) { addGroupMembers(input: { groupId: $g, usernames: [\"ada\"] }) { results { outcome } } }";
    world.ask("admin", add, json!({ "g": groups["data"]["groups"]["nodes"][0]["id"] })).await;
    let feed = "subscription($after: FeedCursor) { notificationEvents(after: $after) { kind unreadNotifications notification { kind } } }";
    let told = world.first_of("ada", feed, json!({ "after": cursor })).await;
    let created = json!({ "kind": "CREATED", "notification": { "kind": "ROLE_CHANGED" }, "unreadNotifications": 3 });
    assert_eq!(told["data"]["notificationEvents"], created);
}
