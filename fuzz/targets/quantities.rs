//! Quantities compared with exact arithmetic: `A B` are parsed, ordered and rounded like numbers of arbitrary length.

use cluster_resources::Quantity;
use num_bigint::BigInt;

/// Billionths in one.
const NANOS: u32 = 1_000_000_000;

/// Longer texts are worth no more and cost the exact arithmetic too much time.
const LONGEST: usize = 120;

pub fn check(bytes: &[u8]) {
    let text = super::text(bytes);
    if text.len() > LONGEST {
        return;
    }
    let (one, other) = text.split_once(' ').unwrap_or((&text, "1"));
    let (one, other) = (read(one), read(other));
    let (Some((one, exact_one)), Some((other, exact_other))) = (one, other) else { return };
    assert_eq!(one.cmp(&other), exact_one.cmp(&exact_other), "{one} beside {other}");
    let sum = &one + &other;
    let greatest = BigInt::from(i128::MAX);
    let exact_sum = (exact_one + exact_other).clamp(-greatest.clone(), greatest);
    assert_eq!(BigInt::from(sum.nanos()), exact_sum, "{one} + {other}");
}

/// The quantity and its exact value in billionths; `None` for a text that is none.
fn read(text: &str) -> Option<(Quantity, BigInt)> {
    let exact = exact(text);
    let quantity: Option<Quantity> = text.parse().ok();
    assert_eq!(quantity.is_some(), exact.is_some(), "{text:?}");
    let (quantity, exact) = (quantity?, exact?);
    assert_eq!(quantity.as_str(), text);
    assert_eq!(BigInt::from(quantity.nanos()), exact, "{text:?}");
    assert_eq!(BigInt::from(quantity.millis()), away_from_zero(&exact, &BigInt::from(NANOS / 1000)));
    assert_eq!(BigInt::from(quantity.units()), away_from_zero(&exact, &BigInt::from(NANOS)));
    assert_eq!((quantity.is_negative(), quantity.is_zero()), (exact < BigInt::ZERO, exact == BigInt::ZERO));
    let canonical: Quantity = quantity.canonical().parse().unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_eq!(canonical, quantity, "{text:?}");
    Some((quantity, exact))
}

/// The grammar and the arithmetic of apimachinery's Quantity, written as plainly as can be.
fn exact(text: &str) -> Option<BigInt> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let end = unsigned.bytes().position(|byte| !byte.is_ascii_digit() && byte != b'.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let digits: String = number.chars().filter(|digit| *digit != '.').collect();
    if digits.is_empty() || number.matches('.').count() > 1 {
        return None;
    }
    let fraction = number.split_once('.').map_or(0, |(_, fraction)| fraction.len() as i64);
    let (binary, power) = match suffix {
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "" => (0, 0),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (1, 0),
        "Mi" => (2, 0),
        "Gi" => (3, 0),
        "Ti" => (4, 0),
        "Pi" => (5, 0),
        "Ei" => (6, 0),
        exponent => (0, exponent.strip_prefix(['e', 'E'])?.parse::<i64>().ok()?),
    };
    let value = digits.parse::<BigInt>().ok()? * BigInt::from(1024).pow(binary);
    // Beyond these powers everything of this length is zero, a billionth or the greatest.
    let power = power.saturating_sub(fraction).saturating_add(9).clamp(-300, 300);
    let ten = BigInt::from(10);
    let size = u32::try_from(power.unsigned_abs()).ok()?;
    let value = if power >= 0 { value * ten.pow(size) } else { away_from_zero(&value, &ten.pow(size)) };
    let greatest = if binary > 0 { BigInt::from(i64::MAX) * NANOS } else { BigInt::from(i128::MAX) };
    let value = value.min(greatest);
    Some(if negative { -value } else { value })
}

fn away_from_zero(value: &BigInt, unit: &BigInt) -> BigInt {
    let whole = value / unit;
    let rest = value % unit;
    match rest.sign() {
        num_bigint::Sign::NoSign => whole,
        num_bigint::Sign::Plus => whole + 1,
        num_bigint::Sign::Minus => whole - 1,
    }
}
