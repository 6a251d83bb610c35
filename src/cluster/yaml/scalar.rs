//! The meaning of a YAML scalar as kubectl reads it: YAML 1.1 as implemented by go-yaml v2.
//!
//! <https://github.com/kubernetes-sigs/yaml> resolves `yes`, `on` and `n` to booleans and `0644` to 420. The table in
//! `tests.rs` is what a real kubectl answered.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The namespace of YAML's own tags, `!!` for short.
const YAML_TAGS: &str = "tag:yaml.org,2002:";

/// A scalar that is not a string.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Plain {
    /// `null`, `~` or an empty value.
    Null,
    /// `true`, `yes`, `on`, `y` and their opposites.
    Bool(bool),
    /// An integer, including one written as a float (`1e3`), because JSON makes no difference.
    Int(i64),
    /// Any other number; always finite.
    Float(f64),
}

/// A scalar as written, before it is reduced to JSON's number types.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Resolved {
    Null,
    Bool(bool),
    Int(i64),
    Large(u64),
    Float(f64),
    Text,
}

/// A scalar and its resolved value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Plain(Resolved),
    Text(String),
}

/// The value of a scalar with this tag; `plain` is whether it was written without quotes.
///
/// # Errors
/// A message, if the tag does not allow the scalar.
pub(super) fn resolve(tag: Option<&str>, text: &str, plain: bool) -> Result<Scalar, String> {
    let Some(tag) = tag else {
        return Ok(match if plain { untagged(text) } else { Resolved::Text } {
            Resolved::Text => Scalar::Text(text.to_owned()),
            resolved => Scalar::Plain(resolved),
        });
    };
    let is_not = |what: &str| Err(format!("the tag !!{what} does not match {}", super::problem::shown(text)));
    match (tag.strip_prefix(YAML_TAGS).unwrap_or_default(), untagged(text)) {
        ("null", resolved @ Resolved::Null)
        | ("bool", resolved @ Resolved::Bool(_))
        | ("int", resolved @ (Resolved::Int(_) | Resolved::Large(_)))
        | ("float", resolved @ (Resolved::Int(_) | Resolved::Large(_) | Resolved::Float(_))) => {
            Ok(Scalar::Plain(resolved))
        }
        (what @ ("null" | "bool" | "int" | "float"), _) => is_not(what),
        ("timestamp", _) if !looks_like_a_date(text) => is_not("timestamp"),
        ("binary", _) => match STANDARD.decode(text.split_ascii_whitespace().collect::<String>()) {
            Ok(bytes) => String::from_utf8(bytes)
                .map(Scalar::Text)
                .map_err(|_| "the decoded value of the tag !!binary is not UTF-8".to_owned()),
            Err(_) => is_not("binary"),
        },
        _ => Ok(Scalar::Text(text.to_owned())),
    }
}

/// The value of a scalar without quotes and tag.
pub(super) fn untagged(text: &str) -> Resolved {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Resolved::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Resolved::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.as_bytes().first() {
        // Here an underscore may be between digits only; below, anywhere after the first character.
        Some(b'.') if underscores_join_digits(text) => float(&text.replace('_', "")).unwrap_or(Resolved::Text),
        Some(b'0'..=b'9' | b'+' | b'-') => {
            let plain = text.replace('_', "");
            whole(&plain).or_else(|| float(&plain)).or_else(|| signed_binary(&plain)).unwrap_or(Resolved::Text)
        }
        _ => Resolved::Text,
    }
}

/// An integer as Go's `strconv` parses it with base 0.
fn whole(text: &str) -> Option<Resolved> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.bytes().all(|digit| char::from(digit).is_digit(radix)) {
        return None;
    }
    let size = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        0_i64.checked_sub_unsigned(size).map(Resolved::Int)
    } else if let Ok(size) = i64::try_from(size) {
        Some(Resolved::Int(size))
    } else {
        // Go's unsigned numbers take no sign.
        text.starts_with(|first: char| first.is_ascii_digit()).then_some(Resolved::Large(size))
    }
}

/// `0b-1` is a number in go-yaml.
fn signed_binary(text: &str) -> Option<Resolved> {
    let digits = text.strip_prefix("0b").filter(|digits| digits.starts_with(['+', '-']))?;
    i64::from_str_radix(digits, 2).ok().map(Resolved::Int)
}

/// A decimal number with a point or an exponent, or one that is too large for an integer; none beyond the range of a
/// double.
fn float(text: &str) -> Option<Resolved> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((before, fraction)) => digits(before) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)));
    if !mantissa_fits || !exponent_fits {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite()).map(Resolved::Float)
}

fn underscores_join_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    bytes.iter().enumerate().all(|(at, byte)| *byte != b'_' || (digit(at.checked_sub(1)) && digit(Some(at + 1))))
}

/// Whether it begins like `2001-01-01`. Dates stay strings, so nothing more needs to be known about them.
fn looks_like_a_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-').map(|part| part.bytes().take_while(u8::is_ascii_digit).count());
    parts.next() == Some(4) && parts.next().is_some_and(|month| month > 0) && parts.next().is_some_and(|day| day > 0)
}

impl Resolved {
    /// The value as JSON.
    ///
    /// # Errors
    /// For infinity and not-a-number, which JSON does not have.
    pub(super) fn plain(self) -> Result<Plain, &'static str> {
        /// Doubles from here on are beyond a signed number of 64 bits.
        const TOO_LARGE: f64 = 9_223_372_036_854_775_808.0;
        Ok(match self {
            Self::Null | Self::Text => Plain::Null,
            Self::Bool(value) => Plain::Bool(value),
            Self::Int(value) => Plain::Int(value),
            // kubectl holds numbers as int64 or float64.
            #[allow(clippy::cast_precision_loss, reason = "kubectl loses the same digits")]
            Self::Large(value) => Plain::Float(value as f64),
            Self::Float(value) if !value.is_finite() => {
                return Err("infinity and \"not a number\" are not valid in a Kubernetes object");
            }
            #[allow(clippy::cast_possible_truncation, reason = "it is whole and within the range")]
            Self::Float(value) if value.fract() == 0.0 && (-TOO_LARGE..TOO_LARGE).contains(&value) => {
                Plain::Int(value as i64)
            }
            Self::Float(value) => Plain::Float(value),
        })
    }

    /// The scalar as a key in JSON, whose keys are strings.
    ///
    /// # Errors
    /// For null and numbers beyond 63 bits, which kubectl rejects as keys.
    pub(super) fn key(self) -> Result<String, &'static str> {
        match self {
            Self::Bool(value) => Ok(value.to_string()),
            Self::Int(value) => Ok(value.to_string()),
            Self::Float(value) => Ok(float_key(value)),
            Self::Null | Self::Text | Self::Large(_) => Err("a key must be a string; put it in quotes"),
        }
    }
}

/// Formatted like Go's `strconv.FormatFloat(value, 'g', -1, 32)`.
fn float_key(value: f64) -> String {
    #[allow(clippy::cast_possible_truncation, reason = "go-yaml's keys have the precision of 32 bits")]
    let value = value as f32;
    if !value.is_finite() {
        return match value {
            value if value.is_nan() => ".nan",
            value if value > 0.0 => ".inf",
            _ => "-.inf",
        }
        .to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
        }
        _ => value.to_string(),
    }
}
