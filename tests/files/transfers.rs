//! Files that come and go through the proxy, the API server's port-forward and a file server, and what ends them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{StreamExt, stream};
use reqwest::Body;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Files;
use crate::support::dev::Dev;
use crate::support::serve::eventually;

const PATIENCE: Duration = Duration::from_secs(60);
const PIECE: usize = 64 << 10;
/// Pieces of a file that does not fit into the buffers on the way.
const PIECES: usize = 1024;

/// A platform with a claim of the project `detection`, which members may read and Maya may write.
struct Place {
    dev: Dev,
    maya: String,
    claim: Value,
}

impl Place {
    async fn start(cluster: &str) -> Option<Self> {
        let dev = Dev::start("files", cluster).await?;
        let maya = dev.log_in("maya").await;
        let project = dev.project(&maya, "detection").await;
        let create = "mutation($i: CreatePvcInput!) { createPvc(input: $i) { pvc { id } } }";
        let input = json!({ "projectId": project, "name": "data", "size": "1Gi", "defaultAccess": "READ" });
        let made = dev.ask(Some(&maya), create, json!({ "i": input })).await;
        let claim = made["data"]["createPvc"]["pvc"]["id"].clone();
        let place = Self { dev, maya, claim };
        place.grant("maya", "WRITE").await;
        Some(place)
    }

    async fn open(&self, token: &str) -> Files {
        Files::open(self.dev.ready["graphqlUrl"].as_str().unwrap(), token, &self.claim).await
    }

    async fn grant(&self, username: &str, access: &str) {
        let permit =
            "mutation($i: SetStoragePermissionsInput!) { setStoragePermissions(input: $i) { results { error } } }";
        let input = json!({ "pvcId": self.claim, "permissions": [{ "username": username, "access": access }] });
        let answer = self.dev.ask(Some(&self.maya), permit, json!({ "i": input })).await;
        assert_eq!(answer["data"]["setStoragePermissions"]["results"], json!([{ "error": null }]), "{answer}");
    }

    /// The folder that stands for the volume.
    fn volume(&self, with: &str) -> PathBuf {
        fn find(folder: &Path, name: &str) -> Option<PathBuf> {
            let mut entries = std::fs::read_dir(folder).ok()?.flatten();
            entries.find_map(|entry| match entry.file_type().ok()?.is_dir() {
                true => find(&entry.path(), name),
                false => (entry.file_name() == name).then(|| folder.to_owned()),
            })
        }
        find(&self.dev.data_dir(), with).expect("the file is in a folder of the cluster")
    }
}

async fn status(request: reqwest::RequestBuilder) -> u16 {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    assert!(status < 500, "{status} {}", answer.text().await.unwrap());
    status
}

async fn text(request: reqwest::RequestBuilder) -> String {
    request.send().await.unwrap().text().await.unwrap()
}

/// A body of [`PIECES`] pieces, each of which is its own number.
fn pieces() -> Body {
    Body::wrap_stream(
        stream::iter(0..PIECES).map(|number| Ok::<_, std::io::Error>(Bytes::from(vec![number as u8; PIECE]))),
    )
}

async fn story(cluster: &str) {
    let Some(place) = Place::start(cluster).await else { return };
    let writer = place.open(&place.maya).await;
    let reader = place.open(&place.dev.log_in("ada").await).await;
    let id = place.claim.as_str().unwrap().trim_start_matches("pvc_").to_owned();

    // A file is uploaded, and comes back as it is: whole, in part, and without what it would do in a page.
    let html = "<script>alert(document.cookie)</script>";
    assert_eq!(status(writer.wait("PUT", "evil.html").body(html)).await, 201);
    let answer = reader.wait("GET", "evil.html").send().await.unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("sandbox; default-src 'none'"), "{policy}");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert_eq!(answer.text().await.unwrap(), html);
    let part = reader.ask("GET", "evil.html").header("range", "bytes=1-6").send().await.unwrap();
    assert_eq!((part.status().as_u16(), &*part.text().await.unwrap()), (206, "script"));
    let head = reader.ask("HEAD", "evil.html").send().await.unwrap();
    assert_eq!(head.headers()["content-length"], html.len().to_string().as_str());
    let slash = reader.ask("GET", "evil.html/").send().await.unwrap();
    let policy = slash.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("sandbox;"), "a path with a slash at its end makes no page of a file: {policy}");

    // The page of the folder runs its own script, and names the ticket everywhere.
    let page = writer.ask("GET", "").send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let host = writer.server.trim_start_matches("http://");
    assert!(policy.contains(&format!("script-src {host}{}__dufs_v", writer.path)), "{policy}");
    let page = page.text().await.unwrap();
    assert!(page.contains(&writer.path) && !page.contains(&id), "{page}");
    if let Some((_, rest)) = page.split_once("<template id=\"index-data\">") {
        let data = STANDARD.decode(rest.split('<').next().unwrap()).unwrap();
        let data: Value = serde_json::from_slice(&data).unwrap();
        assert_eq!((data["uri_prefix"].as_str(), &data["allow_upload"]), (Some(&*writer.path), &json!(true)), "{data}");
    }
    let script = policy.split("script-src ").nth(1).unwrap().split(';').next().unwrap();
    let script = script.split(&writer.path).nth(1).unwrap();
    assert_eq!(status(writer.ask("GET", script)).await, 200);

    // WebDAV.
    let list = text(reader.ask("PROPFIND", "").header("depth", "1")).await;
    assert!(list.contains(&format!("{}evil.html", reader.path)) && !list.contains(&id), "{list}");
    assert_eq!(status(writer.ask("MKCOL", "sub")).await, 201);
    let to = format!("{}{}sub/moved%20a.html", writer.server, writer.path);
    let moved = status(writer.ask("MOVE", "evil.html").header("destination", to)).await;
    assert!(moved == 201 || moved == 204, "{moved}");
    assert_eq!(text(reader.ask("GET", "sub/moved%20a.html")).await, html);
    let elsewhere = writer.ask("MOVE", "sub").header("destination", format!("{}x", reader.path));
    assert_eq!(status(elsewhere).await, 400);
    assert_eq!(status(reader.ask("DELETE", "sub")).await, 403);
    let options = reader.ask("OPTIONS", "").send().await.unwrap();
    assert!(options.headers().contains_key("dav"));
    assert_eq!(options.headers()["allow"], "GET, HEAD, OPTIONS, PROPFIND");

    // A link that leads out of the volume.
    let volume = place.volume("moved a.html");
    std::os::unix::fs::symlink("/etc/passwd", volume.join("passwd")).unwrap();
    let stolen = reader.ask("GET", "sub/passwd").send().await.unwrap();
    assert!(stolen.status().is_client_error(), "{}", stolen.status());
    std::fs::remove_file(volume.join("passwd")).unwrap();
    assert_eq!(status(writer.ask("DELETE", "sub")).await, 204);
    assert_eq!(status(reader.ask("GET", "sub/moved%20a.html")).await, 404);

    // A server that is killed loses no session.
    let Place { mut dev, maya, claim } = place;
    let server = writer.server.clone();
    dev.kill().await;
    dev.start_again().await;
    let again = dev.ready["graphqlUrl"].as_str().unwrap().trim_end_matches("/graphql").to_owned();
    let writer = Files { server: again, ..writer };
    assert_ne!(writer.server, server);
    assert_eq!(status(writer.wait("GET", "")).await, 200);
    let place = Place { dev, maya, claim };
    place.dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_come_and_go_in_a_browser_and_by_webdav() {
    story("embedded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_come_and_go_over_a_real_api_server() {
    story("real").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_comes_back_as_it_went() {
    let place = Place::start("embedded").await.unwrap();
    let files = place.open(&place.maya).await;
    assert_eq!(status(files.wait("PUT", "large").body(pieces())).await, 201);
    let mut download = files.ask("GET", "large").send().await.unwrap().bytes_stream();
    let mut position = 0;
    while let Some(bytes) = download.next().await {
        for byte in bytes.unwrap() {
            assert_eq!(byte, (position / PIECE) as u8, "at {position}");
            position += 1;
        }
    }
    assert_eq!(position, PIECES * PIECE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_is_cut_when_the_access_is_taken_away_or_the_session_is_closed() {
    let place = Place::start("embedded").await.unwrap();
    let writer = place.open(&place.maya).await;
    assert_eq!(status(writer.wait("PUT", "large").body(pieces())).await, 201);
    let ada = place.dev.log_in("ada").await;
    let (reader, second) = (place.open(&ada).await, place.open(&ada).await);
    let begun = async |files: &Files| {
        let mut download = files.ask("GET", "large").send().await.unwrap().bytes_stream();
        download.next().await.unwrap().unwrap();
        download
    };
    let is_cut = async |download: &mut (dyn futures::Stream<Item = reqwest::Result<Bytes>> + Unpin + Send)| {
        let rest = async {
            while let Some(bytes) = download.next().await {
                if bytes.is_err() {
                    return true;
                }
            }
            false
        };
        timeout(PATIENCE, rest).await.expect("the download ends")
    };
    let mut closed = begun(&second).await;
    let close = "mutation($id: ID!) { closeFiles(input: { id: $id }) { fileSessionId } }";
    let answer = place.dev.ask(Some(&ada), close, json!({ "id": second.id })).await;
    assert!(answer["errors"].is_null(), "{answer}");
    assert!(is_cut(&mut closed).await);
    let mut lost = begun(&reader).await;
    place.grant("ada", "NONE").await;
    assert!(is_cut(&mut lost).await);
    assert_eq!(status(reader.ask("GET", "large")).await, 403);
    assert_eq!(status(writer.ask("HEAD", "large")).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_cut_leaves_no_file_that_looks_whole() {
    let place = Place::start("embedded").await.unwrap();
    let files = place.open(&place.maya).await;
    assert_eq!(status(files.wait("GET", "")).await, 200);
    let host = files.server.trim_start_matches("http://").to_owned();

    // The client goes in the middle.
    let mut client = TcpStream::connect(&host).await.unwrap();
    let head = format!(
        "PUT {}half HTTP/1.1\r\nhost: {host}\r\ncookie: {}\r\norigin: http://{host}\r\ncontent-length: 1000\r\nexpect: 100-continue\r\n\r\n",
        files.path, files.cookie
    );
    client.write_all(head.as_bytes()).await.unwrap();
    let mut continues = [0; 25];
    client.read_exact(&mut continues).await.unwrap();
    assert_eq!(&continues, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(&[b'x'; 500]).await.unwrap();
    drop(client);
    eventually("nothing is left of it", async || status(files.ask("HEAD", "half")).await == 404).await;

    // The write access is taken away in the middle.
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let body = Body::wrap_stream(stream::unfold(receiver, |mut receiver| async move {
        let bytes: Option<Bytes> = receiver.recv().await;
        bytes.map(|bytes| (Ok::<_, std::io::Error>(bytes), receiver))
    }));
    let upload = tokio::spawn(files.ask("PUT", "second").header("content-length", "1000").body(body).send());
    sender.send(Bytes::from_static(&[b'x'; 500])).await.unwrap();
    // The client's second piece is only taken when the first is on its way.
    sender.send(Bytes::from_static(&[b'x'; 100])).await.unwrap();
    place.grant("maya", "READ").await;
    // The answer may not get past what the client is still sending.
    if let Ok(answer) = timeout(PATIENCE, upload).await.unwrap().unwrap() {
        assert_eq!(answer.status(), 403);
    }
    eventually("nothing is left of it", async || status(files.ask("HEAD", "second")).await == 404).await;
    assert_eq!(status(files.ask("PUT", "third").body("x")).await, 403);
}
