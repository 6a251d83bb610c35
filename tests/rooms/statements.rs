//! The number of SQL statements of an operation depends on its shape, not on the number of its rows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use diesel_async::RunQueryDsl as _;
use serde_json::{Value, json};

use super::{World, more_groups};

/// The same question where there are few rows and where there are many.
async fn compare(queries: impl IntoIterator<Item = String>) {
    let (few, many) = (World::new().await, World::new().await);
    more_groups(&few, 2).await;
    more_groups(&many, 50).await;
    let (admin_of_few, admin_of_many) = (few.caller("admin").await, many.caller("admin").await);
    for query in queries {
        let at_few = few.statements(admin_of_few.clone(), &query).await;
        let at_many = many.statements(admin_of_many.clone(), &query).await;
        assert_eq!(at_few, at_many, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_level_of_lists_takes_as_many_at_2_rows_as_at_50() {
    let deep = [
        "{ groups(first: 50) { nodes { projects { nodes { jobs { nodes { name submittedBy { username } } } } } } } }",
        "{ groups(first: 50) { totalCount nodes { members { totalCount nodes { role user { username } group { name } } } } } }",
        "{ groups(first: 50) { nodes { projects { nodes { configFiles { totalCount nodes { name project { name } head { yaml kinds author { username } } commits { totalCount nodes { message parent { id } configFile { name } } } } } } } } } }",
        "{ users(first: 50) { totalCount nodes { memberships { totalCount nodes { group { name } user { username } } } } } }",
        "{ jobs(first: 50) { nodes { project { name group { name } } submittedBy { username } events { totalCount nodes { phase } } } } }",
    ];
    compare(deep.map(str::to_owned)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_event_log_stands_takes_one_statement_however_often_it_is_asked() {
    let world = World::new().await;
    let admin = world.caller("admin").await;
    for (query, statements) in [
        ("{ eventCursor }", 1),
        ("{ eventCursor again: eventCursor ...{ eventCursor } }", 1),
        ("{ jobs(first: 50) { nodes { id phase } } eventCursor }", 2),
        ("query($no: Boolean = false) { eventCursor @include(if: $no) viewer { id } }", 2),
    ] {
        assert_eq!(world.statements(admin.clone(), query).await, statements, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_levels_of_lists_and_a_person_take_four_statements() {
    let world = World::new().await;
    more_groups(&world, 50).await;
    let query =
        "{ groups(first: 50) { nodes { projects { nodes { jobs { nodes { submittedBy { username } } } } } } } }";
    let admin = world.caller("admin").await;
    assert_eq!(world.statements(admin, query).await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_counted_once_whatever_columns_are_read_of_it() {
    let world = World::new().await;
    let admin = world.caller("admin").await;
    let lists = |second: &str| {
        format!(
            "{{ projects {{ nodes {{ a: jobs {{ totalCount nodes {{ id }} }} b: jobs {{ totalCount nodes {{ {second} }} }} }} }} }}"
        )
    };
    let (alike, different) = (lists("name"), lists("reason"));
    let alike = world.statements(admin.clone(), &alike).await;
    assert_eq!(world.statements(admin, &different).await, alike + 1, "another page, and no other count");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_in_a_list_is_the_job_by_its_id_and_no_field_of_it_takes_another_statement() {
    let world = World::new().await;
    more_groups(&world, 3).await;
    let fields = "{ __type(name: \"Job\") { fields { name args { name } type { kind ofType { kind } } } } }";
    let fields = world.ask("admin", fields, json!({})).await["data"]["__type"]["fields"].take();
    let is_column = |field: &&Value| {
        let kind = |of: &Value| matches!(of["kind"].as_str(), Some("SCALAR" | "ENUM"));
        kind(&field["type"]) || kind(&field["type"]["ofType"])
    };
    // What it waits for is counted, and what goes to the cluster is kept apart.
    let apart = ["pendingReason", "manifest", "taskCount"];
    let fields = fields.as_array().unwrap();
    let columns: Vec<&str> = fields.iter().filter(is_column).map(|field| field["name"].as_str().unwrap()).collect();
    assert!(columns.len() > 12, "{columns:?}");
    let admin = world.caller("admin").await;
    for column in columns {
        let answer =
            world.ask("admin", &format!("{{ jobs(first: 50) {{ nodes {{ id {column} }} }} }}"), json!({})).await;
        let jobs = answer["data"]["jobs"]["nodes"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let by_id: Vec<String> =
            jobs.iter().enumerate().map(|(n, job)| format!("j{n}: job(id: {}) {{ id {column} }}", job["id"])).collect();
        let alone = world.ask("admin", &format!("{{ {} }}", by_id.join(" ")), json!({})).await;
        // A field that most do not ask for, so that all of the job is read.
        let whole = format!("{{ {} }}", by_id.join(" ").replace(" }", " forces: preemptions }"));
        let mut whole = world.ask("admin", &whole, json!({})).await;
        for (n, job) in jobs.iter().enumerate() {
            assert_eq!(&alone["data"][format!("j{n}")], job);
            let whole = &mut whole["data"][format!("j{n}")];
            whole.as_object_mut().unwrap().remove("forces");
            assert_eq!(whole, job);
        }
        if apart.contains(&column) {
            continue;
        }
        for (list, statements) in [
            ("jobs(first: 50) { nodes { C } }", 1),
            ("jobs(first: 50) { edges { node { ... on Job { C } } } }", 1),
            ("jobs(first: 50) { nodes { ... on Node { ... on Job { C } } } }", 1),
            ("groups(first: 50) { nodes { projects { nodes { jobs { nodes { C } } } } } }", 3),
            ("job(id: THIS) { C project { C: name } submittedBy { C: username } }", 1),
        ] {
            let query = format!("{{ {} }}", list.replace('C', column).replace("THIS", &jobs[0]["id"].to_string()));
            assert_eq!(world.statements(admin.clone(), &query).await, statements, "{query}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_by_its_id_brings_its_project_and_its_submitter_along() {
    let world = World::new().await;
    more_groups(&world, 3).await;
    let admin = world.caller("admin").await;
    let edges = "id project { id name namespace createdAt } submittedBy { id username displayName email createdAt }";
    let of_list = world.ask("admin", &format!("{{ jobs {{ nodes {{ {edges} }} }} }}"), json!({})).await;
    for job in of_list["data"]["jobs"]["nodes"].as_array().unwrap() {
        let id = &job["id"];
        for (field, rest, statements) in [
            ("job", edges.to_owned(), 1),
            ("job", format!("reason {edges}"), 1),
            ("node", format!("... on Job {{ {edges} }}"), 1),
            ("node", format!("... on Job {{ {edges} message }} ... on Project {{ name }}"), 1),
            // Whatever lies behind them is read as from anywhere else.
            ("job", format!("{edges} project {{ group {{ name }} }}"), 2),
        ] {
            let query = format!("{{ {field}(id: {id}) {{ {rest} }} }}");
            assert_eq!(world.statements(admin.clone(), &query).await, statements, "{query}");
            let mut answer = world.ask("admin", &query, json!({})).await;
            let found = answer["data"][field].as_object_mut().unwrap();
            found.retain(|field, _| !["reason", "message"].contains(&field.as_str()));
            let project = found["project"].as_object_mut().unwrap();
            project.remove("group");
            assert_eq!(&answer["data"][field], job, "{query}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_jobs_of_a_project_are_read_with_it_as_often_as_they_are_asked_for() {
    let world = World::new().await;
    more_groups(&world, 3).await;
    let admin = world.caller("admin").await;
    let projects =
        world.ask("admin", "{ projects(first: 50) { nodes { id jobs { nodes { id } } } } }", json!({})).await;
    for project in projects["data"]["projects"]["nodes"].as_array().unwrap() {
        let id = &project["id"];
        for (jobs, statements) in [
            ("jobs { nodes { id } }", 2),
            ("... { jobs(first: 20, after: null) { nodes { id } } }", 2),
            ("jobs { nodes { id } } few: jobs(first: 1, phases: [QUEUED]) { nodes { id reason } }", 3),
            ("jobs { nodes { id } } none: jobs(first: 1) @skip(if: true) { nodes { name } }", 2),
        ] {
            let query = format!("{{ project(id: {id}) {{ id {jobs} }} }}");
            assert_eq!(world.statements(admin.clone(), &query).await, statements, "{query}");
            let answer = world.ask("admin", &query, json!({})).await;
            assert_eq!(answer["data"]["project"]["jobs"], project["jobs"], "{query}");
        }
        let query = "query($id: ID!, $first: Int) { project(id: $id) { id jobs(first: $first) { nodes { id } } } }";
        let refused = world.ask("admin", query, json!({ "id": id, "first": 101 })).await;
        assert_eq!(refused["errors"][0]["message"], "first was 101; it must be between 0 and 100", "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_jobs_of_a_project_do_not_wait_for_the_project() {
    let world = World::new().await;
    let admin = world.caller("admin").await;
    let nobodys = platform::ids::ProjectId::generate();
    // Of a project that is not there, the jobs are read only by who did not wait to be told so.
    for (jobs, statements) in [("", 1), ("jobs @include(if: false) { nodes { id } }", 1), ("jobs { nodes { id } }", 2)]
    {
        let before = world.db.statements();
        let query = format!("{{ project(id: \"{nobodys}\") {{ id {jobs} }} }}");
        let answer = world.ask_as(admin.clone(), &query, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "NOT_FOUND", "{answer}");
        // Nobody waits for the jobs once the project is known not to be there.
        let sent = async {
            while world.db.statements() - before < statements {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(20), sent).await.is_ok(), "{query}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(world.db.statements() - before, statements, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_claims_with_all_fields_takes_as_many_at_2_rows_as_at_100() {
    const CLAIMS: &str = "INSERT INTO storage_claims (id, project_id, group_id, namespace, name, display_name, created_by, size, size_bytes, sent_bytes, access_mode, default_access, phase)
        SELECT gen_random_uuid(), p.id, p.group_id, p.namespace, 'claim-' || n, '', u.id, '1Gi', 1073741824, 1073741824, 'READ_WRITE_ONCE', 'WRITE', 'BOUND'
          FROM generate_series(1, COUNT) n, projects p, users u WHERE p.name = 'detection' AND u.username = 'maya'";
    const MORE: &str = "INSERT INTO storage_permissions (claim_id, user_id, access) SELECT c.id, u.id, 'READ' FROM storage_claims c, users u WHERE u.username = 'ada';
        INSERT INTO storage_mounts (claim_id, pod_uid, pod, job_id, read_only, since) SELECT c.id, j.id::text, c.name, j.id, true, now() FROM storage_claims c, LATERAL (SELECT id FROM jobs LIMIT 2) j";
    const PAGE: &str = "{ pvcs(first: 100) { totalCount nodes { id name displayName namespace managed createdAt storageClass accessMode size capacity
        phase reason message resize { state } volumeName usage { used } defaultAccess adminOnly readOnly viewerAccess viewerCanUpdate viewerCanResize
        viewerCanDelete viewerCanSetPermissions project { name } group { name } user { username } createdBy { username } sharedFrom { name }
        shares { name } permissions { access user { username } } mounts { pod accessLost job { name } } } } }";
    let mut counts = Vec::new();
    for claims in [2, 100] {
        let world = World::new().await;
        super::sql(&world.url, &CLAIMS.replace("COUNT", &claims.to_string())).await;
        super::sql(&world.url, MORE).await;
        let answer = world.ask("admin", PAGE, json!({})).await;
        assert_eq!(answer["data"]["pvcs"]["totalCount"], claims, "{answer}");
        counts.push(world.statements(world.caller("admin").await, PAGE).await);
    }
    // The page and its count; what belongs to a claim; whoever is behind that.
    insta::assert_debug_snapshot!(counts, @"
    [
        16,
        16,
    ]
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_edge_of_the_schema_takes_as_many_at_2_rows_as_at_50() {
    let world = World::new().await;
    let queries = list_edges(&world).await;
    assert!(queries.len() > 10, "{queries:?}");
    compare(queries).await;
}

const TYPES: &str = "{ __schema { types { name fields { name args { name type { kind } } type { ...t } } } } }
    fragment t on __Type { name kind ofType { name kind ofType { name kind ofType { name kind } } } }";

/// The shortest query to each connection that hangs below a list, with its items' ids and its count.
async fn list_edges(world: &World) -> Vec<String> {
    let schema = world.ask("admin", TYPES, json!({})).await;
    let types = schema["data"]["__schema"]["types"].as_array().unwrap();
    let fields: BTreeMap<&str, &Vec<Value>> =
        types.iter().filter_map(|of_type| Some((of_type["name"].as_str()?, of_type["fields"].as_array()?))).collect();
    let mut queries = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open: VecDeque<(&str, Vec<String>)> = VecDeque::from([("Query", Vec::new())]);
    while let Some((parent, path)) = open.pop_front() {
        for field in fields[parent] {
            let (name, target) = (field["name"].as_str().unwrap(), named(&field["type"]));
            let needs_more = field["args"].as_array().unwrap().iter().any(|arg| arg["type"]["kind"] == "NON_NULL");
            let Some(node) = target.strip_suffix("Connection") else { continue };
            if needs_more || !fields.contains_key(node) || !seen.insert((parent, name)) {
                continue;
            }
            let path: Vec<String> = path.iter().cloned().chain([name.to_owned()]).collect();
            queries.push(query(&path, fields[node].iter().any(|field| field["name"] == "id")));
            open.push_back((node, path));
        }
    }
    queries
}

fn named(of_type: &Value) -> &str {
    of_type["name"].as_str().unwrap_or_else(|| named(&of_type["ofType"]))
}

fn query(path: &[String], has_id: bool) -> String {
    let leaf = if has_id { "totalCount nodes { id }" } else { "totalCount nodes { __typename }" };
    let nested = path.iter().rev().enumerate().fold(String::new(), |inner, (depth, field)| match depth {
        0 => format!("{field} {{ {leaf} }}"),
        _ => format!("{field} {{ nodes {{ {inner} }} }}"),
    });
    format!("{{ {} }}", nested.replacen(" {", "(first: 50) {", 1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_by_keys_are_planned_along_their_indexes_and_everything_else_for_its_values() {
    let world = World::new().await;
    let settings = async |mut connection: platform::db::Connection| {
        let settings = "current_setting('plan_cache_mode') || ' ' || current_setting('random_page_cost') || ' ' || \
                        current_setting('enable_hashjoin')";
        let settings = diesel::dsl::sql::<diesel::sql_types::Text>(settings);
        diesel::select(settings).get_result::<String>(&mut connection).await.unwrap()
    };
    let db = world.db.clone();
    let thread = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            assert_eq!(settings(db.lane().lookup().await.unwrap()).await, "force_generic_plan 1 off");
            assert_eq!(settings(db.lane().connection().await.unwrap()).await, "auto 4 on");
            assert_eq!(settings(db.connection().await.unwrap()).await, "auto 4 on");
        });
    });
    thread.await.unwrap();
}
