//! Kubernetes quantities: `500m`, `10Gi`, `1e3`.
//!
//! A quantity is kept as it was written and compared by its value, so `1Gi` equals `1024Mi`. The rules are those of
//! `k8s.io/apimachinery/pkg/api/resource`: a value is exact to a billionth, anything finer is rounded away from zero, and
//! values with binary suffixes such as `Ki` are at most 2^63 - 1.
//!
//! There are two differences. Values end at 1.7 * 10^29, where Kubernetes has numbers of any length. And a number needs a
//! digit, as Kubernetes documents it; its parser reads `Gi` and `.` as zero.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::iter::Sum;
use std::ops::{Add, Sub};
use std::str::FromStr;

/// Billionths in one.
const NANOS: i128 = 1_000_000_000;
/// The maximum value, in billionths.
const MAX: i128 = i128::MAX;
/// The number of decimal digits of the maximum value.
const MAX_DIGITS: usize = 39;
/// The maximum value with a binary suffix, in billionths.
const MAX_BINARY: i128 = i64::MAX as i128 * NANOS;

/// An amount of a resource.
#[derive(Clone, Debug)]
pub struct Quantity {
    text: String,
    nanos: i128,
    format: Format,
}

/// The notation of a quantity, which its sums keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// `Ki`, `Mi`, …
    Binary,
    /// `m`, `k`, `M`, … or nothing.
    Decimal,
    /// `e3`.
    Exponent,
}

/// A text that is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{value:?} is not a quantity: a number is allowed, alone or followed by n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei \
     or an exponent such as e3 (for example 500m, 1.5, 10Gi)"
)]
pub struct ParseQuantityError {
    /// The given text.
    pub value: String,
}

/// The multiplier of a suffix: a power of ten or of 1024.
enum Scale {
    Ten(i64),
    Kibi(u32),
}

impl Quantity {
    /// Nothing: `0`.
    pub fn zero() -> Quantity {
        Quantity { text: "0".to_owned(), nanos: 0, format: Format::Decimal }
    }

    /// So many whole units.
    pub fn of_units(units: i64) -> Quantity {
        Quantity::of(i128::from(units) * NANOS, Format::Decimal)
    }

    /// So many thousandths, such as those of a CPU: `1500m`.
    pub fn of_millis(millis: i64) -> Quantity {
        Quantity::of(i128::from(millis) * (NANOS / 1000), Format::Decimal)
    }

    /// So many billionths.
    pub fn of_nanos(nanos: i128) -> Quantity {
        Quantity::of(nanos, Format::Decimal)
    }

    /// So many bytes, with a binary suffix where that needs no fraction: `10Gi`.
    pub fn of_bytes(bytes: i64) -> Quantity {
        Quantity::of(i128::from(bytes) * NANOS, Format::Binary)
    }

    /// Reads a value of JSON: a text, or a bare number as Kubernetes takes it; `None` for what is no quantity.
    pub fn of_json(value: &serde_json::Value) -> Option<Quantity> {
        match value {
            serde_json::Value::String(text) => text.parse().ok(),
            serde_json::Value::Number(number) => number.to_string().parse().ok(),
            _ => None,
        }
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The value in whole units, rounded away from zero.
    pub fn units(&self) -> i128 {
        round_away(self.nanos, NANOS)
    }

    /// The value in thousandths, rounded away from zero: millicores for a CPU.
    pub fn millis(&self) -> i128 {
        round_away(self.nanos, NANOS / 1000)
    }

    /// The value in billionths, which is exact.
    pub fn nanos(&self) -> i128 {
        self.nanos
    }

    /// Whether the value is negative.
    pub fn is_negative(&self) -> bool {
        self.nanos < 0
    }

    /// Whether the value is zero.
    pub fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    /// Whether the value is above zero.
    pub fn is_positive(&self) -> bool {
        self.nanos > 0
    }

    /// Whether the value is a number of whole units.
    pub fn is_whole(&self) -> bool {
        self.nanos % NANOS == 0
    }

    /// Whether the value is a multiple of another, which is not zero.
    pub fn is_multiple_of(&self, other: &Quantity) -> bool {
        other.nanos != 0 && self.nanos % other.nanos == 0
    }

    /// The quantity in the canonical notation of Kubernetes: the largest suffix that needs no fraction. A value with a binary
    /// suffix that is not a whole number of units is written with a decimal one.
    pub fn canonical(&self) -> String {
        write_canonical(self.nanos, self.format)
    }

    /// The quantity of a value, in the canonical notation of Kubernetes.
    fn of(nanos: i128, format: Format) -> Quantity {
        let nanos = nanos.max(-MAX);
        Quantity { text: write_canonical(nanos, format), nanos, format }
    }
}

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseQuantityError { value: text.to_owned() };
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let number_end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(number_end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return Err(wrong());
        }
        let (scale, format) = parse_suffix(suffix).ok_or_else(wrong)?;
        let digits = whole.bytes().chain(fraction.bytes()).map(|digit| digit - b'0').collect();
        let mut magnitude = magnitude(digits, fraction.len(), &scale);
        let mut format = format;
        if format == Format::Binary {
            magnitude = magnitude.min(MAX_BINARY);
            if (1..NANOS).contains(&magnitude) {
                format = Format::Decimal;
            }
        }
        let nanos = if negative { -magnitude } else { magnitude };
        Ok(Quantity { text: text.to_owned(), nanos, format })
    }
}

fn parse_suffix(suffix: &str) -> Option<(Scale, Format)> {
    let decimal = |power: i64| Some((Scale::Ten(power), Format::Decimal));
    let binary = |power: u32| Some((Scale::Kibi(power), Format::Binary));
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        exponent => {
            let power = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            Some((Scale::Ten(power), Format::Exponent))
        }
    }
}

/// The value of decimal digits in billionths: digit by digit, because a written number may be longer than any integer type.
fn magnitude(mut digits: Vec<u8>, fraction_length: usize, scale: &Scale) -> i128 {
    let power = match scale {
        Scale::Ten(power) => *power,
        Scale::Kibi(power) => {
            (0..*power).for_each(|_| multiply(&mut digits, 1024));
            0
        }
    };
    let leading_zeros = digits.iter().take_while(|digit| **digit == 0).count();
    digits.drain(..leading_zeros);
    if digits.is_empty() {
        return 0;
    }
    let length = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let shift = power.saturating_sub(length(fraction_length)).saturating_add(9);
    let kept = length(digits.len()).saturating_add(shift);
    if kept > length(MAX_DIGITS) {
        return MAX;
    }
    // Here `kept` is small; below one billionth nothing is kept and the value rounds up to it.
    let kept = usize::try_from(kept).unwrap_or(0);
    let has_rest = digits.iter().skip(kept).any(|digit| *digit != 0);
    let zeros = std::iter::repeat(&0);
    let append = |value: i128, digit: &u8| value.saturating_mul(10).saturating_add(i128::from(*digit));
    let value = digits.iter().chain(zeros).take(kept).fold(0, append);
    value.saturating_add(i128::from(has_rest))
}

/// Multiplies decimal digits, most significant first, in place.
fn multiply(digits: &mut Vec<u8>, factor: u32) {
    let mut carry = 0;
    for digit in digits.iter_mut().rev() {
        let product = u32::from(*digit) * factor + carry;
        *digit = last_digit(product);
        carry = product / 10;
    }
    while carry > 0 {
        digits.insert(0, last_digit(carry));
        carry /= 10;
    }
}

fn last_digit(number: u32) -> u8 {
    u8::try_from(number % 10).unwrap_or(0)
}

fn round_away(nanos: i128, unit: i128) -> i128 {
    let (whole, rest) = (nanos / unit, nanos % unit);
    whole + if rest == 0 { 0 } else { rest.signum() }
}

fn write_canonical(nanos: i128, format: Format) -> String {
    const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
    const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    if nanos == 0 {
        return "0".to_owned();
    }
    let is_small = nanos.unsigned_abs() < 1024 * NANOS.unsigned_abs();
    if format == Format::Binary && !is_small && nanos % NANOS == 0 {
        let (mut value, mut power) = (nanos / NANOS, 0);
        while value % 1024 == 0 && power + 1 < BINARY.len() {
            value /= 1024;
            power += 1;
        }
        return format!("{value}{}", BINARY[power]);
    }
    let (mut value, mut thousands) = (nanos, 0);
    while value % 1000 == 0 {
        value /= 1000;
        thousands += 1;
    }
    match DECIMAL.get(thousands) {
        Some(suffix) if format != Format::Exponent || suffix.is_empty() => format!("{value}{suffix}"),
        // There is no suffix beyond E.
        Some(_) | None => format!("{value}e{}", 3 * i32::try_from(thousands).unwrap_or(0) - 9),
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nanos.hash(state);
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Add for &Quantity {
    type Output = Quantity;

    /// The sum, in the notation of the left operand, or of the right one if the left is zero.
    fn add(self, other: &Quantity) -> Quantity {
        let format = if self.is_zero() { other.format } else { self.format };
        Quantity::of(self.nanos.saturating_add(other.nanos), format)
    }
}

impl Sub for &Quantity {
    type Output = Quantity;

    /// The difference, in the notation of the left operand, or of the right one if the left is zero.
    fn sub(self, other: &Quantity) -> Quantity {
        let format = if self.is_zero() { other.format } else { self.format };
        Quantity::of(self.nanos.saturating_sub(other.nanos), format)
    }
}

impl<'a> Sum<&'a Quantity> for Quantity {
    fn sum<I: Iterator<Item = &'a Quantity>>(all: I) -> Quantity {
        all.fold(Quantity::zero(), |total, one| &total + one)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    /// Accepts a string or, like Kubernetes, a bare number.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Number(serde_json::Number),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Text(text) => text,
            Written::Number(number) => number.to_string(),
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl From<Quantity> for k8s_openapi::apimachinery::pkg::api::resource::Quantity {
    fn from(quantity: Quantity) -> Self {
        Self(quantity.text)
    }
}

impl TryFrom<&k8s_openapi::apimachinery::pkg::api::resource::Quantity> for Quantity {
    type Error = ParseQuantityError;

    fn try_from(quantity: &k8s_openapi::apimachinery::pkg::api::resource::Quantity) -> Result<Self, Self::Error> {
        quantity.0.parse()
    }
}

#[cfg(test)]
mod tests;
