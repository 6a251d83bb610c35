//! `/graphql`: GraphQL over HTTP. Which methods, media types and bodies are accepted, and which handler responds.

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use futures::FutureExt as _;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::error::{ApiError, Code};
use crate::graphql::errors::RequestId;
use crate::graphql::limits::{Limit, Refusal};
use crate::http::answer::Answered;
use crate::http::client_address::ClientAddress;
use crate::http::credentials::{self, authenticate, challenge, credentials, sender_of};
use crate::http::endpoint::Endpoint;
use crate::http::negotiate::{Format, MediaType, is_utf8, negotiate};
use crate::http::operation::{Kind, Operation};
use crate::http::params::{self, Params};
use crate::http::service::{Credentials, GraphqlService, Peer, RequestMeta, Transport};
use crate::http::streaming::Streamed;
use crate::http::{answer, csrf, multipart, rate_headers, request_id, sse, ws};

/// The size in bytes from which a body is not parsed on the serving thread.
const LONG_BODY: usize = 64 << 10;

const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
/// The number of headers of a response, and some room.
pub(super) const HEADERS: usize = 16;
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// A request that is rejected at the HTTP level, before it is treated as GraphQL.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    cause: ApiError,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refused {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, cause: ApiError::new(Code::BadUserInput, message.into()), header: None }
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    fn draining(retry_after: std::time::Duration) -> Self {
        let cause = ApiError::new(Code::RateLimited, "the server is restarting; try again in a moment");
        let seconds = HeaderValue::from(retry_after.as_secs().max(1));
        Self { status: StatusCode::SERVICE_UNAVAILABLE, cause, header: Some((header::RETRY_AFTER, seconds)) }
    }

    /// The body did not arrive in time. The rest of it is not read, so the connection cannot be reused.
    fn late(allowed: std::time::Duration) -> Self {
        let message = format!("the request body was not received within {} ms", allowed.as_millis());
        Self::new(StatusCode::REQUEST_TIMEOUT, message).with(header::CONNECTION, HeaderValue::from_static("close"))
    }

    fn into_response(self, media_type: MediaType, request: &RequestId) -> Response {
        let body = answer::serialize(&answer::refusal(self.cause, request));
        let mut response = whole(self.status, media_type, body);
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// Handles every method of `/graphql`.
pub(super) async fn handle<S: GraphqlService>(endpoint: Endpoint<S>, request: Request) -> Response {
    let since = Instant::now();
    let (parts, body) = request.into_parts();
    let request_id = parts.extensions.get::<RequestId>().cloned().unwrap_or_else(request_id::fresh);
    if endpoint.lifecycle().is_draining() {
        let retry_after = endpoint.lifecycle().retry_after();
        return Refused::draining(retry_after).into_response(MediaType::Json, &request_id);
    }
    if ws::is_upgrade(&parts) {
        if csrf::is_foreign(&parts, &endpoint.settings().allowed_origins) {
            let message = "pages of this origin cannot open a WebSocket here: the origin is not in ALLOWED_ORIGINS";
            return Refused::new(StatusCode::FORBIDDEN, message).into_response(MediaType::Json, &request_id);
        }
        let meta = meta(&parts, &request_id, Transport::WebSocket);
        return ws::upgrade(endpoint, parts, meta).await;
    }
    let media_type = match negotiate(&parts.headers) {
        Some(Format::Single(media_type)) => media_type,
        _ => MediaType::Json,
    };
    let mut response = match answer(&endpoint, parts, body, &request_id).await {
        Ok(response) => response,
        Err(refused) => refused.into_response(media_type, &request_id),
    };
    let took = format!("total;dur={:.1}", since.elapsed().as_secs_f64() * 1000.0);
    if let Ok(took) = HeaderValue::from_str(&took) {
        response.headers_mut().insert(SERVER_TIMING, took);
    }
    response
}

async fn answer<S: GraphqlService>(
    endpoint: &Endpoint<S>,
    parts: Parts,
    body: Body,
    request_id: &RequestId,
) -> Result<Response, Refused> {
    if parts.method != Method::GET && parts.method != Method::POST {
        let message = format!("{} is not supported: use POST, or GET for queries", parts.method);
        return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, message).with(header::ALLOW, ALLOWED_METHODS));
    }
    let format = negotiate(&parts.headers).ok_or_else(|| {
        let message = "none of the accepted media types is supported: responses are application/graphql-response+json, application/json, \
                       text/event-stream or multipart/mixed with subscriptionSpec";
        Refused::new(StatusCode::NOT_ACCEPTABLE, message)
    })?;
    let body = if parts.method == Method::GET {
        csrf::check(&parts, &endpoint.settings().allowed_origins)
            .map_err(|message| Refused::new(StatusCode::FORBIDDEN, message))?;
        let query = parts.uri.query().unwrap_or_default();
        params::Body::Single(Box::new(Params::from_query_string(query).map_err(bad_request)?))
    } else {
        check_content_type(&parts.headers)?;
        check_content_encoding(&parts.headers)?;
        let settings = endpoint.settings();
        let bytes = tokio::time::timeout(settings.body_timeout, read(&parts.headers, body, settings.max_body_bytes));
        let bytes = bytes.await.map_err(|_| Refused::late(settings.body_timeout))??;
        let max_batch = settings.max_batch;
        let parsed = if bytes.len() <= LONG_BODY {
            params::Body::parse(&bytes, max_batch)
        } else {
            // A few megabytes take a while to parse.
            let parsing = tokio::task::spawn_blocking(move || params::Body::parse(&bytes, max_batch));
            parsing.await.map_err(|_| Refused::new(StatusCode::SERVICE_UNAVAILABLE, "the server is shutting down"))?
        };
        parsed.map_err(bad_request)?
    };
    let transport = match format {
        Format::Single(_) => Transport::Http,
        Format::EventStream => Transport::Sse,
        Format::Multipart => Transport::Multipart,
    };
    let mut meta = meta(&parts, request_id, transport);
    if transport != Transport::Sse {
        meta.cookie = credentials::cookie(endpoint, &parts).map(Arc::from);
    }
    let said = credentials(endpoint, &parts);
    let said = said.as_ref().map_err(|message| *message);
    meta.credential = said.ok().and_then(Credentials::kind);
    let sender = authenticate(endpoint, said, &meta).await;
    match body {
        params::Body::Single(params) => {
            let caller = match sender {
                Ok(caller) => caller,
                Err(rejected) => match sender_of(endpoint, said, &rejected, &params, &meta).await {
                    Some(Ok(caller)) => caller,
                    Some(Err(rejected)) => return rejected.into_response(request_id, single(format)),
                    None => return rejected.into_response(request_id, single(format)),
                },
            };
            let operation = match endpoint.prepare(&caller, *params, &meta).await {
                Ok(operation) => operation,
                Err(response) => return Ok(refused(*response, format)),
            };
            if parts.method == Method::GET && operation.kind == Kind::Mutation {
                let message = "a mutation requires POST";
                let only_post = HeaderValue::from_static("POST");
                return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, message).with(header::ALLOW, only_post));
            }
            one(endpoint, &caller, operation, meta, format).await
        }
        params::Body::Batch(list) => {
            let mut operations = Vec::with_capacity(list.len());
            for params in list {
                let sender = match &sender {
                    Ok(caller) => Ok(caller.clone()),
                    Err(rejected) => match sender_of(endpoint, said, rejected, &params, &meta).await {
                        Some(sender) => sender.map_err(|rejected| rejected.error()),
                        None => Err(rejected.error()),
                    },
                };
                operations.push((params, sender));
            }
            match sender {
                Err(rejected) if operations.iter().all(|(_, sender)| sender.is_err()) => {
                    rejected.into_response(request_id, single(format))
                }
                _ => Ok(batch(endpoint, operations, meta, single(format)).await),
            }
        }
    }
}

async fn one<S: GraphqlService>(
    endpoint: &Endpoint<S>,
    caller: &S::Caller,
    operation: Operation,
    meta: RequestMeta,
    format: Format,
) -> Result<Response, Refused> {
    let streamed = |answer: fn(&Endpoint<S>, _) -> Response, operation: Operation, meta| {
        let mut headers = HeaderMap::new();
        rate_headers::put(operation.admission.account(), operation.limits.rate, &mut headers);
        let expired = endpoint.service().expired(caller).boxed();
        let mut answer = answer(endpoint, Streamed { frames: endpoint.stream(caller, operation, meta), expired });
        answer.headers_mut().extend(headers);
        Ok(answer)
    };
    match format {
        Format::EventStream => streamed(sse::answer, operation, meta),
        Format::Multipart if operation.kind == Kind::Subscription => streamed(multipart::answer, operation, meta),
        Format::Single(_) if operation.kind == Kind::Subscription => Err(Refused::new(
            StatusCode::NOT_ACCEPTABLE,
            "a subscription requires WebSocket (graphql-transport-ws), text/event-stream or multipart/mixed",
        )),
        Format::Single(_) | Format::Multipart => {
            let media_type = single(format);
            let answered = endpoint.run(caller, operation, meta).await;
            let (status, body) = (answered.status(media_type), answered.body());
            Ok(whole_with(answered.headers, status, media_type, body))
        }
    }
}

/// The operations of a batch run one after another, so that a batch uses no more of the server than a single request.
async fn batch<S: GraphqlService>(
    endpoint: &Endpoint<S>,
    operations: Vec<(Params, Result<S::Caller, ApiError>)>,
    meta: RequestMeta,
    media_type: MediaType,
) -> Response {
    let (mut payload, mut headers) = (String::from("["), HeaderMap::new());
    for (params, sender) in operations {
        payload.push_str(if payload.len() > 1 { "," } else { "" });
        let caller = match sender {
            Ok(caller) => caller,
            Err(cause) => {
                payload.push_str(&answer::serialize(&answer::refusal(cause, &meta.request_id)));
                continue;
            }
        };
        let allowed = endpoint.service().limits(&caller).operation.answer_bytes;
        let answered = match endpoint.prepare(&caller, params, &meta).await {
            Ok(operation) if operation.kind == Kind::Subscription => {
                let cause = ApiError::new(Code::BadUserInput, "a batch cannot contain a subscription");
                answer::refusal(cause, &meta.request_id).into()
            }
            // The responses of a batch are one response.
            Ok(_) if payload.len() as u64 > allowed => {
                let actual = payload.len() as u64;
                let refusal = Refusal::Exceeded { limit: Limit::AnswerBytes, allowed, actual };
                answer::refusal(refusal.into(), &meta.request_id).into()
            }
            Ok(operation) => endpoint.run(&caller, operation, meta.clone()).await,
            Err(response) => Answered::from(*response),
        };
        payload.push_str(&answered.payload());
        // The last one knows what is left.
        let cookie = headers.get_all(header::SET_COOKIE).iter().next_back().cloned();
        headers = answered.headers;
        if let Some(cookie) = cookie {
            headers.entry(header::SET_COOKIE).or_insert(cookie);
        }
    }
    payload.push(']');
    whole_with(headers, StatusCode::OK, media_type, payload)
}

fn refused(response: async_graphql::Response, format: Format) -> Response {
    let media_type = single(format);
    let mut answer = match format {
        Format::EventStream => sse::refusal(&response),
        Format::Single(_) | Format::Multipart => {
            whole(answer::status(&response, media_type), media_type, answer::serialize(&response))
        }
    };
    answer.headers_mut().extend(response.http_headers);
    answer
}

fn single(format: Format) -> MediaType {
    match format {
        Format::Single(media_type) => media_type,
        Format::EventStream | Format::Multipart => MediaType::Json,
    }
}

/// A response in one piece.
pub(super) fn whole(status: StatusCode, media_type: MediaType, body: impl Into<Body>) -> Response {
    whole_with(HeaderMap::with_capacity(HEADERS), status, media_type, body)
}

/// A response in one piece, with its own headers. It depends on the caller, so caches must not store it.
fn whole_with(mut headers: HeaderMap, status: StatusCode, media_type: MediaType, body: impl Into<Body>) -> Response {
    challenge(status, &mut headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type.content_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept, authorization"));
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn bad_request(error: params::InvalidParams) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, error.to_string())
}

/// JSON in UTF-8 only. What a form can send (`text/plain`, multipart, urlencoded) needs no preflight, so a page of
/// another site could send it.
fn check_content_type(headers: &HeaderMap) -> Result<(), Refused> {
    let refused = |message: &str| Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
    let value =
        headers.get(header::CONTENT_TYPE).ok_or_else(|| refused("Content-Type is missing: send application/json"))?;
    if value == "application/json" {
        return Ok(());
    }
    let mime: Option<mime::Mime> = value.to_str().ok().and_then(|text| text.parse().ok());
    match mime {
        Some(mime) if mime.essence_str() != "application/json" => {
            Err(refused(&format!("Content-Type {} is not supported: send application/json", mime.essence_str())))
        }
        Some(mime) if mime.get_param(mime::CHARSET).is_some_and(|charset| !is_utf8(charset.as_str())) => {
            Err(refused("the body must be UTF-8"))
        }
        Some(_) => Ok(()),
        None => Err(refused("Content-Type is invalid: send application/json")),
    }
}

/// A compressed body is rejected: a few bytes of it could become gigabytes.
fn check_content_encoding(headers: &HeaderMap) -> Result<(), Refused> {
    let identity = HeaderValue::from_static("identity");
    match headers.get_all(header::CONTENT_ENCODING).iter().find(|value| **value != identity) {
        None => Ok(()),
        Some(encoding) => {
            let message = format!("Content-Encoding {encoding:?} is not supported: send the body uncompressed");
            let refused = Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
            Err(refused.with(header::ACCEPT_ENCODING, identity))
        }
    }
}

async fn read(headers: &HeaderMap, body: Body, allowed: usize) -> Result<bytes::Bytes, Refused> {
    let too_large = |actual: Option<u64>| {
        let actual = actual.map_or_else(|| "more".to_owned(), |bytes| bytes.to_string());
        let message = format!("the limit \"body bytes\" is exceeded: it has {actual}, at most {allowed} are allowed");
        Refused::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    };
    let said = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|length| length > allowed as u64) {
        return Err(too_large(said));
    }
    to_bytes(body, allowed).await.map_err(|error| {
        let limit =
            std::error::Error::source(&error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>());
        if limit { too_large(None) } else { Refused::new(StatusCode::BAD_REQUEST, "the request body is incomplete") }
    })
}

/// The peer of the connection.
pub(super) fn peer(parts: &Parts) -> Peer {
    let address = parts.extensions.get::<ClientAddress>().map(|client| client.0);
    let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Peer {
        address: address.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED.into()),
        user_agent: user_agent.map(|agent| Arc::from(agent.chars().take(200).collect::<String>())),
    }
}

pub(super) fn meta(parts: &Parts, request_id: &RequestId, transport: Transport) -> RequestMeta {
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    // The operations of a WebSocket have nothing but their arguments.
    let last_event = text("last-event-id").filter(|cursor| !cursor.is_empty() && transport != Transport::WebSocket);
    RequestMeta {
        request_id: request_id.clone(),
        peer: peer(parts),
        transport,
        deadline: None,
        resume_after: last_event.map(Arc::from),
        traceparent: text("traceparent").map(Arc::from),
        tells_cost: text("graphql-cost").is_some_and(|value| value.eq_ignore_ascii_case("report")),
        cookie: None,
        credential: None,
    }
}
