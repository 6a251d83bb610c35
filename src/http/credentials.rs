//! Who sends a request: the credentials in it, and how they are rejected.

use std::borrow::Cow;

use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::error::{ApiError, Code};
use crate::graphql::errors::RequestId;
use crate::http::endpoint::Endpoint;
use crate::http::graphql::{Refused, whole};
use crate::http::negotiate::MediaType;
use crate::http::params::Params;
use crate::http::service::{Credentials, GraphqlService, RequestMeta};
use crate::http::{answer, csrf};

/// The challenge of a 401 (RFC 6750, section 3).
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"platform\"");
/// The challenge for a token that is not valid.
const INVALID_TOKEN: HeaderValue = HeaderValue::from_static("Bearer realm=\"platform\", error=\"invalid_token\"");

/// The credentials of a request: the `Authorization` header, or else the session cookie.
///
/// # Errors
/// There is more than one `Authorization` header, so the sender is ambiguous, or it is not text.
pub(super) fn credentials<'r, S: GraphqlService>(
    endpoint: &Endpoint<S>,
    request: &'r Parts,
) -> Result<Credentials<'r>, &'static str> {
    let mut values = request.headers.get_all(header::AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => {
            let text = value.to_str().map_err(|_| "the Authorization header is not text")?;
            Ok(Credentials::Authorization(Cow::Borrowed(text)))
        }
        (Some(_), Some(_)) => Err("there is more than one Authorization header"),
        (None, _) => {
            let cookie = cookie(endpoint, request);
            Ok(cookie.map_or(Credentials::Nothing, |cookie| Credentials::Cookie(Cow::Borrowed(cookie))))
        }
    }
}

/// The session cookie of a request, unless the page that sent it must not use it.
pub(super) fn cookie<'r, S: GraphqlService>(endpoint: &Endpoint<S>, request: &'r Parts) -> Option<&'r str> {
    let cookie = endpoint.service().cookie(&request.headers)?;
    csrf::may_use_cookie(request, &endpoint.settings().allowed_origins).then_some(cookie)
}

/// Why the credentials of a request are rejected.
#[derive(Debug)]
pub(super) enum Rejected {
    /// The header is malformed.
    Malformed(&'static str),
    /// They are not valid, or this cannot be determined.
    Unauthenticated(ApiError),
}

impl Rejected {
    /// The error for one operation of a batch.
    pub fn error(&self) -> ApiError {
        match self {
            Self::Malformed(message) => ApiError::new(Code::BadUserInput, *message),
            Self::Unauthenticated(cause) => {
                let mut error = ApiError::new(cause.code, cause.message.clone());
                error.reason = cause.reason;
                error
            }
        }
    }

    /// The response to the whole request.
    pub fn into_response(self, request_id: &RequestId, media_type: MediaType) -> Result<Response, Refused> {
        let cause = match self {
            Self::Malformed(message) => return Err(Refused::new(StatusCode::BAD_REQUEST, message)),
            Self::Unauthenticated(cause) => cause,
        };
        let response = answer::refusal(cause, request_id);
        let status = answer::status(&response, media_type);
        let mut response = whole(status, media_type, answer::serialize(&response));
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, INVALID_TOKEN);
        }
        Ok(response)
    }

    /// Whether the credentials are invalid, and not just impossible to check at the moment.
    fn is_certain(&self) -> bool {
        match self {
            Self::Malformed(_) => true,
            Self::Unauthenticated(cause) => cause.code == Code::Unauthenticated,
        }
    }
}

/// Adds the challenge that every 401 has.
pub(super) fn challenge(status: StatusCode, headers: &mut HeaderMap) {
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, CHALLENGE);
    }
}

/// The sender of a request.
pub(super) async fn authenticate<S: GraphqlService>(
    endpoint: &Endpoint<S>,
    credentials: Result<&Credentials<'_>, &'static str>,
    meta: &RequestMeta,
) -> Result<S::Caller, Rejected> {
    let credentials = credentials.map_err(Rejected::Malformed)?;
    endpoint.service().authenticate(credentials, &meta.peer).await.map_err(Rejected::Unauthenticated)
}

/// The sender of one operation of a request whose credentials were rejected, if that does not matter for the operation.
/// Otherwise, why it matters, if that is not what they were rejected for.
pub(super) async fn sender_of<S: GraphqlService>(
    endpoint: &Endpoint<S>,
    credentials: Result<&Credentials<'_>, &'static str>,
    rejected: &Rejected,
    params: &Params,
    meta: &RequestMeta,
) -> Option<Result<S::Caller, Rejected>> {
    if !rejected.is_certain() {
        return None;
    }
    let service = endpoint.service();
    let nobody = service.authenticate(&Credentials::Nothing, &meta.peer).await.ok()?;
    let operation = endpoint.read(&nobody, params, meta).await?;
    let sender = service.authenticate_anyway(credentials.unwrap_or(&Credentials::Nothing), &operation).await?;
    Some(sender.map_err(Rejected::Unauthenticated))
}
