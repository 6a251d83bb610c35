//! One log for events of several kinds: a feed receives those of its own kind, live and from the log, in order.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use platform::config::DatabaseConfig;
use platform::db::Db;
use platform::error::ApiError;
use platform::events::model::append;
use platform::events::{About, Bus, Event, Line, Lines, Logged, Seq, Topics, resume};
use platform::ids::{GroupId, GroupKind, UserId, UserKind};
use platform::tasks::Tasks;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::support::database;

const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody visits a group: it is in no project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Visited {
    minutes: u32,
}

impl Event for Visited {
    const KIND: &'static str = "visit";
    type Subject = GroupKind;

    fn name(&self) -> &'static str {
        "VISITED"
    }
}

/// Somebody is greeted: that is their own business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Greeted {
    Warmly,
    Briefly { words: Vec<String> },
}

impl Event for Greeted {
    const KIND: &'static str = "greeting";
    type Subject = UserKind;

    fn name(&self) -> &'static str {
        match self {
            Self::Warmly => "WARMLY",
            Self::Briefly { .. } => "BRIEFLY",
        }
    }
}

struct Log {
    db: Db,
    visits: Line<Visited>,
    greetings: Line<Greeted>,
    _tasks: Tasks,
}

impl Log {
    async fn new() -> Self {
        let tasks = Tasks::default();
        let db = Db::new(&DatabaseConfig::for_dev(database::empty().await), &tasks).unwrap();
        let mut lines = Lines::default();
        let (visits, greetings) = (lines.open(), lines.open());
        let bus = Bus::start(&tasks, &db, PATIENCE * 100, lines);
        bus.tip().wait_for(Option::is_some).await.unwrap();
        Self { db, visits, greetings, _tasks: tasks }
    }

    async fn append<E: Event>(&self, about: About, event: E) {
        append(&mut self.db.connection().await.unwrap(), &[(about, event)]).await.unwrap();
    }
}

async fn next<E>(feed: &mut (impl Stream<Item = Result<Arc<Logged<E>>, ApiError>> + Unpin)) -> Arc<Logged<E>> {
    timeout(PATIENCE, feed.next()).await.expect("it is told").unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_feed_is_told_its_own_kind_as_its_own_type_live_and_resumed() {
    let log = Log::new().await;
    let (group, ada) = (GroupId::generate(), UserId::generate());
    let visit = About { group: Some(group), person: Some(ada), ..About::subject(group) };
    let greeting = About { person: Some(ada), ..About::subject(ada) };
    let brief = Greeted::Briefly { words: vec!["hi".into()] };
    let mut visits = Box::pin(resume::follow(log.db.clone(), &log.visits, Topics::Groups(vec![group]), None));
    let mut greetings = Box::pin(resume::follow(log.db.clone(), &log.greetings, Topics::Person(ada), None));
    assert!(futures::poll!(visits.next()).is_pending() && futures::poll!(greetings.next()).is_pending());
    log.append(visit, Visited { minutes: 7 }).await;
    log.append(greeting, Greeted::Warmly).await;
    log.append(greeting, brief.clone()).await;
    log.append(visit, Visited { minutes: 8 }).await;

    let live = [next(&mut visits).await, next(&mut visits).await];
    assert_eq!(
        live.each_ref().map(|told| (told.seq.0, told.event.minutes, told.subject())),
        [(1, 7, group), (4, 8, group)]
    );
    let live = [next(&mut greetings).await, next(&mut greetings).await];
    assert_eq!(live.each_ref().map(|told| (told.seq, &told.event)), [(Seq(2), &Greeted::Warmly), (Seq(3), &brief)]);

    let subject = Topics::subjects(&[group]);
    let mut resumed = Box::pin(resume::follow(log.db.clone(), &log.visits, subject, Some(Seq(1))));
    assert_eq!(next(&mut resumed).await.seq, Seq(4));
    let mut resumed = Box::pin(resume::follow(log.db.clone(), &log.greetings, Topics::Everything, Some(Seq(0))));
    assert_eq!((next(&mut resumed).await.seq, next(&mut resumed).await.seq), (Seq(2), Seq(3)));
    let nobody_s = Topics::Person(UserId::generate());
    let mut other = Box::pin(resume::follow(log.db.clone(), &log.visits, nobody_s, Some(Seq(0))));
    assert!(timeout(Duration::from_millis(300), other.next()).await.is_err(), "nothing of theirs has happened");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_a_newer_version_wrote_is_passed_over_live_and_resumed() {
    let log = Log::new().await;
    let ada = UserId::generate();
    let about = About::subject(ada);
    let mut live = Box::pin(resume::follow(log.db.clone(), &log.greetings, Topics::subjects(&[ada]), None));
    assert!(futures::poll!(live.next()).is_pending());
    log.append(about, Greeted::Warmly).await;
    let mut conn = log.db.connection().await.unwrap();
    let newer = format!(
        "INSERT INTO events (kind, subject, payload) VALUES ('greeting', '{ada}', '\"Coldly\"'), ('farewell', '{ada}', '1')",
        ada = ada.uuid()
    );
    diesel_async::SimpleAsyncConnection::batch_execute(&mut *conn, &newer).await.unwrap();
    log.append(about, Greeted::Warmly).await;
    assert_eq!((next(&mut live).await.seq, next(&mut live).await.seq), (Seq(1), Seq(4)));
    let mut resumed = Box::pin(resume::follow(log.db.clone(), &log.greetings, Topics::Everything, Some(Seq(1))));
    assert_eq!(next(&mut resumed).await.seq, Seq(4));
}
