//! Reading a task's log through the API: following, resuming, changing pods, and rejected requests.
//!
//! Uses the real binary and a WebSocket; the simulators act as pods, on the embedded cluster and a real API server.

use serde_json::{Value, json};

use crate::support::dev::{Dev, Socket, pod};

const FOLLOW: &str = "subscription($job: ID!, $task: Int, $tail: Int, $after: FeedCursor) {
    jobLogs(jobId: $job, task: $task, tailLines: $tail, after: $after) { cursor task pod podUid end lines { at text } } }";

/// A pod that writes the numbers from 1 to `count` in so many seconds, ten times faster here.
fn counting(count: usize, seconds: usize) -> String {
    let lines: Vec<String> = (1..=count).map(|number| number.to_string()).collect();
    let log = lines.join("\\n");
    pod(&format!(r#"{{sim.platform/duration: "{seconds}s", sim.platform/log: "{log}"}}"#))
}

fn texts(chunk: &Value) -> Vec<String> {
    let lines = chunk["lines"].as_array().unwrap_or_else(|| panic!("{chunk}"));
    lines.iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect()
}

/// The next chunk.
async fn chunk(socket: &mut Socket) -> Value {
    let mut payload = socket.next().await.unwrap();
    assert!(payload["errors"].is_null(), "{payload}");
    payload["data"]["jobLogs"].take()
}

/// All lines up to the end, which is complete.
async fn rest(socket: &mut Socket) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let chunk = chunk(socket).await;
        lines.extend(texts(&chunk));
        if !chunk["end"].is_null() {
            assert_eq!(chunk["end"], "COMPLETE", "{chunk}");
            assert_eq!(socket.next().await.unwrap_err(), "complete");
            return lines;
        }
    }
}

fn numbers(from: usize, to: usize) -> Vec<String> {
    (from..=to).map(|number| number.to_string()).collect()
}

async fn followed_and_resumed(cluster: &str) {
    let Some(dev) = Dev::start("job_logs", cluster).await else { return };
    let token = dev.log_in("maya").await;
    let job = dev.submit_yaml(&token, "count", &counting(40, 40), "configfile-job").await;

    // From before there is a pod to the end.
    let mut whole = dev.subscribe(&token, FOLLOW, json!({ "job": job })).await;
    // A client that drops its connection after each chunk and resumes after the cursor.
    let (mut told, mut after) = (Vec::new(), Value::Null);
    loop {
        let mut socket = dev.subscribe(&token, FOLLOW, json!({ "job": job, "after": after })).await;
        let chunk = chunk(&mut socket).await;
        told.extend(texts(&chunk));
        after = chunk["cursor"].clone();
        if !chunk["end"].is_null() {
            break;
        }
    }
    assert_eq!(told, numbers(1, 40));
    assert_eq!(rest(&mut whole).await, numbers(1, 40));

    let mut tail = dev.subscribe(&token, FOLLOW, json!({ "job": job, "tail": 3 })).await;
    assert_eq!(rest(&mut tail).await, numbers(38, 40));
    let mut nothing = dev.subscribe(&token, FOLLOW, json!({ "job": job, "tail": 0 })).await;
    assert_eq!(rest(&mut nothing).await, numbers(1, 0));
    let mut ended = dev.subscribe(&token, FOLLOW, json!({ "job": job, "after": after })).await;
    assert_eq!(rest(&mut ended).await, numbers(1, 0));
    dev.stop().await;
}

#[tokio::test]
async fn embedded_a_log_is_followed_to_its_end_and_resumed_without_repeat_or_loss() {
    followed_and_resumed("embedded").await;
}

#[tokio::test]
async fn real_a_log_is_followed_to_its_end_and_resumed_without_repeat_or_loss() {
    followed_and_resumed("real").await;
}

async fn read_once_for_all_who_follow_it(cluster: &str) {
    const READERS: u64 = 5;
    let Some(dev) = Dev::start("job_logs", cluster).await else { return };
    let (maya, ada) = (dev.log_in("maya").await, dev.log_in("ada").await);
    let job = dev.submit_yaml(&maya, "count", &counting(60, 60), "configfile-job").await;
    let mut log = dev.subscribe(&maya, FOLLOW, json!({ "job": job })).await;
    let mut begun = texts(&chunk(&mut log).await);
    let before = [
        dev.counter("platform_log_connections_total").await,
        dev.counter("platform_subscription_executions_total").await,
    ];
    let mut others = Vec::new();
    for number in 0..READERS {
        let token = if number % 2 == 0 { &maya } else { &ada };
        others.push(dev.subscribe(token, FOLLOW, json!({ "job": job })).await);
    }
    begun.extend(rest(&mut log).await);
    assert_eq!(begun, numbers(1, 60));
    for mut other in others {
        assert_eq!(rest(&mut other).await, numbers(1, 60));
    }
    let connections = dev.counter("platform_log_connections_total").await - before[0];
    let executions = dev.counter("platform_subscription_executions_total").await - before[1];
    // Each reads the last pod once more when it has ended, to know that nothing is missing.
    assert!(connections <= READERS + 2, "{connections} connections");
    assert!(executions < 60 + 2 * READERS + 20, "{executions} executions for {READERS} readers of 60 lines");
    dev.stop().await;
}

#[tokio::test]
async fn embedded_a_log_is_read_once_for_all_who_follow_it() {
    read_once_for_all_who_follow_it("embedded").await;
}

#[tokio::test]
async fn real_a_log_is_read_once_for_all_who_follow_it() {
    read_once_for_all_who_follow_it("real").await;
}

#[tokio::test]
async fn a_preempted_task_s_log_goes_on_with_its_next_pod() {
    let Some(dev) = Dev::start("job_logs", "embedded").await else { return };
    let token = dev.log_in("maya").await;
    // Both jobs want every GPU of the cluster; the queue of the second may preempt the first.
    let flash_job = |seconds: usize| {
        let log = numbers(1, 20).join("\\n");
        let task = format!(
            r#"{{metadata: {{annotations: {{sim.platform/duration: "{seconds}s", sim.platform/log: "{log}"}}}}, spec: {{containers: [{{name: main, image: busybox, resources: {{limits: {{nvidia.com/gpu: "8"}}}}}}]}}}}"#
        );
        format!(
            "apiVersion: scheduling.flash-sched.io/v1alpha1\nkind: FlashJob\nmetadata: {{name: all}}\nspec: {{minAvailable: 2, tasks: [{task}, {task}]}}\n"
        )
    };
    let job = dev.submit_yaml(&token, "first", &flash_job(100), "default-batch").await;
    let mut log = dev.subscribe(&token, FOLLOW, json!({ "job": job, "task": 1 })).await;
    let begun = chunk(&mut log).await;
    assert_eq!(texts(&begun)[0], "1", "{begun}");
    let second = dev.submit_yaml(&token, "second", &flash_job(10), "configfile-job").await;

    let (mut of_first, mut of_next) = (texts(&begun), Vec::new());
    loop {
        let chunk = chunk(&mut log).await;
        let lines = if chunk["podUid"] == begun["podUid"] { &mut of_first } else { &mut of_next };
        lines.extend(texts(&chunk));
        if !chunk["end"].is_null() {
            break;
        }
    }
    assert!(of_first.len() < 20 && of_first == numbers(1, of_first.len()), "{of_first:?}");
    assert_eq!(of_next, numbers(1, 20));
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Job { phase preemptions } } }";
    let answer = dev.ask(Some(&token), query, json!({ "ids": [job, second] })).await;
    assert_eq!(answer["data"]["nodes"][0]["preemptions"], 1, "{answer}");
    dev.stop().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_what_is_allowed() {
    let Some(dev) = Dev::start("job_logs", "embedded").await else { return };
    let (maya, ben) = (dev.log_in("maya").await, dev.log_in("ben").await);
    let job = dev.submit_yaml(&maya, "one", &counting(1, 600), "configfile-job").await;
    let other = dev.submit_yaml(&maya, "two", &counting(1, 1), "configfile-job").await;
    let refused = async |token: &str, variables: Value| {
        let mut socket = dev.subscribe(token, FOLLOW, variables).await;
        let payload = match socket.next().await {
            Ok(payload) => payload["errors"].clone(),
            Err(error) => {
                serde_json::from_str(error.strip_prefix("error: ").unwrap_or_else(|| panic!("{error}"))).unwrap()
            }
        };
        let told = payload.as_array().unwrap().iter().map(|error| {
            let (extensions, message) = (&error["extensions"], error["message"].as_str().unwrap());
            let field = extensions["field"].as_str().unwrap();
            format!("{} {field}: {message}", extensions["code"].as_str().unwrap()).replace(&job, "JOB")
        });
        told.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(refused(&maya, json!({ "job": job, "task": 1 })).await, @"BAD_USER_INPUT task: task was 1; it must be between 0 and 0");
    insta::assert_snapshot!(refused(&maya, json!({ "job": job, "tail": -1 })).await, @"BAD_USER_INPUT tailLines: tailLines was -1; it must be between 0 and 10000");
    insta::assert_snapshot!(refused(&maya, json!({ "job": job, "after": "x" })).await, @r#"BAD_USER_INPUT after: "x" is not a cursor of the log of task 0 of JOB"#);
    let mut socket = dev.subscribe(&maya, FOLLOW, json!({ "job": other })).await;
    let foreign = chunk(&mut socket).await["cursor"].clone();
    let told = refused(&maya, json!({ "job": job, "after": foreign })).await;
    assert!(told.ends_with("is not a cursor of the log of task 0 of JOB"), "{told}");
    insta::assert_snapshot!(refused(&ben, json!({ "job": job })).await, @r#"NOT_FOUND jobId: job "JOB" not found"#);
    dev.stop().await;
}

#[tokio::test]
async fn who_may_see_a_job_no_longer_is_told_no_more() {
    let Some(dev) = Dev::start("job_logs", "embedded").await else { return };
    let (maya, ada) = (dev.log_in("maya").await, dev.log_in("ada").await);
    let job = dev.submit_yaml(&maya, "one", &counting(600, 6000), "configfile-job").await;
    let mut log = dev.subscribe(&ada, FOLLOW, json!({ "job": job })).await;
    chunk(&mut log).await;
    let events = "subscription($f: JobEventFilter) { jobEvents(filter: $f) { job { id } } }";
    let mut named = dev.subscribe(&ada, events, json!({ "f": { "jobIds": [job] } })).await;
    let mut all = dev.subscribe(&ada, events, json!({})).await;
    let another = dev.submit_yaml(&maya, "two", &counting(1, 600), "configfile-job").await;
    assert_eq!(all.next().await.unwrap()["data"]["jobEvents"]["job"]["id"], *another);

    dev.sql("DELETE FROM group_members WHERE user_id = (SELECT id FROM users WHERE username = 'ada')").await;
    let ended = async |socket: &mut Socket| loop {
        if let Err(told) = socket.next().await {
            let errors: Value =
                serde_json::from_str(told.strip_prefix("error: ").unwrap_or_else(|| panic!("{told}"))).unwrap();
            let error = &errors[0];
            return format!("{} {}", error["extensions"]["code"], error["message"]).replace(&job, "JOB");
        }
    };
    insta::assert_snapshot!(ended(&mut log).await, @r#""NOT_FOUND" "job \"JOB\" not found""#);
    insta::assert_snapshot!(ended(&mut named).await, @r#""NOT_FOUND" "job \"JOB\" not found""#);

    // The feed of everything goes on, with what is left to see: first nothing, then another group's jobs.
    dev.submit_yaml(&maya, "three", &counting(1, 600), "configfile-job").await;
    dev.sql("INSERT INTO group_members (group_id, user_id, role) SELECT g.id, u.id, 'MEMBER' FROM groups g, users u WHERE g.name = 'language' AND u.username = 'ada'").await;
    let seen = dev.submit_spec(&maya, "corpus").await;
    loop {
        let told = all.next().await.unwrap()["data"]["jobEvents"]["job"]["id"].clone();
        // What was on its way when the group was left.
        if told != *another {
            assert_eq!(told, *seen);
            break;
        }
    }
    dev.stop().await;
}
