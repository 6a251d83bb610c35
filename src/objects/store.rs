//! The store: what can be done with objects, the same for a bucket and a folder.

use std::io::SeekFrom;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::{
    GetOptions, GetRange, GetResultPayload, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload,
};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;
use url::Url;

use super::bucket::Bucket;
use super::folder::Folder;
use super::link::LinkKeys;
use super::{BadLink, Health, Key, Link, ObjectError, Upload};
use crate::config::{JwtKeys, ObjectsPlace};
use crate::db::error_chain;
use crate::tasks::Tasks;

/// How much of a file is read at a time.
const CHUNK: usize = 128 << 10;

/// The object store. Clones are the same store.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    place: Place,
    links: LinkKeys,
    public_url: Option<Url>,
    health: Health,
    tasks: Tasks,
}

#[derive(Debug)]
pub(super) enum Place {
    Folder(Folder),
    Bucket(Box<Bucket>),
}

/// An object, or a part of it, that is being read.
pub struct Download {
    /// The size of the whole object.
    pub size: u64,
    /// The bytes that are read.
    pub range: Range<u64>,
    /// The bytes. If some are missing at the end, there is an error instead of the end.
    pub bytes: BoxStream<'static, Result<Bytes, ObjectError>>,
}

impl Store {
    /// The store at this place, if there is one. Nothing is asked of an S3 server yet, so it may be away.
    ///
    /// # Errors
    /// The folder cannot be used, or TLS cannot be set up.
    pub fn open(
        place: &ObjectsPlace,
        keys: &JwtKeys,
        public_url: Option<&Url>,
        tasks: &Tasks,
    ) -> anyhow::Result<Option<Self>> {
        let place = match place {
            ObjectsPlace::Nowhere => return Ok(None),
            ObjectsPlace::Folder(path) => Place::Folder(Folder::open(path)?),
            ObjectsPlace::Bucket(config) => Place::Bucket(Box::new(Bucket::open(config)?)),
        };
        let (links, health) = (LinkKeys::new(keys), Health::default());
        Ok(Some(Self(Arc::new(Inner { place, links, public_url: public_url.cloned(), health, tasks: tasks.clone() }))))
    }

    /// Whether it works.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.0.health
    }

    pub(super) fn place(&self) -> &Place {
        &self.0.place
    }

    pub(super) fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    fn store(&self) -> &dyn ObjectStore {
        match &self.0.place {
            Place::Folder(folder) => &folder.store,
            Place::Bucket(bucket) => &bucket.store,
        }
    }

    /// Writes an object at once. An object that is there is not overwritten.
    ///
    /// # Errors
    /// `AlreadyExists` if there is one with this key, or the store's.
    pub async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), ObjectError> {
        let size = bytes.len() as u64;
        let mode = match self.health().is_conditional() {
            true => PutMode::Create,
            // The best that can be done: keys are not used twice, so nobody writes this one in between.
            false if self.exists(key).await? => return Err(ObjectError::AlreadyExists(key.clone())),
            false => PutMode::Overwrite,
        };
        self.put_in_mode(key, bytes, mode).await?;
        metrics::counter!("platform_objects_bytes_total", "direction" => "written").increment(size);
        Ok(())
    }

    pub(super) async fn put_in_mode(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<(), ObjectError> {
        let put = self.store().put_opts(&key.path(), PutPayload::from_bytes(bytes), mode.into()).await;
        put.map(drop).map_err(|error| self.failed("put", error, key))
    }

    /// Begins an object whose size is not known.
    pub fn upload(&self, key: Key) -> Upload {
        Upload::new(self.clone(), key)
    }

    pub(super) async fn begin(&self, key: &Key) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        self.store().put_multipart(&key.path()).await.map_err(|error| self.failed("put", error, key))
    }

    /// Whether there is an object with this key.
    ///
    /// # Errors
    /// The store's.
    pub async fn exists(&self, key: &Key) -> Result<bool, ObjectError> {
        match self.store().head(&key.path()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failed("head", error, key)),
        }
    }

    /// Reads an object, or a range of it. The bytes are read as fast as they are taken.
    ///
    /// # Errors
    /// `NotFound`, or the store's.
    pub async fn get(&self, key: &Key, range: Option<GetRange>) -> Result<Download, ObjectError> {
        let options = GetOptions { range, ..GetOptions::default() };
        let found =
            self.store().get_opts(&key.path(), options).await.map_err(|error| self.failed("get", error, key))?;
        let (size, range) = (found.meta.size, found.range.clone());
        let bytes = match found.payload {
            GetResultPayload::File(file, _) => {
                let mut file = tokio::fs::File::from_std(file);
                file.seek(SeekFrom::Start(range.start)).await.map_err(ObjectError::away)?;
                let part = file.take(range.end - range.start);
                ReaderStream::with_capacity(part, CHUNK).map_err(ObjectError::away).boxed()
            }
            GetResultPayload::Stream(stream) => {
                let (store, key) = (self.clone(), key.clone());
                stream.map_err(move |error| store.failed("get", error, &key)).boxed()
            }
        };
        Ok(Download { size, bytes: whole(bytes, range.end - range.start).boxed(), range })
    }

    /// Removes an object. One that is not there is no error.
    ///
    /// # Errors
    /// The store's.
    pub async fn delete(&self, key: &Key) -> Result<(), ObjectError> {
        match self.store().delete(&key.path()).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("delete", error, key)),
        }
    }

    /// The keys in a folder, each with when the object was last written. What is not a key of this platform is left out.
    pub fn list(&self, folder: &Key) -> BoxStream<'_, Result<(Key, DateTime<Utc>), ObjectError>> {
        let with_key =
            |found: object_store::ObjectMeta| Some((found.location.as_ref().parse::<Key>().ok()?, found.last_modified));
        let found = self.store().list(Some(&folder.path()));
        found.try_filter_map(move |found| std::future::ready(Ok(with_key(found)))).map_err(ObjectError::from).boxed()
    }

    /// A link with which the object can be downloaded for as long as `life`.
    ///
    /// # Errors
    /// The link cannot be signed.
    pub async fn link(&self, key: &Key, life: Duration) -> Result<Link, ObjectError> {
        let expires_at = Utc::now() + life;
        let url = match &self.0.place {
            Place::Bucket(bucket) => bucket.link(key, life).await?.to_string(),
            Place::Folder(_) => {
                let path = self.0.links.path(key, expires_at);
                match &self.0.public_url {
                    Some(public) => public.join(&path).map_err(ObjectError::away)?.to_string(),
                    None => path,
                }
            }
        };
        Ok(Link { url, expires_at })
    }

    /// The object that the rest of a link after `/objects/` leads to. Links to a bucket do not lead here.
    ///
    /// # Errors
    /// The link was forged or has expired.
    pub fn linked(&self, rest: &str) -> Result<Key, BadLink> {
        match &self.0.place {
            Place::Folder(_) => self.0.links.verify(rest, Utc::now()),
            Place::Bucket(_) => Err(BadLink::Forged),
        }
    }

    /// Counts a failed request, and notes whether the store works.
    pub(super) fn failed(&self, operation: &'static str, error: object_store::Error, key: &Key) -> ObjectError {
        let error = ObjectError::of(error, key);
        if !matches!(error, ObjectError::AlreadyExists(_) | ObjectError::NotFound(_)) {
            metrics::counter!("platform_objects_failures_total", "operation" => operation).increment(1);
            tracing::warn!(operation, %key, error = %error_chain(&error), "the object store has failed");
            self.health().note(Err(&error));
        }
        error
    }
}

/// The bytes, and an error at the end if there are fewer than expected.
fn whole(
    bytes: BoxStream<'static, Result<Bytes, ObjectError>>,
    expected: u64,
) -> impl futures::Stream<Item = Result<Bytes, ObjectError>> + Send {
    async_stream::try_stream! {
        let mut read = 0;
        for await chunk in bytes {
            let chunk = chunk?;
            read += chunk.len() as u64;
            metrics::counter!("platform_objects_bytes_total", "direction" => "read").increment(chunk.len() as u64);
            yield chunk;
        }
        if read < expected {
            Err(ObjectError::CutOff { read, expected })?;
        }
    }
}
