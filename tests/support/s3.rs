//! An S3 server in the process of the test: `s3s-fs` with a bucket, in front of which requests can go wrong. It checks signatures and
//! keeps objects as files.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use platform::config::{BucketConfig, ObjectsPlace};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub const BUCKET: &str = "platform";
pub const ACCESS_KEY: &str = "an-access-key";
pub const SECRET_KEY: &str = "a-secret-key";

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, std::io::Error>;

/// What goes wrong, and what is seen of requests.
#[derive(Default)]
pub struct Faults {
    /// `If-None-Match` is ignored, as by old servers.
    pub ignores_conditions: AtomicBool,
    /// A request with `If-None-Match` is answered with 501.
    pub rejects_conditions: AtomicBool,
    /// Unfinished uploads cannot be listed.
    pub lists_no_uploads: AtomicBool,
    /// So many of the next downloads are cut off in the middle.
    pub cut_downloads: AtomicUsize,
    /// So many of the next parts are cut off: the connection is closed without an answer.
    pub cut_parts: AtomicUsize,
    /// The uploads that are not finished: their keys, by ID.
    pub unfinished: Mutex<BTreeMap<String, String>>,
}

/// The server, gone with the test.
pub struct S3 {
    pub address: SocketAddr,
    pub faults: Arc<Faults>,
    folder: tempfile::TempDir,
    accepting: JoinHandle<()>,
}

impl S3 {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let faults = Arc::<Faults>::default();
        let front = Front { service, faults: Arc::clone(&faults), objects: folder.path().join(BUCKET) };
        let accepting = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let front = front.clone();
                let handle = service_fn(move |request| front.clone().answer(request));
                tokio::spawn(async move {
                    let served = Builder::new(TokioExecutor::new());
                    // A connection that is cut off is what some tests are about.
                    let _ = served.serve_connection(TokioIo::new(connection), handle).await;
                });
            }
        });
        Self { address, faults, folder, accepting }
    }

    /// The variables with which a server finds it.
    pub fn variables(&self) -> [(&'static str, String); 5] {
        [
            ("MINIO_ENDPOINT", self.address.to_string()),
            ("MINIO_USE_SSL", "false".to_owned()),
            ("MINIO_BUCKET", BUCKET.to_owned()),
            ("MINIO_ACCESS_KEY", ACCESS_KEY.to_owned()),
            ("MINIO_SECRET_KEY", SECRET_KEY.to_owned()),
        ]
    }

    /// The bucket, reached at this address.
    pub fn place_at(&self, address: SocketAddr) -> ObjectsPlace {
        ObjectsPlace::Bucket(Box::new(config_at(address)))
    }

    pub fn place(&self) -> ObjectsPlace {
        self.place_at(self.address)
    }

    /// The keys of the objects that are there.
    pub fn keys(&self) -> Vec<String> {
        files_in(&self.folder.path().join(BUCKET))
    }

    /// The file of an object.
    pub fn file(&self, key: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join(key)
    }

    /// The keys of the uploads that are not finished.
    pub fn unfinished(&self) -> Vec<String> {
        self.faults.unfinished.lock().unwrap().values().cloned().collect()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

pub fn config_at(address: SocketAddr) -> BucketConfig {
    let endpoint: url::Url = format!("http://{address}").parse().unwrap();
    BucketConfig {
        public_endpoint: endpoint.clone(),
        endpoint,
        bucket: BUCKET.to_owned(),
        region: "us-east-1".to_owned(),
        access_key: ACCESS_KEY.to_owned().into(),
        secret_key: SECRET_KEY.to_owned().into(),
    }
}

/// The files below a folder, as paths in it, sorted.
pub fn files_in(root: &std::path::Path) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()),
            }
        }
    }
    found.sort();
    found
}

#[derive(Clone)]
struct Front {
    service: S3Service,
    faults: Arc<Faults>,
    objects: PathBuf,
}

fn took_one(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Front {
    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let is_about = |name: &str| query.split('&').any(|part| part.split('=').next() == Some(name));
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let key = path.trim_start_matches('/').split_once('/').map(|(_, key)| key.to_owned()).unwrap_or_default();
        let value = |name: &str| {
            let mut parts = query.split('&').filter_map(|part| part.split_once('='));
            parts.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
        };
        if method == Method::GET && is_about("uploads") {
            return Ok(self.listed(&value("prefix").unwrap_or_default().replace("%2F", "/")));
        }
        let is_conditional = request.headers().get("if-none-match") == Some(&HeaderValue::from_static("*"));
        if is_conditional && self.faults.rejects_conditions.load(Ordering::SeqCst) {
            return Ok(plain(StatusCode::NOT_IMPLEMENTED, "<Error><Code>NotImplemented</Code></Error>"));
        }
        if is_conditional && self.faults.ignores_conditions.load(Ordering::SeqCst) {
            // The signature contains the header, so it is the object that has to go.
            let _ = std::fs::remove_file(self.objects.join(&key));
        }
        if method == Method::PUT && is_about("partNumber") && took_one(&self.faults.cut_parts) {
            return Err(std::io::Error::other("cut off"));
        }
        let answer = self.service.call(request.map(s3s::Body::from)).await.map_err(std::io::Error::other)?;
        let is_done = answer.status().is_success();
        if is_done && let Some(id) = value("uploadId").filter(|_| method == Method::DELETE || method == Method::POST) {
            self.faults.unfinished.lock().unwrap().remove(&id);
        }
        let (parts, body) = answer.into_parts();
        if method == Method::POST && is_about("uploads") {
            let text = BodyExt::collect(body).await.map_err(std::io::Error::other)?.to_bytes();
            let text = String::from_utf8(text.to_vec()).unwrap();
            let id = text.split("<UploadId>").nth(1).and_then(|rest| rest.split('<').next()).unwrap().to_owned();
            self.faults.unfinished.lock().unwrap().insert(id, key);
            return Ok(Response::from_parts(parts, whole(text)));
        }
        if method == Method::GET && is_done && took_one(&self.faults.cut_downloads) {
            return Ok(Response::from_parts(parts, cut_off(body)));
        }
        Ok(Response::from_parts(parts, body.map_err(std::io::Error::other).boxed_unsync()))
    }

    /// `s3s-fs` cannot list unfinished uploads, so that is done here, without a look at the signature.
    fn listed(&self, prefix: &str) -> Response<Body> {
        if self.faults.lists_no_uploads.load(Ordering::SeqCst) {
            return plain(StatusCode::NOT_IMPLEMENTED, "<Error><Code>NotImplemented</Code></Error>");
        }
        let unfinished = self.faults.unfinished.lock().unwrap().clone();
        let uploads: String = unfinished
            .iter()
            .filter(|(_, key)| key.starts_with(prefix))
            .map(|(id, key)| {
                format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>2026-01-01T00:00:00.000Z</Initiated></Upload>")
            })
            .collect();
        let xml = format!(
            "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>{uploads}</ListMultipartUploadsResult>"
        );
        plain(StatusCode::OK, &xml)
    }
}

fn whole(text: String) -> Body {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync()
}

fn plain(status: StatusCode, text: &str) -> Response<Body> {
    Response::builder().status(status).body(whole(text.to_owned())).unwrap()
}

/// The first frame of a body, and half of it at most; then the connection breaks.
fn cut_off(body: s3s::Body) -> Body {
    let first = BodyStream::new(body).take(1).map(|frame| {
        let frame = frame.map_err(std::io::Error::other)?;
        let data = frame.into_data().unwrap_or_default();
        Ok(Frame::data(data.slice(..data.len() / 2)))
    });
    let broken = futures::stream::once(async { Err(std::io::Error::other("cut off")) });
    BodyExt::boxed_unsync(StreamBody::new(first.chain(broken)))
}
