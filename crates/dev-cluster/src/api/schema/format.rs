//! The string and number formats that the API server checks.

use base64::Engine;
use chrono::{DateTime, NaiveDate};
use regex::Regex;
use serde_json::Value;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

/// A known `format`; one that is not known is not checked, as in the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Int32,
    Int64,
    DateTime,
    Date,
    Duration,
    Byte,
    Uuid,
    Ipv4,
    Ipv6,
    Cidr,
    Mac,
    Email,
    Hostname,
    Uri,
}

impl Format {
    pub(super) fn parse(word: &str) -> Option<Format> {
        Some(match word {
            "int32" => Format::Int32,
            "int64" => Format::Int64,
            "date-time" | "datetime" => Format::DateTime,
            "date" => Format::Date,
            "duration" => Format::Duration,
            "byte" => Format::Byte,
            "uuid" => Format::Uuid,
            "ipv4" => Format::Ipv4,
            "ipv6" => Format::Ipv6,
            "cidr" => Format::Cidr,
            "mac" => Format::Mac,
            "email" => Format::Email,
            "hostname" => Format::Hostname,
            "uri" => Format::Uri,
            _ => return None,
        })
    }

    /// The format's name in messages.
    pub(super) fn word(self) -> &'static str {
        match self {
            Format::Int32 => "int32",
            Format::Int64 => "int64",
            Format::DateTime => "date-time",
            Format::Date => "date",
            Format::Duration => "duration",
            Format::Byte => "byte",
            Format::Uuid => "uuid",
            Format::Ipv4 => "ipv4",
            Format::Ipv6 => "ipv6",
            Format::Cidr => "cidr",
            Format::Mac => "mac",
            Format::Email => "email",
            Format::Hostname => "hostname",
            Format::Uri => "uri",
        }
    }

    /// Whether a value of the right type has the format.
    pub(super) fn admits(self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.admits_text(text),
            Value::Number(number) if self == Format::Int32 => {
                number.as_i64().is_none_or(|number| i32::try_from(number).is_ok())
            }
            _ => true,
        }
    }

    fn admits_text(self, text: &str) -> bool {
        match self {
            Format::Int32 | Format::Int64 => true,
            Format::DateTime => DateTime::parse_from_rfc3339(text).is_ok(),
            Format::Date => NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok(),
            Format::Duration => DURATION.as_ref().is_none_or(|pattern| pattern.is_match(text)),
            Format::Byte => base64::engine::general_purpose::STANDARD.decode(text).is_ok(),
            Format::Uuid => uuid::Uuid::parse_str(text).is_ok(),
            Format::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Format::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Format::Cidr => is_cidr(text),
            Format::Mac => text.split([':', '-']).map(str::len).eq([2; 6]) && is_hex_with(text, ":-"),
            Format::Email => {
                text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && is_hostname(host))
                    && !text.contains(char::is_whitespace)
            }
            Format::Hostname => is_hostname(text),
            Format::Uri => text.parse::<http::Uri>().is_ok_and(|uri| uri.scheme().is_some() || text.starts_with('/')),
        }
    }
}

/// A Go duration (`1h30m`) or its long form (`2 weeks`).
static DURATION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"^\s*-?(0|(\d+(\.\d+)?\s*(ns|us|µs|ms|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?|w|weeks?)\s*)+)$",
    )
    .ok()
});

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let Ok(bits) = bits.parse::<u8>() else { return false };
    (address.parse::<Ipv4Addr>().is_ok() && bits <= 32) || (address.parse::<Ipv6Addr>().is_ok() && bits <= 128)
}

fn is_hex_with(text: &str, others: &str) -> bool {
    text.chars().all(|c| c.is_ascii_hexdigit() || others.contains(c))
}

fn is_hostname(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 255 && text.strip_suffix('.').unwrap_or(text).split('.').all(is_label)
}
