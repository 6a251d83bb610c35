//! A folder as WebDAV sees it. Every path is resolved within the folder: no name and no symbolic link leads out of it.

use std::ffi::OsString;
use std::io::{self, ErrorKind, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Buf, Bytes, BytesMut};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions as DirOptions};
use dav_server::davpath::DavPath;
use dav_server::fs::{
    DavDirEntry, DavFile, DavFileSystem, DavMetaData, FsError, FsFuture, FsResult, FsStream, OpenOptions, ReadDirMeta,
};
use futures::stream;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use uuid::Uuid;

/// What the names of uploads begin with until they are complete.
const UPLOADING: &str = ".uploading-";

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct Tree(Arc<Dir>);

/// A file or folder in it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: OsString,
    pub(super) meta: Meta,
}

/// What is known of a file or folder.
#[derive(Clone, Debug)]
pub(super) struct Meta {
    pub(super) size: u64,
    pub(super) modified: Option<SystemTime>,
    pub(super) is_folder: bool,
    is_link: bool,
}

impl Tree {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        Ok(Self(Arc::new(Dir::open_ambient_dir(folder, ambient_authority())?)))
    }

    async fn with<T: Send + 'static>(
        &self,
        path: &DavPath,
        work: impl FnOnce(&Dir, PathBuf) -> io::Result<T> + Send + 'static,
    ) -> FsResult<T> {
        let (dir, path) = (self.0.clone(), within(path));
        blocking(move || work(&dir, path)).await
    }

    /// What is at a path, links followed.
    pub(super) async fn meta(&self, path: &DavPath) -> FsResult<Meta> {
        self.with(path, |dir, path| Ok(Meta::of(&dir.metadata(path)?))).await
    }

    /// What is in a folder. A link that leads nowhere, or out of the volume, is left out.
    pub(super) async fn entries(&self, path: &DavPath) -> FsResult<Vec<Entry>> {
        self.with(path, |dir, path| {
            let mut found = Vec::new();
            for entry in dir.read_dir(&path)? {
                let name = entry?.file_name();
                if name.to_string_lossy().starts_with(UPLOADING) {
                    continue;
                }
                let path = path.join(&name);
                let (Ok(meta), Ok(itself)) = (dir.metadata(&path), dir.symlink_metadata(&path)) else { continue };
                found.push(Entry { name, meta: Meta { is_link: itself.is_symlink(), ..Meta::of(&meta) } });
            }
            Ok(found)
        })
        .await
    }
}

impl Meta {
    fn of(meta: &Metadata) -> Self {
        Self {
            size: meta.len(),
            modified: meta.modified().ok().map(cap_std::time::SystemTime::into_std),
            is_folder: meta.is_dir(),
            is_link: meta.is_symlink(),
        }
    }
}

/// A path relative to the folder.
fn within(path: &DavPath) -> PathBuf {
    let path = path.as_rel_ospath();
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> FsResult<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| refusal(&error)),
        Err(_) => Err(FsError::GeneralFailure),
    }
}

fn refusal(error: &io::Error) -> FsError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => FsError::NotFound,
        // What is outside of the volume does not exist; the operating system was not even asked.
        ErrorKind::PermissionDenied if error.raw_os_error().is_none() => FsError::NotFound,
        ErrorKind::PermissionDenied | ErrorKind::IsADirectory | ErrorKind::ReadOnlyFilesystem => FsError::Forbidden,
        ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty => FsError::Exists,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FsError::InsufficientStorage,
        ErrorKind::InvalidFilename => FsError::PathTooLong,
        ErrorKind::FileTooLarge => FsError::TooLarge,
        _ => FsError::GeneralFailure,
    }
}

impl DavFileSystem for Tree {
    fn open<'a>(&'a self, path: &'a DavPath, options: OpenOptions) -> FsFuture<'a, Box<dyn DavFile>> {
        Box::pin(async move {
            let dir = self.0.clone();
            let opened = self.with(path, move |_, path| open(&dir, path, &options)).await?;
            Ok(Box::new(opened) as Box<dyn DavFile>)
        })
    }

    fn read_dir<'a>(&'a self, path: &'a DavPath, _meta: ReadDirMeta) -> FsFuture<'a, FsStream<Box<dyn DavDirEntry>>> {
        Box::pin(async move {
            let entries = self.entries(path).await?;
            let entries = entries.into_iter().map(|entry| Ok(Box::new(entry) as Box<dyn DavDirEntry>));
            Ok(Box::pin(stream::iter(entries)) as FsStream<Box<dyn DavDirEntry>>)
        })
    }

    fn metadata<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, Box<dyn DavMetaData>> {
        Box::pin(async move { Ok(Box::new(self.meta(path).await?) as Box<dyn DavMetaData>) })
    }

    fn symlink_metadata<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, Box<dyn DavMetaData>> {
        Box::pin(async move {
            let meta = self.with(path, |dir, path| Ok(Meta::of(&dir.symlink_metadata(path)?))).await?;
            Ok(Box::new(meta) as Box<dyn DavMetaData>)
        })
    }

    fn create_dir<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, ()> {
        Box::pin(self.with(path, |dir, path| dir.create_dir(path)))
    }

    fn remove_dir<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, ()> {
        Box::pin(self.with(path, |dir, path| dir.remove_dir(path)))
    }

    fn remove_file<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, ()> {
        Box::pin(self.with(path, |dir, path| dir.remove_file(path)))
    }

    fn rename<'a>(&'a self, from: &'a DavPath, to: &'a DavPath) -> FsFuture<'a, ()> {
        let to = within(to);
        Box::pin(self.with(from, move |dir, from| dir.rename(from, dir, to)))
    }

    fn copy<'a>(&'a self, from: &'a DavPath, to: &'a DavPath) -> FsFuture<'a, ()> {
        let to = within(to);
        Box::pin(self.with(from, move |dir, from| dir.copy(from, dir, to).map(drop)))
    }
}

impl DavDirEntry for Entry {
    fn name(&self) -> Vec<u8> {
        self.name.as_encoded_bytes().to_vec()
    }

    fn metadata(&'_ self) -> FsFuture<'_, Box<dyn DavMetaData>> {
        Box::pin(std::future::ready(Ok(Box::new(self.meta.clone()) as Box<dyn DavMetaData>)))
    }
}

impl DavMetaData for Meta {
    fn len(&self) -> u64 {
        self.size
    }

    fn modified(&self) -> FsResult<SystemTime> {
        self.modified.ok_or(FsError::NotImplemented)
    }

    fn is_dir(&self) -> bool {
        self.is_folder
    }

    fn is_symlink(&self) -> bool {
        self.is_link
    }
}

/// An open file. One that is written as a whole takes its name only when it is complete.
#[derive(Debug)]
struct Opened {
    file: tokio::fs::File,
    upload: Option<Upload>,
}

#[derive(Debug)]
struct Upload {
    dir: Arc<Dir>,
    temporary: PathBuf,
    target: PathBuf,
    /// How many bytes are to come, if that was said.
    announced: Option<u64>,
    written: u64,
}

impl Drop for Upload {
    fn drop(&mut self) {
        // It is gone already where the upload was complete.
        let _ = self.dir.remove_file(&self.temporary);
    }
}

fn open(dir: &Arc<Dir>, path: PathBuf, options: &OpenOptions) -> io::Result<Opened> {
    if !options.write || !options.truncate {
        let mut wanted = DirOptions::new();
        wanted.read(options.read).write(options.write && !options.append).append(options.append);
        wanted.create(options.create).create_new(options.create_new);
        let file = dir.open_with(&path, &wanted)?;
        return Ok(Opened { file: tokio::fs::File::from_std(file.into_std()), upload: None });
    }
    match dir.metadata(&path) {
        Ok(found) if found.is_dir() => return Err(ErrorKind::IsADirectory.into()),
        Ok(_) if options.create_new => return Err(ErrorKind::AlreadyExists.into()),
        Err(_) if !options.create => return Err(ErrorKind::NotFound.into()),
        Ok(_) | Err(_) => {}
    }
    let parent = path.parent().unwrap_or(Path::new(""));
    if !parent.as_os_str().is_empty() {
        dir.create_dir_all(parent)?;
    }
    let temporary = parent.join(format!("{UPLOADING}{}", Uuid::new_v4().simple()));
    let file = dir.open_with(&temporary, DirOptions::new().write(true).create_new(true))?;
    let upload = Upload { dir: dir.clone(), temporary, target: path, announced: options.size, written: 0 };
    Ok(Opened { file: tokio::fs::File::from_std(file.into_std()), upload: Some(upload) })
}

impl Opened {
    async fn write(&mut self, mut bytes: impl Buf) -> FsResult<()> {
        let size = bytes.remaining() as u64;
        self.file.write_all_buf(&mut bytes).await.map_err(|error| refusal(&error))?;
        if let Some(upload) = &mut self.upload {
            upload.written += size;
        }
        Ok(())
    }
}

impl DavFile for Opened {
    fn metadata(&'_ mut self) -> FsFuture<'_, Box<dyn DavMetaData>> {
        Box::pin(async {
            let found = self.file.metadata().await.map_err(|error| refusal(&error))?;
            let meta =
                Meta { size: found.len(), modified: found.modified().ok(), is_folder: found.is_dir(), is_link: false };
            Ok(Box::new(meta) as Box<dyn DavMetaData>)
        })
    }

    fn write_buf(&'_ mut self, bytes: Box<dyn Buf + Send>) -> FsFuture<'_, ()> {
        Box::pin(self.write(bytes))
    }

    fn write_bytes(&'_ mut self, bytes: Bytes) -> FsFuture<'_, ()> {
        Box::pin(self.write(bytes))
    }

    fn read_bytes(&'_ mut self, count: usize) -> FsFuture<'_, Bytes> {
        Box::pin(async move {
            let mut bytes = BytesMut::with_capacity(count);
            self.file.read_buf(&mut bytes).await.map_err(|error| refusal(&error))?;
            Ok(bytes.freeze())
        })
    }

    fn seek(&'_ mut self, to: SeekFrom) -> FsFuture<'_, u64> {
        Box::pin(async move { self.file.seek(to).await.map_err(|error| refusal(&error)) })
    }

    fn flush(&'_ mut self) -> FsFuture<'_, ()> {
        Box::pin(async {
            self.file.flush().await.map_err(|error| refusal(&error))?;
            let Some(upload) = self.upload.take() else { return Ok(()) };
            if upload.announced.is_some_and(|announced| announced != upload.written) {
                return Err(FsError::GeneralFailure);
            }
            blocking(move || upload.dir.rename(&upload.temporary, &upload.dir, &upload.target)).await
        })
    }
}
