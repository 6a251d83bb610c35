//! Headers that say how many cost points are left: `RateLimit` and `RateLimit-Policy` as the IETF's draft has them, and
//! the three that most clients read.

use async_graphql::{Response, Value};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::graphql::limits::{Account, Rate};

/// All that a page of another origin may read.
pub(super) const NAMES: [HeaderName; 5] = [
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("ratelimit-limit"),
    HeaderName::from_static("ratelimit-remaining"),
    HeaderName::from_static("ratelimit-reset"),
];

/// Puts in what is left; nothing where points are not limited.
pub(super) fn put(account: &Account, rate: Option<Rate>, headers: &mut HeaderMap) {
    let Some(rate) = rate else { return };
    let level = account.level(rate);
    // Rounded up: when a client is told to come back, there is room.
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

/// Puts in `Retry-After` where the refusal says when to come back.
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
