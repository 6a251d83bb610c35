//! What a feed selects, the cursors that it takes, and what its events have for a list that a client has loaded.

use serde_json::{Value, json};

use super::stage::{JOB, Socket, Stage};
use crate::support::session::{Session, http_client};

/// The errors of an operation, each as its field and its message.
async fn refused(who: &Session, query: &str) -> String {
    let request = http_client().post(&who.graphql_url).bearer_auth(&who.token).json(&json!({ "query": query }));
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    let errors = answer["errors"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let told = errors.iter().map(|error| format!("{}: {}", error["extensions"]["field"], error["message"]));
    told.collect::<Vec<_>>().join("\n")
}

async fn refused_feed(stage: &Stage, who: &Session, query: &str) -> String {
    let told = stage.stream(who, "text/event-stream", query, None).await.whole().await;
    let data = told.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or_else(|| panic!("{told}"));
    let errors: Value = serde_json::from_str(data).unwrap();
    let error = &errors["errors"][0];
    format!("{} {}: {}", error["extensions"]["code"], error["extensions"]["field"], error["message"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_in_the_wrong_place_is_refused_with_what_it_is_and_what_belongs_there() {
    let stage = Stage::set().await;
    let ada = stage.log_in("ada").await;
    let query =
        "{ jobs(first: 1) { edges { cursor node { id events(first: 1) { edges { cursor node { cursor } } } } } } }";
    let data = ada.ask(query, json!({})).await;
    let edge = &data["jobs"]["edges"][0];
    let of_list = edge["cursor"].as_str().unwrap();
    let of_history = edge["node"]["events"]["edges"][0]["cursor"].as_str().unwrap();
    let of_event = edge["node"]["events"]["edges"][0]["node"]["cursor"].as_str().unwrap();
    let job = edge["node"]["id"].as_str().unwrap();
    let of_log = platform::jobs::logs::Place::start(job.parse().unwrap(), 0).cursor();
    let named = |told: String| {
        let told = told.replace(of_list, "LIST").replace(of_history, "HISTORY").replace(of_event, "EVENT");
        told.replace(&of_log, "LOG").replace(&of_log[..80.min(of_log.len())], "LOG").replace(job, "JOB")
    };

    let mut told = Vec::new();
    for cursor in [of_list, of_history, &of_log, "what"] {
        let query = format!("subscription {{ jobEvents(after: \"{cursor}\") {{ cursor }} }}");
        told.push(named(refused_feed(&stage, &ada, &query).await));
    }
    for cursor in [of_list, of_event] {
        let query = format!("subscription {{ jobLogs(jobId: \"{job}\", after: \"{cursor}\") {{ cursor }} }}");
        told.push(named(refused_feed(&stage, &ada, &query).await));
    }
    for cursor in [of_event, &of_log, of_history] {
        told.push(named(refused(&ada, &format!("{{ jobs(after: \"{cursor}\") {{ totalCount }} }}")).await));
    }
    for cursor in [of_event, of_list] {
        let query = format!("{{ job(id: \"{job}\") {{ events(before: \"{cursor}\") {{ totalCount }} }} }}");
        told.push(named(refused(&ada, &query).await));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    "BAD_USER_INPUT" "after": "\"LIST\" is a cursor of a list; this subscription takes the cursor of one of its events, or eventCursor"
    "BAD_USER_INPUT" "after": "\"HISTORY\" is a cursor of a list; this subscription takes the cursor of one of its events, or eventCursor"
    "BAD_USER_INPUT" "after": "\"LOG\" is a cursor of the log of a task; this subscription takes the cursor of one of its events, or eventCursor"
    "BAD_USER_INPUT" "after": "\"what\" is not a cursor of this feed"
    "BAD_USER_INPUT" "after": "\"LIST\" is a cursor of a list; this subscription takes the cursor of one of its chunks"
    "BAD_USER_INPUT" "after": "\"EVENT\" is a cursor of the event log; this subscription takes the cursor of one of its chunks"
    "after": "\"EVENT\" is a cursor of the event log; this list takes the cursor of one of its edges, or one of its pageInfo"
    "after": "\"LOG\" is a cursor of the log of a task; this list takes the cursor of one of its edges, or one of its pageInfo"
    "after": "after is a cursor of a list in a different order"
    "before": "\"EVENT\" is a cursor of the event log; this list takes the cursor of one of its edges, or one of its pageInfo"
    "before": "before is a cursor of a list in a different order"
    "#);
}

/// The phases before and after of the next events, as many as there are.
async fn told(socket: &mut Socket, count: usize) -> Vec<String> {
    let mut told = Vec::new();
    while told.len() < count {
        let message = socket.word().await;
        let event = &message["payload"]["data"]["jobEvents"];
        told.push(format!("{} -> {}", event["previousPhase"].as_str().unwrap(), event["phase"].as_str().unwrap()));
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shows_the_jobs_in_a_phase_is_told_which_join_and_which_leave() {
    let stage = Stage::set().await;
    let ada = stage.log_in("ada").await;
    let start = stage.present(&ada).await;
    let mut socket = Socket::open(&ada).await;
    socket.subscribe("1", json!({ "phases": ["RUNNING"] }), Some(&start)).await;
    for (from, to) in [("SUBMITTED", "QUEUED"), ("QUEUED", "RUNNING"), ("RUNNING", "FAILED"), ("FAILED", "FAILED")] {
        stage.tell(JOB, from, to).await;
    }
    let last = stage.tell(JOB, "QUEUED", "RUNNING").await;
    assert_eq!(told(&mut socket, 3).await, ["QUEUED -> RUNNING", "RUNNING -> FAILED", "QUEUED -> RUNNING"]);
    socket.until_pinged("1", last).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_jobs_of_one_person_can_be_followed_as_they_can_be_listed() {
    let stage = Stage::set().await;
    let (maya, ada) = (stage.log_in("maya").await, stage.log_in("ada").await);
    let id = async |who: &Session| who.ask("{ viewer { id } }", json!({})).await["viewer"]["id"].clone();
    let (of_maya, of_ada) = (id(&maya).await, id(&ada).await);
    let start = stage.present(&maya).await;
    let mut socket = Socket::open(&maya).await;
    socket.subscribe("ada", json!({ "submittedBy": of_ada }), Some(&start)).await;
    stage
        .execute(
            "UPDATE jobs SET submitted_by = (SELECT id FROM users WHERE username = 'maya') WHERE name = 'train-resnet'",
        )
        .await;
    stage.tell("train-resnet", "QUEUED", "FAILED").await;
    stage.tell(JOB, "QUEUED", "RUNNING").await;
    assert_eq!(told(&mut socket, 1).await, ["QUEUED -> RUNNING"]);
    let query = format!("subscription {{ jobEvents(filter: {{ mine: true, submittedBy: {of_ada} }}) {{ cursor }} }}");
    insta::assert_snapshot!(refused_feed(&stage, &maya, &query).await, @r#""BAD_USER_INPUT" "filter.submittedBy": "mine cannot be combined with another person's submittedBy""#);
    // What somebody submitted in a group that the viewer is not in is none of the viewer's business.
    let ben = stage.log_in("ben").await;
    let mut other = Socket::open(&ben).await;
    other.subscribe("1", json!({ "submittedBy": of_maya }), Some(&start)).await;
    let last = stage.tell("train-resnet", "QUEUED", "FAILED").await;
    other.until_pinged("1", last).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_edge_of_an_event_is_the_edge_of_the_list_of_jobs() {
    let stage = Stage::set().await;
    let ada = stage.log_in("ada").await;
    let query = "{ jobs { edges { cursor node { id name queue } } } eventCursor }";
    let data = ada.ask(query, json!({})).await;
    let edges = data["jobs"]["edges"].as_array().unwrap();
    let listed = edges.iter().find(|edge| edge["node"]["name"] == JOB).unwrap();
    stage.tell(JOB, "QUEUED", "RUNNING").await;
    let query =
        "subscription($after: FeedCursor) { jobEvents(after: $after) { jobEdge { cursor node { id name queue } } } }";
    let mut stream = stage.stream(&ada, "text/event-stream", query, data["eventCursor"].as_str()).await;
    let text = stream.until("data: ").await.to_owned();
    let told = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let told: Value = serde_json::from_str(told).unwrap();
    assert_eq!(&told["data"]["jobEvents"]["jobEdge"], listed);
    // The list goes on where the edge is.
    let after = told["data"]["jobEvents"]["jobEdge"]["cursor"].as_str().unwrap();
    let rest =
        ada.ask("query($after: String) { jobs(after: $after) { edges { cursor } } }", json!({ "after": after })).await;
    let place = edges.iter().position(|edge| edge == listed).unwrap();
    assert_eq!(rest["jobs"]["edges"].as_array().unwrap().len(), edges.len() - place - 1);
}
