//! The object store, over a folder and over S3: what is written is there whole or not at all, links work for as long as they say, and
//! what goes wrong leaves nothing behind.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use platform::config::{BucketConfig, JwtKeys, ObjectsPlace};
use platform::objects::{BadLink, Key, ObjectError, PART, Store};
use platform::tasks::Tasks;

use crate::support::proxy::Proxy;
use crate::support::s3::{S3, config_at, files_in};
use crate::support::session::http_client;

/// A store and what it stands on.
struct Ground {
    store: Store,
    s3: Option<S3>,
    folder: tempfile::TempDir,
}

fn open(place: &ObjectsPlace, tasks: &Tasks) -> Store {
    // The client needs a provider of TLS, also for what has none.
    drop(http_client());
    Store::open(place, &JwtKeys::random(), None, tasks).unwrap().unwrap()
}

impl Ground {
    async fn bucket() -> Self {
        let (s3, tasks) = (S3::start().await, Tasks::default());
        let store = open(&s3.place(), &tasks);
        Self { store, s3: Some(s3), folder: tempfile::tempdir().unwrap() }
    }

    fn folder() -> Self {
        let (folder, tasks) = (tempfile::tempdir().unwrap(), Tasks::default());
        let store = open(&ObjectsPlace::Folder(folder.path().to_owned()), &tasks);
        Self { store, s3: None, folder }
    }

    /// Both kinds, asked once.
    async fn both() -> [Self; 2] {
        let both = [Self::folder(), Self::bucket().await];
        for ground in &both {
            ground.store.ask().await.unwrap();
        }
        both
    }

    fn s3(&self) -> &S3 {
        self.s3.as_ref().unwrap()
    }

    /// The keys of what is there, and what was not finished.
    fn there(&self) -> Vec<String> {
        match &self.s3 {
            None => files_in(self.folder.path()),
            Some(s3) => [s3.keys(), s3.unfinished().into_iter().map(|key| format!("{key}?")).collect()].concat(),
        }
    }
}

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

async fn text(store: &Store, name: &str) -> Result<String, ObjectError> {
    let bytes: Vec<Bytes> = store.get(&key(name), None).await?.bytes.try_collect().await?;
    Ok(String::from_utf8(bytes.concat()).unwrap())
}

/// Bytes that are different everywhere, for what is larger than a part.
fn numbers(count: usize) -> Vec<u8> {
    (0..count / 8).flat_map(|number| (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect()
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let end = tokio::time::Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(tokio::time::Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_is_written_is_read_and_listed_and_removed() {
    for Ground { store, .. } in Ground::both().await {
        store.put(&key("a/one"), Bytes::from_static(b"first")).await.unwrap();
        store.put(&key("a/b/two"), Bytes::from_static(b"second")).await.unwrap();
        store.put(&key("ab/three"), Bytes::new()).await.unwrap();
        assert_eq!(text(&store, "a/one").await.unwrap(), "first");
        assert_eq!(text(&store, "ab/three").await.unwrap(), "");
        let mut listed: Vec<String> =
            store.list(&key("a")).map_ok(|(key, _)| key.to_string()).try_collect().await.unwrap();
        listed.sort();
        assert_eq!(listed, ["a/b/two", "a/one"]);
        assert_eq!(store.remove_all(&key("a")).await.unwrap(), 2);
        assert!(matches!(text(&store, "a/one").await, Err(ObjectError::NotFound(_))));
        store.delete(&key("a/one")).await.unwrap();
        assert!(store.exists(&key("ab/three")).await.unwrap());
    }
}

#[tokio::test]
async fn an_object_is_not_overwritten() {
    for Ground { store, .. } in Ground::both().await {
        assert!(store.health().is_conditional());
        store.put(&key("once"), Bytes::from_static(b"first")).await.unwrap();
        let again = store.put(&key("once"), Bytes::from_static(b"second")).await;
        assert!(matches!(again, Err(ObjectError::AlreadyExists(_))), "{again:?}");
        let mut upload = store.upload(key("once"));
        upload.write(&numbers(PART + 8)).await.unwrap();
        assert!(matches!(upload.finish().await, Err(ObjectError::AlreadyExists(_))));
        assert_eq!(text(&store, "once").await.unwrap(), "first");
    }
}

#[tokio::test]
async fn a_store_that_ignores_or_rejects_conditions_is_asked_before_each_write() {
    for rejects in [false, true] {
        let ground = Ground::bucket().await;
        let faults = &ground.s3().faults;
        let fault = if rejects { &faults.rejects_conditions } else { &faults.ignores_conditions };
        fault.store(true, Ordering::SeqCst);
        ground.store.ask().await.unwrap();
        assert!(!ground.store.health().is_conditional());
        ground.store.put(&key("once"), Bytes::from_static(b"first")).await.unwrap();
        let again = ground.store.put(&key("once"), Bytes::from_static(b"second")).await;
        assert!(matches!(again, Err(ObjectError::AlreadyExists(_))), "{again:?}");
        assert_eq!(text(&ground.store, "once").await.unwrap(), "first");
        assert_eq!(ground.there(), ["once"], "the trial leaves nothing behind");
    }
}

#[tokio::test]
async fn objects_of_several_parts_come_back_as_they_were_at_any_size() {
    for Ground { store, .. } in Ground::both().await {
        for (name, size) in [("none", 0), ("part", PART), ("more", PART + 8), ("three", 2 * PART + 4096)] {
            let written = numbers(size);
            let mut upload = store.upload(key(name));
            for piece in written.chunks(3 << 20) {
                upload.write(piece).await.unwrap();
            }
            assert_eq!(upload.finish().await.unwrap(), size as u64);
            let download = store.get(&key(name), None).await.unwrap();
            assert_eq!(download.size, size as u64);
            let read: Vec<Bytes> = download.bytes.try_collect().await.unwrap();
            assert!(read.concat() == written, "{name}");
        }
        let middle = store.get(&key("three"), Some((PART as u64 - 3..PART as u64 + 5).into())).await.unwrap();
        assert_eq!(middle.range, PART as u64 - 3..PART as u64 + 5);
        let read: Vec<Bytes> = middle.bytes.try_collect().await.unwrap();
        assert_eq!(read.concat(), numbers(PART + 8)[PART - 3..PART + 5]);
    }
}

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_nothing_behind() {
    for ground in Ground::both().await {
        let mut upload = ground.store.upload(key("x/abandoned"));
        upload.write(&numbers(PART + 8)).await.unwrap();
        assert_eq!(ground.there().len(), 1, "{:?}", ground.there());
        drop(upload);
        eventually("the parts are removed", || ground.there().is_empty()).await;
    }
}

#[tokio::test]
async fn what_a_crash_has_left_is_removed_when_it_is_old_or_its_folder_goes() {
    for ground in Ground::both().await {
        ground.store.put(&key("x/whole"), Bytes::from_static(b"whole")).await.unwrap();
        for name in ["x/crashed", "y/crashed"] {
            let mut upload = ground.store.upload(key(name));
            upload.write(&numbers(PART + 8)).await.unwrap();
            std::mem::forget(upload);
        }
        assert_eq!(ground.there().len(), 3, "{:?}", ground.there());
        if ground.s3.is_none() {
            // The uploads of the S3 server say that they are of January.
            let kept = ground.store.remove_unfinished(&key("x"), Duration::from_secs(3600)).await.unwrap();
            assert_eq!(kept, 0, "it may still be written");
        }
        assert_eq!(ground.store.remove_unfinished(&key("x"), Duration::ZERO).await.unwrap(), 1);
        assert_eq!(ground.store.remove_all(&key("y")).await.unwrap(), 0);
        assert_eq!(ground.there(), ["x/whole"]);
    }
}

#[tokio::test]
async fn a_store_that_cannot_list_uploads_still_removes_objects() {
    let ground = Ground::bucket().await;
    ground.s3().faults.lists_no_uploads.store(true, Ordering::SeqCst);
    ground.store.put(&key("x/whole"), Bytes::from_static(b"whole")).await.unwrap();
    assert!(ground.store.remove_unfinished(&key("x"), Duration::ZERO).await.is_err());
    assert_eq!(ground.store.remove_all(&key("x")).await.unwrap(), 1);
}

#[tokio::test]
async fn a_part_that_is_cut_off_is_sent_again() {
    let ground = Ground::bucket().await;
    ground.s3().faults.cut_parts.store(2, Ordering::SeqCst);
    let written = numbers(2 * PART + 8);
    let mut upload = ground.store.upload(key("resent"));
    upload.write(&written).await.unwrap();
    upload.finish().await.unwrap();
    assert!(std::fs::read(ground.s3().file("resent")).unwrap() == written);
    assert!(ground.s3().unfinished().is_empty());
}

#[tokio::test]
async fn a_download_that_is_cut_off_goes_on_where_it_was_or_fails_but_never_ends_early() {
    let ground = Ground::bucket().await;
    let written = numbers(4 << 20);
    ground.store.put(&key("cut"), written.clone().into()).await.unwrap();
    ground.s3().faults.cut_downloads.store(2, Ordering::SeqCst);
    let read: Vec<Bytes> = ground.store.get(&key("cut"), None).await.unwrap().bytes.try_collect().await.unwrap();
    assert!(read.concat() == written);
    ground.s3().faults.cut_downloads.store(usize::MAX, Ordering::SeqCst);
    let read: Result<Vec<Bytes>, _> = ground.store.get(&key("cut"), None).await.unwrap().bytes.try_collect().await;
    assert!(read.unwrap_err().is_temporary());
}

#[tokio::test]
async fn a_file_that_becomes_shorter_while_it_is_read_is_an_error() {
    let Ground { store, folder, .. } = Ground::folder();
    store.put(&key("short"), numbers(1 << 20).into()).await.unwrap();
    let download = store.get(&key("short"), None).await.unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(folder.path().join("short")).unwrap();
    file.set_len(1000).unwrap();
    let read: Result<Vec<Bytes>, _> = download.bytes.try_collect().await;
    insta::assert_snapshot!(read.unwrap_err(), @"the object has ended after 1000 of 1048576 bytes");
}

#[tokio::test]
async fn a_wrong_key_or_a_missing_bucket_is_final_and_says_no_secret() {
    let s3 = S3::start().await;
    let of = |config: BucketConfig| open(&ObjectsPlace::Bucket(Box::new(config)), &Tasks::default());
    let wrong = of(BucketConfig { secret_key: "not the key".to_owned().into(), ..config_at(s3.address) });
    let denied = wrong.put(&key("a"), Bytes::new()).await.unwrap_err();
    assert!(!denied.is_temporary());
    insta::assert_snapshot!(denied, @"the object store does not accept the platform's credentials");
    insta::assert_snapshot!(wrong.health().told(), @"the object store does not accept the platform's credentials; exports wait");
    let elsewhere = of(BucketConfig { bucket: "elsewhere".to_owned(), ..config_at(s3.address) });
    // This server makes a bucket for what is written to it.
    let missing = elsewhere.get(&key("a"), None).await.err().unwrap();
    assert!(!missing.is_temporary());
    insta::assert_snapshot!(missing, @"the object store has no such object or bucket");
    assert!(!format!("{wrong:?}").contains("not the key"));
}

#[tokio::test]
async fn a_store_that_is_away_is_said_and_works_again_when_it_is_back() {
    let s3 = S3::start().await;
    let proxy = Proxy::before(s3.address).await;
    let store = open(&s3.place_at(proxy.address()), &Tasks::default());
    proxy.cut();
    let away = store.put(&key("a"), Bytes::from_static(b"a")).await.unwrap_err();
    assert!(away.is_temporary());
    insta::assert_snapshot!(store.health().told(), @"the object store does not work at the moment; exports wait");
    proxy.restore();
    store.put(&key("a"), Bytes::from_static(b"a")).await.unwrap();
    assert_eq!(text(&store, "a").await.unwrap(), "a");
}

#[tokio::test]
async fn a_presigned_link_works_without_credentials_until_it_is_changed() {
    let ground = Ground::bucket().await;
    ground.store.put(&key("a/file.gz"), Bytes::from_static(b"content")).await.unwrap();
    let link = ground.store.link(&key("a/file.gz"), Duration::from_secs(60)).await.unwrap();
    let get = async |url: &str| {
        let answer = http_client().get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(get(&link.url).await, (200, "content".to_owned()));
    assert_eq!(get(&link.url.replace("file.gz", "other")).await.0, 403);
    assert_eq!(get(&link.url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000")).await.0, 403);
    assert_eq!(get(link.url.split('?').next().unwrap()).await.0, 403);
    // The time of a link is that of its signature.
    let brief = ground.store.link(&key("a/file.gz"), Duration::from_secs(1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(get(&brief.url).await.0, 403);
    assert!(matches!(ground.store.linked("x/y"), Err(BadLink::Forged)), "it leads to the S3 server");
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_refused_at_the_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let place = ObjectsPlace::Folder(file.path().join("below"));
    let refused = Store::open(&place, &JwtKeys::random(), None, &Tasks::default()).unwrap_err();
    assert!(refused.to_string().starts_with("the folder for objects (OBJECTS_DIR) cannot be used: "), "{refused}");
    assert!(Store::open(&ObjectsPlace::Nowhere, &JwtKeys::random(), None, &Tasks::default()).unwrap().is_none());
}

/// The present and the peak resident memory of this process, in MiB.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|found| found.strip_prefix(line)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap() >> 10
}

/// Says to this test that it is the process whose memory is measured.
const ALONE: &str = "STREAMED_ALONE";
const STREAMED: usize = 200 << 20;
const MOST_MIB: u64 = 96;

/// The server is in the same process, and takes its share.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_megabytes_are_written_and_read_in_bounded_memory() {
    if std::env::var_os(ALONE).is_none() {
        // Other tests take memory, too.
        let name = "objects::two_hundred_megabytes_are_written_and_read_in_bounded_memory";
        let alone = tokio::process::Command::new(std::env::current_exe().unwrap());
        let output = { alone }.args([name, "--exact", "--nocapture"]).env(ALONE, "yes").output().await.unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.contains("took"), "{told}");
        return;
    }
    for ground in Ground::both().await {
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = memory("VmHWM:");
        let mut upload = ground.store.upload(key("large"));
        let piece = numbers(1 << 20);
        for _ in 0..STREAMED / piece.len() {
            upload.write(&piece).await.unwrap();
        }
        assert_eq!(upload.finish().await.unwrap(), STREAMED as u64);
        let mut download = ground.store.get(&key("large"), None).await.unwrap().bytes;
        let mut read = 0;
        while let Some(bytes) = download.try_next().await.unwrap() {
            read += bytes.len();
        }
        assert_eq!(read, STREAMED);
        let took = memory("VmHWM:") - before;
        println!("took {took} MiB over {before}");
        assert!(took < MOST_MIB, "{took} MiB");
    }
}
