//! The pages of a sign-in with a provider: `/auth/oidc/start` sends the browser there, and `/auth/oidc/callback` is where it
//! comes back. Neither shows anything, unless something went wrong and there is no page to return to.

use axum::extract::{Request, State};
use axum::response::{Html, IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};

use crate::error::{ApiError, Code};
use crate::graphql::errors::RequestId;
use crate::http::endpoint::Endpoint;
use crate::http::graphql::peer;
use crate::http::request_id;
use crate::http::service::{GraphqlService, Redirection, SignInRequest, SignInStep};

/// Nothing on the error page needs a script, a style or an image.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/auth/oidc/start`.
pub(super) async fn start<S: GraphqlService>(State(endpoint): State<Endpoint<S>>, request: Request) -> Response {
    answer(&endpoint, SignInStep::Start, request).await
}

/// `/auth/oidc/callback`.
pub(super) async fn callback<S: GraphqlService>(State(endpoint): State<Endpoint<S>>, request: Request) -> Response {
    answer(&endpoint, SignInStep::Callback, request).await
}

async fn answer<S: GraphqlService>(endpoint: &Endpoint<S>, step: SignInStep, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let request_id = parts.extensions.get::<RequestId>().cloned().unwrap_or_else(request_id::fresh);
    let request = SignInRequest {
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        peer: peer(&parts),
        request_id: &request_id,
    };
    let mut response = match endpoint.service().sign_in(step, request).await {
        Ok(redirection) => redirect(redirection),
        Err(error) => page(&error, &request_id),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The URL contains the code and the state.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn redirect(Redirection { location, cookies }: Redirection) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    match HeaderValue::from_str(&location) {
        Ok(location) => response.headers_mut().insert(header::LOCATION, location),
        // A serialized URL is ASCII.
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// A page with the error, for the user who is looking at it.
fn page(error: &ApiError, request_id: &RequestId) -> Response {
    if error.code == Code::Internal {
        let cause = crate::db::error_chain(error);
        tracing::error!(request_id = request_id.0, error = cause, "failed to sign a user in");
    }
    let status = match error.code {
        Code::BadUserInput => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Sign-in failed</title><h1>Sign-in failed</h1>\
         <p>{}.</p><p><a href=/>Back</a></p><p><small>Request {}</small></p>",
        escaped(&error.message),
        escaped(&request_id.0)
    );
    let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
    (status, [(header::CONTENT_SECURITY_POLICY, policy)], Html(html)).into_response()
}

fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_not_markup() {
        assert_eq!(escaped("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    }
}
