//! The store: every object of the cluster in memory, with a revision for each change and the recent changes themselves.
//!
//! Watchers pull: each remembers the revision it has seen and asks for what came after, so a slow watcher holds no queue
//! and delays nobody. What may be asked for by revision ends at the *floor* (410 Gone beneath it); the changes themselves
//! are kept a little longer, so that a watcher which is merely late is not cut off by a small history.

use super::catalog::CollectionId;
use super::persist::Journal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// How many changes a collection keeps for its running watchers beyond the history that may be asked for.
const GRACE_CHANGES: usize = 8192;

/// An object's place in its collection; cluster-scoped objects have an empty namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Key {
    /// The key of that namespace and name.
    pub fn new(namespace: &str, name: &str) -> Self {
        Key { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// What happened to an object.
#[derive(Clone, Debug)]
pub struct Change {
    /// The revision of the change.
    pub revision: u64,
    /// The object's place.
    pub key: Key,
    /// The object after the change; `None` when it was removed.
    pub current: Option<Arc<Value>>,
    /// The object before the change; `None` when it was created.
    pub previous: Option<Arc<Value>>,
    /// The last state of a removed object, under the revision of its removal.
    pub removed: Option<Arc<Value>>,
}

/// The revision asked for is beneath the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// The oldest revision that may still be asked for.
    pub floor: u64,
}

/// The objects of a collection at one revision.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The revision.
    pub revision: u64,
    /// The objects in the order of their keys.
    pub objects: Vec<(Key, Arc<Value>)>,
}

struct Collection {
    objects: BTreeMap<Key, Arc<Value>>,
    changes: VecDeque<Change>,
    /// The revision of the newest change that was dropped from `changes`.
    dropped: u64,
    announce: watch::Sender<u64>,
}

impl Default for Collection {
    fn default() -> Self {
        Collection { objects: BTreeMap::new(), changes: VecDeque::new(), dropped: 0, announce: watch::Sender::new(0) }
    }
}

#[derive(Default)]
struct State {
    revision: u64,
    floor: u64,
    collections: HashMap<CollectionId, Collection>,
    journal: Option<Journal>,
}

/// The store. Its writers are serialized by the caller; its readers never wait for more than a map operation.
pub struct Store {
    state: Mutex<State>,
    history: usize,
}

impl Store {
    /// An empty store that answers for the last `history` revisions.
    pub fn new(history: usize) -> Self {
        Store { state: Mutex::new(State { revision: 1, ..State::default() }), history }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave the state half-written: every change is a handful of infallible map operations.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current revision.
    pub fn revision(&self) -> u64 {
        self.state().revision
    }

    /// Makes every revision before the current one unanswerable, as etcd's compaction does.
    pub fn compact(&self) {
        let mut state = self.state();
        state.floor = state.revision;
    }

    /// One object.
    pub fn get(&self, collection: &CollectionId, key: &Key) -> Option<Arc<Value>> {
        self.state().collections.get(collection)?.objects.get(key).cloned()
    }

    /// A collection's objects now, of one namespace or of all.
    pub fn list(&self, collection: &CollectionId, namespace: Option<&str>) -> Snapshot {
        let state = self.state();
        let objects =
            state.collections.get(collection).map(|c| in_namespace(&c.objects, namespace)).unwrap_or_default();
        Snapshot { revision: state.revision, objects }
    }

    /// A collection's objects as they were at a revision.
    pub fn list_at(
        &self,
        collection: &CollectionId,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<Snapshot, Compacted> {
        let state = self.state();
        if revision < state.floor {
            return Err(Compacted { floor: state.floor });
        }
        let Some(collection) = state.collections.get(collection) else {
            return Ok(Snapshot { revision, objects: Vec::new() });
        };
        if revision < collection.dropped {
            return Err(Compacted { floor: collection.dropped });
        }
        let newer: Vec<&Change> = collection.changes.iter().rev().take_while(|c| c.revision > revision).collect();
        if newer.is_empty() {
            return Ok(Snapshot { revision, objects: in_namespace(&collection.objects, namespace) });
        }
        let mut objects = collection.objects.clone();
        for change in newer {
            match &change.previous {
                Some(previous) => objects.insert(change.key.clone(), previous.clone()),
                None => objects.remove(&change.key),
            };
        }
        Ok(Snapshot { revision, objects: in_namespace(&objects, namespace) })
    }

    /// Stores an object under a new revision, which it carries as its `resourceVersion`.
    pub fn put(&self, collection: &CollectionId, key: Key, mut value: Value) -> Arc<Value> {
        let mut state = self.state();
        let revision = state.next_revision(self.history);
        value["metadata"]["resourceVersion"] = json!(revision.to_string());
        let value = Arc::new(value);
        state.record(revision, collection, &key, Some(&value));
        let entry = state.collections.entry(collection.clone()).or_default();
        let previous = entry.objects.insert(key.clone(), value.clone());
        let change = Change { revision, key, current: Some(value.clone()), previous, removed: None };
        entry.append(change, self.history);
        value
    }

    /// Removes an object; the answer is its last state under the revision of the removal.
    pub fn remove(&self, collection: &CollectionId, key: &Key) -> Option<Arc<Value>> {
        let mut state = self.state();
        let previous = state.collections.get_mut(collection)?.objects.remove(key)?;
        let revision = state.next_revision(self.history);
        state.record(revision, collection, key, None);
        let mut last = Value::clone(&previous);
        last["metadata"]["resourceVersion"] = json!(revision.to_string());
        let last = Arc::new(last);
        let change =
            Change { revision, key: key.clone(), current: None, previous: Some(previous), removed: Some(last.clone()) };
        state.collections.get_mut(collection)?.append(change, self.history);
        Some(last)
    }

    /// What happened to a collection after a revision that its asker is *new* to; fails beneath the floor.
    pub fn check_floor(&self, revision: u64) -> Result<(), Compacted> {
        let state = self.state();
        if revision < state.floor { Err(Compacted { floor: state.floor }) } else { Ok(()) }
    }

    /// What happened to a collection after a revision, at most `limit` changes, and the revision that is thereby reached.
    pub fn changes_since(
        &self,
        collection: &CollectionId,
        revision: u64,
        limit: usize,
    ) -> Result<(Vec<Change>, u64), Compacted> {
        let state = self.state();
        let Some(entry) = state.collections.get(collection) else { return Ok((Vec::new(), state.revision)) };
        if revision < entry.dropped {
            return Err(Compacted { floor: entry.dropped });
        }
        let start = entry.changes.partition_point(|change| change.revision <= revision);
        let changes: Vec<Change> = entry.changes.iter().skip(start).take(limit).cloned().collect();
        let reached = match changes.last() {
            Some(last) if start + changes.len() < entry.changes.len() => last.revision,
            _ => state.revision,
        };
        Ok((changes, reached))
    }

    /// Wakes whenever a collection changes.
    pub fn subscribe(&self, collection: &CollectionId) -> watch::Receiver<u64> {
        self.state().collections.entry(collection.clone()).or_default().announce.subscribe()
    }

    /// Wakes the watchers of a collection though nothing in it changed.
    pub fn announce(&self, collection: &CollectionId) {
        if let Some(entry) = self.state().collections.get(collection) {
            entry.announce.send_modify(|_| {});
        }
    }

    /// Everything there is, for a file.
    pub fn export(&self) -> (u64, Vec<(CollectionId, Key, Arc<Value>)>) {
        let state = self.state();
        let mut all = Vec::new();
        for (id, collection) in &state.collections {
            all.extend(collection.objects.iter().map(|(key, value)| (id.clone(), key.clone(), value.clone())));
        }
        (state.revision, all)
    }

    /// Puts objects in their places, or removes them, as a file tells; no change is announced.
    pub fn restore(&self, objects: impl IntoIterator<Item = (CollectionId, Key, Option<Value>)>) {
        let mut state = self.state();
        for (id, key, value) in objects {
            let entry = state.collections.entry(id).or_default();
            match value {
                Some(value) => entry.objects.insert(key, Arc::new(value)),
                None => entry.objects.remove(&key),
            };
        }
    }

    /// Goes on after a revision of an earlier run. What was seen before is not answerable: watchers list again.
    pub fn resume(&self, revision: u64) {
        let mut state = self.state();
        state.revision = state.revision.max(revision.saturating_add(1));
        state.floor = state.revision;
    }

    /// Appends every change to a journal from now on.
    pub fn record_to(&self, journal: Journal) {
        self.state().journal = Some(journal);
    }

    /// Begins a new journal if the present one has more bytes than that; the answer is the new one's number.
    pub fn turn_over(&self, longest: u64) -> std::io::Result<Option<u64>> {
        match &mut self.state().journal {
            Some(journal) => journal.turn_over(longest),
            None => Ok(None),
        }
    }
}

impl State {
    fn record(&mut self, revision: u64, collection: &CollectionId, key: &Key, object: Option<&Value>) {
        if let Some(journal) = &mut self.journal {
            journal.append(revision, collection, key, object);
        }
    }

    fn next_revision(&mut self, history: usize) -> u64 {
        self.revision += 1;
        self.floor = self.floor.max(self.revision.saturating_sub(history as u64));
        self.revision
    }
}

impl Collection {
    fn append(&mut self, change: Change, history: usize) {
        let revision = change.revision;
        self.changes.push_back(change);
        while self.changes.len() > history.saturating_add(GRACE_CHANGES) {
            if let Some(dropped) = self.changes.pop_front() {
                self.dropped = dropped.revision;
            }
        }
        self.announce.send_replace(revision);
    }
}

fn in_namespace(objects: &BTreeMap<Key, Arc<Value>>, namespace: Option<&str>) -> Vec<(Key, Arc<Value>)> {
    match namespace {
        None => objects.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        Some(namespace) => objects
            .range(Key::new(namespace, "")..)
            .take_while(|(key, _)| key.namespace == namespace)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collection() -> CollectionId {
        CollectionId::new("", "configmaps")
    }

    fn object(text: &str) -> Value {
        json!({"metadata": {"name": "a"}, "data": {"text": text}})
    }

    fn names(snapshot: &Snapshot) -> Vec<&str> {
        snapshot.objects.iter().map(|(key, _)| key.name.as_str()).collect()
    }

    #[test]
    fn an_old_revision_shows_the_objects_of_that_time() {
        let store = Store::new(100);
        store.put(&collection(), Key::new("x", "a"), object("one"));
        let then = store.revision();
        store.put(&collection(), Key::new("x", "b"), object("two"));
        store.remove(&collection(), &Key::new("x", "a"));
        assert_eq!(names(&store.list_at(&collection(), None, then).expect("kept")), ["a"]);
        assert_eq!(names(&store.list(&collection(), None)), ["b"]);
    }

    #[test]
    fn a_list_of_one_namespace_leaves_out_the_others() {
        let store = Store::new(100);
        for namespace in ["a", "ab", "b"] {
            store.put(&collection(), Key::new(namespace, namespace), object("one"));
        }
        assert_eq!(names(&store.list(&collection(), Some("a"))), ["a"]);
    }

    #[test]
    fn beneath_the_floor_nothing_is_answered() {
        let store = Store::new(2);
        for _ in 0..5 {
            store.put(&collection(), Key::new("x", "a"), object("one"));
        }
        let floor = store.revision() - 2;
        assert_eq!(store.check_floor(floor - 1), Err(Compacted { floor }));
        assert_eq!(store.check_floor(floor), Ok(()));
    }

    #[test]
    fn changes_are_handed_out_once_and_in_order() {
        let store = Store::new(100);
        let start = store.revision();
        for text in ["one", "two", "three"] {
            store.put(&collection(), Key::new("x", "a"), object(text));
        }
        let (first, reached) = store.changes_since(&collection(), start, 2).expect("kept");
        let (second, end) = store.changes_since(&collection(), reached, 2).expect("kept");
        let revisions: Vec<u64> = first.iter().chain(&second).map(|change| change.revision).collect();
        assert_eq!(revisions, [start + 1, start + 2, start + 3]);
        assert_eq!(end, start + 3);
    }
}
