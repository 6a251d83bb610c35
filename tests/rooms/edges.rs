//! The lists under a parent: a page is read along an index, from wherever in the list it begins.

use std::fmt::Write as _;

use chrono::DateTime;
use platform::graphql::cursor::Position;
use serde_json::json;
use tokio_postgres::{NoTls, SimpleQueryMessage};
use uuid::Uuid;

use super::{World, more_groups, sql};

/// A list: the table it reads, the types of what its statement binds between the parents and the limit, and an operation
/// with a page from the middle of it, after a cursor `TIME`, `TEXT` or `NUMBER`.
pub type List = (&'static str, &'static str, &'static str);

const LISTS: [List; 15] = [
    (
        "group_members",
        "timestamptz, uuid",
        "{ groups { nodes { members(first: 1, after: TIME) { nodes { role } } } } }",
    ),
    (
        "group_members",
        "uuid[], timestamptz, uuid",
        "{ users { nodes { memberships(first: 1, after: TIME) { nodes { role } } } } }",
    ),
    ("sessions", "timestamptz, uuid", "{ viewer { sessions(first: 1, after: TIME) { nodes { address } } } }"),
    ("api_tokens", "timestamptz, uuid", "{ viewer { apiTokens(first: 1, after: TIME) { nodes { name } } } }"),
    ("projects", "text", "{ groups { nodes { projects(first: 1, after: TEXT) { nodes { name } } } } }"),
    ("config_files", "text", "{ projects { nodes { configFiles(first: 1, after: TEXT) { nodes { name } } } } }"),
    (
        "config_commits",
        "timestamptz, uuid",
        "{ configFiles { nodes { commits(first: 1, after: TIME) { nodes { message } } } } }",
    ),
    (
        "jobs",
        "text[], timestamptz, uuid",
        "{ projects { nodes { jobs(first: 1, after: TIME, phases: [QUEUED]) { nodes { name } } } } }",
    ),
    ("jobs", "timestamptz, uuid", "{ jobs { nodes { retries(first: 1, after: TIME) { nodes { name } } } } }"),
    (
        "request_messages",
        "timestamptz, uuid",
        "{ requests { nodes { messages(first: 1, after: TIME) { nodes { text } } } } }",
    ),
    (
        "storage_claims",
        "timestamptz, uuid",
        "{ projects { nodes { claims(first: 1, after: TIME) { nodes { name } } } } }",
    ),
    (
        "storage_claims",
        "timestamptz, uuid",
        "{ groups { nodes { claims(first: 1, after: TIME) { nodes { name } } } } }",
    ),
    ("events", "text, bigint", "{ jobs { nodes { events(first: 1, after: NUMBER) { nodes { phase } } } } }"),
    (
        "events",
        "text, timestamptz, bigint",
        "{ jobs { nodes { events(first: 1, after: NUMBER, filter: { at: { from: \"2026-11-01T00:00:00Z\" } }, orderBy: { field: AT, direction: DESC }) { nodes { phase } } } } }",
    ),
    (
        "config_commits",
        "uuid, timestamptz, uuid",
        "{ configFiles { nodes { commits(first: 1, after: TIME, filter: { authorId: \"user_01h455vb4pex5vsknk084sn02q\" }, orderBy: { field: CREATED_AT, direction: ASC }) { nodes { message } } } } }",
    ),
];

/// The operation with cursors in it.
fn with_cursors(operation: &str) -> String {
    let nil = Uuid::nil();
    let cursors = [
        ("TIME", Position::at(DateTime::UNIX_EPOCH, nil)),
        ("TEXT", Position::of("a", nil)),
        ("NUMBER", Position::numbered(1, nil)),
    ];
    cursors.iter().fold(operation.to_owned(), |operation, (name, position)| {
        operation.replace(name, &format!("\"{}\"", position.encode()))
    })
}

/// How a list is read: what its plan says of indexes and of sorting. Asked as Maya.
pub async fn plan_of(world: &World, (table, types, operation): List) -> String {
    let (sql, driver) = tokio_postgres::connect(world.url.expose(), NoTls).await.unwrap();
    tokio::spawn(driver);
    let answer = world.ask("maya", &with_cursors(operation), json!({})).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    let last = "SELECT query FROM pg_stat_activity WHERE query LIKE 'SELECT page.%FROM \"' || $1 || '\"%'
        AND datname = current_database() ORDER BY query_start DESC LIMIT 1";
    let statement: String = sql.query_one(last, &[&table]).await.unwrap().get(0);
    // Reads by keys are planned once for all values. The few rows that there are would rather be read all.
    let settings = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off";
    sql.batch_execute(settings).await.unwrap();
    sql.batch_execute(&format!("PREPARE page (uuid[], {types}, bigint) AS {statement}")).await.unwrap();
    let values = vec!["NULL"; types.split(", ").count() + 2].join(", ");
    let mut plan = format!("{table}\n");
    for line in sql.simple_query(&format!("EXPLAIN (COSTS OFF) EXECUTE page ({values})")).await.unwrap() {
        let SimpleQueryMessage::Row(row) = line else { continue };
        let line = row.get(0).unwrap().trim_start_matches([' ', '-', '>']);
        if ["Sort", "Presorted", "Index", "Seq"].iter().any(|word| line.contains(word)) {
            writeln!(plan, "    {line}").unwrap();
        }
    }
    plan
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_each_list_is_read_along_an_index() {
    let world = World::new().await;
    more_groups(&world, 3).await;
    sql(&world.url, super::requests::ROWS.setup).await;
    let mut plans = String::new();
    for list in LISTS {
        plans += &plan_of(&world, list).await;
    }
    insta::assert_snapshot!(plans, @"
    group_members
        Index Scan using group_members_group_idx on group_members
        Index Cond: ((group_id = parent.id) AND (ROW(joined_at, user_id) > ROW($2, $3)))
    group_members
        Index Scan using group_members_user_idx on group_members
        Index Cond: ((user_id = parent.id) AND (ROW(joined_at, group_id) > ROW($3, $4)))
    sessions
        Index Scan Backward using sessions_open_idx on sessions
        Index Cond: ((user_id = parent.id) AND (ROW(created_at, id) < ROW($2, $3)))
    api_tokens
        Index Scan Backward using api_tokens_user_idx on api_tokens
        Index Cond: ((user_id = parent.id) AND (ROW(created_at, id) < ROW($2, $3)))
    projects
        Index Scan using projects_group_name_key on projects
        Index Cond: ((group_id = parent.id) AND (name > $2))
    config_files
        Index Scan using config_files_project_name_key on config_files
        Index Cond: ((project_id = parent.id) AND (name > $2))
    config_commits
        Index Scan Backward using config_commits_file_idx on config_commits
        Index Cond: ((config_file_id = parent.id) AND (ROW(created_at, id) < ROW($2, $3)))
    jobs
        Index Scan Backward using jobs_project_idx on jobs
        Index Cond: ((project_id = parent.id) AND (ROW(submitted_at, id) < ROW($3, $4)))
    jobs
        Index Scan using jobs_retried_idx on jobs
        Index Cond: ((retried_from = parent.id) AND (ROW(submitted_at, id) > ROW($2, $3)))
    request_messages
        Index Scan using request_messages_request_idx on request_messages
        Index Cond: ((request_id = parent.id) AND (ROW(created_at, id) > ROW($2, $3)))
    storage_claims
        Index Scan using storage_claims_project_idx on storage_claims
        Index Cond: ((project_id = parent.id) AND (ROW(created_at, id) > ROW($2, $3)))
    storage_claims
        Index Scan using storage_claims_own_idx on storage_claims
        Index Cond: ((group_id = parent.id) AND (ROW(created_at, id) > ROW($2, $3)))
    events
        Index Scan using events_subject_idx on events
        Index Cond: ((subject = parent.id) AND (seq > $3))
    events
        Index Scan Backward using events_subject_idx on events
        Index Cond: ((subject = parent.id) AND (seq < $4))
    config_commits
        Index Scan using config_commits_file_idx on config_commits
        Index Cond: ((config_file_id = parent.id) AND (ROW(created_at, id) > ROW($3, $4)))
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_of_a_list_in_another_order_is_refused() {
    let world = World::new().await;
    sql(&world.url, &super::requests::ROWS.setup.replace("'ada'", "'maya'")).await;
    for (_, _, operation) in LISTS {
        let other = if operation.contains("TEXT") { "TIME" } else { "TEXT" };
        let operation = operation.replace("TIME", other).replace("TEXT", other).replace("NUMBER", other);
        let answer = world.ask("maya", &with_cursors(&operation), json!({})).await;
        assert_eq!(answer["errors"][0]["message"], "after is a cursor of a list in a different order", "{operation}");
    }
}
