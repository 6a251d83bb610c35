use std::convert::Infallible;
use std::sync::Arc;

use futures::StreamExt;
use http_body_util::{Full, StreamBody};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::sync::{Semaphore, oneshot};

use super::*;
use crate::files::ticket::Ticket;

const CLAIM: &str = "01h455vb4pex5vsknk084sn02q";
const TICKET: &str = "7zzzzzzzzzzzzzzzzzzzzzzzzz";

fn names(rest: &str) -> Names {
    let (ticket, _) = Ticket::of_path(&format!("/files/{TICKET}/")).unwrap();
    let host = Some("example.com".parse().unwrap());
    Names { ticket, claim: CLAIM.to_owned(), rest: rest.to_owned(), query: None, host, writes: true }
}

type Answer = Response<http_body_util::combinators::BoxBody<Bytes, io::Error>>;

/// A connection to a file server that answers like this.
fn server<F>(answer: impl Fn(Request<Incoming>) -> F + Send + Clone + 'static) -> DuplexStream
where
    F: Future<Output = Answer> + Send + 'static,
{
    let (ours, theirs) = tokio::io::duplex(16 << 10);
    tokio::spawn(async move {
        let service = service_fn(move |request| {
            let answer = answer(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let _ = http1::Builder::new().serve_connection(TokioIo::new(theirs), service).await;
    });
    ours
}

fn text(builder: http::response::Builder, body: impl Into<Bytes>) -> Answer {
    builder.body(Full::new(body.into()).map_err(|never| match never {}).boxed()).unwrap()
}

/// An answer whose body never ends.
fn endless(builder: http::response::Builder) -> Answer {
    let first = futures::stream::iter([Ok(Frame::data(Bytes::from_static(b"half")))]);
    builder.body(BodyExt::boxed(StreamBody::new(first.chain(futures::stream::pending())))).unwrap()
}

async fn asked(
    stream: DuplexStream,
    names: &Names,
    request: Request<Body>,
    ending: impl Future<Output = &'static str> + Send + 'static,
) -> Result<Response<Body>, NoAnswer> {
    let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let (transfer, sender) = Transfer::begin(stream, ending, permit).await.unwrap();
    let (parts, body) = request.into_parts();
    pass(transfer, sender, names, Passed { method: parts.method, headers: &parts.headers, body }).await
}

async fn body(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn get() -> Request<Body> {
    Request::get("/").body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_file_comes_as_it_is_and_cannot_run() {
    let stream = server(|request| async move {
        assert_eq!(request.uri().path(), format!("/files/{CLAIM}/a.html"));
        let file = Response::builder().header("content-type", "text/html").header("content-disposition", "inline");
        text(file, format!("<a href=\"/files/{CLAIM}/\">"))
    });
    let response = asked(stream, &names("/a.html"), get(), std::future::pending()).await.unwrap();
    assert!(response.headers()["content-security-policy"].to_str().unwrap().starts_with("sandbox;"));
    assert_eq!(body(response).await, format!("<a href=\"/files/{CLAIM}/\">"));
}

#[tokio::test]
async fn a_page_names_the_ticket_and_may_run_its_script() {
    let page =
        |at: &str| format!("<script src=\"/files/{at}/__dufs_v0.47.0__/index.js\"></script>{}", "x".repeat(10_000));
    let stream = server(move |_| async move {
        text(Response::builder().header("content-type", "text/html; charset=utf-8"), page(CLAIM))
    });
    let response = asked(stream, &names("/"), get(), std::future::pending()).await.unwrap();
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains(&format!("script-src example.com/files/{TICKET}/__dufs_v0.47.0__/index.js;")), "{policy}");
    assert_eq!(body(response).await, page(TICKET));
}

#[tokio::test]
async fn the_head_of_a_file_says_how_long_it_is() {
    let stream = server(|request| async move {
        assert_eq!(request.method(), Method::HEAD);
        text(Response::builder().header("content-disposition", "inline"), "five!")
    });
    let request = Request::head("/").body(Body::empty()).unwrap();
    let response = asked(stream, &names("/a"), request, std::future::pending()).await.unwrap();
    assert_eq!(response.headers()["content-length"], "5");
}

#[tokio::test]
async fn a_download_whose_right_ends_is_cut_and_does_not_look_complete() {
    let (end, ended) = oneshot::channel::<()>();
    let stream = server(|_| async { endless(Response::builder().header("content-disposition", "inline")) });
    let ending = async move {
        let _ = ended.await;
        "the file session has ended"
    };
    let response = asked(stream, &names("/a"), get(), ending).await.unwrap();
    let mut download = response.into_body().into_data_stream();
    assert_eq!(download.next().await.unwrap().unwrap(), "half");
    end.send(()).unwrap();
    let error = download.next().await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the file session has ended");
    assert!(download.next().await.is_none());
}

#[tokio::test]
async fn an_upload_whose_right_ends_is_refused_and_not_complete_for_the_file_server() {
    let (end, ended) = oneshot::channel::<()>();
    let (told, came) = oneshot::channel();
    let told = Arc::new(std::sync::Mutex::new(Some(told)));
    let stream = server(move |request| {
        let told = Arc::clone(&told);
        async move {
            let whole = request.into_body().collect().await;
            told.lock().unwrap().take().unwrap().send(whole.is_ok()).unwrap();
            text(Response::builder().status(201), "")
        }
    });
    let ending = async move {
        let _ = ended.await;
        "the file session has ended"
    };
    let pieces =
        futures::stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"half"))]).chain(futures::stream::pending());
    let request = Request::put("/").header("content-length", "8").body(Body::from_stream(pieces)).unwrap();
    let upload = tokio::spawn(async move { asked(stream, &names("/a"), request, ending).await.map(drop) });
    end.send(()).unwrap();
    let Err(NoAnswer::Refused(refusal)) = upload.await.unwrap() else { panic!("it is refused") };
    assert_eq!(refusal.into_response(false).status(), StatusCode::FORBIDDEN);
    // It sees an error, or is not even asked again.
    assert_ne!(came.await, Ok(true));
}

/// As the body of an upload ends when its client goes.
#[tokio::test]
async fn an_upload_that_is_cut_is_not_complete_for_the_file_server() {
    let (told, came) = oneshot::channel();
    let told = Arc::new(std::sync::Mutex::new(Some(told)));
    let stream = server(move |request| {
        let told = Arc::clone(&told);
        async move {
            let whole = request.into_body().collect().await;
            told.lock().unwrap().take().unwrap().send(whole.is_ok()).unwrap();
            text(Response::builder().status(201), "")
        }
    });
    let pieces = [Ok(Bytes::from_static(b"half")), Err(io::Error::other("the client has gone"))];
    let request = Request::put("/").body(Body::from_stream(futures::stream::iter(pieces))).unwrap();
    let answer = asked(stream, &names("/a"), request, std::future::pending()).await;
    // The file server is not to blame, so it is not looked for again.
    assert!(matches!(answer, Err(NoAnswer::Refused(_))));
    // It sees an error, or is not even asked again.
    assert_ne!(came.await, Ok(true));
}

#[tokio::test]
async fn a_file_server_that_ends_in_the_middle_leaves_an_error() {
    let (ours, mut theirs) = tokio::io::duplex(1 << 10);
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut request = [0; 1024];
        let _ = theirs.read(&mut request).await.unwrap();
        theirs
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-disposition: inline\r\ncontent-length: 8\r\n\r\nhalf")
            .await
            .unwrap();
    });
    let response = asked(ours, &names("/a"), get(), std::future::pending()).await.unwrap();
    let mut download = response.into_body().into_data_stream();
    assert_eq!(download.next().await.unwrap().unwrap(), "half");
    assert!(download.next().await.unwrap().is_err());
}
