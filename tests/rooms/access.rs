//! What users may do, as the policy explains it, and who may ask about whom.

use serde_json::{Value, json};

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{World, errors, sql};

/// Who sees what of permissions: the ways to it.
pub const ROWS: Rows = Rows {
    setup: "",
    operations: &[
        (
            "effectiveAccess",
            "query($ada: ID!, $vision: ID!) { effectiveAccess(userId: $ada, on: $vision) { allowed } }",
        ),
        ("whoCan", "query($vision: ID!) { whoCan(action: CREATE_PROJECT, on: $vision) { nodes { user { id } } } }"),
    ],
    types: &[
        ("Access", By("query($vision: ID!) { effectiveAccess(on: $vision) { FIELD } }")),
        ("AccessHolder", By("query($vision: ID!) { whoCan(action: CREATE_PROJECT, on: $vision) { nodes { FIELD } } }")),
        ("AccessHolderConnection", Below("whoCan")),
        ("AccessHolderEdge", Below("whoCan")),
    ],
};

const IDS: &str = "{ ada: users(filter: { usernames: [\"ada\"] }) { nodes { id } } ben: users(filter: { usernames: [\"ben\"] }) { nodes { id } }
    vision: groups(filter: { names: [\"vision\"] }) { nodes { id } } detection: projects(filter: { names: [\"detection\"] }) { nodes { id } }
    job: jobs(first: 1, filter: { search: \"train-resnet\" }) { nodes { id } } }";

/// The id of something of the demo tenant.
async fn id(world: &World, name: &str) -> Value {
    world.ask("admin", IDS, json!({})).await["data"][name]["nodes"][0]["id"].clone()
}

const ACCESS: &str = "query($user: ID, $on: ID) { effectiveAccess(userId: $user, on: $on) { action allowed reason role group { name } rule } }";

async fn access(world: &World, who: &str, user: &Value, on: &Value) -> String {
    let answer = world.ask(who, ACCESS, json!({ "user": user, "on": on })).await;
    if !answer["errors"].is_null() {
        return errors(&answer);
    }
    let line = |access: &Value| {
        let text = |name: &str| access[name].as_str().unwrap_or("-").to_owned();
        let sign = if access["allowed"] == true { '+' } else { '-' };
        let group = access["group"]["name"].as_str().unwrap_or("-");
        format!("{sign} {} {} {} {group}: {}", text("action"), text("reason"), text("role"), text("rule"))
    };
    answer["data"]["effectiveAccess"].as_array().unwrap().iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_can_ask_what_they_may_do_themselves_and_why() {
    let world = World::new().await;
    let (vision, detection) = (id(&world, "vision").await, id(&world, "detection").await);
    insta::assert_snapshot!(access(&world, "ada", &Value::Null, &detection).await, @"
    - UPDATE_PROJECT - - -: Managers and admins of the group, and platform admins, can do this.
    - ARCHIVE_PROJECT - - -: Managers and admins of the group, and platform admins, can do this.
    - RESTORE_PROJECT - - -: Managers and admins of the group, and platform admins, can do this.
    - DELETE_PROJECT - - -: Admins of the group and platform admins can do this.
    - SET_PROJECT_LIMITS - - -: Managers and admins of the group, and platform admins, can do this.
    - SET_GPU_LIMIT - - -: Platform admins can do this.
    - SET_PROJECT_SCHEDULE - - -: Managers and admins of the group, and platform admins, can do this.
    - REPAIR_NAMESPACE - - -: Platform admins can do this.
    + VIEW_PROJECT GROUP_ROLE MEMBER vision: Members of the group and platform admins can do this.
    - CREATE_CONFIG_FILE - - -: Managers and admins of the group, and platform admins, can do this.
    + SUBMIT_JOB GROUP_ROLE MEMBER vision: Members of the group and platform admins can do this.
    - CREATE_PVC - - -: The user whose drive it is, admins of the group, for a claim of a project also managers, and platform admins can do this.
    - BIND_PVC - - -: The user whose drive it is, admins of the group, for a claim of a project also managers, and platform admins can do this.
    ");
    insta::assert_snapshot!(access(&world, "maya", &Value::Null, &vision).await, @"
    + VIEW_GROUP GROUP_ROLE MANAGER vision: Members of the group and platform admins can do this.
    - UPDATE_GROUP - - -: Admins of the group and platform admins can do this.
    - DELETE_GROUP - - -: Platform admins can do this.
    - ADD_GROUP_MEMBERS - - -: Admins of the group and platform admins can do this.
    - SET_GROUP_ROLE - - -: Admins of the group and platform admins can do this.
    - REMOVE_GROUP_MEMBER - - -: Admins of the group and platform admins can do this.
    - APPOINT_GROUP_ADMIN - - -: Platform admins can do this.
    - SET_GROUP_LIMITS - - -: Platform admins can do this.
    + LEAVE_GROUP GROUP_ROLE MANAGER vision: Members of the group and platform admins can do this.
    + CREATE_PROJECT GROUP_ROLE MANAGER vision: Managers and admins of the group, and platform admins, can do this.
    - VIEW_AUDIT_ENTRY - - -: Admins of the group and platform admins can do this.
    - VIEW_ACCESS - - -: Admins of the group and platform admins can do this.
    ");
    insta::assert_snapshot!(access(&world, "ada", &Value::Null, &Value::Null).await, @"
    + VIEW_SELF EVERY_USER - -: Every user can do this.
    + REGISTER EVERY_USER - -: Everybody can do this, without logging in.
    + RESET_PASSWORD EVERY_USER - -: Everybody can do this, without logging in.
    - CREATE_USER - - -: Platform admins can do this.
    - SET_PLATFORM_ROLE - - -: Platform admins can do this.
    - CREATE_ADMIN - - -: Platform admins can do this.
    - SIGN_IN_WITH_PROVIDER - - -: Platform admins can do this.
    - CREATE_GROUP - - -: Platform admins can do this.
    + VIEW_QUEUES EVERY_USER - -: Every user can do this.
    - PAUSE_QUEUE - - -: Platform admins can do this.
    - RESUME_QUEUE - - -: Platform admins can do this.
    - VIEW_AUDIT_CLIENT - - -: Platform admins can do this.
    - EXPORT_AUDIT_LOG - - -: Platform admins can do this.
    - EXPORT_AUDIT - - -: Platform admins can do this.
    - VIEW_AUDIT_EXPORT - - -: Platform admins can do this.
    + OPEN_REQUEST EVERY_USER - -: Every user can do this.
    + VIEW_STORAGE_CLASSES EVERY_USER - -: Every user can do this.
    - VIEW_CLUSTER - - -: Platform admins can do this.
    - REMOVE_ORPHANS - - -: Platform admins can do this.
    ");
    insta::assert_snapshot!(access(&world, "ben", &Value::Null, &vision).await.replace(vision.as_str().unwrap(), "VISION"), @r#"NOT_FOUND on: group "VISION" not found"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn about_others_ask_only_admins_of_the_group_and_of_the_platform() {
    let world = World::new().await;
    let (ada, job) = (id(&world, "ada").await, id(&world, "job").await);
    insta::assert_snapshot!(access(&world, "maya", &ada, &job).await, @"FORBIDDEN -: only admins of the group can see what others may do in it");
    sql(&world.url, "UPDATE group_members SET role = 'ADMIN' FROM users, groups WHERE users.id = user_id AND groups.id = group_id AND username = 'maya' AND groups.name = 'vision'").await;
    let told = access(&world, "maya", &ada, &job).await;
    insta::assert_snapshot!(told, @"
    + RETRY_JOB GROUP_ROLE MEMBER vision: Members of the group and platform admins can do this.
    + SET_JOB_PRIORITY OWNER MEMBER vision: The user who created the object, managers and admins of its group, and platform admins can do this.
    + VIEW_JOB GROUP_ROLE MEMBER vision: Members of the group and platform admins can do this.
    + CANCEL_JOB OWNER MEMBER vision: The user who created the object, managers and admins of its group, and platform admins can do this.
    ");
    assert_eq!(access(&world, "admin", &ada, &job).await, told);
    // Of another group, and of the platform.
    insta::assert_snapshot!(access(&world, "maya", &ada, &Value::Null).await, @"FORBIDDEN -: only admins of the group can see what others may do in it");
    insta::assert_snapshot!(access(&world, "admin", &ada, &json!("session_00000000000000000000000000")).await, @r#"BAD_USER_INPUT on: "session_00000000000000000000000000" is not the ID of a user, group, project, config file, commit, job or storage claim"#);
}

/// Who can do something, and why, by username.
async fn holders(world: &World, action: &str, on: &Value) -> String {
    let query = format!(
        "query($on: ID) {{ whoCan(action: {action}, on: $on, first: 50) {{ totalCount nodes {{ user {{ username }} access {{ allowed reason role }} }} }} }}"
    );
    let answer = world.ask("admin", &query, json!({ "on": on })).await;
    if !answer["errors"].is_null() {
        return errors(&answer);
    }
    let list = &answer["data"]["whoCan"];
    let nodes = list["nodes"].as_array().unwrap();
    assert_eq!(list["totalCount"], nodes.len());
    let line = |holder: &Value| {
        assert_eq!(holder["access"]["allowed"], true, "{holder}");
        format!("{} {} {}", holder["user"]["username"], holder["access"]["reason"], holder["access"]["role"])
    };
    nodes.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_can_do_something_are_those_whom_the_policy_allows_it() {
    let world = World::new().await;
    let (vision, ben, job) = (id(&world, "vision").await, id(&world, "ben").await, id(&world, "job").await);
    insta::assert_snapshot!(holders(&world, "CREATE_PROJECT", &vision).await, @r#"
    "admin" "PLATFORM_ADMIN" null
    "maya" "GROUP_ROLE" "MANAGER"
    "#);
    insta::assert_snapshot!(holders(&world, "VIEW_GROUP", &vision).await, @r#"
    "ada" "GROUP_ROLE" "MEMBER"
    "admin" "PLATFORM_ADMIN" null
    "maya" "GROUP_ROLE" "MANAGER"
    "#);
    insta::assert_snapshot!(holders(&world, "CANCEL_JOB", &job).await, @r#"
    "ada" "OWNER" "MEMBER"
    "admin" "PLATFORM_ADMIN" null
    "maya" "GROUP_ROLE" "MANAGER"
    "#);
    insta::assert_snapshot!(holders(&world, "VIEW_USER", &ben).await, @r#"
    "admin" "PLATFORM_ADMIN" null
    "ben" "ONESELF" null
    "maya" "SHARED_GROUP" null
    "#);
    insta::assert_snapshot!(holders(&world, "CREATE_GROUP", &Value::Null).await, @r#""admin" "PLATFORM_ADMIN" null"#);
    insta::assert_snapshot!(holders(&world, "CREATE_GROUP", &vision).await, @"BAD_USER_INPUT action: the action does not apply to this kind of object");
    // Whoever is disabled can do nothing.
    sql(&world.url, "UPDATE users SET disabled_at = now() WHERE username = 'maya'").await;
    insta::assert_snapshot!(holders(&world, "CREATE_PROJECT", &vision).await, @r#""admin" "PLATFORM_ADMIN" null"#);
}
