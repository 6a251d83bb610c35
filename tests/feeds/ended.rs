//! How a feed ends that can be resumed, and how one that cannot: so that clients come again by themselves, or do not.

use std::time::Duration;

use futures::StreamExt as _;
use platform::error::Code;
use platform::events::{Seq, Topics, resume};
use serde_json::json;

use super::stage::{JOB, Socket, Stage};

const EVENTS: &str = "subscription($after: FeedCursor) { jobEvents(after: $after) { cursor } }";
const SSE: &str = "text/event-stream";
const PARTS: &str = r#"multipart/mixed;boundary="graphql";subscriptionSpec="1.0""#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_cannot_be_resumed_ends_with_an_error_that_says_so() {
    let stage = Stage::set().await;
    let ada = stage.log_in("ada").await;
    let start = stage.present(&ada).await;
    stage.tell(JOB, "QUEUED", "RUNNING").await;
    stage.grow_old(1000).await;
    let mut socket = Socket::open(&ada).await;
    socket.subscribe("1", json!({}), Some(&start)).await;
    let mut told = socket.word().await;
    told["payload"][0]["extensions"]["requestId"] = "ID".into();
    insta::assert_snapshot!(told, @r#"{"type":"error","id":"1","payload":[{"message":"the log no longer has every event after this cursor; query the current state and subscribe after its eventCursor","locations":[{"line":2,"column":13}],"path":["jobEvents"],"extensions":{"code":"RESUME_EXPIRED","requestId":"ID","retryable":false}}]}"#);
    // The socket is as good as before, and the error was the last word.
    socket.subscribe("1", json!({}), None).await;
    let told = stage.stream(&ada, SSE, EVENTS, Some(&start)).await.whole().await;
    assert!(told.contains("RESUME_EXPIRED") && told.ends_with("event: complete\ndata:\n\n"), "{told}");
    let told = stage.stream(&ada, PARTS, EVENTS, Some(&start)).await.whole().await;
    assert!(told.contains(r#"{"payload":{"errors":["#) && told.ends_with("--graphql--\r\n"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_the_database_fails_ends_so_that_its_client_comes_again() {
    let stage = Stage::set().await;
    let ada = stage.log_in("ada").await;
    let start = stage.present(&ada).await;
    let mut socket = Socket::open(&ada).await;
    stage.database.cut();
    socket.subscribe("1", json!({}), Some(&start)).await;
    let told = socket.word().await;
    assert_eq!((&told["type"], &told["id"]), (&json!("error"), &json!("1")), "{told}");
    let extensions = &told["payload"][0]["extensions"];
    assert_eq!(
        (&extensions["code"], &extensions["retryable"]),
        (&json!("DATABASE_UNAVAILABLE"), &json!(true)),
        "{told}"
    );
    stage.database.restore();
    let resumed = async {
        loop {
            socket.subscribe("1", json!({}), Some(&start)).await;
            let event = stage.tell(JOB, "QUEUED", "RUNNING").await;
            let told = socket.word().await;
            if told["type"] == "next" {
                return (told, event);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let (told, _) = resumed.await;
    assert!(told["payload"]["data"]["jobEvents"]["cursor"].is_string(), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_whose_subscriber_is_too_slow_ends_with_the_cursor_to_resume_after() {
    let stage = Stage::set().await;
    let ada = stage.log_in("ada").await;
    let start = Seq::from_cursor(&stage.present(&ada).await).unwrap();
    let line = stage.app.channels.job_events.line().clone();
    let mut slow = Box::pin(resume::follow(stage.app.db.clone(), &line, Topics::Everything, Some(start)));
    assert!(futures::poll!(slow.next()).is_pending());
    let first = stage.tell(JOB, "QUEUED", "RUNNING").await;
    assert_eq!(slow.next().await.unwrap().unwrap().seq, first);
    stage
        .execute(
            "INSERT INTO events (kind, subject, payload) SELECT 'job', gen_random_uuid(),
                 '{\"kind\": \"WAITING\", \"phase\": \"QUEUED\"}' FROM generate_series(1, 5000);
             NOTIFY platform_events",
        )
        .await;
    let tip = Seq(stage.number("SELECT max(seq) FROM events").await);
    stage.app.bus.tip().wait_for(|heard| *heard == Some(tip)).await.unwrap();
    let error = slow.next().await.unwrap().unwrap_err();
    assert_eq!((error.code, error.cursor.as_deref()), (Code::SlowConsumer, Some(first.cursor().as_str())));
}
