//! What the proxy answers by itself: a sentence, for people who see it in their browser and for scripts.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};

use crate::error::{ApiError, Code};

/// Nothing in these texts needs a script, a style or an image.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; sandbox; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Why a request is not passed on.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    message: String,
    /// Seconds after which the same request may succeed.
    retry_after: Option<u32>,
    allow: Option<&'static str>,
    challenge: bool,
}

impl Refusal {
    /// With a sentence, which starts in lower case.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after: None, allow: None, challenge: false }
    }

    /// The session is unknown, of somebody else, or has ended: which of these is not told.
    pub fn unknown() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such file session, or it has ended; open the files again")
    }

    /// The request proves nothing.
    pub fn unproven(message: impl Into<String>) -> Self {
        Self { challenge: true, ..Self::new(StatusCode::UNAUTHORIZED, message) }
    }

    /// The same, for later.
    pub fn again_in(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The same, with the methods that are allowed.
    pub fn allowing(self, methods: &'static str) -> Self {
        Self { allow: Some(methods), ..self }
    }

    /// The response. Browsers ask for a password if they are challenged, which those who follow a link must not see.
    pub fn into_response(self, navigates: bool) -> Response<Body> {
        let mut message = self.message;
        if let Some(first) = message.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let end = if message.ends_with('.') { "\n" } else { ".\n" };
        let mut response = Response::new(Body::from(message + end));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
            if navigates {
                headers.insert(header::REFRESH, seconds.into());
            }
        }
        if let Some(methods) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        if self.challenge && !navigates {
            let basic = "Basic realm=\"platform files\", charset=\"UTF-8\"";
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(basic));
        }
        response
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        let status = match error.code {
            Code::Unauthenticated => return Self::unproven(error.message.clone()),
            Code::NotFound => return Self::unknown(),
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::Conflict => StatusCode::CONFLICT,
            code if code.is_retryable() => {
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, error.message.clone()).again_in(5);
            }
            _ => {
                tracing::error!(error = %crate::db::error_chain(&error), "a request for files failed");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Self::new(status, error.message.clone())
    }
}
