//! `/audit.ndjson`: the audit log as lines of JSON. A page of it is read when the client has taken the one before, so an
//! export of any length takes constant memory.

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};

use crate::error::{ApiError, Code};
use crate::graphql::errors::RequestId;
use crate::http::credentials::{challenge, credentials};
use crate::http::endpoint::Endpoint;
use crate::http::graphql::meta;
use crate::http::request_id;
use crate::http::service::{GraphqlService, Span, Transport};

/// Streams the entries of the span in the query.
pub(super) async fn audit_log<S: GraphqlService>(
    State(endpoint): State<Endpoint<S>>,
    span: Result<Query<Span>, QueryRejection>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let span = match span {
        Ok(Query(span)) => span,
        // What the extractor says of it is about the types of this program.
        Err(_) => {
            let message =
                "the query is not valid: from and to must be times with a time zone, such as 2026-11-01T00:00:00Z\n";
            return refused(StatusCode::BAD_REQUEST, message.to_owned());
        }
    };
    let credentials = match credentials(&endpoint, &parts) {
        Ok(credentials) => credentials,
        Err(message) => return refused(StatusCode::BAD_REQUEST, format!("{message}\n")),
    };
    let request_id = parts.extensions.get::<RequestId>().cloned().unwrap_or_else(request_id::fresh);
    let mut meta = meta(&parts, &request_id, Transport::Http);
    meta.credential = credentials.kind();
    let lines = match endpoint.service().authenticate(&credentials, &meta.peer).await {
        Ok(caller) => endpoint.service().audit_log(&caller, span, &meta).await,
        Err(cause) => Err(cause),
    };
    match lines {
        Ok(Some(lines)) => {
            let headers = [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")];
            (headers, Body::from_stream(lines)).into_response()
        }
        Ok(None) => refused(StatusCode::NOT_FOUND, "there is no audit log\n".to_owned()),
        Err(cause) => refused(status(&cause), told(&cause, &request_id)),
    }
}

fn status(cause: &ApiError) -> StatusCode {
    match cause.code {
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::BadUserInput => StatusCode::BAD_REQUEST,
        _ if cause.code.is_retryable() => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The message for the client; the cause of an unexpected error is logged.
fn told(cause: &ApiError, request_id: &RequestId) -> String {
    if cause.code == Code::Internal {
        tracing::error!(request_id = request_id.0, error = %crate::db::error_chain(cause), "the export failed");
    }
    format!("{cause}\n")
}

fn refused(status: StatusCode, message: String) -> Response {
    let mut response = (status, [(header::CACHE_CONTROL, "no-store")], message).into_response();
    challenge(status, response.headers_mut());
    response
}
