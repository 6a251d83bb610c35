//! The log of job events becomes the log of all rooms: nothing is lost, no number changes, and a replica of the previous
//! version keeps working in the meantime.

use std::time::Duration;

use futures::StreamExt;
use platform::db::migrations;
use platform::events::model::append;
use platform::events::{Bus, History, Line, Lines, Logged, Seq, Topics, resume, retention};
use platform::ids::JobId;
use platform::jobs::event::{JobEvent, about};
use platform::jobs::model;
use platform::jobs::phase::{JobEventKind, JobPhase};
use platform::tasks::Tasks;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use super::Migrated;
use crate::support::database;

/// The last of the three migrations.
const NEWEST: &str = "20261126000013";

const APPEND: &str = "INSERT INTO job_events
        (seq, job_id, project_id, group_id, submitted_by, kind, phase, previous_phase, reason, message, at)
    SELECT nextval('job_events_seq'), new.*, clock_timestamp() FROM (
        SELECT jobs.id, jobs.project_id, projects.group_id, jobs.submitted_by,
               given.kind, given.phase, given.previous_phase, given.reason, given.message
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY
             AS given (job_id, kind, phase, previous_phase, reason, message, place)
        JOIN jobs ON jobs.id = given.job_id
        JOIN projects ON projects.id = jobs.project_id
        ORDER BY given.place
    ) AS new";
const AFTER: &str =
    "SELECT seq, job_id, project_id, group_id, submitted_by, kind, phase, previous_phase, reason, message, at
    FROM job_events WHERE seq > $1 ORDER BY seq ASC LIMIT 1000";
const EXTENT: &str =
    "SELECT seq AS forgotten, greatest(seq, (SELECT max(seq) FROM job_events)) AS tip FROM event_horizon";
const OF_JOB: &str = "SELECT job_events.* FROM unnest($1::uuid[]) AS parent (id) CROSS JOIN LATERAL (
        SELECT * FROM job_events WHERE job_id = parent.id ORDER BY seq ASC LIMIT 100
    ) AS job_events";
const FORGET: &str = "WITH gone AS (DELETE FROM job_events WHERE at < $1 RETURNING seq)
    UPDATE event_horizon SET seq = greatest(seq, (SELECT max(seq) FROM gone)) WHERE EXISTS (SELECT FROM gone)";

/// A replica of the version before: its statements, prepared on the connection that it keeps.
struct Before {
    sql: Client,
    append: Statement,
    after: Statement,
    extent: Statement,
    of_job: Statement,
    forget: Statement,
}

impl Before {
    async fn on(sql: Client) -> Self {
        Self {
            append: sql.prepare(APPEND).await.unwrap(),
            after: sql.prepare(AFTER).await.unwrap(),
            extent: sql.prepare(EXTENT).await.unwrap(),
            of_job: sql.prepare(OF_JOB).await.unwrap(),
            forget: sql.prepare(FORGET).await.unwrap(),
            sql,
        }
    }

    /// Appends two events of a job, as a batch of the watch does.
    async fn append(&self, job: JobId, reason: &str) {
        let jobs = vec![job.uuid(); 2];
        let reasons = vec![Some(reason); 2];
        let (none, kinds) = (vec![None::<&str>; 2], vec!["PHASE_CHANGED", "WAITING"]);
        let (phases, before) = (vec!["QUEUED", "QUEUED"], vec![Some("SUBMITTED"), None]);
        let appended =
            self.sql.execute(&self.append, &[&jobs, &kinds, &phases, &before, &reasons, &none]).await.unwrap();
        assert_eq!(appended, 2);
    }

    /// What it reads of its own log after this number: number, kind, phase before and reason.
    async fn after(&self, seq: i64) -> Vec<String> {
        let rows = self.sql.query(&self.after, &[&seq]).await.unwrap();
        let told = rows.iter().map(|row| {
            let part = |column| row.get::<_, Option<&str>>(column).unwrap_or("-").to_owned();
            let _: (Uuid, Uuid, Uuid, Uuid) = (row.get(1), row.get(2), row.get(3), row.get(4));
            format!("{} {} {} {}", part("kind"), part("phase"), part("previous_phase"), part("reason"))
        });
        told.collect()
    }

    async fn tip(&self) -> i64 {
        self.sql.query_one(&self.extent, &[]).await.unwrap().get("tip")
    }
}

async fn some_job(sql: &Client) -> JobId {
    JobId::from_uuid(sql.query_one("SELECT id FROM jobs ORDER BY id LIMIT 1", &[]).await.unwrap().get(0))
}

/// Every event of the old log, each as a line.
async fn old_log(sql: &Client) -> Vec<String> {
    let rows = sql.query("SELECT (e.*)::text FROM job_events e ORDER BY seq", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// The event log of this version over the database.
async fn follows(database: &Migrated, tasks: &Tasks) -> Line<JobEvent> {
    let mut lines = Lines::default();
    let line = lines.open::<JobEvent>();
    let bus = Bus::start(tasks, &database.db, Duration::from_secs(1 << 30), lines);
    bus.tip().wait_for(Option::is_some).await.unwrap();
    line
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_the_version_before_keeps_its_events_and_every_cursor_stays_good() {
    let database = Migrated::at(database::demo().await).await;
    database.back_to(NEWEST).await;
    for _ in 0..3 {
        migrations::revert_last(&database.db).await.unwrap();
    }
    assert_eq!(database.count("pg_class WHERE relname = 'events'").await, 0);
    let before = old_log(&database.sql).await;
    assert!(before.len() > 8, "the demo tenant's jobs have a past");
    let middle: i64 =
        database.sql.query_one("SELECT seq FROM job_events ORDER BY seq OFFSET 5 LIMIT 1", &[]).await.unwrap().get(0);

    migrations::run(&database.db).await.unwrap();
    assert_eq!(old_log(&database.sql).await, before);
    let tasks = Tasks::default();
    let line = follows(&database, &tasks).await;
    let rest = resume::follow(database.db.clone(), &line, Topics::Everything, Some(Seq(middle)));
    let rest: Vec<Logged<JobEvent>> =
        rest.take(before.len() - 6).map(|event| Logged::clone(&event.unwrap())).collect().await;
    let numbers = rest.iter().map(|event| event.seq.0).collect::<Vec<_>>();
    let kept = database.sql.query("SELECT seq FROM job_events WHERE seq > $1 ORDER BY seq", &[&middle]).await.unwrap();
    assert_eq!(numbers, kept.iter().map(|row| row.get(0)).collect::<Vec<i64>>());
    assert!(rest.iter().any(|event| event.event.previous_phase == Some(JobPhase::Running)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_of_the_version_before_loses_nothing_at_any_step_of_the_upgrade_or_the_way_back() {
    let database = Migrated::at(database::demo().await).await;
    let job = some_job(&database.sql).await;
    let old = Before::on(database.another().await).await;
    let start = old.tip().await;
    let mut expected = Vec::new();
    // Down step by step, and up again from each: it appends in every state that there is on the way.
    for step in 0..3 {
        database.back_to(NEWEST).await;
        old.append(job, &format!("before {step}")).await;
        for _ in 0..=step {
            migrations::revert_last(&database.db).await.unwrap();
            old.append(job, &format!("down {step}")).await;
        }
        migrations::run(&database.db).await.unwrap();
        let reasons = [format!("before {step}")].into_iter().chain(vec![format!("down {step}"); step + 1]);
        for reason in reasons {
            expected.extend([format!("PHASE_CHANGED QUEUED SUBMITTED {reason}"), format!("WAITING QUEUED - {reason}")]);
        }
        assert_eq!(old.after(start).await, expected);
    }
    assert_eq!(database.count("events WHERE kind = 'job'").await, database.count("job_events").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_of_both_versions_hear_of_each_other_until_the_last_old_one_is_gone() {
    let database = Migrated::at(database::demo().await).await;
    let job = some_job(&database.sql).await;
    database.back_to(NEWEST).await;
    migrations::revert_last(&database.db).await.unwrap();
    let old = Before::on(database.another().await).await;
    migrations::run(&database.db).await.unwrap();
    let tasks = Tasks::default();
    let line = follows(&database, &tasks).await;
    let mut feed = Box::pin(resume::follow(database.db.clone(), &line, Topics::subjects(&[job]), None));
    assert!(futures::poll!(feed.next()).is_pending());

    let start = old.tip().await;
    old.append(job, "by the old one").await;
    database.sql.batch_execute("NOTIFY platform_events").await.unwrap();
    let told = feed.next().await.unwrap().unwrap();
    let happened = JobEvent {
        kind: JobEventKind::PhaseChanged,
        phase: JobPhase::Queued,
        previous_phase: Some(JobPhase::Submitted),
        reason: Some("by the old one".into()),
        message: None,
        job: None,
    };
    assert_eq!((told.seq.0, &told.event), (start + 1, &happened));

    let mut conn = database.db.connection().await.unwrap();
    let (row, group) = model::find(&mut conn, job).await.unwrap().unwrap();
    let of_new = JobEvent { reason: Some("by the new one".into()), ..happened };
    append(&mut conn, &[(about(job, row.project_id, group, row.submitted_by), of_new)]).await.unwrap();
    assert_eq!(old.after(start + 2).await, ["PHASE_CHANGED QUEUED SUBMITTED by the new one"]);
    assert_eq!(old.tip().await, start + 3);
    let of_job = old.sql.query(&old.of_job, &[&vec![job.uuid()]]).await.unwrap();
    assert_eq!(of_job.last().unwrap().get::<_, i64>("seq"), start + 3);

    old.sql.execute(&old.forget, &[&chrono::Utc::now()]).await.unwrap();
    assert_eq!(database.count("events").await, 0);
    assert_eq!(database.sql.query_one("SELECT seq FROM event_horizon", &[]).await.unwrap().get::<_, i64>(0), start + 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_appended_together_are_numbered_in_their_order() {
    let database = Migrated::at(database::demo().await).await;
    let job = some_job(&database.sql).await;
    let mut conn = database.db.connection().await.unwrap();
    let (row, group) = model::find(&mut conn, job).await.unwrap().unwrap();
    let about = about(job, row.project_id, group, row.submitted_by);
    let numbered = |number: usize| JobEvent {
        kind: JobEventKind::Waiting,
        phase: JobPhase::Queued,
        previous_phase: None,
        reason: Some(number.to_string()),
        message: None,
        job: None,
    };
    let events: Vec<_> = (0..500).map(|number| (about, numbered(number))).collect();
    append(&mut conn, &events).await.unwrap();
    let rows =
        database.sql.query("SELECT payload ->> 'reason' FROM events ORDER BY seq DESC LIMIT 500", &[]).await.unwrap();
    let reasons: Vec<String> = rows.iter().rev().map(|row| row.get(0)).collect();
    assert_eq!(reasons, (0..500).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_the_version_before_has_shortened_keeps_the_history_that_is_left_and_no_cursor_changes() {
    let database = Migrated::at(database::demo().await).await;
    database.back_to(NEWEST).await;
    // Retention of the version before: the older half of the log goes, and its last number is the mark.
    let shorten = "WITH gone AS (DELETE FROM events WHERE seq <= (SELECT avg(seq) FROM events) RETURNING seq)
        UPDATE event_horizon SET seq = (SELECT max(seq) FROM gone)";
    database.sql.batch_execute(shorten).await.unwrap();
    let mark = async || database.count("events, event_horizon WHERE events.seq <= event_horizon.seq").await;
    let (left, old) = (old_log(&database.sql).await, Before::on(database.another().await).await);
    let tip = old.tip().await;
    assert!(!left.is_empty() && mark().await == 0);

    migrations::run(&database.db).await.unwrap();
    assert_eq!((old_log(&database.sql).await, old.tip().await), (left.clone(), tip));
    assert_eq!(database.count("event_horizon WHERE purged = seq").await, 1, "nothing is looked at again");
    let kept: Vec<_> = History::of::<JobEvent>().into_iter().collect();
    retention::forget(&database.db, chrono::Utc::now(), &kept, 3).await.unwrap();
    assert_eq!((old_log(&database.sql).await, old.tip().await), (left.clone(), tip));
    assert_eq!(mark().await, left.len() as i64, "no cursor but the last can be resumed");

    // The way back keeps it until the version before removes it by its age.
    database.back_to(NEWEST).await;
    assert_eq!((old_log(&database.sql).await, old.tip().await), (left, tip));
}
