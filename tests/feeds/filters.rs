//! What a feed selects, the cursors that it takes, and what its events have for a list that a client has loaded.

use std::collections::{BTreeMap, BTreeSet};

use platform::events::Seq;
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

/// The names of the jobs that each operation is told about until all of them have come to `last`.
async fn named(socket: &mut Socket, operations: &[String], last: Seq) -> BTreeMap<String, BTreeSet<String>> {
    let mut names: BTreeMap<String, BTreeSet<String>> =
        operations.iter().map(|operation| (operation.clone(), BTreeSet::new())).collect();
    let mut open: BTreeSet<&String> = operations.iter().collect();
    while !open.is_empty() {
        let message = socket.hear().await;
        if message["type"] == "ping" {
            let cursors = &message["payload"]["cursors"];
            let reached = |id: &&String| cursors[id.as_str()].as_str().map(|text| Seq::from_cursor(text).unwrap());
            open.retain(|id| reached(id).is_none_or(|seq| seq < last));
            continue;
        }
        let name =
            message["payload"]["data"]["jobEvents"]["job"]["name"].as_str().unwrap_or_else(|| panic!("{message}"));
        names.get_mut(message["id"].as_str().unwrap()).unwrap().insert(name.to_owned());
    }
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_selects_the_jobs_that_a_list_with_the_same_filter_has_whether_replayed_or_live() {
    let stage = Stage::set().await;
    let maya = stage.log_in("maya").await;
    stage
        .execute(
            "UPDATE jobs SET queue = 'configfile-job', config_commit_id = (SELECT id FROM config_commits ORDER BY id LIMIT 1)
              WHERE name = 'train-resnet';
             UPDATE jobs SET phase = 'QUEUED', finished_at = NULL WHERE name = 'outline-cells'",
        )
        .await;
    let all = maya.ask("{ viewer { id } jobs { nodes { name phase submittedAt finishedAt commit { configFile { id } } project { id } } } }", json!({})).await;
    let jobs = all["jobs"]["nodes"].as_array().unwrap();
    let of = |name: &str| jobs.iter().find(|job| job["name"] == name).unwrap_or_else(|| panic!("{jobs:?}"));
    let (resnet, batch) = (of("train-resnet"), of(JOB));
    let filters = [
        json!({}),
        json!({ "names": ["train-resnet", "outline-cells", "nobody"] }),
        json!({ "names": [] }),
        json!({ "search": "TR res" }),
        json!({ "search": "tr" }),
        json!({ "search": "ain" }),
        json!({ "queues": ["configfile-job"] }),
        json!({ "configFileId": resnet["commit"]["configFile"]["id"] }),
        json!({ "submittedAt": { "from": batch["submittedAt"] } }),
        json!({ "submittedAt": { "to": batch["submittedAt"] } }),
        json!({ "finishedAt": { "from": batch["finishedAt"] } }),
        json!({ "finishedAt": { "from": resnet["finishedAt"], "to": batch["finishedAt"] } }),
        json!({ "finishedAt": {} }),
        json!({ "mine": true }),
        json!({ "submittedBy": all["viewer"]["id"], "search": "cells" }),
        json!({ "projectId": resnet["project"]["id"], "search": "train", "queues": ["default-batch"] }),
    ];
    let mut listed = Vec::new();
    for filter in &filters {
        let query = "query($f: JobFilter) { jobs(filter: $f) { nodes { name } } }";
        let data = maya.ask(query, json!({ "f": filter })).await;
        let names =
            data["jobs"]["nodes"].as_array().unwrap().iter().map(|job| job["name"].as_str().unwrap().to_owned());
        listed.push(names.collect::<BTreeSet<_>>());
    }
    assert!(listed.iter().collect::<BTreeSet<_>>().len() > 6, "the filters select something: {listed:?}");

    let start = stage.present(&maya).await;
    let operations: Vec<String> = (0..filters.len()).map(|number| number.to_string()).collect();
    let mut live = Socket::open(&maya).await;
    for (id, filter) in operations.iter().zip(&filters) {
        live.subscribe(id, filter.clone(), None).await;
    }
    let joined = stage.number("SELECT max(seq) FROM events").await;
    for id in &operations {
        live.until_pinged(id, Seq(joined)).await;
    }
    let mut last = Seq(0);
    for job in jobs {
        let phase = job["phase"].as_str().unwrap();
        last = stage.tell(job["name"].as_str().unwrap(), phase, phase).await;
    }
    let told_live = named(&mut live, &operations, last).await;
    let mut replayed = Socket::open(&maya).await;
    for (id, filter) in operations.iter().zip(&filters) {
        replayed.subscribe(id, filter.clone(), Some(&start)).await;
    }
    let told_later = named(&mut replayed, &operations, last).await;
    for ((id, filter), names) in operations.iter().zip(&filters).zip(&listed) {
        assert_eq!((&told_live[id], &told_later[id]), (names, names), "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bad_field_of_a_filter_is_told_and_a_config_file_must_be_one_that_can_be_seen() {
    let stage = Stage::set().await;
    let ada = stage.log_in("ada").await;
    let range = "{ from: \"2026-11-02T00:00:00Z\", to: \"2026-11-01T00:00:00Z\" }";
    let mut told = String::new();
    for field in
        ["search: \"--\"", "configFileId: \"x\"", &format!("submittedAt: {range}"), &format!("finishedAt: {range}")]
    {
        let query = format!("subscription {{ jobEvents(filter: {{ names: [\"a\"], {field} }}) {{ cursor }} }}");
        told += &format!("{}\n", refused_feed(&stage, &ada, &query).await);
    }
    insta::assert_snapshot!(told, @r#"
    "BAD_USER_INPUT" "filter.search": "\"--\" cannot be searched for: it must have a letter or a digit"
    "BAD_USER_INPUT" "filter.configFileId": "\"x\" is not a config id: it must be \"config_\" followed by 26 characters of 0-9 a-z without i, l, o, u"
    "BAD_USER_INPUT" "filter.submittedAt.to": "2026-11-01T00:00:00+00:00 is before 2026-11-02T00:00:00+00:00, the beginning of the range; it must be the same or later"
    "BAD_USER_INPUT" "filter.finishedAt.to": "2026-11-01T00:00:00+00:00 is before 2026-11-02T00:00:00+00:00, the beginning of the range; it must be the same or later"
    "#);
    let admin = stage.log_in("admin").await;
    let files = admin.ask("{ configFiles(filter: { names: [\"tokenize.yaml\"] }) { nodes { id } } }", json!({})).await;
    let file = files["configFiles"]["nodes"][0]["id"].as_str().unwrap();
    let query = format!("subscription {{ jobEvents(filter: {{ configFileId: \"{file}\" }}) {{ cursor }} }}");
    assert_eq!(
        refused_feed(&stage, &ada, &query).await.replace(file, "FILE"),
        "\"NOT_FOUND\" \"filter.configFileId\": \"config file \\\"FILE\\\" not found\""
    );
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
