//! Durations as kubectl shows them: two units while that says more, one unit after.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

/// `45s`, `3m20s`, `59m`, `4h5m`, `36h`, `3d4h`, `90d`, `2y30d`.
pub(super) fn human(duration: TimeDelta) -> String {
    let seconds = duration.num_seconds();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let with_rest = |count: i64, unit: &str, rest: i64, rest_unit: &str| {
        if rest == 0 { format!("{count}{unit}") } else { format!("{count}{unit}{rest}{rest_unit}") }
    };
    if seconds < -1 {
        "<invalid>".to_owned()
    } else if seconds < 0 {
        "0s".to_owned()
    } else if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 10 {
        with_rest(minutes, "m", seconds % 60, "s")
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if hours < 8 {
        with_rest(hours, "h", minutes % 60, "m")
    } else if hours < 48 {
        format!("{hours}h")
    } else if days < 8 {
        with_rest(days, "d", hours % 24, "h")
    } else if days < 2 * 365 {
        format!("{days}d")
    } else if days < 8 * 365 {
        with_rest(days / 365, "y", days % 365, "d")
    } else {
        format!("{}y", days / 365)
    }
}

/// How long ago a timestamp was; `<unknown>` for none.
pub(super) fn since(timestamp: Option<&Value>, now: DateTime<Utc>) -> String {
    match timestamp.and_then(Value::as_str) {
        None | Some("") => "<unknown>".to_owned(),
        Some(text) => parse(text).map_or_else(|| "<invalid>".to_owned(), |time| human(now - time)),
    }
}

/// Reads an RFC 3339 timestamp.
pub(super) fn parse(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc))
}
