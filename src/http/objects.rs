//! `/objects/...`: downloads of objects in a folder, for whoever has a signed link. Objects in a bucket are downloaded from the S3
//! server.

use std::ops::Range;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use object_store::GetRange;

use crate::http::endpoint::Endpoint;
use crate::http::service::GraphqlService;
use crate::objects::{Download, Key, ObjectError, PATH, Store};

/// Nothing in an object is for a page: neither scripts nor anything that it may load.
const NO_PAGE: &str = "sandbox; default-src 'none'";

/// Sends the object that the link leads to, or the range of it that the client asks for.
pub(super) async fn download<S: GraphqlService>(State(endpoint): State<Endpoint<S>>, request: Request) -> Response {
    let Some(store) = endpoint.service().objects() else {
        return refused(StatusCode::NOT_FOUND, "this server has no files\n");
    };
    // The characters of a link are not encoded, so one that has others is not a link.
    let link = request.uri().path().strip_prefix(PATH).unwrap_or_default();
    let key = match store.linked(link) {
        Ok(key) => key,
        Err(bad) => return refused(StatusCode::FORBIDDEN, format!("{bad}\n")),
    };
    match object(store, &key, request.headers()).await {
        Ok(response) => response,
        Err(ObjectError::NotFound(_)) => refused(StatusCode::NOT_FOUND, "the file does not exist any more\n"),
        Err(error) if error.is_temporary() => refused(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

async fn object(store: &Store, key: &Key, headers: &HeaderMap) -> Result<Response, ObjectError> {
    let whole = store.get(key, None).await?;
    let size = whole.size;
    let (status, download) = match asked(headers, size) {
        Asked::Whole => (StatusCode::OK, whole),
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, store.get(key, Some(GetRange::Bounded(range))).await?),
        Asked::Nothing => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            return Ok(
                (range, refused(StatusCode::RANGE_NOT_SATISFIABLE, "the file has no such range\n")).into_response()
            );
        }
    };
    let Download { range, bytes, .. } = download;
    let name = key.file_name();
    let kind = if name.ends_with(".gz") { "application/gzip" } else { "application/octet-stream" };
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_LENGTH, (range.end - range.start).to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
        (header::CONTENT_SECURITY_POLICY, NO_PAGE.to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    let mut response = (status, headers, Body::from_stream(bytes)).into_response();
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(value) = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1)).parse()
    {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    Ok(response)
}

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    Part(Range<u64>),
    /// Nothing that there is.
    Nothing,
}

/// The range in a request (RFC 9110, section 14.2). One that is not understood, or depends on a validator, which objects do not have
/// here, is ignored, as are several.
fn asked(headers: &HeaderMap, size: u64) -> Asked {
    let range = headers.get(header::RANGE).filter(|_| !headers.contains_key(header::IF_RANGE));
    let Some((first, last)) =
        range.and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")).and_then(|range| range.split_once('-'))
    else {
        return Asked::Whole;
    };
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<u64>().ok(),
        false => None,
    };
    let range = match (first.trim(), last.trim()) {
        ("", last) => number(last).map(|length| size.saturating_sub(length)..size),
        (first, "") => number(first).map(|first| first..size),
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Some(first..last.saturating_add(1).min(size)),
            _ => None,
        },
    };
    match range {
        None => Asked::Whole,
        Some(range) if range.start < range.end => Asked::Part(range),
        Some(_) => Asked::Nothing,
    }
}

fn refused(status: StatusCode, message: impl Into<String>) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], message.into()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: &str) -> Asked {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, range.parse().unwrap());
        asked(&headers, 100)
    }

    #[test]
    fn a_range_is_a_part_of_the_object() {
        assert_eq!(of("bytes=0-9"), Asked::Part(0..10));
        assert_eq!(of("bytes=90-"), Asked::Part(90..100));
        assert_eq!(of("bytes=-10"), Asked::Part(90..100));
        assert_eq!(of("bytes=50-18446744073709551615"), Asked::Part(50..100));
        assert_eq!(of("bytes=-1000"), Asked::Part(0..100));
    }

    #[test]
    fn what_is_beyond_the_end_is_nothing_and_what_is_no_range_is_ignored() {
        assert_eq!(of("bytes=100-"), Asked::Nothing);
        assert_eq!(of("bytes=-0"), Asked::Nothing);
        for ignored in ["bytes=9-0", "bytes=x-", "bytes=0-9,20-29", "lines=0-9", "bytes=-", "bytes=+1-2", "bytes"] {
            assert_eq!(of(ignored), Asked::Whole, "{ignored}");
        }
    }
}
