//! Requests: who sees and answers them, and what resolving one grants, once.

use serde_json::{Value, json};

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{World, errors, sql};

/// Who sees what of requests: the ways to it.
pub const ROWS: Rows = Rows {
    setup: "
        WITH request AS (
            INSERT INTO requests (id, author_id, tag, title, group_id, project_id, wanted, created_at, updated_at)
            SELECT '00000000-0000-0000-0000-000000000001'::uuid, users.id, 'RESOURCE', 'more', projects.group_id, projects.id,
                   '{\"kind\": \"limits\", \"cpuMillis\": 1000}', now(), now()
              FROM users, projects WHERE users.username = 'ada' AND projects.name = 'detection' RETURNING *)
        INSERT INTO request_messages (id, request_id, author_id, text, created_at)
        SELECT gen_random_uuid(), id, author_id, 'please', created_at FROM request;
        INSERT INTO requests (id, author_id, tag, title, created_at, updated_at)
        SELECT gen_random_uuid(), id, 'OTHER', 'own', now(), now() FROM users WHERE username <> 'ada';
        INSERT INTO events (kind, subject, project, \"group\", person, payload)
        SELECT 'request', id, project_id, group_id, author_id, '{\"kind\": \"OPENED\", \"status\": \"OPEN\"}' FROM requests;",
    operations: &[
        ("request", "query($asked: ID!) { request(id: $asked) { id } }"),
        ("requests", "{ requests { nodes { id } } }"),
        (
            "openRequest",
            "mutation($vision: ID!) { openRequest(input: { tag: QUESTION, title: \"t\", text: \"x\", groupId: $vision }) { request { id } } }",
        ),
        ("replyToRequest", "mutation($asked: ID!) { replyToRequest(input: { id: $asked, text: \"x\" }) { request { id } } }"),
        (
            "resolveRequest",
            "mutation($asked: ID!) { resolveRequest(input: { id: $asked, status: RESOLVED }) { request { id } } }",
        ),
        // Whoever may not see Ada's is told of one of their own.
        (
            "requestEvents",
            "subscription($start: FeedCursor) { requestEvents(after: $start) { cursor } }",
        ),
    ],
    types: &[
        ("Request", By("query($asked: ID!) { request(id: $asked) { FIELD } }")),
        ("WantedLimits", By("query($asked: ID!) { request(id: $asked) { wantedLimits { FIELD } } }")),
        ("RequestMessage", By("query($asked: ID!) { request(id: $asked) { messages { nodes { FIELD } } } }")),
        ("RequestMessageConnection", By("query($asked: ID!) { request(id: $asked) { messages { FIELD } } }")),
        ("RequestMessageEdge", By("query($asked: ID!) { request(id: $asked) { messages { edges { FIELD } } } }")),
        ("RequestConnection", By("{ requests { FIELD } }")),
        ("RequestEdge", By("{ requests { edges { FIELD } } }")),
        ("RequestEvent", Below("requestEvents")),
        ("OpenRequestPayload", Below("openRequest")),
        ("ReplyToRequestPayload", Below("replyToRequest")),
        ("ResolveRequestPayload", Below("resolveRequest")),
    ],
};

const OPEN: &str = "mutation($input: OpenRequestInput!) { openRequest(input: $input) { request { id status } } }";
const RESOLVE: &str = "mutation($id: ID!, $status: RequestResolution!) { resolveRequest(input: { id: $id, status: $status, text: \"there you are\" }) {
    request { status appliedAt resolvedBy { username } } } }";

async fn id(world: &World, list: &str, name: &str) -> Value {
    let query = format!("{{ found: {list}(filter: {{ names: [\"{name}\"] }}) {{ nodes {{ id }} }} }}");
    world.ask("admin", &query, json!({})).await["data"]["found"]["nodes"][0]["id"].clone()
}

/// Opens a request; its ID.
async fn open(world: &World, who: &str, mut input: Value) -> Value {
    input["title"] = "please".into();
    input["text"] = "I need it".into();
    let answer = world.ask(who, OPEN, json!({ "input": input })).await;
    assert!(answer["errors"].is_null(), "{answer}");
    answer["data"]["openRequest"]["request"]["id"].clone()
}

async fn resolve(world: &World, who: &str, id: &Value, status: &str) -> Value {
    world.ask(who, RESOLVE, json!({ "id": id, "status": status })).await
}

/// The role of somebody in the group vision.
async fn role(world: &World, who: &str) -> Value {
    let query = "{ groups(filter: { names: [\"vision\"] }) { nodes { viewerRole } } }";
    world.ask(who, query, json!({})).await["data"]["groups"]["nodes"][0]["viewerRole"].clone()
}

async fn make_admin(world: &World, who: &str) {
    sql(&world.url, &format!("UPDATE group_members SET role = 'ADMIN' FROM users, groups WHERE users.id = user_id AND groups.id = group_id AND username = '{who}' AND groups.name = 'vision'")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_asks_for_a_role_and_gets_it_from_an_admin_of_the_group() {
    let world = World::new().await;
    let vision = id(&world, "groups", "vision").await;
    let request = open(&world, "ben", json!({ "tag": "ACCESS", "groupId": vision, "wantedRole": "MEMBER" })).await;
    assert_eq!(role(&world, "ben").await, Value::Null);
    // Maya is a manager: she sees the request, and could not add a member herself.
    insta::assert_snapshot!(errors(&resolve(&world, "maya", &request, "RESOLVED").await), @"FORBIDDEN input.status: only admins of the group can add members");
    assert_eq!(role(&world, "ben").await, Value::Null);
    make_admin(&world, "maya").await;
    let answer = resolve(&world, "maya", &request, "RESOLVED").await;
    let resolved = &answer["data"]["resolveRequest"]["request"];
    assert_eq!(
        (&resolved["status"], &resolved["resolvedBy"]["username"]),
        (&json!("RESOLVED"), &json!("maya")),
        "{answer}"
    );
    assert!(resolved["appliedAt"].is_string());
    assert_eq!(role(&world, "ben").await, "MEMBER");
    let told = world.ask("ben", "{ notifications { nodes { kind message subjectId } } }", json!({})).await;
    let mut told: Vec<_> = told["data"]["notifications"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| format!("{}: {}", note["kind"], note["message"]))
        .collect();
    told.sort();
    insta::assert_snapshot!(told.join("\n"), @r#"
    "REQUEST_ANSWERED": "Your request \"please\" was resolved."
    "ROLE_CHANGED": "Your role in the group vision is MEMBER now."
    "#);
    let log = world.ask("admin", "{ auditLog(filter: { actions: [\"resolveRequest\"] }) { nodes { actor { username } group { name } changes { field before after } } } }", json!({})).await;
    insta::assert_snapshot!(log["data"]["auditLog"]["nodes"], @r#"[{"actor":{"username":"maya"},"group":{"name":"vision"},"changes":[{"field":"role","before":null,"after":"MEMBER"},{"field":"status","before":"OPEN","after":"RESOLVED"}]}]"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_takes_no_role_away_not_even_from_the_last_admin() {
    let world = World::new().await;
    make_admin(&world, "ada").await;
    let vision = id(&world, "groups", "vision").await;
    let request = open(&world, "ada", json!({ "tag": "ACCESS", "groupId": vision, "wantedRole": "MEMBER" })).await;
    assert_eq!(errors(&resolve(&world, "admin", &request, "RESOLVED").await), "");
    assert_eq!(role(&world, "ada").await, "ADMIN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_that_are_granted_are_told_to_those_who_follow_the_project() {
    let world = World::new().await;
    let detection = id(&world, "projects", "detection").await;
    let wanted = json!({ "tag": "RESOURCE", "projectId": detection, "wantedLimits": { "concurrentJobs": 7 } });
    let request = open(&world, "ada", wanted).await;
    assert_eq!(errors(&resolve(&world, "maya", &request, "RESOLVED").await), "");
    let (client, driver) = tokio_postgres::connect(world.url.expose(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(driver);
    let told = "SELECT payload ->> 'kind' FROM events WHERE kind = 'project'";
    let told: Vec<String> = client.query(told, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(told, ["LIMITS_CHANGED"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_resolve_a_request_at_once_grant_it_once() {
    let world = World::new().await;
    make_admin(&world, "maya").await;
    let vision = id(&world, "groups", "vision").await;
    for _ in 0..5 {
        let request = open(&world, "ben", json!({ "tag": "ACCESS", "groupId": vision, "wantedRole": "MEMBER" })).await;
        let (maya, admin) = (world.caller("maya").await, world.caller("admin").await);
        let variables = json!({ "id": request, "status": "RESOLVED" });
        let (one, other) =
            tokio::join!(world.ask_as(maya, RESOLVE, variables.clone()), world.ask_as(admin, RESOLVE, variables));
        let mut told = [errors(&one), errors(&other)];
        told.sort();
        assert_eq!(told[0], "");
        assert_eq!(told[1], "CONFLICT input.id: the request is already RESOLVED, which is final");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_granted_by_those_who_may_set_them_and_gpus_by_platform_admins() {
    let world = World::new().await;
    let detection = id(&world, "projects", "detection").await;
    let limits = |limits: Value| json!({ "tag": "RESOURCE", "projectId": detection, "wantedLimits": limits });
    let request = open(&world, "ada", limits(json!({ "cpu": "1500m", "concurrentJobs": 7 }))).await;
    assert_eq!(
        resolve(&world, "maya", &request, "RESOLVED").await["data"]["resolveRequest"]["request"]["status"],
        "RESOLVED"
    );
    let request = open(&world, "ada", limits(json!({ "gpu": 3 }))).await;
    insta::assert_snapshot!(errors(&resolve(&world, "maya", &request, "RESOLVED").await), @"FORBIDDEN input.status: only platform admins can set the GPU limit of a project");
    assert_eq!(
        resolve(&world, "admin", &request, "RESOLVED").await["data"]["resolveRequest"]["request"]["status"],
        "RESOLVED"
    );
    let quota = world
        .ask(
            "ada",
            "{ projects(filter: { names: [\"detection\"] }) { nodes { quota { resource limit } } } }",
            json!({}),
        )
        .await;
    let quota = quota["data"]["projects"]["nodes"][0]["quota"].as_array().unwrap().clone();
    let limit = |name: &str| quota.iter().find(|line| line["resource"] == name).unwrap()["limit"].clone();
    assert_eq!((limit("CPU"), limit("JOBS"), limit("GPU")), (json!("1500m"), json!("7"), json!("3")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_seen_by_its_author_and_those_responsible_and_by_nobody_else() {
    let world = World::new().await;
    let vision = id(&world, "groups", "vision").await;
    let of_group = open(&world, "ada", json!({ "tag": "QUESTION", "groupId": vision })).await;
    let of_platform = open(&world, "ada", json!({ "tag": "FEATURE" })).await;
    for (who, group, platform) in
        [("ada", true, true), ("maya", true, false), ("ben", false, false), ("admin", true, true)]
    {
        for (request, seen) in [(&of_group, group), (&of_platform, platform)] {
            let query = format!(
                "{{ request(id: {request}) {{ messages {{ nodes {{ text author {{ username }} }} }} }} node(id: {request}) {{ id }} }}"
            );
            let answer = world.ask(who, &query, json!({})).await;
            assert_eq!(answer["data"]["request"].is_object(), seen, "{who} {answer}");
            assert_eq!(answer["data"]["node"].is_object(), seen, "{who} {answer}");
        }
        let list = world.ask(who, "{ requests { totalCount } }", json!({})).await;
        assert_eq!(list["data"]["requests"]["totalCount"], i32::from(group) + i32::from(platform), "{who}");
    }
    insta::assert_snapshot!(errors(&resolve(&world, "ada", &of_group, "RESOLVED").await), @"FORBIDDEN input.id: only managers and admins of the group, or platform admins, can change the status of a request");
    let told = errors(&resolve(&world, "ben", &of_group, "RESOLVED").await);
    assert!(told.starts_with("NOT_FOUND input.id"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_has_every_message_and_ends_with_the_resolution() {
    let world = World::new().await;
    let request = open(&world, "ada", json!({ "tag": "BUG" })).await;
    let reply =
        "mutation($id: ID!) { replyToRequest(input: { id: $id, text: \"what exactly?\" }) { request { status } } }";
    world.ask("admin", reply, json!({ "id": request })).await;
    resolve(&world, "admin", &request, "IN_PROGRESS").await;
    insta::assert_snapshot!(errors(&resolve(&world, "admin", &request, "IN_PROGRESS").await), @"CONFLICT input.status: the request is already IN_PROGRESS");
    resolve(&world, "admin", &request, "REJECTED").await;
    insta::assert_snapshot!(errors(&world.ask("ada", reply, json!({ "id": request })).await), @"CONFLICT input.id: the request is already REJECTED, which is final");
    let query = "query($id: ID!) { request(id: $id) { status viewerCanResolve messages { nodes { author { username } text status } } } }";
    let answer = world.ask("ada", query, json!({ "id": request })).await;
    let lines: Vec<_> = answer["data"]["request"]["messages"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| format!("{} {} {}", message["author"]["username"], message["text"], message["status"]))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    "ada" "I need it" null
    "admin" "what exactly?" null
    "admin" "there you are" "IN_PROGRESS"
    "admin" "there you are" "REJECTED"
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_wrong_with_a_new_request_is_told_at_once() {
    let world = World::new().await;
    let (vision, detection) = (id(&world, "groups", "vision").await, id(&world, "projects", "detection").await);
    let wrong = async |input: Value| errors(&world.ask("ada", OPEN, json!({ "input": input })).await);
    insta::assert_snapshot!(wrong(json!({ "tag": "BUG", "title": " ", "text": "", "groupId": "nope", "wantedRole": "MEMBER", "wantedLimits": { "cpu": "lots", "gpu": -1 } })).await, @r#"
    BAD_USER_INPUT input.groupId: "nope" is not a group id: it must be "group_" followed by 26 characters of 0-9 a-z without i, l, o, u
    BAD_USER_INPUT input.wantedRole: a role can only be asked for with the tag ACCESS and the ID of a group
    BAD_USER_INPUT input.wantedLimits: limits can only be asked for with the tag RESOURCE and the ID of a project
    BAD_USER_INPUT input.wantedLimits.gpu: the limit was -1; it must be at least 0
    BAD_USER_INPUT input.wantedLimits.cpu: "lots" is not a quantity: a number is allowed, alone or followed by n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei or an exponent such as e3 (for example 500m, 1.5, 10Gi)
    BAD_USER_INPUT input.title: the title is empty
    BAD_USER_INPUT input.text: the text is empty
    "#);
    insta::assert_snapshot!(wrong(json!({ "tag": "BUG", "title": "t", "text": "x", "groupId": vision, "projectId": detection })).await, @"BAD_USER_INPUT input.projectId: a request is about a group or a project, not about both");
    insta::assert_snapshot!(wrong(json!({ "tag": "RESOURCE", "title": "t", "text": "x", "projectId": detection, "wantedLimits": {} })).await, @"BAD_USER_INPUT input.wantedLimits: no limit is given");
    let hidden = world
        .ask("ben", OPEN, json!({ "input": { "tag": "BUG", "title": "t", "text": "x", "projectId": detection } }))
        .await;
    assert!(errors(&hidden).starts_with("NOT_FOUND input.projectId"), "{hidden}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_limit_can_be_asked_for_and_is_recorded_with_its_value_before() {
    let world = World::new().await;
    let detection = id(&world, "projects", "detection").await;
    sql(&world.url, "DELETE FROM project_quotas").await;
    let wanted = json!({ "gpu": 2, "cpu": "8", "memory": "16Gi", "storage": "1Ti", "concurrentJobs": 9, "queuedJobs": 8,
        "concurrentJobsPerUser": 7, "queuedJobsPerUser": 6, "maxRunSeconds": 3600, "maxMembers": 12 });
    let request =
        open(&world, "ada", json!({ "tag": "RESOURCE", "projectId": detection, "wantedLimits": wanted })).await;
    let asked = "query($id: ID!) { request(id: $id) { wantedLimits { gpu cpu memory storage concurrentJobs queuedJobs
        concurrentJobsPerUser queuedJobsPerUser maxRunSeconds maxMembers } } }";
    let asked = world.ask("ada", asked, json!({ "id": request })).await;
    assert_eq!(asked["data"]["request"]["wantedLimits"], wanted);
    insta::assert_snapshot!(errors(&resolve(&world, "maya", &request, "RESOLVED").await), @"FORBIDDEN input.status: only platform admins can set the GPU limit of a project");
    assert_eq!(errors(&resolve(&world, "admin", &request, "RESOLVED").await), "");
    let limits = "query($id: ID!) { project(id: $id) { group { maxMembers } limits { gpu cpu memory storage concurrentJobs queuedJobs
        concurrentJobsPerUser queuedJobsPerUser maxRunSeconds } } }";
    let limits = world.ask("ada", limits, json!({ "id": detection })).await;
    let mut granted = limits["data"]["project"]["limits"].clone();
    granted["maxMembers"] = limits["data"]["project"]["group"]["maxMembers"].clone();
    assert_eq!(granted, wanted);
    let log = "{ auditLog(filter: { actions: [\"resolveRequest\"] }) { nodes { changes { field before after } } } }";
    let log = world.ask("admin", log, json!({})).await;
    let changes = log["data"]["auditLog"]["nodes"][0]["changes"].as_array().unwrap().clone();
    let lines: Vec<_> =
        changes.iter().map(|change| format!("{} {} {}", change["field"], change["before"], change["after"])).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    "gpu" null 2
    "status" "OPEN" "RESOLVED"
    "cpuMillis" null 8000
    "maxMembers" null 12
    "queuedJobs" null 8
    "memoryBytes" null 17179869184
    "storageBytes" null 1099511627776
    "maxRunSeconds" null 3600
    "concurrentJobs" null 9
    "queuedJobsPerUser" null 6
    "concurrentJobsPerUser" null 7
    "#);
    let only_members = json!({ "tag": "RESOURCE", "projectId": detection, "wantedLimits": { "maxMembers": 20 } });
    let request = open(&world, "ada", only_members).await;
    insta::assert_snapshot!(errors(&resolve(&world, "maya", &request, "RESOLVED").await), @"FORBIDDEN input.status: only platform admins can set the limits of a group");
}
