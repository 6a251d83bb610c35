//! The ID of a request: the client's own if it is safe, otherwise a new one; in every response and every error.

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tower::{Service, ServiceExt as _};

use crate::graphql::errors::RequestId;

/// `X-Request-Id`.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// A new, unique ID.
pub fn fresh() -> RequestId {
    RequestId(uuid::Uuid::now_v7().simple().to_string())
}

/// The ID of the client, if it is safe to log as it is: at most 128 letters, digits and `-_.:/+=`.
fn given(headers: &HeaderMap) -> Option<RequestId> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let sane = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte);
    ((1..=128).contains(&text.len()) && text.bytes().all(sane)).then(|| RequestId(text.to_owned()))
}

/// Sets the ID of a request, and of the response of `next`.
pub async fn assign<S, B, R>(next: S, mut request: Request<B>) -> Result<Response<R>, S::Error>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    let id = given(request.headers()).unwrap_or_else(fresh);
    let header = HeaderValue::from_str(&id.0);
    request.extensions_mut().insert(id);
    let mut response = next.oneshot(request).await?;
    if let Ok(header) = header {
        response.headers_mut().insert(HEADER, header);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(HEADER, HeaderValue::from_str(value).unwrap())]);
        given(&headers).map(|id| id.0)
    }

    #[test]
    fn a_sane_id_of_the_client_is_kept_and_another_is_not() {
        assert_eq!(of("abc-123").as_deref(), Some("abc-123"));
        assert_eq!(of("two words"), None);
        assert_eq!(of(&"x".repeat(129)), None);
        assert_eq!(of(""), None);
    }
}
