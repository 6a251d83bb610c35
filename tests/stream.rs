//! The path of a job from its row to the cluster and back: the submit worker, the watch, the event log and resume. The
//! test acts as the scheduler, so that it controls the order of events; faults are caused by proxies that can be cut.

mod contract;
mod dead;
mod kinds;
mod refused;
mod stage;
mod supervision;

use std::time::Duration;

use futures::StreamExt;
use platform::error::Code;
use platform::events::{Seq, Topics, resume};
use platform::jobs::logs;
use serde_json::json;

use stage::Stage;

const LIFE: [&str; 4] = ["SUBMITTED", "QUEUED", "RUNNING", "SUCCEEDED"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_submitted_queued_runs_and_succeeds() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    stage.report(job, json!({ "phase": "Running", "active": 1, "desired": 1 })).await;
    stage.reach(job, "RUNNING").await;
    stage.report(job, json!({ "phase": "Succeeded", "succeeded": 1, "desired": 1 })).await;
    stage.reach(job, "SUCCEEDED").await;
    assert_eq!(stage.phases(job).await, LIFE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resuming_after_any_cursor_gives_the_rest_once_and_in_order() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    // Its pod is seen by nobody, so there are no events but these.
    let object = stage.object_name(job).await;
    stage.say(&object, json!({ "phase": "Running" })).await;
    stage.reach(job, "RUNNING").await;
    let (db, line) = stage.feed();
    let mut feeds = Vec::new();
    for seen in 0..=3 {
        feeds.push((seen, Box::pin(resume::follow(db.clone(), &line, Topics::subjects(&[job]), Some(Seq(seen))))));
    }
    stage.report(job, json!({ "phase": "Succeeded" })).await;
    for (seen, feed) in feeds {
        let rest: Vec<_> =
            feed.take(4 - seen as usize).map(|event| event.unwrap().event.phase.as_str()).collect().await;
        assert_eq!(rest, LIFE[seen as usize..], "after {seen}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_older_than_the_log_is_expired_at_once() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    stage
        .execute(
            "WITH gone AS (DELETE FROM events RETURNING seq)
             UPDATE event_horizon SET seq = (SELECT max(seq) FROM gone)",
        )
        .await;
    let (db, line) = stage.feed();
    let refused =
        Box::pin(resume::follow(db, &line, Topics::Everything, Some(Seq(0)))).next().await.unwrap().unwrap_err();
    assert_eq!(refused.code, Code::ResumeExpired);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_while_nobody_watched_is_told_once_and_what_did_not_is_not() {
    let stage = Stage::set().await;
    let (changed, same, vanished) = (stage.submit().await, stage.submit().await, stage.submit().await);
    for job in [changed, same, vanished] {
        stage.reach(job, "QUEUED").await;
    }
    let stage = stage.stop_server().await;
    stage.report(changed, json!({ "phase": "Running" })).await;
    stage.delete_object(vanished).await;
    let stage = stage.start_server().await;
    stage.reach(changed, "RUNNING").await;
    stage.reach(vanished, "FAILED").await;
    assert_eq!(stage.phases(changed).await, ["SUBMITTED", "QUEUED", "RUNNING"]);
    assert_eq!(stage.phases(same).await, ["SUBMITTED", "QUEUED"]);
    assert_eq!(stage.reason(vanished).await.as_deref(), Some("Deleted"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_sent_while_the_watch_begins_is_not_taken_for_a_vanished_one() {
    let stage = Stage::set().await;
    let earlier = stage.submit().await;
    stage.reach(earlier, "QUEUED").await;
    let (stage, job) = stage.stop_server().await.submit_while_the_leader_lists().await;
    stage.report(job, json!({ "phase": "Succeeded" })).await;
    stage.until(job, "finished_at IS NOT NULL").await;
    assert_eq!(stage.phase(job).await, "SUCCEEDED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_submitted_while_the_cluster_is_away_says_so_and_is_sent_when_it_is_back() {
    let stage = Stage::set().await;
    stage.cluster_proxy().cut();
    let job = stage.submit().await;
    stage.until(job, "reason = 'ClusterUnavailable'").await;
    assert_eq!(stage.phase(job).await, "SUBMITTED");
    stage.cluster_proxy().restore();
    stage.reach(job, "QUEUED").await;
    assert_eq!(stage.reason(job).await, None);
    stage.report(job, json!({ "phase": "Running" })).await;
    stage.reach(job, "RUNNING").await;
    assert_eq!(stage.objects().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_away_for_a_moment_loses_nothing() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    stage.database_proxy().cut();
    stage.report(job, json!({ "phase": "Running" })).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    stage.report(job, json!({ "phase": "Succeeded" })).await;
    stage.database_proxy().restore();
    stage.reach(job, "SUCCEEDED").await;
    let phases = stage.phases(job).await;
    assert_eq!((phases.first().unwrap().as_str(), phases.last().unwrap().as_str()), ("SUBMITTED", "SUCCEEDED"));
    assert_eq!(phases.iter().filter(|phase| *phase == "SUCCEEDED").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_job_leaves_no_object() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    stage.cancel(job).await;
    stage.reach(job, "CANCELLED").await;
    assert_eq!(stage.objects().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_cancelled_before_it_was_sent_is_cancelled_at_once() {
    let stage = Stage::set().await;
    stage.cluster_proxy().cut();
    let job = stage.submit().await;
    stage.until(job, "reason = 'ClusterUnavailable'").await;
    stage.cancel(job).await;
    stage.reach(job, "CANCELLED").await;
    stage.cluster_proxy().restore();
    stage.until(job, "next_attempt_at IS NULL").await;
    assert_eq!(stage.objects().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preempted_job_waits_again_and_counts_it() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    stage.report(job, json!({ "phase": "Running" })).await;
    stage.reach(job, "RUNNING").await;
    let condition = json!({
        "type": "Scheduled", "status": "False", "reason": "Preempted", "message": "stopped to make room",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    stage.report(job, json!({ "phase": "Pending", "conditions": [condition] })).await;
    stage.reach(job, "QUEUED").await;
    assert_eq!(stage.reason(job).await.as_deref(), Some("Preempted"));
    // Whom it made room for is not told: that may be a job of a project that its people may not know of.
    stage
        .until(job, "preemptions = 1 AND pending_reason LIKE 'Stopped to make room for a job in a higher queue; %'")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_failed_is_started_again_as_another_object_and_may_succeed() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.execute("UPDATE jobs SET retry_limit = 2").await;
    stage.reach(job, "QUEUED").await;
    stage.run_pod(job).await;
    stage.report(job, json!({ "phase": "Running" })).await;
    stage.reach(job, "RUNNING").await;
    let failed = json!({
        "type": "Failed", "status": "True", "reason": "TaskFailed", "message": "task 0 failed: exit code 3",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let first = stage.object_name(job).await;
    stage.report(job, json!({ "phase": "Failed", "failed": 1, "conditions": [failed] })).await;
    stage.until(job, "attempt = 2 AND object_uid IS NOT NULL AND object_name LIKE '%-retry-1'").await;
    assert_eq!(stage.reason(job).await.as_deref(), Some("Retrying"));
    assert_eq!(stage.objects().await, 1, "{first} is gone");
    stage.until(job, "manifest #>> '{metadata,name}' = object_name").await;
    stage.until(job, "tasks -> 0 ->> 'attempt' = '1'").await;
    stage.report(job, json!({ "phase": "Running" })).await;
    stage.reach(job, "RUNNING").await;
    stage.report(job, json!({ "phase": "Succeeded" })).await;
    stage.reach(job, "SUCCEEDED").await;
    assert_eq!(
        stage.kinds(job).await,
        ["PHASE_CHANGED", "PHASE_CHANGED", "RETRYING", "PHASE_CHANGED", "PHASE_CHANGED"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_object_failed_while_nobody_watched_is_started_again() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.execute("UPDATE jobs SET retry_limit = 1").await;
    stage.reach(job, "QUEUED").await;
    let stage = stage.stop_server().await;
    stage.report(job, json!({ "phase": "Failed" })).await;
    let stage = stage.start_server().await;
    stage.until(job, "attempt = 2 AND object_uid IS NOT NULL AND object_name LIKE '%-retry-1'").await;
    assert_eq!(stage.objects().await, 1);
    stage.report(job, json!({ "phase": "Failed" })).await;
    stage.reach(job, "FAILED").await;
    assert_eq!(stage.phases(job).await, ["SUBMITTED", "QUEUED", "QUEUED", "FAILED"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_runs_too_long_fails_and_its_object_goes() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.execute("UPDATE jobs SET deadline_seconds = 1").await;
    stage.reach(job, "QUEUED").await;
    stage.report(job, json!({ "phase": "Running" })).await;
    stage.reach(job, "FAILED").await;
    assert_eq!(stage.reason(job).await.as_deref(), Some("DeadlineExceeded"));
    stage.until(job, "next_attempt_at IS NULL").await;
    assert_eq!(stage.objects().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_the_cluster_will_not_take_fails_the_job_with_its_message() {
    let stage = Stage::set().await;
    let job = stage.submit_with(json!({ "minAvailable": 0, "tasks": [] })).await;
    stage.reach(job, "FAILED").await;
    assert_eq!(stage.reason(job).await.as_deref(), Some("Invalid"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_reached_says_so_with_the_cursor_to_resume_after() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    stage.run_pod(job).await;
    let log = stage.log_of(job).await;
    stage.cluster_proxy().cut();
    let error = Box::pin(logs::follow(log)).next().await.unwrap().unwrap_err();
    assert_eq!(error.code, Code::ClusterUnavailable);
    assert!(error.code.is_retryable());
    let cursor = error.cursor.clone().unwrap();
    assert!(logs::Place::from_cursor(&cursor, job, 0).unwrap().pod.is_some());
}
