//! Headers with the remaining cost points: `RateLimit` and `RateLimit-Policy` according to the IETF draft, and the
//! three that most clients read.

use async_graphql::{Response, Value};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::graphql::limits::{Account, Rate};

/// All headers that a page of another origin may read.
pub(super) const NAMES: [HeaderName; 5] = [
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("ratelimit-limit"),
    HeaderName::from_static("ratelimit-remaining"),
    HeaderName::from_static("ratelimit-reset"),
];

/// Adds the remaining points, unless points are unlimited.
pub(super) fn put(account: &Account, rate: Option<Rate>, headers: &mut HeaderMap) {
    let Some(rate) = rate else { return };
    let level = account.level(rate);
    // Rounded up, so that there is room when the client retries.
    let reset = level.reset_after.as_secs_f64().ceil() as u64;
    let window = rate.window().as_secs_f64().ceil() as u64;
    let [now, policy, limit, remaining, reset_name] = NAMES;
    let mut structured = |name: HeaderName, text: String| {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name, value);
        }
    };
    structured(now, format!("\"cost-points\";r={};t={reset}", level.remaining));
    structured(policy, format!("\"cost-points\";q={};w={window}", level.limit));
    headers.insert(limit, level.limit.into());
    headers.insert(remaining, level.remaining.into());
    headers.insert(reset_name, reset.into());
}

/// Adds `Retry-After` if the rejection says when to retry.
pub(super) fn put_retry_after(response: &mut Response) {
    let extensions = response.errors.first().and_then(|error| error.extensions.as_ref());
    let wait = extensions.and_then(|extensions| match extensions.get("retryAfterMs")? {
        Value::Number(milliseconds) => milliseconds.as_u64(),
        _ => None,
    });
    if let Some(milliseconds) = wait {
        response.http_headers.insert(header::RETRY_AFTER, milliseconds.div_ceil(1000).into());
    }
}
