//! Observations that PostgreSQL cannot store or rejects: none of them blocks another job.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::stage::Stage;

/// Long before a second try of anything would be over.
const AT_ONCE: Duration = Duration::from_secs(5);

fn waiting(reason: &str, message: &str) -> Value {
    let condition = json!({
        "type": "Scheduled", "status": "False", "reason": reason, "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    json!({ "phase": "Pending", "conditions": [condition] })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_with_a_nul_is_told_cleaned_and_holds_up_no_other_job() {
    let stage = Stage::set().await;
    let (odd, other) = (stage.submit().await, stage.submit().await);
    for job in [odd, other] {
        stage.reach(job, "QUEUED").await;
    }
    stage.report(odd, waiting("Odd\0", "a\0b")).await;
    stage.report(other, json!({ "phase": "Running" })).await;
    stage.reach(other, "RUNNING").await;
    stage.until(odd, "reason = 'Odd\u{fffd}' AND message = 'a\u{fffd}b'").await;
    stage.report(odd, json!({ "phase": "Running" })).await;
    stage.reach(odd, "RUNNING").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_termination_message_and_a_reason_of_a_pod_may_have_a_nul() {
    let stage = Stage::set().await;
    let (odd, other) = (stage.submit().await, stage.submit().await);
    for job in [odd, other] {
        stage.reach(job, "QUEUED").await;
        stage.run_pod(job).await;
    }
    let ended = json!({ "exitCode": 3, "reason": "Err\0or", "message": "\0\0" });
    let container = json!({
        "name": "main", "image": "busybox", "imageID": "", "ready": false, "restartCount": 0,
        "state": { "terminated": ended },
    });
    let status = json!({ "phase": "Failed", "reason": "\0", "containerStatuses": [container] });
    stage.report_pod(odd, status).await;
    stage.report_pod(other, json!({ "phase": "Succeeded" })).await;
    stage.until(other, "tasks -> 0 ->> 'state' = 'SUCCEEDED'").await;
    stage.until(odd, "tasks -> 0 ->> 'state' = 'FAILED' AND tasks -> 0 ->> 'reason' = '\u{fffd}'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_too_long_is_cut() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    stage.report(job, waiting(&"R".repeat(2_000), &"é".repeat(20_000))).await;
    stage.until(job, "octet_length(reason) = 1024 AND octet_length(message) = 32767 AND message LIKE '%é…'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_row_the_database_refuses_to_change_is_set_aside_and_all_others_go_on() {
    let stage = Stage::set().await;
    let (refused, other) = (stage.submit().await, stage.submit().await);
    for job in [refused, other] {
        stage.reach(job, "QUEUED").await;
    }
    stage.refuse_changes_of(refused).await;
    let since = Instant::now();
    stage.report(refused, json!({ "phase": "Running" })).await;
    stage.report(other, json!({ "phase": "Running" })).await;
    stage.reach(other, "RUNNING").await;
    assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
    stage.report(other, json!({ "phase": "Succeeded" })).await;
    stage.reach(other, "SUCCEEDED").await;
    assert_eq!(stage.phase(refused).await, "QUEUED");
    assert!(stage.watch().check().is_ok(), "{:?}", stage.watch().check());
    // What is seen of it later is written when the database takes it again.
    stage.execute("DROP TRIGGER refuse ON jobs").await;
    stage.report(refused, json!({ "phase": "Succeeded" })).await;
    stage.reach(refused, "SUCCEEDED").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_takes_nothing_is_waited_for_and_the_server_is_not_ready() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    stage
        .execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'full'; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON jobs FOR EACH STATEMENT EXECUTE FUNCTION refuse();
             CREATE TRIGGER refuse BEFORE UPDATE ON event_horizon FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
        )
        .await;
    stage.report(job, json!({ "phase": "Running" })).await;
    let end = Instant::now() + Duration::from_secs(30);
    while stage.watch().check().is_ok() {
        assert!(Instant::now() < end, "nobody is told");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(stage.watch().behind() > Duration::from_secs(4));
    stage.execute("DROP TRIGGER refuse ON jobs; DROP TRIGGER refuse ON event_horizon").await;
    stage.reach(job, "RUNNING").await;
    // The row is there a moment before the watch has heard of its commit.
    let end = Instant::now() + Duration::from_secs(30);
    while let Err(said) = stage.watch().check() {
        assert!(Instant::now() < end, "{said}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
