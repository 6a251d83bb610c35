//! Every path of the server, and what goes around all of them: request ids, CORS, compression, panics.

use axum::Router;
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate as _};
use tower_http::compression::{CompressionLayer, CompressionLevel};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::trace::TraceLayer;

use crate::config::AllowedOrigins;
use crate::error::ApiError;
use crate::graphql::errors::RequestId;
use crate::http::endpoint::Endpoint;
use crate::http::service::GraphqlService;
use crate::http::{answer, graphql, playground, probes, rate_headers, request_id};

/// The server's paths.
pub fn router<S: GraphqlService>(endpoint: Endpoint<S>) -> Router {
    // Streams are not compressed: an event must not wait in a compressor for the next.
    let compressible = DefaultPredicate::new().and(NotForContentType::const_new("multipart/mixed"));
    let cors = cors(&endpoint.settings().allowed_origins);
    Router::new()
        .route("/graphql", any(graphql::handle::<S>))
        .route("/schema.graphql", get(probes::schema::<S>))
        .route("/health", get(probes::health))
        .route("/ready", get(probes::ready::<S>))
        .route("/metrics", get(probes::metrics::<S>))
        .route("/", get(playground::index::<S>))
        .route("/playground/config.json", get(playground::config::<S>))
        .route("/{*path}", get(playground::file::<S>))
        .with_state(endpoint)
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(compressible))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(cors)
        .layer(TraceLayer::new_for_http().make_span_with(span).on_request(()).on_response(()).on_failure(()))
        .layer(middleware::from_fn(request_id::assign))
}

/// Pages of other origins may call the API when the operator names them; credentials are a header, never a cookie.
fn cors(allowed: &AllowedOrigins) -> CorsLayer {
    let origins = match allowed {
        AllowedOrigins::SameOrigin => AllowOrigin::list([]),
        AllowedOrigins::Any => AllowOrigin::any(),
        AllowedOrigins::Listed(list) => {
            AllowOrigin::list(list.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
        }
    };
    CorsLayer::new()
        .allow_origin(origins)
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
            [request_id::HEADER, header::RETRY_AFTER, HeaderName::from_static("server-timing")]
                .into_iter()
                .chain(rate_headers::NAMES)
                .collect::<Vec<_>>(),
        )
        .max_age(std::time::Duration::from_secs(600))
}

fn span<B>(request: &Request<B>) -> tracing::Span {
    let request_id = request.extensions().get::<RequestId>().map_or("", |id| id.0.as_str());
    tracing::info_span!("request", method = %request.method(), path = request.uri().path(), request_id)
}

/// A defect outside of any resolver.
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
