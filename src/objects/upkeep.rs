//! What nobody waits for: finding out whether the store works and what it can do, and removing what was left behind.

use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use futures::TryStreamExt as _;
use object_store::PutMode;
use tokio::time::Instant;

use super::store::Place;
use super::{Key, ObjectError, Store};
use crate::db::error_chain;
use crate::tasks::{Duty, Tasks};

/// Interval of asking whether the store works.
const ASK: Duration = Duration::from_secs(30);
/// Interval of looking for uploads that were left behind.
const SWEEP: Duration = Duration::from_secs(60 * 60);
/// How long an upload may be unfinished. An upload of this platform takes minutes, or hours if the store is slow.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// Starts looking after the store. Uploads that were left behind are removed in these folders: the bucket may be used for something
/// else, too.
pub fn keep(tasks: &Tasks, store: &Store, folders: Vec<Key>) {
    let kept = store.clone();
    tasks.supervise("objects", Duty::Housekeeping, move || look_after(kept.clone(), folders.clone()));
}

async fn look_after(store: Store, folders: Vec<Key>) {
    let mut swept: Option<Instant> = None;
    loop {
        match store.ask().await {
            Ok(()) => store.health().note(Ok(())),
            Err(error) => store.health().note(Err(&error)),
        }
        if swept.is_none_or(|at| at.elapsed() >= SWEEP) {
            swept = Some(Instant::now());
            for folder in &folders {
                match store.remove_unfinished(folder, ABANDONED).await {
                    Ok(0) => {}
                    Ok(count) => tracing::info!(%folder, count, "removed uploads that were left behind"),
                    // The lifecycle rule of the bucket does it, too.
                    Err(error) => {
                        tracing::warn!(%folder, error = %error_chain(&error), "cannot look for uploads that were left behind");
                    }
                }
            }
        }
        tokio::time::sleep(ASK).await;
    }
}

impl Store {
    /// Asks the store for something; the first time, whether it refuses to overwrite an object.
    ///
    /// # Errors
    /// The store does not work.
    pub async fn ask(&self) -> Result<(), ObjectError> {
        if !self.health().is_tried() {
            let is_conditional = self.try_conditional().await?;
            if !is_conditional {
                tracing::warn!(
                    "the object store has no conditional writes: it is asked before each write whether the object exists"
                );
            }
            self.health().note_conditional(is_conditional);
        }
        self.exists(&probe("asked")?).await.map(drop)
    }

    /// Whether a second write with `If-None-Match: *` is refused. Old servers ignore the header, some reject it, and some file systems
    /// have no hard links.
    async fn try_conditional(&self) -> Result<bool, ObjectError> {
        let key = probe(&uuid::Uuid::now_v7().to_string())?;
        let content = Bytes::from_static(b"Written to find out whether this store refuses to overwrite an object.\n");
        let put = |mode| self.put_in_mode(&key, content.clone(), mode);
        let is_conditional = match put(PutMode::Create).await {
            Ok(()) => matches!(put(PutMode::Create).await, Err(ObjectError::AlreadyExists(_))),
            // Whether it is the header that the store does not accept is seen without it.
            Err(_) => put(PutMode::Overwrite).await.map(|()| false)?,
        };
        self.delete(&key).await?;
        Ok(is_conditional)
    }

    /// Removes uploads in a folder that were begun at least so long ago and not finished. Returns their number.
    ///
    /// # Errors
    /// The store's; some cannot list uploads.
    pub async fn remove_unfinished(&self, folder: &Key, age: Duration) -> Result<usize, ObjectError> {
        match self.place() {
            Place::Folder(root) => root.remove_unfinished(folder.as_str(), age).await,
            Place::Bucket(bucket) => {
                let (before, mut removed) = (Utc::now() - age, 0);
                for upload in bucket.unfinished(&format!("{folder}/")).await? {
                    if upload.initiated <= before {
                        bucket.abort(&upload).await?;
                        removed += 1;
                    }
                }
                Ok(removed)
            }
        }
    }

    /// Removes everything in a folder, also what was not finished. Returns the number of objects.
    ///
    /// # Errors
    /// The store's. That it cannot list uploads is not one.
    pub async fn remove_all(&self, folder: &Key) -> Result<usize, ObjectError> {
        if let Err(error) = self.remove_unfinished(folder, Duration::ZERO).await {
            tracing::info!(%folder, error = %error_chain(&error), "unfinished uploads are left to the store");
        }
        let found: Vec<_> = self.list(folder).try_collect().await?;
        for (key, _) in &found {
            self.delete(key).await?;
        }
        Ok(found.len())
    }
}

fn probe(name: &str) -> Result<Key, ObjectError> {
    format!("probe/{name}").parse().map_err(ObjectError::away)
}
