//! Endpoints for operations: `/health`, `/ready`, `/metrics`; the schema, for the code generators of clients; and the public
//! keys of tokens, for other services.

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use crate::http::credentials::{challenge, credentials};
use crate::http::endpoint::Endpoint;
use crate::http::graphql::peer;
use crate::http::service::{Deprecated, GraphqlService};

/// `/health`: the process responds.
pub(super) async fn health() -> Response {
    uncached(Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") })))
}

/// `/ready`: every dependency of the server works, and it is not shutting down.
pub(super) async fn ready<S: GraphqlService>(State(endpoint): State<Endpoint<S>>) -> Response {
    let draining = endpoint.lifecycle().is_draining();
    let checks = endpoint.service().readiness().await;
    let unhealthy = checks.iter().find(|check| !check.healthy);
    let reason = match unhealthy {
        _ if draining => {
            Some("the server is draining: it finishes running requests and accepts no new ones".to_owned())
        }
        Some(check) => Some(format!("{}: {}", check.name, check.detail.as_deref().unwrap_or("failed"))),
        None => None,
    };
    let status = if reason.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = json!({ "ready": reason.is_none(), "draining": draining, "checks": checks });
    if let Some(reason) = reason {
        body["reason"] = reason.into();
    }
    (status, uncached(Json(body))).into_response()
}

/// `/metrics`, in the text format of Prometheus.
pub(super) async fn metrics<S: GraphqlService>(State(endpoint): State<Endpoint<S>>) -> Response {
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    uncached((content_type, endpoint.service().render_metrics()))
}

/// `/.well-known/jwks.json`: the public keys with which other services verify access tokens. They change rarely, and a service
/// that meets an unknown `kid` asks again.
pub(super) async fn public_keys<S: GraphqlService>(State(endpoint): State<Endpoint<S>>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/jwk-set+json"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        // The keys are public, for pages too.
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (headers, endpoint.service().public_keys().to_string()).into_response()
}

/// The query of `/schema.graphql`.
#[derive(Debug, Deserialize)]
pub(super) struct SchemaQuery {
    #[serde(default)]
    remove_deprecated: bool,
}

/// `/schema.graphql`; with `?remove_deprecated=true`, without everything that is deprecated. It contains the same as
/// introspection, so it has the same restrictions.
pub(super) async fn schema<S: GraphqlService>(
    State(endpoint): State<Endpoint<S>>,
    Query(query): Query<SchemaQuery>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let credentials = match credentials(&endpoint, &parts) {
        Ok(credentials) => credentials,
        Err(message) => return uncached((StatusCode::BAD_REQUEST, format!("{message}\n"))),
    };
    let caller = match endpoint.service().authenticate(&credentials, &peer(&parts)).await {
        Ok(caller) => caller,
        Err(cause) => {
            let mut response = uncached((StatusCode::UNAUTHORIZED, format!("{cause}\n")));
            challenge(StatusCode::UNAUTHORIZED, response.headers_mut());
            return response;
        }
    };
    if !endpoint.service().limits(&caller).operation.introspection {
        let refused = (StatusCode::NOT_FOUND, "introspection is disabled for you on this server\n");
        return uncached(refused);
    }
    let deprecated = if query.remove_deprecated { Deprecated::Removed } else { Deprecated::Included };
    let headers = [
        (header::CONTENT_TYPE, "application/graphql; charset=utf-8"),
        (header::CACHE_CONTROL, "private, max-age=60"),
        (header::VARY, "authorization"),
    ];
    (headers, endpoint.service().sdl(deprecated).to_string()).into_response()
}

fn uncached(response: impl axum::response::IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], response).into_response()
}
