//! Migrations run up, down and up again, with and without rows, and result in the tables that the code declares.

mod event_log;

use std::collections::{BTreeMap, BTreeSet};

use platform::config::{DatabaseConfig, DatabaseUrl};
use platform::db::{Db, migrations};
use platform::tasks::Tasks;
use tokio_postgres::NoTls;

use crate::support::database;

/// Columns, constraints, indexes, triggers, functions and sequences, one line each.
const SHAPE: &str = "
    SELECT format('column %s.%s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                  CASE WHEN a.attnotnull THEN 'NOT NULL' END, pg_get_expr(d.adbin, d.adrelid)) AS line
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
     WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT format('constraint %s.%s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'sequence ' || sequencename FROM pg_sequences WHERE schemaname = 'public'";

struct Migrated {
    url: DatabaseUrl,
    db: Db,
    sql: tokio_postgres::Client,
    _tasks: Tasks,
}

impl Migrated {
    async fn at(url: DatabaseUrl) -> Self {
        let tasks = Tasks::default();
        let db = Db::new(&DatabaseConfig::for_dev(url.clone()), &tasks).unwrap();
        Self { sql: connect(&url).await, url, db, _tasks: tasks }
    }

    /// One more connection.
    async fn another(&self) -> tokio_postgres::Client {
        connect(&self.url).await
    }

    /// What diesel keeps for itself is left out.
    async fn shape(&self) -> BTreeSet<String> {
        let rows = self.sql.query(SHAPE, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).filter(|line: &String| !line.contains("__diesel_schema_migrations")).collect()
    }

    /// Takes back what is newer than a version, so that this one is the newest.
    async fn back_to(&self, version: &str) {
        let newer = format!("__diesel_schema_migrations WHERE version > '{version}'");
        while self.count(&newer).await > 0 {
            migrations::revert_last(&self.db).await.unwrap();
        }
    }

    async fn count(&self, from: &str) -> i64 {
        self.sql.query_one(&format!("SELECT count(*) FROM {from}"), &[]).await.unwrap().get(0)
    }
}

async fn connect(url: &DatabaseUrl) -> tokio_postgres::Client {
    let (sql, driver) = tokio_postgres::connect(url.expose(), NoTls).await.unwrap();
    tokio::spawn(driver);
    sql
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_the_way_down_is_nothing_and_up_again_is_the_same() {
    let database = Migrated::at(database::empty().await).await;
    let before = database.shape().await;
    assert!(before.len() > 100, "{before:#?}");
    migrations::revert_all(&database.db).await.unwrap();
    assert_eq!(database.shape().await, BTreeSet::new());
    migrations::run(&database.db).await.unwrap();
    assert_eq!(database.shape().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_down_and_up_again_gives_the_same_tables() {
    let database = Migrated::at(database::empty().await).await;
    let mut shapes = vec![database.shape().await];
    while !shapes.last().unwrap().is_empty() {
        migrations::revert_last(&database.db).await.unwrap();
        shapes.push(database.shape().await);
        // Up from here, and down again to here.
        migrations::run(&database.db).await.unwrap();
        assert_eq!(database.shape().await, shapes[0]);
        for shape in &shapes[1..] {
            migrations::revert_last(&database.db).await.unwrap();
            assert_eq!(&database.shape().await, shape);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_is_current_when_it_has_every_migration() {
    let database = Migrated::at(database::empty().await).await;
    assert!(migrations::is_current(&database.db).await.unwrap());
    migrations::revert_last(&database.db).await.unwrap();
    assert!(!migrations::is_current(&database.db).await.unwrap());
    migrations::revert_all(&database.db).await.unwrap();
    assert!(!migrations::is_current(&database.db).await.unwrap());
    database.sql.batch_execute("DROP TABLE __diesel_schema_migrations").await.unwrap();
    assert!(!migrations::is_current(&database.db).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_survive_the_newest_migration_taken_back_and_applied_again() {
    let database = Migrated::at(database::demo().await).await;
    let retry = "UPDATE jobs SET attempt = 2, retry_limit = 3 WHERE name = 'train-large-batch';
        INSERT INTO events (kind, subject, project, \"group\", person, payload)
        SELECT kind, subject, project, \"group\", person, payload || '{\"kind\": \"RETRYING\"}' FROM events LIMIT 1";
    database.sql.batch_execute(retry).await.unwrap();
    let tables = ["users", "groups", "projects", "config_commits", "jobs", "events", "audit_log"];
    let mut before = BTreeMap::new();
    for table in tables {
        before.insert(table, database.count(table).await);
    }
    let shape = database.shape().await;
    migrations::revert_last(&database.db).await.unwrap();
    migrations::run(&database.db).await.unwrap();
    assert_eq!(database.shape().await, shape);
    for (table, count) in before {
        assert_eq!(database.count(table).await, count, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_keeps_equal_tasks_once_has_each_of_them_in_the_version_before() {
    let database = Migrated::at(database::demo().await).await;
    let kept = r#"UPDATE jobs SET manifest = '{"kind": "FlashJob", "spec": {"minAvailable": 2, "tasks": [{"a": 1}, {"b": 2}]}}',
        task_counts = '{3,1}' WHERE name = 'train-large-batch'"#;
    database.sql.batch_execute(kept).await.unwrap();
    let has_counts = "pg_attribute WHERE attrelid = 'jobs'::regclass AND attname = 'task_counts' AND NOT attisdropped";
    while database.count(has_counts).await > 0 {
        migrations::revert_last(&database.db).await.unwrap();
    }
    let expanded = r#"jobs WHERE manifest #> '{spec,tasks}' = '[{"a": 1}, {"a": 1}, {"a": 1}, {"b": 2}]'"#;
    assert_eq!(database.count(expanded).await, 1);
    migrations::run(&database.db).await.unwrap();
    assert_eq!(database.count("jobs WHERE task_counts IS NULL").await, database.count("jobs").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_log_keeps_its_entries_when_it_is_partitioned_and_the_version_before_still_writes_it() {
    let database = Migrated::at(database::demo().await).await;
    let before = "20261126000141";
    database.back_to(before).await;
    let write = "INSERT INTO audit_log (id, actor_id, action, subject, detail, request_id)
        SELECT gen_random_uuid(), id, 'createGroup', 'group_00000000000000000000000000', '{}', 'r' FROM users";
    database.sql.batch_execute(write).await.unwrap();
    let entries = database.count("audit_log").await;
    assert!(entries >= 4, "{entries}");
    migrations::run(&database.db).await.unwrap();
    assert_eq!(database.count("audit_log WHERE outcome = 'DONE' AND times = 1").await, entries);
    database.sql.batch_execute(write).await.unwrap();
    assert_eq!(database.count("audit_log_other").await, 0, "the first partition reaches to the end of this month");
    // What the version before does not know of is not taken back with it.
    database
        .sql
        .batch_execute("INSERT INTO audit_log (id, action, outcome) VALUES (gen_random_uuid(), 'login', 'REFUSED')")
        .await
        .unwrap();
    database.back_to(before).await;
    assert_eq!(database.count("audit_log").await, 2 * entries);
}

/// The tables of `src/db/tables.rs`, each with its columns and their types.
fn known() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut tables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut table = String::new();
    for line in include_str!("../src/db/tables.rs").lines().filter(|line| !line.starts_with("diesel::j")) {
        let line = line.trim();
        if let Some((column, of_type)) = line.split_once(" -> ") {
            let of_type = of_type.trim_end_matches(',').to_owned();
            tables.entry(table.clone()).or_default().insert(column.to_owned(), of_type);
        } else if let Some((name, _)) = line.split_once(" (").filter(|_| line.ends_with(") {")) {
            name.clone_into(&mut table);
        }
    }
    tables
}

/// How diesel calls a type of PostgreSQL.
fn diesel_type(name: &str, not_null: bool) -> String {
    let plain = match name {
        "uuid" => "Uuid",
        "text" => "Text",
        "text[]" => "Array<Text>",
        "integer[]" => "Array<Integer>",
        "bytea" => "Bytea",
        "bytea[]" => "Array<Bytea>",
        "jsonb" => "Jsonb",
        "boolean" => "Bool",
        "integer" => "Integer",
        "bigint" => "BigInt",
        "int4range" => "Int4range",
        "timestamp with time zone" => "Timestamptz",
        "timestamp with time zone[]" => "Array<Timestamptz>",
        other => panic!("{other} has no name here"),
    };
    if not_null { plain.to_owned() } else { format!("Nullable<{plain}>") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_are_those_that_the_code_knows() {
    let database = Migrated::at(database::empty().await).await;
    let query = "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') AND NOT c.relispartition
         WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
           AND c.relname <> '__diesel_schema_migrations'";
    let mut there: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for row in database.sql.query(query, &[]).await.unwrap() {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        there.entry(table).or_default().insert(column, diesel_type(row.get(2), row.get(3)));
    }
    for (table, columns) in known() {
        assert_eq!(there.remove(&table), Some(columns), "{table}");
    }
    // Its one row is read by SQL of the event log alone.
    assert_eq!(there.keys().collect::<Vec<_>>(), ["event_horizon"]);
}
