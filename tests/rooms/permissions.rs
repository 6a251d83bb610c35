//! Permissions: every root field as every kind of caller, and every field of every type, compared with the committed
//! matrices. The test fails for a field without an operation here, so that new fields declare who can see them.

mod other_ids;
mod tokens;
mod ways;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use platform::config::DatabaseUrl;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{World, sql};
use crate::support::database;
use tokens::login_of;

/// Nobody, a stranger to the group, a member, the member who submitted the job, a manager of the group, an admin of the
/// group, the platform admin; and some of them with an API token.
const ACTORS: [&str; 15] = {
    let [one, two, three, four, five, six, seven, eight] = tokens::TOKENS;
    ["anonymous", "ben", "eve", "ada", "maya", "gwen", "admin", one, two, three, four, five, six, seven, eight]
};

/// The demo tenant, a member more and an admin of the group vision, a job of Ada's that runs, and API tokens. Each test that
/// asks gets a copy.
async fn tenant() -> World {
    static TEMPLATE: OnceCell<DatabaseUrl> = OnceCell::const_new();
    let template = TEMPLATE.get_or_init(|| async {
        let url = database::demo().await;
        sql(&url, &setup()).await;
        url
    });
    let copy = database::another(template.await).await;
    World::over(copy, Duration::from_secs(900)).await
}

fn setup() -> String {
    let person = |name: &str, role: &str| {
        format!(
            "WITH person AS (INSERT INTO users (id, username, display_name, password_hash)
                 SELECT gen_random_uuid(), '{name}', '{name}', password_hash FROM users WHERE username = 'ada' RETURNING id)
             INSERT INTO group_members (group_id, user_id, role)
                 SELECT groups.id, person.id, '{role}' FROM groups, person WHERE groups.name = 'vision';"
        )
    };
    // A token for the project segmentation is told of something in every feed, too.
    let rest = "UPDATE users SET email = username || '@example.org';
        INSERT INTO events (kind, subject, project, \"group\", payload)
        SELECT told.kind, gen_random_uuid(), projects.id, group_id, told.payload::jsonb FROM projects,
               (VALUES ('request', '{\"kind\": \"OPENED\", \"status\": \"OPEN\"}'),
                       ('audit', '{\"action\": \"updateProject\", \"outcome\": \"DONE\"}'),
                       ('pvc', '{\"kind\": \"DELETED\", \"name\": \"old\", \"phase\": \"DELETING\"}')) AS told (kind, payload)
         WHERE name = 'segmentation';
        UPDATE jobs SET phase = 'RUNNING', finished_at = NULL WHERE name = 'train-large-batch';";
    let setup: String = ROOMS.iter().map(|rows| rows.setup).collect();
    format!("{}{}{rest}{setup}{}", person("eve", "MEMBER"), person("gwen", "ADMIN"), tokens::setup())
}

/// Ids of things of the group vision.
async fn ids(world: &World) -> Value {
    let query = "{ users(filter: { usernames: [\"ada\"] }) { nodes { id } } groups(filter: { names: [\"vision\"] }) { nodes { id } }
        projects(filter: { names: [\"detection\"] }) { nodes { id } } configFiles(filter: { names: [\"train.yaml\"] }) { nodes { id head { id } } }
        jobs { nodes { id name } } }";
    let answer = world.ask("admin", query, json!({})).await;
    let nodes = |list: &str| answer["data"][list]["nodes"].as_array().unwrap().clone();
    let job = |name: &str| nodes("jobs").iter().find(|job| job["name"] == name).unwrap()["id"].clone();
    json!({
        "ada": nodes("users")[0]["id"], "vision": nodes("groups")[0]["id"], "detection": nodes("projects")[0]["id"],
        "train": nodes("configFiles")[0]["id"], "commit": nodes("configFiles")[0]["head"]["id"],
        "template": nodes("configFiles")[0]["head"]["id"].as_str().unwrap().replace("commit_", "template_"),
        "ended": job("train-resnet"), "running": job("train-large-batch"), "start": platform::events::Seq(0).cursor(),
        "asked": "request_00000000000000000000000001", "claim": "pvc_00000000000000000000000001", "opened": "files_00000000000000000000000001", "lent": "pvc_00000000000000000000000002", "told": "notification_00000000000000000000000001",
    })
}

/// The variables that an operation declares, of all that there are.
fn variables_of(operation: &str, all: &Value) -> Value {
    let declared = all.as_object().unwrap().iter().filter(|(name, _)| operation.contains(&format!("${name}: ")));
    Value::Object(declared.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// What a room's own tests know of its part of the schema.
pub struct Rows {
    /// Statements that give the group vision what the demo tenant lacks.
    pub setup: &'static str,
    /// An operation for each field of a root type, about things of the group vision.
    pub operations: &'static [(&'static str, &'static str)],
    /// How an object of each type comes to a client, in the group vision.
    pub types: &'static [(&'static str, Reached)],
}

/// How an object of a type comes to a client.
#[derive(Clone, Copy)]
pub enum Reached {
    /// By this query; `FIELD` stands for the selection on the object.
    By(&'static str),
    /// Only in the answer of this root field: who may send that sees it.
    Below(&'static str),
}

use Reached::{Below, By};

/// What is of no room.
const ROWS: Rows = Rows {
    setup: "",
    operations: &[
        ("node", "query($detection: ID!) { node(id: $detection) { id } }"),
        ("nodes", "query($detection: ID!) { nodes(ids: [$detection]) { id } }"),
        ("eventCursor", "{ eventCursor }"),
        ("rateLimit", "{ rateLimit { remaining } }"),
    ],
    types: &[
        ("PageInfo", By("query($vision: ID!) { group(id: $vision) { members(first: 1) { pageInfo { FIELD } } } }")),
        ("RateLimit", Below("rateLimit")),
    ],
};

const ROOMS: &[&Rows] = &[
    &ROWS,
    &super::login::ROWS,
    &super::accounts::ROWS,
    &super::api_tokens::ROWS,
    &super::groups::ROWS,
    &super::members::ROWS,
    &super::group_limits::ROWS,
    &super::projects::ROWS,
    &super::limits::ROWS,
    &super::schedules::ROWS,
    &super::quota_usage::ROWS,
    &super::configs::ROWS,
    &super::templates::ROWS,
    &super::jobs::ROWS,
    &super::viewer::ROWS,
    &super::queues::ROWS,
    &super::retries::ROWS,
    &super::audit::ROWS,
    &super::access::ROWS,
    &super::requests::ROWS,
    &super::notifications::ROWS,
    &super::storage::ROWS,
    &super::files::ROWS,
    &super::webhooks::ROWS,
    &super::orphans::ROWS,
];

/// The operation for a field of this root type, or of any.
fn operation(root: Option<&str>, field: &str) -> Option<&'static str> {
    let is_of = |operation: &str| match root {
        Some("Mutation") => operation.starts_with("mutation"),
        Some("Subscription") => operation.starts_with("subscription"),
        Some(_) => operation.starts_with(['q', '{']),
        None => true,
    };
    let mut operations = ROOMS.iter().flat_map(|rows| rows.operations);
    operations.find(|(name, operation)| *name == field && is_of(operation)).map(|(_, operation)| *operation)
}

fn reached(of_type: &str) -> Option<Reached> {
    let mut types = ROOMS.iter().flat_map(|rows| rows.types);
    types.find(|(name, _)| *name == of_type).map(|(_, reached)| *reached)
}

/// Keeps a copy of every table.
const KEEP: &str = "
    CREATE SCHEMA kept;
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT relname FROM pg_class
                     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
        LOOP EXECUTE format('CREATE TABLE kept.%I AS TABLE public.%I', name, name); END LOOP;
    END $$";

/// Gives every table what was kept. Neither triggers nor foreign keys take part.
const RESTORE: &str = "
    DO $$ DECLARE name text; columns text; BEGIN
        SET LOCAL session_replication_role = replica;
        FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'kept'::regnamespace AND relkind = 'r' LOOP
            EXECUTE format('DELETE FROM public.%I', name);
            SELECT string_agg(quote_ident(attname), ', ') INTO columns FROM pg_attribute
             WHERE attrelid = format('public.%I', name)::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
            EXECUTE format('INSERT INTO public.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM kept.%I', name, columns, columns, name);
        END LOOP;
    END $$";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_root_field_answers_as_the_matrix_says() {
    let world = tenant().await;
    let ids = ids(&world).await;
    // What one actor makes is in nobody else's way.
    let tried = tenant().await;
    sql(&tried.url, KEEP).await;
    let mut matrix = format!("{:<24}", "");
    ACTORS.iter().for_each(|actor| write!(matrix, "{actor:<19}").unwrap());
    for root in ["Query", "Mutation", "Subscription"] {
        for field in world.fields_of(root).await {
            let operation = operation(Some(root), &field)
                .unwrap_or_else(|| panic!("{root}.{field} has no operation here: who may do it?"));
            write!(matrix, "\n{field:<24}").unwrap();
            for actor in ACTORS {
                let variables = variables_of(operation, &ids);
                let answer = match root {
                    "Query" => world.ask(&login_of(actor), operation, variables).await,
                    "Mutation" => {
                        let answer = tried.ask(&login_of(actor), operation, variables).await;
                        if !answer["errors"].is_array() {
                            sql(&tried.url, RESTORE).await;
                        }
                        answer
                    }
                    _ => world.first_of(&login_of(actor), operation, variables).await,
                };
                let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("ok");
                write!(matrix, "{code:<19}").unwrap();
            }
        }
    }
    let matrix: Vec<&str> = matrix.lines().map(str::trim_end).collect();
    insta::assert_snapshot!(matrix.join("\n"));
}

/// The object types of the schema, each with its fields and whether a field is an object.
async fn types(world: &World) -> BTreeMap<String, Vec<Field>> {
    let query = "{ __schema { types { name kind fields(includeDeprecated: true) { name args { type { kind } } type { ...t } } } } }
        fragment t on __Type { name kind ofType { name kind ofType { name kind ofType { name kind } } } }";
    let answer = world.ask("admin", query, json!({})).await;
    let types = answer["data"]["__schema"]["types"].as_array().unwrap();
    let objects = types
        .iter()
        .filter(|of_type| of_type["kind"] == "OBJECT" && !of_type["name"].as_str().unwrap().starts_with("__"));
    let field = |field: &Value| {
        let mut inner = &field["type"];
        while !inner["ofType"].is_null() {
            inner = &inner["ofType"];
        }
        Field {
            name: field["name"].as_str().unwrap().to_owned(),
            of_type: inner["name"].as_str().unwrap().to_owned(),
            is_object: inner["kind"] == "OBJECT" || inner["kind"] == "INTERFACE",
            needs_arguments: field["args"].as_array().unwrap().iter().any(|arg| arg["type"]["kind"] == "NON_NULL"),
        }
    };
    let named = |of_type: &Value| {
        let fields = of_type["fields"].as_array().unwrap().iter().map(field).collect();
        (of_type["name"].as_str().unwrap().to_owned(), fields)
    };
    objects.map(named).collect()
}

struct Field {
    name: String,
    of_type: String,
    is_object: bool,
    needs_arguments: bool,
}

/// What an actor got of a field: its value, null, nothing, or an error.
fn seen(answer: &Value, field: &str) -> String {
    if let Some(code) = answer["errors"][0]["extensions"]["code"].as_str() {
        return code.to_owned();
    }
    match find(&answer["data"], field) {
        None => "hidden".to_owned(),
        Some(Value::Null) => "null".to_owned(),
        Some(_) => "ok".to_owned(),
    }
}

fn find<'v>(value: &'v Value, field: &str) -> Option<&'v Value> {
    match value {
        Value::Object(fields) => fields.get(field).or_else(|| fields.values().find_map(|inner| find(inner, field))),
        Value::Array(items) => items.iter().find_map(|item| find(item, field)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_of_every_type_is_seen_by_whom_the_matrix_says() {
    let world = tenant().await;
    let ids = ids(&world).await;
    let mut callers = Vec::new();
    for actor in ACTORS {
        callers.push(world.caller(&login_of(actor)).await);
    }
    // Fields that the same people see stand on one line.
    let mut lines: Vec<(String, Vec<String>, String)> = Vec::new();
    for (of_type, fields) in types(&world).await {
        if ["Query", "Mutation", "Subscription"].contains(&of_type.as_str()) {
            continue;
        }
        let how = reached(&of_type).unwrap_or_else(|| panic!("{of_type} has no way here: who may see it?"));
        for field in fields {
            assert!(!field.needs_arguments, "{of_type}.{} needs arguments here", field.name);
            let verdict = match how {
                Below(root) => {
                    assert!(operation(None, root).is_some(), "{root} is no root field");
                    format!("as {root}")
                }
                By(query) => {
                    let selection =
                        format!("it: {} {}", field.name, if field.is_object { "{ __typename }" } else { "" });
                    let query = query.replace("FIELD", &selection);
                    let mut verdict = String::new();
                    for caller in &callers {
                        let answer = world.ask_as(caller.clone(), &query, variables_of(&query, &ids)).await;
                        write!(verdict, "{:<19}", seen(&answer, "it")).unwrap();
                    }
                    verdict.trim_end().to_owned()
                }
            };
            match lines.last_mut() {
                Some((known, names, same)) if *known == of_type && *same == verdict => names.push(field.name),
                _ => lines.push((of_type.clone(), vec![field.name], verdict)),
            }
        }
    }
    let mut matrix = format!("{:<32}{}", "", ACTORS.map(|actor| format!("{actor:<19}")).concat().trim_end());
    for (of_type, names, verdict) in lines {
        write!(matrix, "\n{of_type:<32}{verdict}\n    {}", names.join(" ")).unwrap();
    }
    insta::assert_snapshot!(matrix);
}

/// What is not asked for: there is no cluster to ask for storage classes, and what only platform admins can see is refused to others.
const NOT_ASKED: [&str; 5] = ["edges", "pageInfo", "storageClasses", "cluster", "auditExports"];

/// A selection of everything below a type, along every edge that needs no argument.
fn everything(types: &BTreeMap<String, Vec<Field>>, of_type: &str, depth: usize) -> String {
    let mut selection = "__typename ".to_owned();
    for field in types.get(of_type).into_iter().flatten().filter(|field| !field.needs_arguments) {
        if field.name == "id" {
            selection += "id ";
        } else if field.is_object && depth > 0 && !NOT_ASKED.contains(&field.name.as_str()) {
            // A connection is no step of its own.
            let left = if field.name == "nodes" { depth } else { depth - 1 };
            write!(selection, "{} {{ {} }} ", field.name, everything(types, &field.of_type, left)).unwrap();
        }
    }
    selection
}

fn all_ids<'v>(value: &'v Value, found: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("id").and_then(Value::as_str));
            fields.values().for_each(|inner| all_ids(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|item| all_ids(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn along_no_edge_does_a_stranger_come_to_another_group_s_things() {
    let world = tenant().await;
    let types = types(&world).await;
    // Maya is in both groups: whoever shares one with her comes to her, and must not come further.
    let query = format!("{{ {} }}", everything(&types, "Query", 5));
    let whole = world.ask("ada", &query, json!({})).await;
    let told = world.ask("ben", &query, json!({})).await;
    assert!(told["errors"].is_null() && whole["errors"].is_null(), "{:?} {:?}", told["errors"], whole["errors"]);
    let (mut of_ada, mut of_ben) = (BTreeSet::new(), BTreeSet::new());
    all_ids(&whole["data"], &mut of_ada);
    all_ids(&told["data"], &mut of_ben);
    let of_kinds =
        |ids: &BTreeSet<&str>| ids.iter().map(|id| id.split('_').next().unwrap().to_owned()).collect::<BTreeSet<_>>();
    let kinds = [
        "commit",
        "config",
        "event",
        "group",
        "job",
        "membership",
        "notification",
        "project",
        "pvc",
        "request",
        "session",
        "template",
        "user",
    ];
    let kinds = kinds.map(str::to_owned);
    assert_eq!(of_kinds(&of_ben), BTreeSet::from(kinds), "the way leads to everything of his own");
    let both: BTreeSet<_> = of_ada.intersection(&of_ben).collect();
    assert!(both.iter().all(|id| id.starts_with("user_")), "{both:?}");
    let ada = ids(&world).await["ada"].as_str().unwrap().to_owned();
    assert!(of_ada.contains(ada.as_str()) && !of_ben.contains(ada.as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_id_alone_a_stranger_comes_to_nothing_of_another_group() {
    let world = tenant().await;
    let ids = ids(&world).await;
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let of_vision =
        ["ada", "vision", "detection", "train", "commit", "template", "ended", "running"].map(|name| ids[name].clone());
    let hidden = world.ask("ben", query, json!({ "ids": of_vision })).await;
    assert_eq!(hidden["data"]["nodes"], json!([null, null, null, null, null, null, null, null]));
    let shown = world.ask("eve", query, json!({ "ids": of_vision })).await;
    assert!(shown["data"]["nodes"].as_array().unwrap().iter().all(|node| node["id"].is_string()), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_cancels_their_own_job_and_nobody_else_s() {
    let world = tenant().await;
    let cancel = "mutation($running: ID!) { cancelJob(input: { id: $running }) { job { id } } }";
    let variables = variables_of(cancel, &ids(&world).await);
    let refused = world.ask("eve", cancel, variables.clone()).await;
    insta::assert_snapshot!(super::errors(&refused), @"FORBIDDEN input.id: only the user who submitted a job, and managers and admins of its group, can cancel it");
    // Whoever has left the group has no jobs in it any more.
    sql(&world.url, "DELETE FROM group_members USING users WHERE users.id = user_id AND username = 'ada'").await;
    let gone = world.ask("ada", cancel, variables).await;
    assert!(super::errors(&gone).starts_with("NOT_FOUND input.id: "), "{gone}");
}
