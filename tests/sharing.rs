//! Equal subscriptions are executed once per event, and no subscriber receives what only another may see.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::dev::{Dev, Socket};

const LIFE: [&str; 4] = ["SUBMITTED", "QUEUED", "RUNNING", "SUCCEEDED"];

/// Asks for something that everybody who sees the job may know, and for something that few may.
const PRIVATE: &str = "subscription($filter: JobEventFilter, $after: FeedCursor) {
    jobEvents(filter: $filter, after: $after) { cursor phase job { id submittedBy { username email } } }
}";

const PUBLIC: &str = "subscription($filter: JobEventFilter, $after: FeedCursor) {
    jobEvents(filter: $filter, after: $after) { cursor phase job { id name project { name } } }
}";

/// A cursor before everything that is still to come.
async fn present(dev: &Dev, token: &str) -> String {
    let query = "{ jobs(first: 1) { nodes { events(last: 1) { nodes { cursor } } } } }";
    let answer = dev.ask(Some(token), query, json!({})).await;
    answer["data"]["jobs"]["nodes"][0]["events"]["nodes"][0]["cursor"].as_str().unwrap().to_owned()
}

/// What a subscriber is told of `job` until it is in `phase`.
async fn until(socket: &mut Socket, job: &str, phase: &str) -> Vec<Value> {
    let mut told = Vec::new();
    loop {
        let payload = socket.next().await.unwrap();
        let event = &payload["data"]["jobEvents"];
        if event["job"]["id"] != job {
            continue;
        }
        let last = event["phase"] == phase;
        told.push(payload);
        if last {
            return told;
        }
    }
}

fn phases(told: &[Value]) -> Vec<&str> {
    let mut phases: Vec<_> = told.iter().map(|told| told["data"]["jobEvents"]["phase"].as_str().unwrap()).collect();
    phases.dedup();
    phases
}

fn emails(told: &[Value]) -> BTreeSet<Option<&str>> {
    told.iter().map(|told| told["data"]["jobEvents"]["job"]["submittedBy"]["email"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_subscribers_of_several_people_share_one_execution_an_event() {
    let Some(dev) = Dev::start("sharing", "embedded").await else { return };
    let (ada, maya) = (dev.log_in("ada").await, dev.log_in("maya").await);
    let after = present(&dev, &ada).await;
    let mut sockets = Vec::new();
    for token in [&ada, &maya].into_iter().cycle().take(40) {
        sockets.push(dev.subscribe(token, PUBLIC, json!({ "after": after })).await);
    }
    let before = dev.counter("platform_subscription_executions_total").await;
    let job = dev.submit_spec(&ada, "detection").await;
    let mut heard = BTreeSet::new();
    let mut events = 0;
    for socket in &mut sockets {
        let told = until(socket, &job, "SUCCEEDED").await;
        assert_eq!(phases(&told), LIFE);
        events = told.len();
        heard.insert(json!(told).to_string());
    }
    assert_eq!(heard.len(), 1, "all are told the same");
    let executions = dev.counter("platform_subscription_executions_total").await - before;
    assert_eq!(executions, events as u64, "one execution an event");
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_crosses_from_one_scope_to_another_and_a_changed_right_counts_at_once() {
    let Some(dev) = Dev::start("sharing", "embedded").await else { return };
    let [ada, maya, admin, ben] =
        [dev.log_in("ada").await, dev.log_in("maya").await, dev.log_in("admin").await, dev.log_in("ben").await];
    dev.sql("UPDATE users SET email = username || '@example.org'").await;
    let after = present(&dev, &admin).await;
    let mut sockets = Vec::new();
    // Everybody twice, the submitter neither first nor last.
    for token in [&maya, &ada, &admin, &maya, &ada, &admin] {
        sockets.push(dev.subscribe(token, PRIVATE, json!({ "after": after })).await);
    }
    let mut stranger = dev.subscribe(&ben, PRIVATE, json!({ "after": after })).await;
    let job = dev.submit_spec(&ada, "detection").await;
    let (known, hidden) = (BTreeSet::from([Some("ada@example.org")]), BTreeSet::from([None]));
    for (socket, expected) in sockets.iter_mut().zip([&hidden, &known, &known, &hidden, &known, &known]) {
        let told = until(socket, &job, "SUCCEEDED").await;
        assert_eq!(phases(&told), LIFE);
        assert_eq!(emails(&told), *expected);
    }

    // Maya becomes a platform admin in the middle of her subscriptions; the others' rights stay.
    dev.sql("UPDATE users SET platform_role = 'ADMIN' WHERE username = 'maya'").await;
    let job = dev.submit_spec(&ada, "detection").await;
    for (socket, expected) in sockets.iter_mut().zip([&known, &known, &known, &known, &known, &known]) {
        assert_eq!(emails(&until(socket, &job, "SUCCEEDED").await), *expected);
    }
    dev.sql("UPDATE users SET platform_role = 'USER' WHERE username = 'maya'").await;
    let job = dev.submit_spec(&ada, "detection").await;
    for (socket, expected) in sockets.iter_mut().zip([&hidden, &known, &known, &hidden, &known, &known]) {
        assert_eq!(emails(&until(socket, &job, "SUCCEEDED").await), *expected);
    }

    // The first that the stranger hears of is their own, though all of the others' were executed before.
    let own = dev.submit_spec(&ben, "corpus").await;
    let first = stranger.next().await.unwrap();
    assert_eq!(first["data"]["jobEvents"]["job"]["id"], own.as_str(), "{first}");
    dev.stop().await;
}

const PROJECTS: &str = "{ viewer { username } projects(first: 100) { nodes { name } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_queries_of_one_person_are_executed_together_and_see_what_was_there_when_they_were_asked() {
    let Some(dev) = Dev::start("sharing", "embedded").await else { return };
    let (maya, ada) = (dev.log_in("maya").await, dev.log_in("ada").await);
    let groups = dev.ask(Some(&maya), "{ groups(first: 10) { nodes { id name } } }", json!({})).await;
    let groups = groups["data"]["groups"]["nodes"].as_array().unwrap();
    let vision = groups.iter().find(|group| group["name"] == "vision").unwrap()["id"].clone();
    let create = "mutation($i: CreateProjectInput!) { createProject(input: $i) { project { id } } }";
    let asked_at_once =
        async |token: &str| futures::future::join_all((0..12).map(|_| dev.ask(Some(token), PROJECTS, json!({})))).await;
    for number in 0..10 {
        let name = format!("new-{number}");
        let made = dev.ask(Some(&maya), create, json!({ "i": { "groupId": vision, "name": name } })).await;
        assert!(made["errors"].is_null(), "{made}");
        let (of_maya, of_ada) = tokio::join!(asked_at_once(&maya), asked_at_once(&ada));
        for (answers, username) in [(of_maya, "maya"), (of_ada, "ada")] {
            for answer in answers {
                assert_eq!(answer["data"]["viewer"]["username"], username);
                let names = answer["data"]["projects"]["nodes"].as_array().unwrap();
                assert!(names.iter().any(|project| project["name"] == *name), "{name} is missing: {answer}");
            }
        }
    }
    assert!(dev.counter("platform_shared_queries_total").await > 0);
    // Errors name their request, so each has its own.
    let missing = "query($id: ID!) { job(id: $id) { id } }";
    let id = json!({ "id": "job_00000000000000000000000000" });
    let errors = futures::future::join_all((0..12).map(|_| dev.ask(Some(&maya), missing, id.clone()))).await;
    let requests: BTreeSet<_> =
        errors.iter().map(|answer| answer["errors"][0]["extensions"]["requestId"].to_string()).collect();
    assert_eq!(requests.len(), errors.len(), "{errors:?}");
    dev.stop().await;
}
