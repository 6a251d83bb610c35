//! List, then watch, without a gap: a subscription can resume after `eventCursor`, the cursor of an acknowledgement and
//! the first id of a server-sent stream, even if the client has not received any event yet.

use std::time::Duration;

use platform::events::Seq;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::serve::Serve;
use crate::support::session::{Session, http_client};

const PATIENCE: Duration = Duration::from_secs(30);

async fn submit(who: &Session, project: &str) -> String {
    let query = "mutation($i: SubmitJobInput!) { submitJob(input: $i) { job { id } } }";
    let input = json!({ "projectId": project, "source": { "spec": { "image": "python:3.12" } } });
    let data = who.ask(query, json!({ "i": input })).await;
    data["submitJob"]["job"]["id"].as_str().unwrap_or_else(|| panic!("{data}")).to_owned()
}

fn seq(cursor: &Value) -> i64 {
    Seq::from_cursor(cursor.as_str().unwrap_or_else(|| panic!("{cursor}"))).unwrap().0
}

/// A server-sent stream as it comes.
struct Sse(reqwest::Response, String);

impl Sse {
    async fn of(who: &Session, query: &str, last: Option<&str>) -> Self {
        let request = http_client().post(&who.graphql_url).bearer_auth(&who.token).json(&json!({ "query": query }));
        let request = request.header("accept", "text/event-stream");
        let request = match last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        };
        Self(request.send().await.unwrap(), String::new())
    }

    /// The lines up to the next empty one.
    async fn block(&mut self) -> String {
        loop {
            if let Some((block, rest)) = self.1.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.1 = rest;
                return block;
            }
            let chunk = timeout(PATIENCE, self.0.chunk()).await.expect("something comes").unwrap();
            self.1.push_str(std::str::from_utf8(&chunk.expect("the stream goes on")).unwrap());
        }
    }
}

const EVENTS: &str = "subscription { jobEvents { cursor phase job { id } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_lists_and_subscribes_after_the_list_s_cursor_misses_nothing_and_is_told_nothing_twice() {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    let maya = serve.log_in("maya").await;
    let project = maya.project().await;
    submit(&maya, &project).await;
    let before = serve.log_length().await;
    let submitting = async {
        for _ in 0..12 {
            submit(&maya, &project).await;
        }
    };
    let listing = async {
        let mut lists = Vec::new();
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            lists.push(maya.ask("{ jobs(first: 100) { nodes { id } } eventCursor }", json!({})).await);
        }
        lists
    };
    let ((), lists) = tokio::join!(submitting, listing);
    for list in lists {
        let (cursor, from) = (list["eventCursor"].as_str().unwrap(), seq(&list["eventCursor"]));
        let mut feed = maya.events(None, Some(cursor)).await;
        let end = submit(&maya, &project).await;
        let mut told = Vec::new();
        while told.last().is_none_or(|(job, _): &(String, i64)| *job != end) {
            let event = timeout(PATIENCE, feed.next()).await.unwrap().unwrap();
            told.push((event.job, seq(&event.cursor.into())));
        }
        let log: Vec<_> = serve.numbers_after(before).await;
        let (last, expected) = (told.last().unwrap().1, log.iter().map(|(_, seq)| *seq));
        let expected: Vec<_> = expected.filter(|seq| (from + 1..=last).contains(seq)).collect();
        assert_eq!(told.iter().map(|(_, seq)| *seq).collect::<Vec<_>>(), expected);
        // What the list has not was submitted after the cursor, and so is told.
        let listed: Vec<_> = list["jobs"]["nodes"].as_array().unwrap().iter().map(|job| &job["id"]).collect();
        for (job, _) in log {
            assert!(listed.iter().any(|id| **id == *job) || told.iter().any(|(told, _)| *told == job), "{job}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_cut_off_before_the_first_event_resumes_after_the_acknowledgement_s_cursor() {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    let maya = serve.log_in("maya").await;
    let project = maya.project().await;
    let feed = maya.events(None, None).await;
    let cursor = feed.acknowledged["cursor"].as_str().unwrap_or_else(|| panic!("{}", feed.acknowledged)).to_owned();
    drop(feed);
    let missed = submit(&maya, &project).await;
    let mut feed = maya.events(None, Some(&cursor)).await;
    let told = timeout(PATIENCE, feed.next()).await.unwrap().unwrap();
    assert_eq!((told.job, told.phase.as_str()), (missed, "SUBMITTED"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_sent_stream_begins_with_the_id_that_it_can_be_resumed_after() {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    let maya = serve.log_in("maya").await;
    let project = maya.project().await;
    let first = Sse::of(&maya, EVENTS, None).await.block().await;
    let id = first.strip_prefix("id: ").unwrap_or_else(|| panic!("{first}"));
    assert!(!id.contains('\n'), "{first}");
    let missed = submit(&maya, &project).await;
    serve.until(&missed, "phase = 'QUEUED'").await;
    // Connected again as a browser does; the stream still begins where the client stands.
    let mut again = Sse::of(&maya, EVENTS, Some(id)).await;
    assert_eq!(again.block().await, first);
    let event = again.block().await;
    assert!(event.contains(&missed) && event.contains("SUBMITTED"), "{event}");
    let beyond = Seq(i64::MAX).cursor();
    let mut expired = Sse::of(&maya, EVENTS, Some(&beyond)).await;
    assert_eq!(expired.block().await, format!("id: {beyond}"));
    let told = expired.block().await;
    assert!(told.contains("RESUME_EXPIRED"), "{told}");
    // A log's cursor is of another kind, and its stream begins with that.
    let log = format!("subscription {{ jobLogs(jobId: \"{missed}\") {{ cursor }} }}");
    let first = Sse::of(&maya, &log, None).await.block().await;
    let id = first.strip_prefix("id: ").unwrap_or_else(|| panic!("{first}")).to_owned();
    assert_eq!(Sse::of(&maya, &log, Some(&id)).await.block().await, first);
}
