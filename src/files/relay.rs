//! Passes one request to a file server, and its answer back, as both come: in memory is only what is on the way.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_stream::stream;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::SendRequest;

use super::headers::{Assets, Kind, Names, Need, need};
use super::refusal::Refusal;
use super::rewrite::{Rewriter, Text};
use super::transfer::Transfer;

/// How long a file server may take to begin an answer to a request without a body.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes at the beginning of a page that name its assets.
const BEGINNING: usize = 2 << 10;

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// The request is not valid, or its right has ended.
    Refused(Refusal),
    /// The connection broke before the answer began.
    Broken(String),
}

/// What is passed on.
#[derive(Debug)]
pub struct Passed<'r> {
    /// The method.
    pub method: Method,
    /// The headers of the client.
    pub headers: &'r HeaderMap,
    /// The body; empty for a method that only reads.
    pub body: Body,
}

/// Passes a request on.
///
/// # Errors
/// There is no answer.
pub async fn pass(
    transfer: Transfer,
    mut sender: SendRequest<Body>,
    names: &Names,
    passed: Passed<'_>,
) -> Result<Response<Body>, NoAnswer> {
    let Passed { method, headers, body } = passed;
    let (target, headers) = names.to_pod(headers).map_err(NoAnswer::Refused)?;
    // A client that goes away breaks the connection, too, and says nothing about the file server.
    let cut = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&cut);
    let body = body.map_frame(|frame: Frame<Bytes>| counted(frame, "upload")).map_err(move |error| {
        noted.store(true, Ordering::Relaxed);
        error
    });
    let mut request = Request::new(Body::new(body));
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method.clone(), target, headers);
    let is_short = need(&method) == Some(Need::Read);
    let answer = sender.send_request(request);
    let answer = match is_short {
        true => tokio::time::timeout(PATIENCE, answer)
            .await
            .map_err(|_| NoAnswer::Broken(format!("the file server did not answer within {} s", PATIENCE.as_secs())))?,
        // It answers when it has everything.
        false => answer.await,
    };
    let (answer, mut incoming) = match (answer, transfer.ended()) {
        (_, Some(why)) => return Err(NoAnswer::Refused(Refusal::new(StatusCode::FORBIDDEN, why))),
        (Ok(answer), None) => answer.into_parts(),
        (Err(_), None) if cut.load(Ordering::Relaxed) => {
            return Err(NoAnswer::Refused(Refusal::new(StatusCode::BAD_REQUEST, "the upload was cut off")));
        }
        (Err(error), None) => return Err(NoAnswer::Broken(crate::db::error_chain(&error))),
    };
    let kind = names.kind(&method, &answer);
    let text = match kind {
        Kind::Page => Some(Text::Page),
        Kind::Text(text) => Some(text),
        Kind::File | Kind::Asset | Kind::Plain => None,
    };
    let beginning = match kind {
        Kind::Page if method != Method::HEAD => beginning(&mut incoming).await.map_err(NoAnswer::Broken)?,
        _ => Vec::new(),
    };
    let headers = names.for_client(&answer, kind, Assets::of(&beginning, &names.claim).as_ref());
    let body = match method {
        Method::HEAD => Body::empty(),
        _ => {
            let rewriter = text.map(|text| Rewriter::new(text, &names.claim, names.ticket.as_str()));
            Body::from_stream(passed_back(transfer, beginning, incoming, rewriter))
        }
    };
    let mut response = Response::new(body);
    (*response.status_mut(), *response.headers_mut()) = (answer.status, headers);
    Ok(response)
}

/// The beginning of a page.
async fn beginning(body: &mut Incoming) -> Result<Vec<u8>, String> {
    let mut beginning = Vec::new();
    while beginning.len() < BEGINNING {
        match body.frame().await {
            Some(Ok(frame)) => beginning.extend(frame.into_data().unwrap_or_default()),
            Some(Err(error)) => return Err(crate::db::error_chain(&error)),
            None => break,
        }
    }
    Ok(beginning)
}

/// The bytes for the client. They end with an error if the answer is not complete, so that nobody takes half a file for the
/// whole.
fn passed_back(
    transfer: Transfer,
    beginning: Vec<u8>,
    mut body: Incoming,
    mut rewriter: Option<Rewriter>,
) -> impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream! {
        if let Some(rewriter) = &mut rewriter {
            yield Ok(rewriter.push(&beginning).into());
        }
        loop {
            match body.frame().await {
                Some(Ok(frame)) => {
                    let Ok(bytes) = counted(frame, "download").into_data() else { continue };
                    yield Ok(match &mut rewriter {
                        Some(rewriter) => rewriter.push(&bytes).into(),
                        None => bytes,
                    });
                }
                Some(Err(error)) => {
                    yield Err(io::Error::other(transfer.ended().map_or_else(|| error.to_string(), str::to_owned)));
                    return;
                }
                None => break,
            }
        }
        if let Some(why) = transfer.ended() {
            yield Err(io::Error::other(why));
        } else if let Some(mut rewriter) = rewriter {
            yield Ok(rewriter.finish().into());
        }
    }
}

fn counted(frame: Frame<Bytes>, direction: &'static str) -> Frame<Bytes> {
    if let Some(bytes) = frame.data_ref() {
        metrics::counter!("platform_file_bytes_total", "direction" => direction).increment(bytes.len() as u64);
    }
    frame
}

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;
