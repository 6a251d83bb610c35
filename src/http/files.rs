//! `/files/<ticket>/...`: passed on to the service as it comes, without what is around the other pages. CORS would answer
//! `OPTIONS` itself, pages of other sites have no business here, and files are not compressed on the way.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use http::{Request, StatusCode};
use tracing::Instrument as _;

use crate::graphql::errors::RequestId;
use crate::http::endpoint::Endpoint;
use crate::http::service::GraphqlService;

/// Whether a path is that of a file session.
pub(super) fn is_meant(path: &str) -> bool {
    path.starts_with("/files/")
}

/// The answer to a request for files.
pub(super) async fn answer<S: GraphqlService>(
    endpoint: Endpoint<S>,
    request: Request<Body>,
) -> Result<Response, Infallible> {
    let request_id = request.extensions().get::<RequestId>().map_or("", |id| id.0.as_str());
    // The path has the ticket, so it is not for the log.
    let span = tracing::debug_span!("files", request_id);
    let answered = endpoint.service().files(request).instrument(span);
    Ok(AssertUnwindSafe(answered).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("the proxy of files panicked");
        (StatusCode::INTERNAL_SERVER_ERROR, "something went wrong\n").into_response()
    }))
}
