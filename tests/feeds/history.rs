//! The history of a job stays with the job; retention limits how far back a feed can be resumed.

use serde_json::json;

use super::stage::{JOB, Socket, Stage};
use crate::support::session::Session;

const HISTORY: &str = "query($id: ID!) { job(id: $id) { events(last: 100) { totalCount nodes { cursor phase } } } }";

async fn job(who: &Session) -> String {
    let data = who.ask("{ jobs { nodes { id name } } }", json!({})).await;
    let jobs = data["jobs"]["nodes"].as_array().unwrap();
    jobs.iter().find(|job| job["name"] == JOB).unwrap()["id"].as_str().unwrap().to_owned()
}

const FLOOR: &str = "SELECT seq FROM event_horizon";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_has_its_history_although_the_log_can_no_longer_be_resumed_before_it() {
    let stage = Stage::set().await;
    let ada = stage.log_in("ada").await;
    let job = job(&ada).await;
    let before = ada.ask(HISTORY, json!({ "id": job })).await;
    assert!(before["job"]["events"]["totalCount"].as_i64() > Some(1), "{before}");
    stage.execute("INSERT INTO events (kind, subject, payload) VALUES ('job', gen_random_uuid(), '{\"kind\": \"WAITING\", \"phase\": \"QUEUED\"}'), ('whistle', gen_random_uuid(), '1')").await;
    let last = stage.tell(JOB, "QUEUED", "RUNNING").await;
    let history = ada.ask(HISTORY, json!({ "id": job })).await;
    stage.grow_old(2).await;
    assert_eq!(ada.ask(HISTORY, json!({ "id": job })).await, history);
    // What belongs to nothing has gone.
    assert_eq!(
        stage
            .number("SELECT count(*) FROM events WHERE kind <> 'audit' AND subject NOT IN (SELECT id FROM jobs)")
            .await,
        0
    );
    // Exactly the newest of what is too old can still be resumed after.
    assert_eq!(stage.number(FLOOR).await, last.0);
    let mut socket = Socket::open(&ada).await;
    socket.subscribe("1", json!({}), Some(&platform::events::Seq(last.0 - 1).cursor())).await;
    assert_eq!(socket.word().await["payload"][0]["extensions"]["code"], "RESUME_EXPIRED");
    socket.subscribe("2", json!({}), Some(&last.cursor())).await;
    let next = stage.tell(JOB, "RUNNING", "FAILED").await;
    assert_eq!(socket.word().await["payload"]["data"]["jobEvents"]["cursor"], next.cursor());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_goes_with_its_job_and_what_can_still_be_resumed_stays() {
    let stage = Stage::set().await;
    stage.tell(JOB, "QUEUED", "RUNNING").await;
    stage.grow_old(1000).await;
    let recent = stage.tell(JOB, "RUNNING", "FAILED").await;
    let of_job = format!("SELECT count(*) FROM events WHERE subject = (SELECT id FROM jobs WHERE name = '{JOB}')");
    assert!(stage.number(&of_job).await > 2);
    stage
        .execute(&format!(
            "CREATE TABLE gone AS SELECT id FROM jobs WHERE name = '{JOB}'; DELETE FROM jobs WHERE name = '{JOB}'"
        ))
        .await;
    let left = "FROM events WHERE subject IN (SELECT id FROM gone)";
    assert_eq!(stage.number(&format!("SELECT count(*) {left}")).await, 1);
    assert_eq!(stage.number(&format!("SELECT max(seq) {left}")).await, recent.0);
    stage.grow_old(1000).await;
    assert_eq!(stage.number(&format!("SELECT count(*) {left}")).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_old_history_only_the_newest_thousand_events_are_kept() {
    let stage = Stage::set().await;
    let many = format!(
        "INSERT INTO events (kind, subject, payload) SELECT 'job', id, '{{\"kind\": \"WAITING\", \"phase\": \"QUEUED\"}}'
         FROM jobs, generate_series(1, 700) WHERE name = '{JOB}'"
    );
    let of_job = format!("FROM events WHERE subject = (SELECT id FROM jobs WHERE name = '{JOB}')");
    for expected in [1000, 1000] {
        stage.execute(&many).await;
        stage.execute(&many).await;
        let newest = stage.number(&format!("SELECT seq {of_job} ORDER BY seq DESC OFFSET 999 LIMIT 1")).await;
        stage.grow_old(300).await;
        assert_eq!(stage.number(&format!("SELECT count(*) {of_job}")).await, expected);
        assert_eq!(stage.number(&format!("SELECT min(seq) {of_job}")).await, newest);
    }
    // What is not too old yet is not limited.
    stage.execute(&many).await;
    assert_eq!(stage.number(&format!("SELECT count(*) {of_job}")).await, 1700);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_that_is_killed_at_any_moment_loses_nothing_and_is_completed_later() {
    let stage = Stage::set().await;
    let ada = stage.log_in("ada").await;
    let job = job(&ada).await;
    let stray =
        "INSERT INTO events (kind, subject, payload) SELECT 'job', gen_random_uuid(), '{}' FROM generate_series(1, 3)";
    for _ in 0..40 {
        stage.tell(JOB, "QUEUED", "RUNNING").await;
        stage.execute(stray).await;
    }
    let history = ada.ask(HISTORY, json!({ "id": job })).await;
    let strays = "SELECT count(*) FROM events WHERE kind <> 'audit' AND subject NOT IN (SELECT id FROM jobs)";
    assert_eq!(stage.number(strays).await, 120);
    // The database loses the connection in the middle of a batch, as when the server is killed.
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
         AND pid <> pg_backend_pid() AND query LIKE '%event_horizon%'";
    let mut cut_off = 0;
    while stage.number(strays).await > 0 {
        let (app, kept) = (stage.app.clone(), platform::events::History::of::<platform::jobs::event::JobEvent>());
        let later = chrono::Utc::now() + chrono::TimeDelta::hours(1);
        let purging = tokio::spawn(async move {
            platform::events::retention::forget(&app.db, later, &kept.into_iter().collect::<Vec<_>>(), 5).await
        });
        tokio::time::sleep(std::time::Duration::from_millis(cut_off * 2)).await;
        stage.execute(kill).await;
        purging.abort();
        let _ = purging.await;
        cut_off += 1;
        assert_eq!(stage.number("SELECT count(*) FROM event_horizon WHERE purged <= seq").await, 1);
    }
    assert!(cut_off > 0);
    // The pool notices that its connections are gone.
    while stage.app.db.ping().await.is_err() {}
    assert_eq!(ada.ask(HISTORY, json!({ "id": job })).await, history);
}

/// The cursors of the events of a job on pages of two, from the first to the last.
async fn walked(who: &Session, job: &str, forward: bool) -> Vec<String> {
    let (size, bound, more, end) = match forward {
        true => ("first: 2", "after", "hasNextPage", "endCursor"),
        false => ("last: 2", "before", "hasPreviousPage", "startCursor"),
    };
    let query = format!(
        "query($id: ID!, $at: String) {{ job(id: $id) {{ events({size}, {bound}: $at) {{
            pageInfo {{ more: {more} end: {end} }} nodes {{ cursor }} }} }} }}"
    );
    let (mut cursors, mut at) = (Vec::new(), json!(null));
    loop {
        let data = who.ask(&query, json!({ "id": job, "at": at })).await;
        let page = &data["job"]["events"];
        let mut found: Vec<_> = page["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["cursor"].as_str().unwrap().to_owned())
            .collect();
        if forward {
            cursors.append(&mut found);
        } else {
            found.append(&mut cursors);
            cursors = found;
        }
        if page["pageInfo"]["more"] == false {
            return cursors;
        }
        at = page["pageInfo"]["end"].clone();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_goes_on_behind_events_that_this_version_cannot_read() {
    let stage = Stage::set().await;
    let ada = stage.log_in("ada").await;
    let job = job(&ada).await;
    let mut expected = walked(&ada, &job, true).await;
    // As a newer version writes them: more than a page at once, alone, and at the end.
    let unread = format!(
        "INSERT INTO events (kind, subject, payload) SELECT 'job', id, '{{\"kind\": \"MOVED\", \"phase\": \"QUEUED\"}}' FROM jobs WHERE name = '{JOB}'"
    );
    for count in [5, 1, 2] {
        stage.execute(&vec![unread.as_str(); count].join("; ")).await;
        expected.push(stage.tell(JOB, "QUEUED", "RUNNING").await.cursor());
        expected.push(stage.tell(JOB, "RUNNING", "QUEUED").await.cursor());
    }
    stage.execute(&[unread.as_str(); 3].join("; ")).await;
    assert_eq!(walked(&ada, &job, true).await, expected);
    assert_eq!(walked(&ada, &job, false).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_can_be_read_newest_first_and_between_two_times() {
    let stage = Stage::set().await;
    let ada = stage.log_in("ada").await;
    let job = job(&ada).await;
    let query = "query($id: ID!, $filter: JobHistoryFilter, $order: JobHistoryOrder, $after: String) { job(id: $id) {
        events(first: 3, filter: $filter, orderBy: $order, after: $after) { totalCount edges { cursor node { at phase } } } } }";
    let ask = async |variables: serde_json::Value| {
        let mut variables = variables;
        variables["id"] = json!(job);
        ada.ask(query, variables).await["job"]["events"].take()
    };
    let events = |page: &serde_json::Value| {
        page["edges"].as_array().unwrap().iter().map(|edge| edge["node"].clone()).collect::<Vec<_>>()
    };
    let oldest = ask(json!({})).await;
    assert_eq!(oldest["totalCount"], 4, "{oldest}");
    let newest = ask(json!({ "order": { "field": "AT", "direction": "DESC" } })).await;
    assert_eq!(newest["edges"][0]["node"]["phase"], "FAILED");
    let mut middle = events(&newest);
    middle.reverse();
    assert_eq!(middle[..2], events(&oldest)[1..]);
    // The cursor of a page goes on in its own order.
    let last =
        ask(json!({ "order": { "field": "AT", "direction": "DESC" }, "after": newest["edges"][2]["cursor"] })).await;
    assert_eq!(events(&last), events(&oldest)[..1]);
    let (from, to) = (&oldest["edges"][1]["node"]["at"], &newest["edges"][0]["node"]["at"]);
    let between = ask(json!({ "filter": { "at": { "from": from, "to": to } } })).await;
    assert_eq!((events(&between), &between["totalCount"]), (events(&oldest)[1..].to_vec(), &json!(2)));
    assert_eq!(ask(json!({ "order": { "field": "AT", "direction": null } })).await, oldest);
}
