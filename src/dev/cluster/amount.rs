//! Kubernetes quantities to add, compare and write: what is written is the canonical form, as the API server's own is.

use std::fmt;
use std::ops::{Add, Sub};

const NANO: i128 = 1_000_000_000;
/// More than this is this much.
const GREATEST: i128 = i128::MAX;
const BINARY: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];
const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];

/// How an amount was written; sums keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Decimal,
    Binary,
    Exponent,
}

/// A quantity, exact to a billionth.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    nano: i128,
    format: Format,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self { nano: 0, format: Format::Decimal };

    /// So many things.
    pub fn count(number: u32) -> Self {
        Self { nano: i128::from(number) * NANO, format: Format::Decimal }
    }

    /// Reads a quantity; parts of a billionth are rounded up.
    pub fn parse(text: &str) -> Option<Self> {
        let split = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
        let (number, suffix) = text.split_at(split);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let (format, factor, divisor) = if let Some((_, bits)) = BINARY.iter().find(|(name, _)| *name == suffix) {
            (Format::Binary, NANO << bits, 1)
        } else {
            let (format, power) = match DECIMAL.iter().find(|(name, _)| *name == suffix) {
                Some((_, power)) => (Format::Decimal, *power),
                None => (Format::Exponent, suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
            };
            // What is beyond this is the greatest or a billionth anyway.
            let power: i32 = power;
            let scale = 10_i128.checked_pow(power.saturating_add(9).unsigned_abs()).unwrap_or(i128::MAX);
            if power < -9 { (format, 1, scale) } else { (format, scale, 1) }
        };
        let divisor = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?.saturating_mul(divisor);
        let scaled = digits.saturating_mul(factor);
        let nano = scaled.div_euclid(divisor) + i128::from(scaled.rem_euclid(divisor) != 0);
        Some(Self { nano: nano.clamp(-GREATEST, GREATEST), format })
    }

    /// Whether there is nothing of it.
    pub fn is_zero(self) -> bool {
        self.nano == 0
    }

    /// Whether there is no part of a thing.
    pub fn is_whole(self) -> bool {
        self.nano % NANO == 0
    }

    /// Whether it is so many times another, which is more than nothing.
    pub fn is_multiple_of(self, unit: Self) -> bool {
        unit.nano != 0 && self.nano % unit.nano == 0
    }

    /// Whether there is more than nothing.
    pub fn is_positive(self) -> bool {
        self.nano > 0
    }
}

impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        self.nano == other.nano
    }
}

impl Eq for Amount {}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Amount {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.nano.cmp(&other.nano)
    }
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let format = if self.is_zero() { other.format } else { self.format };
        Self { nano: self.nano.saturating_add(other.nano), format }
    }
}

impl Sub for Amount {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + Self { nano: -other.nano, ..other }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str("0");
        }
        if self.format == Format::Binary && self.nano.abs() >= 1024 * NANO {
            // Binary amounts have no fractions.
            let mut value = self.nano.div_euclid(NANO) + i128::from(self.nano.rem_euclid(NANO) != 0);
            let mut steps = 0;
            while value % 1024 == 0 && steps < BINARY.len() {
                value /= 1024;
                steps += 1;
            }
            let suffix = steps.checked_sub(1).map_or("", |step| BINARY[step].0);
            return write!(f, "{value}{suffix}");
        }
        let (mut value, mut step) = (self.nano, 0);
        while value % 1000 == 0 && step < DECIMAL.len() - 1 {
            value /= 1000;
            step += 1;
        }
        match (self.format, DECIMAL[step]) {
            (Format::Exponent, (_, power)) if power != 0 => write!(f, "{value}e{power}"),
            (_, (suffix, _)) => write!(f, "{value}{suffix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_written_in_their_canonical_form() {
        for (given, canonical) in [
            ("1", "1"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("0.5", "500m"),
            ("2000", "2k"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("100Ki", "100Ki"),
            ("0.5Ki", "512"),
            ("1e3", "1e3"),
            ("12E", "12E"),
            ("0", "0"),
            ("-1", "-1"),
            ("0Gi", "0"),
            ("1000Ki", "1000Ki"),
        ] {
            assert_eq!(Amount::parse(given).unwrap().to_string(), canonical, "{given}");
        }
        for nonsense in ["", "x", "1x", "1.2.3", "e3"] {
            assert_eq!(Amount::parse(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn what_is_too_much_is_the_greatest_and_what_is_too_little_a_billionth() {
        let parsed = |text: &str| Amount::parse(text).unwrap();
        assert_eq!(parsed("1e99"), parsed("1e2147483647"));
        assert_eq!(parsed("-1e2147483647"), parsed("-1e99"));
        assert!(parsed("1000E") < parsed("1e30"));
        assert_eq!(parsed("1e-99"), parsed("1n"));
        assert!(parsed("1") < parsed("1000E"));
    }

    #[test]
    fn a_sum_is_written_like_its_first_part() {
        let sum = |a: &str, b: &str| (Amount::parse(a).unwrap() + Amount::parse(b).unwrap()).to_string();
        assert_eq!(sum("0", "1Gi"), "1Gi");
        assert_eq!(sum("100Mi", "100Mi"), "200Mi");
        assert_eq!(sum("100m", "1"), "1100m");
    }

    proptest! {
        #[test]
        fn what_is_written_is_the_same_amount(number in 0u32..1_000_000, suffix in "(m|k|M|G|Ki|Mi|Gi|Ti)?") {
            let amount = Amount::parse(&format!("{number}{suffix}")).unwrap();
            prop_assert_eq!(Amount::parse(&amount.to_string()), Some(amount));
        }
    }
}
