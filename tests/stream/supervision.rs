//! Background tasks that panic are restarted, and catch up on what they missed.

use std::time::Duration;

use dev_cluster::api::{self, EmbeddedApi};
use futures::StreamExt;
use platform::app::App;
use platform::config::{Config, DevParts, JwtKeys};
use platform::events::{Topics, resume};
use platform::jobs::phase::JobPhase;
use platform::tasks::Tasks;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::LIFE;
use super::stage::Stage;
use crate::support::database;
use crate::support::session::http_client;

const TASKS: [&str; 3] = ["watch", "submit worker", "event listener"];
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_watch_the_worker_and_the_listener_come_back_and_lose_nothing() {
    let stage = Stage::set().await;
    let (db, line) = stage.feed();
    stage.bus().tip().wait_for(Option::is_some).await.unwrap();
    let mut feed = Box::pin(resume::follow(db, &line, Topics::Everything, None));
    assert!(futures::poll!(feed.next()).is_pending());
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    for task in TASKS {
        stage.break_task(task);
    }
    // It happens while they are down, or as they come back.
    stage.report(job, json!({ "phase": "Running", "active": 1, "desired": 1 })).await;
    let another = stage.submit().await;
    stage.reach(job, "RUNNING").await;
    stage.reach(another, "QUEUED").await;
    stage.report(job, json!({ "phase": "Succeeded", "succeeded": 1, "desired": 1 })).await;
    stage.reach(job, "SUCCEEDED").await;
    assert_eq!(stage.phases(job).await, LIFE);
    let told = async {
        let mut seen = None;
        loop {
            let event = feed.next().await.unwrap().unwrap();
            assert!(seen < Some(event.seq), "told once and in order");
            seen = Some(event.seq);
            if event.subject() == job && event.event.phase == JobPhase::Succeeded {
                break;
            }
        }
    };
    timeout(PATIENCE, told).await.expect("the feed lives on");
    for task in TASKS {
        assert_eq!(stage.restarts(task), 1, "{task}");
    }
}

/// What `/ready` says of the background work.
async fn background(url: &str) -> (u16, Value) {
    let response = http_client().get(format!("{url}/ready")).send().await.unwrap();
    let (status, mut body) = (response.status().as_u16(), response.json::<Value>().await.unwrap());
    let checks = body["checks"].as_array_mut().unwrap();
    let check = checks.iter_mut().find(|check| check["name"] == "background").unwrap().take();
    (status, check)
}

async fn until_it_says(url: &str, what: &str) -> (u16, Value) {
    let said = async {
        loop {
            let (status, check) = background(url).await;
            if check["detail"].as_str().is_some_and(|detail| detail.contains(what)) {
                return (status, check);
            }
        }
    };
    timeout(PATIENCE, said).await.unwrap_or_else(|_| panic!("/ready does not say {what}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ready_tells_of_a_task_that_is_down_and_of_its_restarts() {
    let cluster = EmbeddedApi::start(api::Options::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, cluster.kubeconfig()).unwrap();
    let database_url = database::demo().await;
    let config = Config::for_dev(DevParts { database_url, kubeconfig, port: 0, jwt_keys: JwtKeys::random() });
    let (tasks, stop) = (Tasks::default(), CancellationToken::new());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = App::builder(config, &tasks).build().await.unwrap();
    let served = tokio::spawn(app.serve(listener, stop.clone()));

    until_it_says(&url, "tasks are running").await;
    // Each time it stays down for twice as long.
    for restart in 1..=6 {
        tasks.break_task("watch");
        if restart == 6 {
            let (status, check) = until_it_says(&url, "down").await;
            assert_eq!((status, &check["healthy"]), (503, &json!(false)));
            assert_eq!(check["detail"], "the task watch is down: it panicked: it was told to");
        }
        until_it_says(&url, &format!("watch {restart}")).await;
    }
    // Who only tidies up is told of, and no reason to send requests elsewhere.
    for restart in 1..=6 {
        tasks.break_task("event retention");
        if restart == 6 {
            let (status, check) = until_it_says(&url, "down").await;
            assert_eq!((status, &check["healthy"]), (200, &json!(true)));
        }
        until_it_says(&url, &format!("event retention {restart}")).await;
    }
    let metrics = http_client().get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
    let counted = metrics.lines().find(|line| line.starts_with(r#"platform_task_restarts_total{task="watch"}"#));
    let count: u64 = counted.and_then(|line| line.rsplit(' ').next()).unwrap().parse().unwrap();
    assert!(count >= 6, "{metrics}");
    stop.cancel();
    served.await.unwrap().unwrap();
}
