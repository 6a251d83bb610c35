//! A subscription that few events or none concern moves on with the log.

use std::collections::BTreeMap;
use std::time::Duration;

use platform::events::Seq;
use serde_json::{Value, json};

use super::stage::{JOB, Socket, Stage};

const FAILURES: &str =
    "subscription($after: FeedCursor) { jobEvents(filter: { phases: [CANCELLED] }, after: $after) { cursor } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_nothing_concerns_outlives_the_retention_with_the_cursors_of_its_pings() {
    let stage = Stage::set().await;
    let ada = stage.log_in("ada").await;
    let mut socket = Socket::open(&ada).await;
    let start = stage.present(&ada).await;
    socket.subscribe("rare", json!({ "phases": ["CANCELLED"] }), Some(&start)).await;
    socket.until_pinged("rare", Seq::from_cursor(&start).unwrap()).await;
    let mut last = Seq(0);
    for _ in 0..5 {
        last = stage.tell(JOB, "QUEUED", "RUNNING").await;
    }
    let reached = socket.until_pinged("rare", last).await;
    assert_eq!(reached, last);
    stage.grow_old(1000).await;

    let mut socket = Socket::open(&ada).await;
    socket.subscribe("where it began", json!({ "phases": ["CANCELLED"] }), Some(&start)).await;
    let refused = socket.word().await;
    assert_eq!(refused["payload"][0]["extensions"]["code"], "RESUME_EXPIRED", "{refused}");
    socket.subscribe("where it was", json!({ "phases": ["CANCELLED"] }), Some(&reached.cursor())).await;
    let rare = stage.tell(JOB, "RUNNING", "CANCELLED").await;
    assert_eq!(socket.word().await["payload"]["data"]["jobEvents"]["cursor"], rare.cursor());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_other_groups_and_of_other_topics_move_a_subscription_on() {
    let stage = Stage::set().await;
    let (ada, ben) = (stage.log_in("ada").await, stage.log_in("ben").await);
    for who in [&ada, &ben] {
        let mut socket = Socket::open(who).await;
        // A cursor that this replica's bus has not necessarily heard of yet.
        let start = stage.tell(JOB, "QUEUED", "QUEUED").await;
        socket.subscribe("mine", json!({ "mine": true, "phases": ["CANCELLED"] }), Some(&start.cursor())).await;
        socket.until_pinged("mine", start).await;
        let last = stage.tell(JOB, "QUEUED", "RUNNING").await;
        socket.until_pinged("mine", last).await;
    }
}

/// What a socket heard of an operation: the number of an event, or of a ping.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Heard {
    Event(Seq),
    Ping(Seq),
}

fn seq(cursor: &Value) -> Seq {
    Seq::from_cursor(cursor.as_str().unwrap_or_else(|| panic!("{cursor}"))).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_resumes_after_any_ping_misses_nothing_and_is_told_nothing_twice() {
    let stage = Stage::set().await;
    let ada = stage.log_in("ada").await;
    let start = stage.present(&ada).await;
    let filters = BTreeMap::from([
        ("all", json!({})),
        ("few", json!({ "phases": ["CANCELLED"] })),
        ("mine", json!({ "mine": true, "phases": ["FAILED"] })),
        ("none", json!({ "jobIds": [] })),
    ]);
    let mut socket = Socket::open(&ada).await;
    for (id, filter) in &filters {
        socket.subscribe(id, filter.clone(), Some(&start)).await;
    }
    let mut heard: BTreeMap<&str, Vec<Heard>> = filters.keys().map(|id| (*id, Vec::new())).collect();
    let writing = async {
        let mut last = Seq(0);
        for number in 0..150 {
            let phase = ["QUEUED", "RUNNING", "RUNNING", "FAILED", "RUNNING", "CANCELLED"][number % 6];
            last = stage.tell(JOB, "RUNNING", phase).await;
            // Pings fall between events, and into bursts of them.
            if number % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(120)).await;
            }
        }
        last
    };
    let mut writing = std::pin::pin!(writing);
    let mut end = None;
    loop {
        let message = tokio::select! {
            last = &mut writing, if end.is_none() => {
                end = Some(last);
                continue;
            }
            message = socket.hear() => message,
        };
        match message["type"].as_str() {
            Some("next") => {
                let id = message["id"].as_str().unwrap();
                heard.get_mut(id).unwrap().push(Heard::Event(seq(&message["payload"]["data"]["jobEvents"]["cursor"])));
            }
            Some("ping") => {
                let cursors = message["payload"]["cursors"].as_object().cloned().unwrap_or_default();
                for (id, cursor) in &cursors {
                    heard.get_mut(id.as_str()).unwrap().push(Heard::Ping(seq(cursor)));
                }
                if end.is_some_and(|end| cursors.len() == 4 && cursors.values().all(|cursor| seq(cursor) >= end)) {
                    break;
                }
            }
            _ => panic!("{message}"),
        }
    }
    for (id, heard) in &heard {
        let mut position = Seq::from_cursor(&start).unwrap();
        for item in heard {
            match item {
                Heard::Event(seq) => assert!(*seq > position, "{id}: {seq} after {position} was told"),
                Heard::Ping(seq) => assert!(*seq >= position, "{id}: back from {position} to {seq}"),
            }
            let (Heard::Event(seq) | Heard::Ping(seq)) = item;
            position = *seq;
        }
        // Every place at which a ping came: what follows it is what a resumed subscription is told.
        let pings = heard.iter().enumerate().filter(|(_, item)| matches!(item, Heard::Ping(_)));
        for (place, item) in pings.step_by(3) {
            let Heard::Ping(after) = item else { unreachable!() };
            let rest = heard[place..].iter().filter(|item| matches!(item, Heard::Event(_)));
            let mut resumed = Socket::open(&ada).await;
            resumed.subscribe(id, filters[id].clone(), Some(&after.cursor())).await;
            for expected in rest {
                let told = seq(&resumed.word().await["payload"]["data"]["jobEvents"]["cursor"]);
                assert_eq!(Heard::Event(told), *expected, "{id} after {after}");
            }
            // And nothing else.
            resumed.until_pinged(id, end.unwrap()).await;
        }
    }
    assert!(heard["few"].iter().any(|item| matches!(item, Heard::Event(_))));
    assert!(heard["none"].iter().all(|item| matches!(item, Heard::Ping(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_a_group_is_not_told_what_was_before_the_last_ping() {
    let stage = Stage::set().await;
    let ben = stage.log_in("ben").await;
    let mut socket = Socket::open(&ben).await;
    socket.subscribe("all", json!({}), None).await;
    let before = stage.tell(JOB, "QUEUED", "RUNNING").await;
    socket.until_pinged("all", before).await;
    stage
        .execute(
            "INSERT INTO group_members (group_id, user_id, role)
             SELECT groups.id, users.id, 'MEMBER' FROM groups, users WHERE groups.name = 'vision' AND username = 'ben'",
        )
        .await;
    // The change of rights may arrive after the event, which is then none of Ben's business.
    let told = loop {
        stage.tell(JOB, "RUNNING", "FAILED").await;
        let message = socket.hear().await;
        if message["type"] == "next" {
            break message;
        }
    };
    assert!(seq(&told["payload"]["data"]["jobEvents"]["cursor"]) > before, "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_heartbeats_of_a_server_sent_stream_carry_the_id_to_resume_after() {
    let stage = Stage::set().await;
    let ada = stage.log_in("ada").await;
    let start = stage.present(&ada).await;
    let mut stream = stage.stream(&ada, "text/event-stream", FAILURES, Some(&start)).await;
    stream.until(&format!("id: {start}\n\n")).await;
    let last = stage.tell(JOB, "QUEUED", "RUNNING").await;
    stream.until(&format!("id: {}\n\n", last.cursor())).await;
    assert!(!stream.text.contains("event:"), "{}", stream.text);
    let rare = stage.tell(JOB, "RUNNING", "CANCELLED").await;
    stream.until(&format!("event: next\nid: {}\n", rare.cursor())).await;
    // A drain tells it once more.
    let last = stage.tell(JOB, "QUEUED", "RUNNING").await;
    stream.until(&format!("id: {}\n\n", last.cursor())).await;
    stage.drain();
    let whole = stream.whole().await;
    assert!(whole.ends_with(&format!("\nid: {}\n\n", last.cursor())) && whole.contains("\nretry: "), "{whole}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_end_with_the_cursor_to_resume_after() {
    let stage = Stage::set().await;
    let ada = stage.log_in("ada").await;
    let start = stage.present(&ada).await;
    let accept = r#"multipart/mixed;boundary="graphql";subscriptionSpec="1.0""#;
    let mut stream = stage.stream(&ada, accept, FAILURES, Some(&start)).await;
    stream.until("{}").await;
    let rare = stage.tell(JOB, "RUNNING", "CANCELLED").await;
    stream.until(&rare.cursor()).await;
    stage.drain();
    let whole = stream.whole().await;
    let (_, end) = whole.split_once(r#"{"payload":null,"errors":["#).unwrap_or_else(|| panic!("{whole}"));
    assert!(end.contains(&format!(r#""cursor":"{}""#, rare.cursor())), "{end}");
}
