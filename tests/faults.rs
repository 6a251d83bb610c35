//! The server is killed with SIGKILL at the worst moments, or started before its database: nothing is lost or
//! done twice. The database and the cluster keep running behind proxies; the test acts as the scheduler.

use serde_json::{Value, json};

use crate::support::serve::Serve;
use crate::support::session::Session;
use crate::support::subscription::{JobEvent, Subscription};

async fn submit(who: &Session, retries: i32) -> String {
    let query = "mutation($i: SubmitJobInput!) { submitJob(input: $i) { job { id } } }";
    let spec = json!({ "image": "python:3.12", "retries": retries });
    let data = who.ask(query, json!({ "i": { "projectId": who.project().await, "source": { "spec": spec } } })).await;
    data["submitJob"]["job"]["id"].as_str().unwrap_or_else(|| panic!("{data}")).to_owned()
}

async fn submit_some(who: &Session, count: usize) -> Vec<String> {
    let mut jobs = Vec::new();
    for _ in 0..count {
        jobs.push(submit(who, 0).await);
    }
    jobs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_down_at_start_is_waited_for_with_a_line_in_the_log() {
    let mut serve = Serve::prepare().await;
    serve.database_proxy.cut();
    serve.start();
    let line: Value = serde_json::from_str(&serve.log_says("waiting for the database").await).unwrap();
    assert_eq!(line["level"], "WARN", "{line}");
    let database = line["database"].as_str().unwrap_or_else(|| panic!("{line}"));
    assert!(database.contains("127.0.0.1") && line["error"].is_string(), "{line}");
    serve.database_proxy.restore();
    serve.ready().await;
    let maya = serve.log_in("maya").await;
    assert_eq!(maya.ask("{ viewer { username } }", json!({})).await["viewer"]["username"], "maya");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_the_commit_and_the_cluster_s_answer_each_job_has_one_object() {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    let maya = serve.log_in("maya").await;
    // The namespace is there before answers are lost.
    let first = submit(&maya, 0).await;
    serve.until(&first, "phase = 'QUEUED'").await;
    serve.cluster_proxy.mute();
    let jobs = submit_some(&maya, 3).await;
    serve.until_objects(4).await;
    for job in &jobs {
        serve.until(job, "phase = 'SUBMITTED' AND object_uid IS NULL").await;
    }
    serve.kill().await;
    serve.cluster_proxy.restore();
    serve.run().await;
    for job in &jobs {
        serve.until(job, "phase = 'QUEUED' AND object_uid IS NOT NULL").await;
        assert_eq!(serve.phases(job).await, ["SUBMITTED", "QUEUED"]);
    }
    assert_eq!(serve.objects().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_the_cluster_heard_of_it_a_job_is_sent_by_the_next_server() {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    let maya = serve.log_in("maya").await;
    serve.cluster_proxy.cut();
    let jobs = submit_some(&maya, 3).await;
    serve.until(&jobs[0], "reason = 'ClusterUnavailable'").await;
    serve.kill().await;
    serve.cluster_proxy.restore();
    serve.run().await;
    for job in &jobs {
        serve.until(job, "phase = 'QUEUED'").await;
    }
    assert_eq!(serve.objects().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_two_attempts_a_job_goes_on_with_one_object() {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    let maya = serve.log_in("maya").await;
    let job = submit(&maya, 2).await;
    serve.until(&job, "phase = 'QUEUED'").await;
    serve.report(&job, json!({ "phase": "Running" })).await;
    serve.until(&job, "phase = 'RUNNING'").await;
    serve.report(&job, json!({ "phase": "Failed" })).await;
    serve.until(&job, "attempt = 2").await;
    serve.kill().await;
    serve.run().await;
    serve.until(&job, "object_name LIKE '%-retry-1' AND object_uid IS NOT NULL").await;
    serve.until_objects(1).await;
    serve.report(&job, json!({ "phase": "Succeeded" })).await;
    serve.until(&job, "phase = 'SUCCEEDED'").await;
    assert_eq!(serve.phases(&job).await, ["SUBMITTED", "QUEUED", "RUNNING", "QUEUED", "SUCCEEDED"]);
}

/// The next `count` events, or those until the server dies.
async fn some(feed: &mut Subscription, count: usize) -> Vec<JobEvent> {
    let mut events = Vec::new();
    while events.len() < count
        && let Some(event) = feed.next().await
    {
        events.push(event);
    }
    events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_mid_watch_and_mid_subscription_every_event_comes_once_and_in_order_to_who_resumes() {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    let maya = serve.log_in("maya").await;
    let told_before = serve.log_length().await;
    let mut feed = maya.events(None, Some(&maya.present().await)).await;
    let jobs = submit_some(&maya, 4).await;
    for job in &jobs {
        serve.until(job, "phase = 'QUEUED'").await;
    }
    // Killed while the cluster goes on: some of what it does was written, some was only seen, some was not.
    serve.report(&jobs[0], json!({ "phase": "Running" })).await;
    let mut told = some(&mut feed, 5).await;
    serve.report(&jobs[1], json!({ "phase": "Running" })).await;
    serve.report(&jobs[2], json!({ "phase": "Running" })).await;
    serve.kill().await;
    told.extend(some(&mut feed, usize::MAX).await);
    serve.report(&jobs[0], json!({ "phase": "Succeeded" })).await;
    serve.report(&jobs[2], json!({ "phase": "Failed" })).await;

    serve.run().await;
    let maya = serve.log_in("maya").await;
    let mut feed = maya.events(None, Some(&told.last().unwrap().cursor)).await;
    serve.report(&jobs[1], json!({ "phase": "Succeeded" })).await;
    serve.report(&jobs[3], json!({ "phase": "Succeeded" })).await;
    for job in &jobs {
        serve.until(job, "finished_at IS NOT NULL").await;
    }
    let log = serve.log_after(told_before).await;
    told.extend(some(&mut feed, log.len() - told.len()).await);
    let told: Vec<_> = told.into_iter().map(|event| (event.job, event.phase)).collect();
    assert_eq!(told, log);
    for (job, end) in jobs.iter().zip(["SUCCEEDED", "SUCCEEDED", "FAILED", "SUCCEEDED"]) {
        let mut phases = serve.phases(job).await;
        assert_eq!(phases.last().map(String::as_str), Some(end));
        let all = phases.len();
        phases.dedup();
        assert_eq!((phases.len(), &phases[..2]), (all, &["SUBMITTED".to_owned(), "QUEUED".to_owned()][..]));
    }
    assert_eq!(serve.objects().await.len(), jobs.len());
}
