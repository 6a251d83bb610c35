//! The routes of the server, and the layers around all of them: request IDs, CORS, compression, panics.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures::{FutureExt as _, TryFutureExt as _};
use http::{HeaderName, Method, Request, StatusCode, header};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate as _};
use tower_http::compression::{CompressionLayer, CompressionLevel};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument as _;

use crate::config::AllowedOrigins;
use crate::error::ApiError;
use crate::graphql::errors::RequestId;
use crate::http::client_address::ClientAddress;
use crate::http::endpoint::Endpoint;
use crate::http::service::GraphqlService;
use crate::http::settings::HttpSettings;
use crate::http::{
    answer, client_address, compression, export, files, graphql, objects, playground, probes, rate_headers, request_id,
    sign_in,
};

/// The routes of the server. The layers around them are one service without a box for each, and `/graphql`, which
/// receives nearly all requests, is not looked up.
pub fn router<S: GraphqlService>(
    endpoint: Endpoint<S>,
) -> impl Service<Request<Body>, Response = Response, Error = Infallible, Future: Send + 'static> + Clone + Send + 'static
{
    // Streams are not compressed: an event must not wait in a compressor for the next one.
    let compressible = DefaultPredicate::new().and(NotForContentType::const_new("multipart/mixed"));
    // Objects are compressed when they are stored, if they can be.
    let compressible = compressible.and(NotForContentType::const_new("application/gzip"));
    let compressible = compressible.and(NotForContentType::const_new("application/octet-stream"));
    let cors = cors(endpoint.settings());
    let trusted_proxies = endpoint.settings().trusted_proxies.clone();
    let pages = Router::new()
        .route("/schema.graphql", get(probes::schema::<S>))
        .route("/health", get(probes::health))
        .route("/ready", get(probes::ready::<S>))
        .route("/metrics", get(probes::metrics::<S>))
        .route("/auth/oidc/start", get(sign_in::start::<S>))
        .route("/auth/oidc/callback", get(sign_in::callback::<S>))
        .route("/.well-known/jwks.json", get(probes::public_keys::<S>))
        .route("/audit.ndjson", get(export::audit_log::<S>))
        .route("/objects/{*link}", get(objects::download::<S>))
        .route("/", get(playground::index::<S>))
        .route("/playground/config.json", get(playground::config::<S>))
        .route("/{*path}", get(playground::file::<S>))
        .with_state(endpoint.clone());
    let compression = CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(compressible);
    let of_files = endpoint.clone();
    let shown = service_fn(move |request: Request<Body>| files::answer(of_files.clone(), request).boxed());
    let answered = service_fn(move |request: Request<Body>| answer(endpoint.clone(), pages.clone(), request));
    let compressed = compression.layer(answered.clone());
    // The state of the compressors is expensive to move, so requests that do not ask for compression bypass it.
    let negotiated = service_fn(move |mut request: Request<Body>| {
        if request.headers().contains_key(header::ACCEPT_ENCODING) {
            compression::choose(request.headers_mut());
            let compressed = compressed.clone().oneshot(request);
            compressed.map_ok(|response| response.map(Body::new)).boxed().left_future()
        } else {
            answered.clone().oneshot(request).right_future()
        }
    });
    let around = cors.layer(negotiated);
    service_fn(move |mut request| {
        client_address::note(&mut request, &trusted_proxies);
        match files::is_meant(request.uri().path()) {
            true => request_id::assign(shown.clone(), request).left_future(),
            false => request_id::assign(around.clone(), request).right_future(),
        }
    })
}

/// A panic outside of any resolver gets a response too.
async fn answer<S: GraphqlService>(
    endpoint: Endpoint<S>,
    pages: Router,
    request: Request<Body>,
) -> Result<Response, Infallible> {
    let request_id = request.extensions().get::<RequestId>().map_or("", |id| id.0.as_str());
    let client = request.extensions().get::<ClientAddress>().map(|client| tracing::field::display(client.0));
    let span = tracing::debug_span!("request", request_id, client);
    // The future of the handler is large, so it stays where it is created.
    let answered = if request.uri().path() == "/graphql" {
        graphql::handle(endpoint, request).boxed()
    } else {
        pages.oneshot(request).map(|Ok(response)| response).boxed()
    };
    Ok(AssertUnwindSafe(answered.instrument(span)).catch_unwind().await.unwrap_or_else(panicked))
}

/// Pages of other origins may call the API if the operator allows them. Credentials are a header, and a cookie only if
/// sessions are stored in cookies: then the origins are always listed, as CORS requires.
fn cors(settings: &HttpSettings) -> CorsLayer {
    let origins = match settings.allowed_origins.clone() {
        AllowedOrigins::Any => AllowOrigin::any(),
        some => AllowOrigin::predicate(move |origin, _| origin.to_str().is_ok_and(|origin| some.contain(origin))),
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_credentials(settings.cookie_sessions)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::ACCEPT,
            request_id::HEADER,
            HeaderName::from_static("x-graphql-csrf"),
            HeaderName::from_static("apollo-require-preflight"),
            HeaderName::from_static("last-event-id"),
            HeaderName::from_static("traceparent"),
            HeaderName::from_static("graphql-cost"),
        ])
        .expose_headers(
            [
                request_id::HEADER,
                header::RETRY_AFTER,
                header::WWW_AUTHENTICATE,
                HeaderName::from_static("server-timing"),
            ]
            .into_iter()
            .chain(rate_headers::NAMES)
            .collect::<Vec<_>>(),
        )
        .max_age(std::time::Duration::from_secs(600))
}

/// A bug outside of any resolver.
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    let cause = ApiError::internal(format!("a handler panicked: {message}"));
    let body = answer::serialize(&answer::refusal(cause, &request_id::fresh()));
    (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body)
        .into_response()
}
