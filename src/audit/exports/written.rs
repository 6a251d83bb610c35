//! The file of an export: compressed lines of JSON in the object store.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicI64, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::audit::export;
use crate::audit::model::exports::{Export, Stored, selection};
use crate::db::Db;
use crate::error::ApiError;
use crate::ids::AuditExportId;
use crate::objects::{InvalidKey, Key, ObjectError, Store};

/// What all exports of the audit log are below.
const FOLDER: &str = "exports/audit";

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotWritten {
    /// The object store.
    #[error(transparent)]
    Store(#[from] ObjectError),
    /// The database.
    #[error("the audit log cannot be read")]
    Log(#[from] ApiError),
    /// What should not happen.
    #[error("the file cannot be made")]
    File(#[from] io::Error),
    /// What should not happen, either.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// The filter is of a later version.
    #[error("this version of the server does not know the filter")]
    UnknownFilter,
}

impl NotWritten {
    /// Whether another attempt may succeed.
    pub(super) const fn is_temporary(&self) -> bool {
        match self {
            Self::Store(error) => error.is_temporary(),
            Self::Log(_) => true,
            Self::File(_) | Self::Key(_) | Self::UnknownFilter => false,
        }
    }
}

/// What all exports are below in the object store.
///
/// # Errors
/// Never: it is a key.
pub fn folder() -> Result<Key, InvalidKey> {
    FOLDER.parse()
}

/// What the files of all attempts of an export are below.
pub(super) fn folder_of(id: AuditExportId) -> Result<Key, InvalidKey> {
    format!("{FOLDER}/{id}").parse()
}

/// Writes the file of this attempt. `entries` is how many are written so far.
///
/// The files of earlier attempts, whose worker has died, are removed first.
pub(super) async fn write(db: &Db, store: &Store, export: &Export, entries: &AtomicI64) -> Result<Stored, NotWritten> {
    let selection = selection(&export.filter).ok_or(NotWritten::UnknownFilter)?;
    let folder = folder_of(export.id)?;
    if export.attempts > 1 {
        store.remove_all(&folder).await?;
    }
    let day = export.created_at.format("%Y-%m-%d");
    let key: Key = format!("{folder}/{}/audit-log-{day}.ndjson.gz", export.attempts).parse()?;
    let mut upload = store.upload(key.clone());
    let mut compressor = GzEncoder::new(Vec::new(), Compression::fast());
    let mut after = None;
    while let Some(page) = export::page(db, &selection, after).await? {
        let compressed;
        (compressor, compressed) = compress(compressor, page.lines).await?;
        upload.write(&compressed).await?;
        entries.fetch_add(page.count, Ordering::Relaxed);
        after = Some(page.last);
    }
    upload.write(&compressor.finish()?).await?;
    let bytes = i64::try_from(upload.finish().await?).unwrap_or(i64::MAX);
    Ok(Stored { key: key.to_string(), entries: entries.load(Ordering::Relaxed), bytes })
}

/// The compressor, and what it has put out. A page takes a few milliseconds, which belong on no thread that serves requests.
async fn compress(mut compressor: GzEncoder<Vec<u8>>, text: String) -> io::Result<(GzEncoder<Vec<u8>>, Vec<u8>)> {
    let work = move || {
        compressor.write_all(text.as_bytes())?;
        let compressed = std::mem::take(compressor.get_mut());
        Ok((compressor, compressed))
    };
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
