//! API tokens: who creates, sees and revokes them, and what can be done with one of each scope, and of one project.

use platform::auth::api_tokens::ApiSecret;
use platform::auth::principal::Caller;
use serde_json::{Value, json};

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{World, errors, sql};

/// Who sees what of API tokens: the ways to it.
pub const ROWS: Rows = Rows {
    setup: "INSERT INTO api_tokens (id, user_id, name, scope, token_hash, expires_at)
            SELECT '00000000-0000-0000-0000-000000000001', id, 'nightly', 'READ', sha256('x'), now() + interval '1 hour'
            FROM users WHERE username = 'ada';",
    operations: &[
        (
            "createApiToken",
            "mutation { createApiToken(input: { name: \"ci\", scope: READ, expiresInDays: 1 }) { apiToken { id } } }",
        ),
        (
            "revokeApiToken",
            "mutation { revokeApiToken(input: { id: \"token_00000000000000000000000001\" }) { apiToken { id } } }",
        ),
    ],
    types: &[
        ("ApiToken", By("{ node(id: \"token_00000000000000000000000001\") { ... on ApiToken { FIELD } } }")),
        ("ApiTokenConnection", By("query($ada: ID!) { user(id: $ada) { apiTokens { FIELD } } }")),
        ("ApiTokenEdge", By("query($ada: ID!) { user(id: $ada) { apiTokens { edges { FIELD } } } }")),
        ("CreateApiTokenPayload", Below("createApiToken")),
        ("RevokeApiTokenPayload", Below("revokeApiToken")),
    ],
};

const CREATE: &str = "mutation($i: CreateApiTokenInput!) { createApiToken(input: $i) { secret apiToken { id name scope lastUsedAt project { name } user { username } } } }";
const REVOKE: &str = "mutation($id: ID!) { revokeApiToken(input: { id: $id }) { apiToken { name } } }";
const TOKENS: &str = "{ viewer { apiTokens { totalCount nodes { id name } } } }";

fn in_short(answer: &Value) -> String {
    match errors(answer) {
        none if none.is_empty() => answer["data"].to_string(),
        errors => errors,
    }
}

/// The secret and the ID of a new token.
async fn token(world: &World, username: &str, scope: &str, project: &Value) -> (String, Value) {
    let input =
        json!({ "name": format!("{scope} {project}"), "scope": scope, "projectId": project, "expiresInDays": 30 });
    let answer = world.ask(username, CREATE, json!({ "i": input })).await;
    let created = &answer["data"]["createApiToken"];
    let secret = created["secret"].as_str().unwrap_or_else(|| panic!("{answer}"));
    (secret.to_owned(), created["apiToken"]["id"].clone())
}

/// Somebody with a new token.
async fn with_token(world: &World, username: &str, scope: &str, project: &Value) -> Caller {
    let (secret, _) = token(world, username, scope, project).await;
    world.caller(&secret).await
}

async fn refused(world: &World, authorization: &str) -> String {
    match world.authenticator.authenticate(Some(authorization)).await {
        Ok(_) => "accepted".to_owned(),
        Err(error) => format!("{} {}: {error}", error.code.as_str(), error.reason.map_or("", |reason| reason.as_str())),
    }
}

async fn project(world: &World, name: &str) -> Value {
    let query = "query($n: [String!]) { projects(filter: { names: $n }) { nodes { id } } }";
    world.ask("admin", query, json!({ "n": [name] })).await["data"]["projects"]["nodes"][0]["id"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_created_shown_once_listed_and_revoked() {
    let world = World::new().await;
    let input = json!({ "name": " nightly training ", "scope": "SUBMIT", "projectId": project(&world, "detection").await, "expiresInDays": 365 });
    let answer = world.ask("ada", CREATE, json!({ "i": input })).await;
    let created = &answer["data"]["createApiToken"];
    let (secret, id) = (created["secret"].as_str().unwrap(), &created["apiToken"]["id"]);
    assert_eq!(secret.len(), 54, "{secret}");
    let mut shown = created["apiToken"].clone();
    shown["id"] = "ID".into();
    insta::assert_snapshot!(shown, @r#"{"id":"ID","name":"nightly training","scope":"SUBMIT","lastUsedAt":null,"project":{"name":"detection"},"user":{"username":"ada"}}"#);
    assert_eq!(refused(&world, &format!("Bearer {secret}")).await, "accepted");
    let stored = "DO $$ BEGIN ASSERT (SELECT octet_length(token_hash) = 32 FROM api_tokens); END $$";
    sql(&world.url, stored).await;

    let listed = world.ask("ada", TOKENS, json!({})).await;
    assert_eq!(
        listed["data"]["viewer"]["apiTokens"],
        json!({ "totalCount": 1, "nodes": [{ "id": id, "name": "nightly training" }] })
    );
    insta::assert_snapshot!(in_short(&world.ask("ada", REVOKE, json!({ "id": id })).await), @r#"{"revokeApiToken":{"apiToken":{"name":"nightly training"}}}"#);
    insta::assert_snapshot!(refused(&world, &format!("Bearer {secret}")).await, @"UNAUTHENTICATED TOKEN_REVOKED: the API token was revoked, or the account of its user is disabled");
    assert_eq!(world.ask("ada", TOKENS, json!({})).await["data"]["viewer"]["apiTokens"]["totalCount"], 0);
    let again = errors(&world.ask("ada", REVOKE, json!({ "id": id })).await).replace(id.as_str().unwrap(), "ID");
    insta::assert_snapshot!(again, @r#"NOT_FOUND input.id: API token "ID" not found"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_is_unique_among_the_valid_tokens_of_a_user() {
    let world = World::new().await;
    let create = async |name: &str, days: i32| {
        let input = json!({ "name": name, "scope": "READ", "expiresInDays": days });
        errors(&world.ask("ada", CREATE, json!({ "i": input })).await)
    };
    assert_eq!(create("ci", 1).await, "");
    insta::assert_snapshot!(create("ci", 1).await, @r#"CONFLICT input.name: you have a valid API token named "ci""#);
    assert_eq!(token(&world, "maya", "READ", &Value::Null).await.0.len(), 54);
    sql(&world.url, "UPDATE api_tokens SET expires_at = now() - interval '1 second' WHERE name = 'ci'").await;
    assert_eq!(create("ci", 1).await, "", "the one before has expired");
    insta::assert_snapshot!(create(" ", 0).await, @"
    BAD_USER_INPUT input.name: the name must be one line and not empty
    BAD_USER_INPUT input.expiresInDays: expiresInDays was 0; it must be between 1 and 365
    ");
    insta::assert_snapshot!(create("two\nlines", 366).await, @"
    BAD_USER_INPUT input.name: the name must be one line and not empty
    BAD_USER_INPUT input.expiresInDays: expiresInDays was 366; it must be between 1 and 365
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_has_fifty_valid_tokens_at_most() {
    let world = World::new().await;
    let full = "INSERT INTO api_tokens (id, user_id, name, scope, token_hash, expires_at)
        SELECT gen_random_uuid(), users.id, n::text, 'READ', sha256(n::text::bytea), now() + interval '1 day'
          FROM users, generate_series(1, 50) n WHERE username = 'ada'";
    sql(&world.url, full).await;
    let input = json!({ "i": { "name": "one more", "scope": "READ", "expiresInDays": 1 } });
    insta::assert_snapshot!(errors(&world.ask("ada", CREATE, input.clone()).await), @"QUOTA_EXCEEDED -: you have 50 valid API tokens, and at most 50 are allowed; revoke one");
    sql(&world.url, "UPDATE api_tokens SET revoked_at = now() WHERE name = '7'").await;
    assert_eq!(errors(&world.ask("ada", CREATE, input).await), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_but_an_admin_sees_or_revokes_the_token_of_another() {
    let world = World::new().await;
    let (_, id) = token(&world, "ada", "READ", &Value::Null).await;
    let missing = format!("NOT_FOUND input.id: API token {id} not found");
    let of_ada = "query($id: ID!) { node(id: $id) { ... on ApiToken { user { username apiTokens { totalCount } } } } }";
    for other in ["maya", "ben"] {
        assert_eq!(errors(&world.ask(other, REVOKE, json!({ "id": id })).await), missing);
        let seen = world.ask(other, of_ada, json!({ "id": id })).await;
        assert_eq!(seen["data"]["node"], Value::Null, "{seen}");
    }
    let seen = in_short(&world.ask("admin", of_ada, json!({ "id": id })).await);
    assert_eq!(seen, r#"{"node":{"user":{"username":"ada","apiTokens":{"totalCount":1}}}}"#);
    let users = world.ask("maya", "{ users { nodes { username apiTokens { totalCount } } } }", json!({})).await;
    insta::assert_snapshot!(in_short(&users), @r#"{"users":{"nodes":[{"username":"ada","apiTokens":null},{"username":"ben","apiTokens":null},{"username":"maya","apiTokens":{"totalCount":0}}]}}"#);
    assert_eq!(errors(&world.ask("admin", REVOKE, json!({ "id": id })).await), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_about_the_ways_into_an_account_needs_a_session() {
    let world = World::new().await;
    let admin = with_token(&world, "admin", "ADMIN", &Value::Null).await;
    let (_, other) = token(&world, "admin", "READ", &Value::Null).await;
    let ada = world.ask("admin", "{ users(filter: { usernames: [\"ada\"] }) { nodes { id } } }", json!({})).await;
    let ada = &ada["data"]["users"]["nodes"][0]["id"];
    let create = json!({ "i": { "name": "more", "scope": "READ", "expiresInDays": 1 } });
    let tried = [
        (CREATE, create),
        (REVOKE, json!({ "id": other })),
        ("mutation { logout { ended } }", json!({})),
        ("mutation { logoutEverywhere { endedSessions } }", json!({})),
        (
            "mutation { changePassword(input: { currentPassword: \"platform-admin\", newPassword: \"a fresh start 7\" }) { endedSessions } }",
            json!({}),
        ),
        (
            "mutation($id: ID!) { createPasswordReset(input: { userId: $id }) { passwordLink { token } } }",
            json!({ "id": ada }),
        ),
        (
            "mutation($id: ID!) { linkIdentity(input: { userId: $id, subject: \"x\" }) { user { id } } }",
            json!({ "id": ada }),
        ),
        ("query($id: ID!) { node(id: $id) { id } }", json!({ "id": other })),
    ];
    for (operation, variables) in tried {
        let told = errors(&world.ask_as(admin.clone(), operation, variables).await);
        assert!(
            told.starts_with("FORBIDDEN") && told.ends_with(": this cannot be done with an API token; log in instead"),
            "{operation}: {told}"
        );
    }
    let update = "mutation($id: ID!) { updateUser(input: { id: $id, platformRole: ADMIN }) { user { id } } }";
    let told = errors(&world.ask_as(admin.clone(), update, json!({ "id": ada })).await);
    insta::assert_snapshot!(told, @"FORBIDDEN input.platformRole: this cannot be done with an API token; log in instead");
    let hidden = world
        .ask_as(admin, "{ viewer { username apiTokens { totalCount } sessions { totalCount } } }", json!({}))
        .await;
    insta::assert_snapshot!(in_short(&hidden), @r#"{"viewer":{"username":"admin","apiTokens":null,"sessions":null}}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_too_small_a_scope_is_refused_with_both_scopes() {
    let world = World::new().await;
    let detection = project(&world, "detection").await;
    let preview = "query($p: ID!) { previewJob(input: { projectId: $p, name: \"try\", queue: \"default-batch\", source: { spec: { image: \"a\" } } }) { admitted } }";
    let update = "mutation($p: ID!) { updateProject(input: { projectId: $p, description: \"d\" }) { project { id } } }";
    let group = "mutation { createGroup(input: { name: \"more\" }) { group { id } } }";
    let mut told = String::new();
    for (user, scope) in [
        ("maya", "READ"),
        ("maya", "SUBMIT"),
        ("maya", "MANAGE"),
        ("ada", "MANAGE"),
        ("maya", "ADMIN"),
        ("admin", "MANAGE"),
        ("admin", "ADMIN"),
    ] {
        let caller = with_token(&world, user, scope, &Value::Null).await;
        for (name, operation) in [("preview", preview), ("update", update), ("group", group)] {
            let variables = if operation == group { json!({}) } else { json!({ "p": detection }) };
            let answer = errors(&world.ask_as(caller.clone(), operation, variables).await);
            told += &format!("{user} {scope} {name}: {}\n", if answer.is_empty() { "ok" } else { &answer });
        }
    }
    insta::assert_snapshot!(told, @"
    maya READ preview: FORBIDDEN input.projectId: the API token has the scope READ, and this needs the scope SUBMIT
    maya READ update: FORBIDDEN input.projectId: the API token has the scope READ, and this needs the scope MANAGE
    maya READ group: FORBIDDEN -: only platform admins can create groups
    maya SUBMIT preview: ok
    maya SUBMIT update: FORBIDDEN input.projectId: the API token has the scope SUBMIT, and this needs the scope MANAGE
    maya SUBMIT group: FORBIDDEN -: only platform admins can create groups
    maya MANAGE preview: ok
    maya MANAGE update: ok
    maya MANAGE group: FORBIDDEN -: only platform admins can create groups
    ada MANAGE preview: ok
    ada MANAGE update: FORBIDDEN input.projectId: only managers and admins of the group can change its projects
    ada MANAGE group: FORBIDDEN -: only platform admins can create groups
    maya ADMIN preview: ok
    maya ADMIN update: ok
    maya ADMIN group: FORBIDDEN -: only platform admins can create groups
    admin MANAGE preview: ok
    admin MANAGE update: ok
    admin MANAGE group: FORBIDDEN -: the API token has the scope MANAGE, and this needs the scope ADMIN
    admin ADMIN preview: ok
    admin ADMIN update: ok
    admin ADMIN group: ok
    ");
}

/// The names of everything that a caller sees in lists.
async fn lists(world: &World, caller: &Caller) -> String {
    let query = "{
        groups { nodes { name projects { totalCount nodes { name } } members { nodes { user { username } } } } } projects { totalCount nodes { name } } jobs { totalCount nodes { project { name } } }
        configFiles { totalCount nodes { project { name } } } users { totalCount nodes { username } } requests { totalCount nodes { title } } auditLog { totalCount nodes { project { name } } }
        viewer { username email memberships { nodes { group { name } } } } queues { name } }";
    in_short(&world.ask_as(caller.clone(), query, json!({})).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_for_a_project_shows_the_project_and_its_group_and_nothing_else() {
    let world = World::new().await;
    let setup: String = [super::requests::ROWS.setup, super::audit::ROWS.setup].concat();
    let email = "UPDATE users SET email = username || '@example.org'; UPDATE group_members SET role = 'ADMIN' FROM users WHERE users.id = user_id AND username = 'maya';";
    sql(&world.url, &format!("{setup}{email}")).await;
    let detection = project(&world, "detection").await;
    let maya = lists(&world, &with_token(&world, "maya", "READ", &detection).await).await;
    insta::assert_snapshot!(maya, @r#"{"groups":{"nodes":[{"name":"vision","projects":{"totalCount":1,"nodes":[{"name":"detection"}]},"members":{"nodes":[{"user":{"username":"maya"}},{"user":{"username":"ada"}}]}}]},"projects":{"totalCount":1,"nodes":[{"name":"detection"}]},"jobs":{"totalCount":2,"nodes":[{"project":{"name":"detection"}},{"project":{"name":"detection"}}]},"configFiles":{"totalCount":2,"nodes":[{"project":{"name":"detection"}},{"project":{"name":"detection"}}]},"users":{"totalCount":2,"nodes":[{"username":"ada"},{"username":"maya"}]},"requests":{"totalCount":1,"nodes":[{"title":"more"}]},"auditLog":{"totalCount":1,"nodes":[{"project":{"name":"detection"}}]},"viewer":{"username":"maya","email":null,"memberships":{"nodes":[{"group":{"name":"vision"}}]}},"queues":[{"name":"configfile-interactive"},{"name":"configfile-job"},{"name":"default-batch"}]}"#);
    // A platform admin is none outside of the project.
    let admin = lists(&world, &with_token(&world, "admin", "ADMIN", &detection).await).await;
    insta::assert_snapshot!(admin, @r#"{"groups":{"nodes":[{"name":"vision","projects":{"totalCount":1,"nodes":[{"name":"detection"}]},"members":{"nodes":[{"user":{"username":"maya"}},{"user":{"username":"ada"}}]}}]},"projects":{"totalCount":1,"nodes":[{"name":"detection"}]},"jobs":{"totalCount":2,"nodes":[{"project":{"name":"detection"}},{"project":{"name":"detection"}}]},"configFiles":{"totalCount":2,"nodes":[{"project":{"name":"detection"}},{"project":{"name":"detection"}}]},"users":{"totalCount":3,"nodes":[{"username":"ada"},{"username":"admin"},{"username":"maya"}]},"requests":{"totalCount":1,"nodes":[{"title":"more"}]},"auditLog":{"totalCount":1,"nodes":[{"project":{"name":"detection"}}]},"viewer":{"username":"admin","email":null,"memberships":{"nodes":[]}},"queues":[{"name":"configfile-interactive"},{"name":"configfile-job"},{"name":"default-batch"}]}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_token_for_a_project_everything_else_is_not_found_like_for_a_stranger() {
    let world = World::new().await;
    let (detection, other) = (project(&world, "detection").await, project(&world, "segmentation").await);
    let vision = world.ask("admin", "{ groups(filter: { names: [\"vision\"] }) { nodes { id } } }", json!({})).await;
    let vision = &vision["data"]["groups"]["nodes"][0]["id"];
    let update =
        "mutation($id: ID!) { updateProject(input: { projectId: $id, description: \"d\" }) { project { name } } }";
    let group = "mutation($id: ID!) { updateGroup(input: { groupId: $id, description: \"d\" }) { group { name } } }";
    let seen = "query($id: ID!) { node(id: $id) { id } }";
    let mut told = String::new();
    for user in ["maya", "admin"] {
        let caller = with_token(&world, user, "ADMIN", &detection).await;
        for (name, operation, id) in [
            ("update", update, &detection),
            ("update other", update, &other),
            ("see other", seen, &other),
            ("see group", seen, vision),
            ("group", group, vision),
        ] {
            let answer = world.ask_as(caller.clone(), operation, json!({ "id": id })).await;
            told += &format!("{user} {name}: {}\n", in_short(&answer));
        }
        let answer = world.ask_as(caller, "{ notifications { totalCount } }", json!({})).await;
        told += &format!("{user} notifications: {}\n", in_short(&answer));
    }
    for (id, name) in [(&detection, "DETECTION"), (&other, "OTHER"), (vision, "GROUP")] {
        told = told.replace(id.as_str().unwrap(), name);
    }
    insta::assert_snapshot!(told, @r#"
        maya update: {"updateProject":{"project":{"name":"detection"}}}
        maya update other: NOT_FOUND input.projectId: project "OTHER" not found
        maya see other: {"node":null}
        maya see group: {"node":{"id":"GROUP"}}
        maya group: FORBIDDEN input.groupId: the API token is only for the project DETECTION and what is in it
        maya notifications: FORBIDDEN -: the API token is only for the project DETECTION and what is in it
        admin update: {"updateProject":{"project":{"name":"detection"}}}
        admin update other: NOT_FOUND input.projectId: project "OTHER" not found
        admin see other: {"node":null}
        admin see group: {"node":{"id":"GROUP"}}
        admin group: FORBIDDEN input.groupId: the API token is only for the project DETECTION and what is in it
        admin notifications: FORBIDDEN -: the API token is only for the project DETECTION and what is in it
        "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_viewer_can_do_and_may_do_is_said_for_the_token() {
    let world = World::new().await;
    let detection = project(&world, "detection").await;
    let query = "query($p: ID!) { project(id: $p) { viewerCanSubmitJob viewerCanUpdate viewerCanSetGpuLimit group { viewerCanCreateProject } }
        effectiveAccess(on: $p) { action allowed tokenScope } }";
    let mut told = String::new();
    for (user, scope, project) in [
        ("maya", "READ", &Value::Null),
        ("maya", "SUBMIT", &Value::Null),
        ("maya", "MANAGE", &detection),
        ("admin", "ADMIN", &detection),
    ] {
        let caller = with_token(&world, user, scope, project).await;
        let answer = world.ask_as(caller, query, json!({ "p": detection })).await;
        told += &format!("{user} {scope} {}: {}\n", !project.is_null(), answer["data"]["project"]);
        let access = answer["data"]["effectiveAccess"].as_array().unwrap_or_else(|| panic!("{answer}"));
        for access in access.iter().filter(|access| access["allowed"] == true) {
            told += &format!(
                "    {} {}\n",
                access["action"].as_str().unwrap(),
                access["tokenScope"].as_str().unwrap_or("-")
            );
        }
    }
    insta::assert_snapshot!(told, @r#"
    maya READ false: {"viewerCanSubmitJob":false,"viewerCanUpdate":false,"viewerCanSetGpuLimit":false,"group":{"viewerCanCreateProject":false}}
        VIEW_PROJECT READ
    maya SUBMIT false: {"viewerCanSubmitJob":true,"viewerCanUpdate":false,"viewerCanSetGpuLimit":false,"group":{"viewerCanCreateProject":false}}
        VIEW_PROJECT READ
        SUBMIT_JOB SUBMIT
    maya MANAGE true: {"viewerCanSubmitJob":true,"viewerCanUpdate":true,"viewerCanSetGpuLimit":false,"group":{"viewerCanCreateProject":false}}
        UPDATE_PROJECT MANAGE
        ARCHIVE_PROJECT MANAGE
        RESTORE_PROJECT MANAGE
        SET_PROJECT_LIMITS MANAGE
        SET_PROJECT_SCHEDULE MANAGE
        VIEW_PROJECT READ
        CREATE_CONFIG_FILE MANAGE
        SUBMIT_JOB SUBMIT
        CREATE_PVC MANAGE
        BIND_PVC MANAGE
    admin ADMIN true: {"viewerCanSubmitJob":true,"viewerCanUpdate":true,"viewerCanSetGpuLimit":true,"group":{"viewerCanCreateProject":false}}
        UPDATE_PROJECT MANAGE
        ARCHIVE_PROJECT MANAGE
        RESTORE_PROJECT MANAGE
        DELETE_PROJECT MANAGE
        SET_PROJECT_LIMITS MANAGE
        SET_GPU_LIMIT ADMIN
        SET_PROJECT_SCHEDULE MANAGE
        VIEW_PROJECT READ
        CREATE_CONFIG_FILE MANAGE
        SUBMIT_JOB SUBMIT
        CREATE_PVC MANAGE
        BIND_PVC MANAGE
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_worth_what_its_user_is_worth() {
    let world = World::new().await;
    let (secret, _) = token(&world, "maya", "MANAGE", &project(&world, "detection").await).await;
    let query = "{ projects { nodes { name viewerCanUpdate } } }";
    let seen = async || match world.authenticator.authenticate(Some(&format!("bearer {secret}"))).await {
        Ok(caller) => in_short(&world.ask_as(caller, query, json!({})).await),
        Err(error) => error.to_string(),
    };
    let mut told = vec![seen().await];
    for change in [
        "UPDATE group_members SET role = 'MEMBER' FROM users WHERE users.id = user_id AND username = 'maya'",
        "DELETE FROM group_members USING users WHERE users.id = user_id AND username = 'maya'",
        "UPDATE users SET platform_role = 'ADMIN' WHERE username = 'maya'",
        "UPDATE users SET disabled_at = now() WHERE username = 'maya'",
        "UPDATE users SET disabled_at = NULL WHERE username = 'maya'",
        "UPDATE api_tokens SET expires_at = '2026-01-01T00:00:00Z'",
    ] {
        sql(&world.url, change).await;
        world.authenticator.rights_may_have_changed();
        told.push(seen().await);
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    {"projects":{"nodes":[{"name":"detection","viewerCanUpdate":true}]}}
    {"projects":{"nodes":[{"name":"detection","viewerCanUpdate":false}]}}
    {"projects":{"nodes":[]}}
    {"projects":{"nodes":[{"name":"detection","viewerCanUpdate":true}]}}
    the API token was revoked, or the account of its user is disabled
    {"projects":{"nodes":[{"name":"detection","viewerCanUpdate":true}]}}
    the API token expired at 2026-01-01T00:00:00Z; create another one with createApiToken
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_project_takes_its_tokens_along() {
    let world = World::new().await;
    sql(&world.url, "INSERT INTO projects (id, group_id, name, namespace) SELECT gen_random_uuid(), id, 'fleeting', 'fleeting' FROM groups WHERE name = 'vision'").await;
    let (secret, _) = token(&world, "maya", "READ", &project(&world, "fleeting").await).await;
    sql(&world.url, "DELETE FROM projects WHERE name = 'fleeting'").await;
    let told = refused(&world, &format!("Bearer {secret}")).await;
    insta::assert_snapshot!(told, @"UNAUTHENTICATED TOKEN_INVALID: the API token does not exist; create one with createApiToken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_with_a_wrong_checksum_costs_no_statement_and_a_known_one_none_either() {
    let world = World::new().await;
    let (secret, _) = token(&world, "ada", "READ", &Value::Null).await;
    let mistyped = format!("Bearer {}{}", &secret[..53], if secret.ends_with('0') { '1' } else { '0' });
    let before = world.db.statements();
    insta::assert_snapshot!(refused(&world, &mistyped).await, @"UNAUTHENTICATED TOKEN_INVALID: the API token is mistyped: its checksum is wrong");
    assert_eq!(world.db.statements(), before);
    let unknown = format!("Bearer {}", ApiSecret::generate().encode());
    insta::assert_snapshot!(refused(&world, &unknown).await, @"UNAUTHENTICATED TOKEN_INVALID: the API token does not exist; create one with createApiToken");
    let known = format!("Bearer {secret}");
    assert_eq!(refused(&world, &known).await, "accepted");
    let before = world.db.statements();
    for _ in 0..100 {
        assert_eq!(refused(&world, &known).await, "accepted");
    }
    // The look at what is true at the moment is good for a second.
    assert!(world.db.statements() - before <= 5, "{}", world.db.statements() - before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_use_of_a_token_is_stored_and_shown() {
    let world = World::new().await;
    let query = "{ viewer { apiTokens { nodes { lastUsedAt } } } }";
    let used = async || {
        world.ask("ada", query, json!({})).await["data"]["viewer"]["apiTokens"]["nodes"][0]["lastUsedAt"].clone()
    };
    let caller = with_token(&world, "ada", "READ", &Value::Null).await;
    assert_eq!(used().await, Value::Null);
    assert_eq!(errors(&world.ask_as(caller, "{ viewer { id } }", json!({})).await), "");
    world.authenticator.store_last_uses().await.unwrap();
    assert!(used().await.is_string());
}
