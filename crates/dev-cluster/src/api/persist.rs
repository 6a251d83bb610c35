//! The cluster in a folder, so that its objects survive a restart, also when the process is killed.
//!
//! Every change is appended to a journal before anybody is told of it. A snapshot says what was there when its journal began;
//! a new pair is begun at each start and when a journal has grown long. Nothing is flushed to the disk: a power cut may cost
//! the last seconds, and what is read after it is what was there before them.

use super::catalog::CollectionId;
use super::cluster::Cluster;
use super::store::{Key, Store};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often the journal's length is looked at.
const EVERY: Duration = Duration::from_secs(5);
/// How long a journal gets, in bytes, before a new one is begun.
const LONGEST: u64 = 64 * 1024 * 1024;
const SNAPSHOT: &str = "snapshot.json";

#[derive(Serialize, Deserialize)]
struct Snapshot<O> {
    revision: u64,
    /// The first journal that has what came after it.
    journal: u64,
    objects: Vec<Record<O>>,
}

/// An object and its place; in a journal `None` says that it was removed.
#[derive(Serialize, Deserialize)]
struct Record<O> {
    revision: u64,
    group: String,
    plural: String,
    namespace: String,
    name: String,
    object: O,
}

/// The file that changes are appended to.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    number: u64,
    file: File,
    bytes: u64,
    broken: bool,
}

impl Journal {
    fn begin(folder: &Path, number: u64) -> io::Result<Self> {
        let file = File::create(journal_path(folder, number))?;
        Ok(Self { folder: folder.to_owned(), number, file, bytes: 0, broken: false })
    }

    /// Appends a change; the object is `None` where it was removed.
    pub fn append(&mut self, revision: u64, collection: &CollectionId, key: &Key, object: Option<&Value>) {
        if self.broken {
            return;
        }
        let record = Record {
            revision,
            group: collection.group.clone(),
            plural: collection.plural.clone(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            object,
        };
        let written = serde_json::to_vec(&record).map_err(io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            self.bytes += line.len() as u64;
            self.file.write_all(&line)
        });
        if let Err(error) = written {
            // What follows a torn line could not be read back.
            self.broken = true;
            tracing::error!(%error, "the embedded cluster is no longer kept: its journal cannot be written");
        }
    }

    /// Begins the next journal, if this one has grown long; the answer is the number of the new one.
    pub fn turn_over(&mut self, longest: u64) -> io::Result<Option<u64>> {
        if self.bytes <= longest && !self.broken {
            return Ok(None);
        }
        *self = Self::begin(&self.folder, self.number + 1)?;
        Ok(Some(self.number))
    }
}

fn journal_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number}.journal"))
}

/// The numbers of the journals that are there, in order.
fn journals(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_suffix(".journal")?.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Reads the folder into an empty store, and keeps the store there from now on. A folder that is not there is an empty cluster.
pub fn load(store: &Store, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let snapshot: Snapshot<Value> = match fs::read(folder.join(SNAPSHOT)) {
        Ok(bytes) => serde_json::from_slice(&bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Snapshot { revision: 0, journal: 0, objects: Vec::new() }
        }
        Err(error) => return Err(error),
    };
    let numbers = journals(folder)?;
    let later: Vec<u64> = numbers.iter().copied().filter(|number| *number >= snapshot.journal).collect();
    let mut revision = snapshot.revision;
    let place = |record: &Record<_>| CollectionId::new(&record.group, &record.plural);
    store.restore(snapshot.objects.into_iter().map(|record| {
        (
            CollectionId::new(&record.group, &record.plural),
            Key::new(&record.namespace, &record.name),
            Some(record.object),
        )
    }));
    for number in later {
        for record in changes(&journal_path(folder, number))? {
            // A snapshot may have been taken while the first changes were written to its journal.
            if record.revision > snapshot.revision {
                revision = revision.max(record.revision);
                store.restore([(place(&record), Key::new(&record.namespace, &record.name), record.object)]);
            }
        }
    }
    store.resume(revision);
    let number = numbers.last().map_or(0, |last| last + 1);
    store.record_to(Journal::begin(folder, number)?);
    save(store, folder, number)
}

/// The changes of a journal, up to the first that was not written to its end.
fn changes(path: &Path) -> io::Result<Vec<Record<Option<Value>>>> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut records, mut line) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(records);
        }
        match serde_json::from_slice(&line) {
            Ok(record) if line.ends_with(b"\n") => records.push(record),
            Ok(_) | Err(_) => {
                tracing::warn!(path = %path.display(), after = records.len(), "the journal of the embedded cluster ends in the middle of a change");
                return Ok(records);
            }
        }
    }
}

/// Begins a new journal whenever one has grown long, until the server stops.
pub async fn keep(cluster: Arc<Cluster>, folder: PathBuf) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while cluster.stop.run_until_cancelled(tick.tick()).await.is_some() {
        let (cluster, folder) = (cluster.clone(), folder.clone());
        let turned = tokio::task::spawn_blocking(move || match cluster.store.turn_over(LONGEST)? {
            Some(number) => save(&cluster.store, &folder, number),
            None => Ok(()),
        });
        match turned.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the embedded cluster could not be written to its folder"),
            Err(error) => tracing::warn!(%error, "the writing of the embedded cluster failed"),
        }
    }
}

/// Writes what is there now as the snapshot to the journal of this number, and forgets the journals before it.
fn save(store: &Store, folder: &Path, journal: u64) -> io::Result<()> {
    let (revision, objects) = store.export();
    let records = objects.iter().map(|(id, key, object)| Record {
        revision,
        group: id.group.clone(),
        plural: id.plural.clone(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        object: &**object,
    });
    let bytes = serde_json::to_vec(&Snapshot::<&Value> { revision, journal, objects: records.collect() })?;
    let beside = folder.join("snapshot.new");
    fs::write(&beside, bytes)?;
    fs::rename(beside, folder.join(SNAPSHOT))?;
    for number in journals(folder)?.into_iter().filter(|number| *number < journal) {
        fs::remove_file(journal_path(folder, number))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use std::fs::OpenOptions;

    fn collection() -> CollectionId {
        CollectionId::new("", "configmaps")
    }

    fn opened(folder: &Path) -> Store {
        let store = Store::new(100);
        load(&store, folder).expect("the folder is read");
        store
    }

    fn put(store: &Store, name: &str, text: &str) {
        store.put(&collection(), Key::new("n", name), json!({"metadata": {"name": name}, "data": {"text": text}}));
    }

    fn shown(store: &Store) -> Vec<(String, Value)> {
        let objects = store.list(&collection(), None).objects;
        objects.into_iter().map(|(key, value)| (key.name, value["data"]["text"].clone())).collect()
    }

    #[test]
    fn a_store_that_was_dropped_without_a_word_is_there_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = opened(folder.path());
        put(&first, "a", "1");
        put(&first, "b", "1");
        put(&first, "a", "2");
        first.remove(&collection(), &Key::new("n", "b"));
        let revision = first.revision();
        drop(first);
        let second = opened(folder.path());
        assert_eq!(shown(&second), [("a".to_owned(), json!("2"))]);
        assert!(second.revision() > revision, "revisions go on");
        assert!(second.check_floor(revision).is_err(), "what was seen before is not answerable");
    }

    #[test]
    fn a_change_that_was_cut_off_is_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = opened(folder.path());
        put(&first, "a", "1");
        drop(first);
        let last = journals(folder.path()).expect("journals").pop().expect("one");
        let mut file = OpenOptions::new().append(true).open(journal_path(folder.path(), last)).expect("it opens");
        file.write_all(br#"{"revision":9,"group":"","plural":"configmaps","names"#).expect("written");
        assert_eq!(shown(&opened(folder.path())), [("a".to_owned(), json!("1"))]);
    }

    #[test]
    fn a_crash_between_a_new_journal_and_its_snapshot_costs_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = opened(folder.path());
        put(&first, "a", "1");
        first.turn_over(0).expect("a new journal");
        put(&first, "b", "1");
        drop(first);
        assert_eq!(shown(&opened(folder.path())).len(), 2);
        assert_eq!(journals(folder.path()).expect("journals").len(), 1, "what is in the snapshot is in no journal");
    }

    #[test]
    fn a_journal_of_another_shape_is_no_empty_cluster() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(SNAPSHOT), "[]").expect("written");
        assert!(load(&Store::new(100), folder.path()).is_err());
    }

    proptest! {
        #[test]
        fn any_history_with_restarts_is_kept(steps in prop::collection::vec((0..5u8, 0..4u8), 1..40)) {
            let folder = tempfile::tempdir().expect("a folder");
            let mut store = opened(folder.path());
            let mut model = std::collections::BTreeMap::new();
            for (number, (action, object)) in steps.into_iter().enumerate() {
                let (name, text) = (format!("o{object}"), number.to_string());
                match action {
                    0 | 1 => {
                        put(&store, &name, &text);
                        model.insert(name, json!(text));
                    }
                    2 => {
                        store.remove(&collection(), &Key::new("n", &name));
                        model.remove(&name);
                    }
                    3 => {
                        if let Some(journal) = store.turn_over(0).expect("a new journal") {
                            save(&store, folder.path(), journal).expect("saved");
                        }
                    }
                    _ => {
                        drop(store);
                        store = opened(folder.path());
                    }
                }
                prop_assert_eq!(shown(&store), model.clone().into_iter().collect::<Vec<_>>());
            }
        }
    }
}
