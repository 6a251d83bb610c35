//! Writing an object whose size is not known beforehand.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use object_store::{MultipartUpload, PutPayload};
use tokio::task::JoinSet;

use super::{Key, ObjectError, Store};
use crate::db::error_chain;

/// The size of each part but the last. S3 wants at least 5 MiB, and some servers want all to be equal.
pub const PART: usize = 8 << 20;
/// How many parts are on their way at a time. With the one that is being filled, this bounds the memory.
const IN_FLIGHT: usize = 2;
/// The maximum number of parts, as in S3.
const MOST_PARTS: usize = 10_000;
/// How long removing the parts of an abandoned upload may take when the server stops.
const GRACE: Duration = Duration::from_secs(3);

/// An object that is being written. It exists when [`Upload::finish`] has succeeded; if the upload is dropped before, its parts are
/// removed.
#[derive(Debug)]
#[must_use = "the object is not there before the upload is finished"]
pub struct Upload {
    store: Store,
    key: Key,
    filling: BytesMut,
    /// `None` as long as all of it fits into a part.
    begun: Option<Box<dyn MultipartUpload>>,
    in_flight: JoinSet<object_store::Result<()>>,
    parts: usize,
    written: u64,
}

impl Upload {
    pub(super) fn new(store: Store, key: Key) -> Self {
        let (filling, in_flight) = (BytesMut::new(), JoinSet::new());
        Self { store, key, filling, begun: None, in_flight, parts: 0, written: 0 }
    }

    /// Adds bytes at the end. Waits while too many parts are on their way.
    ///
    /// # Errors
    /// The object becomes too large, or the store's. The upload cannot be continued after an error.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), ObjectError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (fits, left) = rest.split_at(rest.len().min(PART - self.filling.len()));
            self.filling.extend_from_slice(fits);
            rest = left;
            // A full part is only sent when more follows: an object of the size of a part is written at once.
            if self.filling.len() == PART && !rest.is_empty() {
                self.send_part().await?;
            }
        }
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Makes what was written an object. Returns its size in bytes.
    ///
    /// # Errors
    /// `AlreadyExists` if there is an object with this key, or the store's.
    pub async fn finish(mut self) -> Result<u64, ObjectError> {
        if self.begun.is_none() {
            let all = std::mem::take(&mut self.filling).freeze();
            self.store.put(&self.key, all).await?;
            return Ok(self.written);
        }
        if !self.filling.is_empty() {
            self.send_part().await?;
        }
        while let Some(sent) = self.in_flight.join_next().await {
            sent.map_err(ObjectError::away)?.map_err(|error| self.store.failed("put", error, &self.key))?;
        }
        // An upload in parts cannot be conditional in every store. Keys are not used twice, so this is only a safeguard.
        if self.store.exists(&self.key).await? {
            return Err(ObjectError::AlreadyExists(self.key.clone()));
        }
        if let Some(upload) = &mut self.begun {
            upload.complete().await.map_err(|error| self.store.failed("put", error, &self.key))?;
        }
        self.begun = None;
        Ok(self.written)
    }

    async fn send_part(&mut self) -> Result<(), ObjectError> {
        if self.parts == MOST_PARTS {
            return Err(ObjectError::TooLarge((MOST_PARTS * PART) as u64));
        }
        let upload = match &mut self.begun {
            Some(upload) => upload,
            begun @ None => begun.insert(self.store.begin(&self.key).await?),
        };
        while self.in_flight.len() >= IN_FLIGHT
            && let Some(sent) = self.in_flight.join_next().await
        {
            sent.map_err(ObjectError::away)?.map_err(|error| self.store.failed("put", error, &self.key))?;
        }
        let part: Bytes = std::mem::take(&mut self.filling).freeze();
        let bytes = part.len() as u64;
        let sending = upload.put_part(PutPayload::from_bytes(part));
        self.in_flight.spawn(async move {
            sending.await?;
            metrics::counter!("platform_objects_bytes_total", "direction" => "written").increment(bytes);
            Ok(())
        });
        self.parts += 1;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut upload) = self.begun.take() else { return };
        // Outside of a runtime, nothing can be sent; then the upload is removed when it is old.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let mut in_flight = std::mem::take(&mut self.in_flight);
        let key = self.key.clone();
        self.store.tasks().spawn_with_grace("abandoned upload", GRACE, async move {
            // A part that arrives later would stay.
            in_flight.shutdown().await;
            if let Err(error) = upload.abort().await {
                tracing::warn!(%key, error = %error_chain(&error), "the parts of an abandoned upload are removed later");
            }
        });
    }
}
