//! Database connections that are dead without knowing it, and a log that is restored to an earlier state.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use futures::StreamExt;
use platform::db::Db;
use platform::error::{ApiError, Code};
use platform::events::{Seq, Topics, resume};
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::stage::Stage;

/// A connection is given up some eight seconds after it died.
const NOTICED: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listening_connection_that_died_in_silence_is_replaced_and_what_it_missed_is_told() {
    let stage = Stage::set().await;
    let (db, line) = stage.feed();
    let before = stage.submit().await;
    stage.reach(before, "QUEUED").await;
    // A feed begins no earlier than with the listener's first look at the log.
    stage.bus().tip().wait_for(Option::is_some).await.unwrap();
    let mut feed = Box::pin(resume::follow(db.clone(), &line, Topics::Everything, None));
    assert!(futures::poll!(feed.next()).is_pending());
    stage.database_proxy().freeze();
    let missed = stage.submit().await;
    let told = timeout(NOTICED, async {
        loop {
            let event = feed.next().await.unwrap().unwrap();
            if event.subject() == missed {
                return event.event.phase.as_str();
            }
        }
    });
    assert_eq!(told.await.expect("the event is told"), "SUBMITTED");
    assert!(stage.bus().silence() < Duration::from_secs(10));
    // The pool's connections died with it, and are replaced as well.
    let replaced = async { while db.ping().await.is_err() {} };
    timeout(NOTICED, replaced).await.expect("the pool has connections again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_an_answer_over_a_dead_connection_is_told_and_the_pool_is_whole_again() {
    let stage = Stage::set().await;
    let (db, _) = stage.feed();
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    // Every connection of the pool dies in the middle of a statement, those that the worker and the watch use too.
    let asking: Vec<_> = (0..8).map(|_| tokio::spawn(asked_for_long(db.clone()))).collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    stage.database_proxy().freeze();
    let told = async {
        for asked in asking {
            assert_eq!(asked.await.unwrap(), Err(Code::DatabaseUnavailable));
        }
    };
    timeout(NOTICED * 2, told).await.expect("nobody waits for ever");
    let another = stage.submit().await;
    stage.reach(another, "QUEUED").await;
}

async fn asked_for_long(db: Db) -> Result<(), Code> {
    let mut connection = db.connection().await.map_err(|error| error.code)?;
    let answered = connection.batch_execute("SELECT pg_sleep(2)").await;
    answered.map_err(|error| ApiError::from(error).code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_cut_off_without_knowing_is_replaced() {
    let stage = Stage::set().await;
    let leads = |health: &platform::watch::Health| health.check().unwrap_or_default().starts_with("this replica");
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    assert!(leads(stage.watch()));
    let follower = stage.another().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!leads(&follower.watch));
    stage.database_proxy().freeze();
    let since = Instant::now();
    while !leads(&follower.watch) {
        assert!(since.elapsed() < Duration::from_secs(10), "the follower takes over within 10 s");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stage.report(job, json!({ "phase": "Running" })).await;
    stage.reach(job, "RUNNING").await;
    assert!(follower.tasks.shutdown(NOTICED).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_beyond_the_end_of_the_log_is_expired_at_once() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    let (db, line) = stage.feed();
    let Seq(tip) = stage.tip().await;
    for beyond in [tip + 1, tip + 1_000_000, i64::MAX] {
        let mut feed = Box::pin(resume::follow(db.clone(), &line, Topics::Everything, Some(Seq(beyond))));
        let refused = timeout(NOTICED, feed.next()).await.expect("at once").unwrap().unwrap_err();
        assert_eq!(refused.code, Code::ResumeExpired, "{beyond}");
    }
    let mut feed = Box::pin(resume::follow(db, &line, Topics::Everything, Some(Seq(tip))));
    assert!(timeout(Duration::from_millis(300), feed.next()).await.is_err(), "the newest cursor is good");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_that_another_replica_gave_out_a_moment_ago_is_good() {
    let stage = Stage::set().await;
    let (_, line) = stage.feed();
    let another = stage.another().await;
    let first = stage.submit().await;
    stage.reach(first, "QUEUED").await;
    // This replica hears nothing for a while.
    stage.database_proxy().freeze();
    let second = stage.submit().await;
    let tip = stage.tip().await;
    assert!(*stage.bus().tip().borrow() < Some(tip));
    let mut feed = Box::pin(resume::follow(another.db.clone(), &line, Topics::subjects(&[second]), Some(tip)));
    assert!(timeout(Duration::from_millis(300), feed.next()).await.is_err(), "it is accepted and tells nothing twice");
    assert!(another.tasks.shutdown(NOTICED).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_the_log_is_told_that_it_was_restored_to_an_earlier_state() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    let (db, line) = stage.feed();
    let Seq(tip) = stage.tip().await;
    stage.bus().tip().wait_for(|heard| *heard >= Some(Seq(tip))).await.unwrap();
    let mut feed = Box::pin(resume::follow(db, &line, Topics::Everything, None));
    assert!(futures::poll!(feed.next()).is_pending());
    stage.execute(&format!("DELETE FROM events WHERE seq = {tip}; SELECT setval('job_events_seq', {tip} - 1)")).await;
    let told = timeout(NOTICED, feed.next()).await.expect("it is told").unwrap().unwrap_err();
    assert_eq!(told.code, Code::ResumeExpired);
    assert!(feed.next().await.is_none());
    assert!(*stage.bus().tip().borrow() < Some(Seq(tip)));
}
