//! A queue that is paused holds its jobs back until it is resumed; what is in the cluster already continues.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::dev::Dev;

const PAUSE: &str =
    "mutation($n: String!, $w: String!) { pauseQueue(input: { name: $n, note: $w }) { queue { name } } }";
const RESUME: &str = "mutation($n: String!) { resumeQueue(input: { name: $n }) { queue { name pausedAt } } }";
const CANCEL: &str = "mutation($id: ID!) { cancelJob(input: { id: $id }) { job { id } } }";
const JOB: &str =
    "query($id: ID!) { job(id: $id) { phase reason message pendingReason events { nodes { kind reason } } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_a_paused_queue_wait_with_its_note_and_start_when_it_is_resumed() {
    let dev = Dev::start("queues", "embedded").await.unwrap();
    let (admin, maya) = (dev.log_in("admin").await, dev.log_in("maya").await);
    let queue = json!({ "n": "default-batch", "w": "maintenance until noon" });
    dev.data(&admin, PAUSE, queue).await;

    let mut jobs = Vec::new();
    for _ in 0..3 {
        jobs.push(dev.submit_spec(&maya, "detection").await);
    }
    for job in &jobs {
        let held = dev.job_when(&maya, JOB, job, |job| job["reason"] == "QueuePaused").await;
        assert_eq!(held["phase"], "SUBMITTED", "{held}");
        assert_eq!(held["message"], "the queue default-batch is paused: maintenance until noon");
        assert_eq!(held["pendingReason"], "The queue default-batch is paused: maintenance until noon.");
    }
    // A new note is told to those that wait already, and no second event says that they wait.
    dev.data(&admin, PAUSE, json!({ "n": "default-batch", "w": "until one" })).await;
    let told = "The queue default-batch is paused: until one.";
    let held = dev.job_when(&maya, JOB, &jobs[0], |job| job["pendingReason"] == told).await;
    assert_eq!(held["events"]["nodes"].as_array().unwrap().len(), 2, "{held}");

    // One that waits for the queue was never sent, so it is cancelled at once.
    dev.data(&maya, CANCEL, json!({ "id": jobs[2] })).await;
    dev.job_when(&maya, JOB, &jobs[2], |job| job["phase"] == "CANCELLED").await;

    let resumed = std::time::Instant::now();
    let answer = dev.data(&admin, RESUME, json!({ "n": "default-batch" })).await;
    assert_eq!(answer["resumeQueue"]["queue"]["pausedAt"], Value::Null, "{answer}");
    for job in &jobs[..2] {
        let sent = dev.job_when(&maya, JOB, job, |job| job["phase"] != "SUBMITTED").await;
        let kinds: Vec<_> =
            sent["events"]["nodes"].as_array().unwrap().iter().take(2).map(|event| &event["kind"]).collect();
        assert_eq!(kinds, ["SUBMITTED", "WAITING"], "{sent}");
    }
    // Not when the worker would have looked again by itself.
    assert!(resumed.elapsed() < Duration::from_secs(50));
    dev.stop().await;
}

/// Jobs that are held back while the queue is being resumed are not forgotten, whichever comes first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_is_left_behind_by_a_resume_that_meets_it_while_it_is_held_back() {
    let dev = Dev::start("queues-meet", "embedded").await.unwrap();
    let (admin, maya) = (dev.log_in("admin").await, dev.log_in("maya").await);
    let mut jobs = Vec::new();
    for round in 0..8 {
        dev.data(&admin, PAUSE, json!({ "n": "default-batch", "w": "a moment" })).await;
        jobs.push(dev.submit_spec(&maya, "detection").await);
        tokio::time::sleep(Duration::from_millis(round * 4)).await;
        dev.data(&admin, RESUME, json!({ "n": "default-batch" })).await;
    }
    for job in &jobs {
        dev.job_when(&maya, JOB, job, |job| job["phase"] != "SUBMITTED").await;
    }
    dev.stop().await;
}
