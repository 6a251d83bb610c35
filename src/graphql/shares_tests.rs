//! Shares, with executions that count, and readers that consist of a name and a number of permissions.

use std::sync::atomic::AtomicUsize;

use tokio::sync::Semaphore;

use super::*;

/// What the toy policy knows about a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reader {
    name: &'static str,
    rights: u8,
}

const ADA: Reader = Reader { name: "ada", rights: 1 };
const BEN: Reader = Reader { name: "ben", rights: 1 };
const EVE: Reader = Reader { name: "eve", rights: 0 };

/// A response depends on the permissions of the reader, or on everything about them.
#[derive(Debug)]
enum Read {
    Rights(u8),
    All(Reader),
}

impl Scope for Read {
    type Reader = Reader;

    fn holds_for(&self, reader: &Reader) -> bool {
        match self {
            Self::Rights(rights) => *rights == reader.rights,
            Self::All(first) => first == reader,
        }
    }

    fn is_personal(&self) -> bool {
        matches!(self, Self::All(_))
    }
}

/// The executions of a document: how many there were, and a permit for each to continue.
#[derive(Clone)]
struct Stage {
    executions: Arc<AtomicUsize>,
    leave: Arc<Semaphore>,
    personal: bool,
    broken: bool,
}

impl Stage {
    fn new() -> Self {
        let leave = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { executions: Arc::default(), leave, personal: false, broken: false }
    }

    fn held() -> Self {
        Self { leave: Arc::new(Semaphore::new(0)), ..Self::new() }
    }

    fn join(&self, shares: &Shares<&'static str, Read, ()>) -> Follower<Read, ()> {
        let stage = self.clone();
        shares.join("document", move || Box::new(stage.clone()))
    }

    fn executions(&self) -> usize {
        self.executions.load(Ordering::SeqCst)
    }
}

impl Execution<Read, ()> for Stage {
    fn tell(&mut self, item: Item<Reader, ()>) -> BoxFuture<'_, Option<Told<Read>>> {
        async move {
            let count = self.executions.fetch_add(1, Ordering::SeqCst) + 1;
            self.leave.acquire().await.unwrap().forget();
            assert!(!self.broken, "a resolver panics");
            let Reader { name, rights } = item.reader;
            let (payload, scope) = if self.personal {
                (format!("{name} {}", item.number), Read::All(item.reader))
            } else {
                (format!("{rights} {} execution {count}", item.number), Read::Rights(rights))
            };
            Some(Told { payload: payload.into(), cursor: None, scope, sound: true })
        }
        .boxed()
    }
}

fn item(number: i64, reader: Reader) -> Item<Reader, ()> {
    Item { number, event: Arc::new(()), reader }
}

async fn told(follower: &mut Follower<Read, ()>, number: i64, reader: Reader) -> String {
    follower.tell(item(number, reader)).await.unwrap().told.payload.to_string()
}

#[tokio::test]
async fn equal_rights_are_told_the_same_bytes_of_one_execution() {
    let (shares, stage) = (Shares::default(), Stage::new());
    let (mut ada, mut ben) = (stage.join(&shares), stage.join(&shares));
    let to_ada = ada.tell(item(1, ADA)).await.unwrap();
    let to_ben = ben.tell(item(1, BEN)).await.unwrap();
    assert!(Arc::ptr_eq(&to_ada.told.payload, &to_ben.told.payload));
    assert_eq!(stage.executions(), 1);
}

/// A WebSocket that waits for its client to read polls none of its subscriptions.
#[tokio::test(start_paused = true)]
async fn who_began_an_execution_and_is_looked_at_no_more_holds_up_nobody() {
    let (shares, stage) = (Shares::default(), Stage::held());
    let (mut ada, mut ben) = (stage.join(&shares), stage.join(&shares));
    let mut slow = Box::pin(ada.tell(item(1, ADA)));
    assert!(futures::poll!(&mut slow).is_pending());
    stage.leave.add_permits(1);
    let quick = tokio::time::timeout(std::time::Duration::from_secs(1), ben.tell(item(1, BEN))).await;
    assert_eq!(quick.unwrap().unwrap().told.payload.as_ref(), "1 1 execution 1");
    assert_eq!(slow.await.unwrap().told.payload.as_ref(), "1 1 execution 1");
}

#[tokio::test]
async fn a_thousand_at_once_wait_for_one_execution() {
    let (shares, stage) = (Shares::default(), Stage::held());
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        let mut follower = stage.join(&shares);
        waiting.spawn(async move { told(&mut follower, 1, ADA).await });
    }
    stage.leave.add_permits(1);
    while let Some(heard) = waiting.join_next().await {
        assert_eq!(heard.unwrap(), "1 1 execution 1");
    }
    assert_eq!(stage.executions(), 1);
}

#[tokio::test]
async fn other_rights_are_told_nothing_that_was_executed_for_these() {
    let (shares, stage) = (Shares::default(), Stage::new());
    let (mut ada, mut eve) = (stage.join(&shares), stage.join(&shares));
    assert_eq!(told(&mut ada, 1, ADA).await, "1 1 execution 1");
    assert_eq!(told(&mut eve, 1, EVE).await, "0 1 execution 2");
}

#[tokio::test]
async fn who_waited_for_an_execution_of_another_scope_is_told_its_own() {
    let (shares, stage) = (Shares::default(), Stage::held());
    let (mut ada, mut eve) = (stage.join(&shares), stage.join(&shares));
    stage.leave.add_permits(2);
    let (to_ada, to_eve) = tokio::join!(told(&mut ada, 1, ADA), told(&mut eve, 1, EVE));
    assert_eq!((to_ada.as_str(), to_eve.as_str()), ("1 1 execution 1", "0 1 execution 2"));
}

#[tokio::test]
async fn a_changed_right_splits_the_share() {
    let (shares, stage) = (Shares::default(), Stage::new());
    let (mut ada, mut ben) = (stage.join(&shares), stage.join(&shares));
    assert_eq!(told(&mut ada, 1, ADA).await, told(&mut ben, 1, BEN).await);
    let demoted = Reader { rights: 0, ..BEN };
    assert_eq!(told(&mut ada, 2, ADA).await, "1 2 execution 2");
    assert_eq!(told(&mut ben, 2, demoted).await, "0 2 execution 3");
}

#[tokio::test]
async fn what_depends_on_the_person_is_shared_with_nobody_else() {
    let (shares, stage) = (Shares::default(), Stage { personal: true, ..Stage::new() });
    let (mut ada, mut ben, mut ada_s_other_tab) = (stage.join(&shares), stage.join(&shares), stage.join(&shares));
    let heard = tokio::join!(told(&mut ada, 1, ADA), told(&mut ben, 1, BEN), told(&mut ada_s_other_tab, 1, ADA));
    assert_eq!(heard, ("ada 1".to_owned(), "ben 1".to_owned(), "ada 1".to_owned()));
}

#[tokio::test]
async fn nobody_is_told_something_read_before_what_they_know_already() {
    let (shares, stage) = (Shares::default(), Stage::new());
    let (mut live, mut resumed) = (stage.join(&shares), stage.join(&shares));
    assert_eq!(told(&mut live, 2, ADA).await, "1 2 execution 1");
    assert_eq!(told(&mut resumed, 1, ADA).await, "1 1 execution 2");
    // The cached response of event 2 is older than what `resumed` has just received of event 1.
    assert_eq!(told(&mut resumed, 2, ADA).await, "1 2 execution 3");
}

#[tokio::test]
async fn an_execution_outlives_the_subscriber_that_began_it() {
    let (shares, stage) = (Shares::default(), Stage::held());
    let (mut first, mut second) = (stage.join(&shares), stage.join(&shares));
    let mut begun = Box::pin(first.tell(item(1, ADA)));
    assert!(futures::poll!(&mut begun).is_pending());
    drop(begun);
    drop(first);
    stage.leave.add_permits(1);
    assert_eq!(told(&mut second, 1, ADA).await, "1 1 execution 1");
}

#[tokio::test]
async fn a_panic_is_told_to_all_who_waited_and_the_next_event_is_executed() {
    let (shares, stage) = (Shares::default(), Stage { broken: true, ..Stage::held() });
    let (mut ada, mut ben) = (stage.join(&shares), stage.join(&shares));
    let leave = async { stage.leave.add_permits(2) };
    let (to_ada, to_ben, ()) = tokio::join!(ada.tell(item(1, ADA)), ben.tell(item(1, BEN)), leave);
    assert_eq!((to_ada.unwrap_err(), to_ben.unwrap_err()), (Broken, Broken));
    assert_eq!(ada.tell(item(2, ADA)).await.unwrap_err(), Broken);
    assert_eq!(stage.executions(), 2);
}

#[tokio::test]
async fn a_share_without_subscribers_is_forgotten() {
    let (shares, stage) = (Shares::default(), Stage::new());
    let mut ada = stage.join(&shares);
    told(&mut ada, 1, ADA).await;
    let share = Arc::downgrade(&ada.share);
    drop(ada);
    assert!(share.upgrade().is_none());
}

#[tokio::test]
async fn old_events_are_forgotten() {
    let (shares, stage) = (Shares::default(), Stage::new());
    let mut ada = stage.join(&shares);
    for number in 0..200 {
        told(&mut ada, number, ADA).await;
    }
    assert_eq!(ada.share.events().len(), EVENTS_KEPT);
}
