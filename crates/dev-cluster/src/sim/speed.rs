//! How much faster than life the simulators act.

use std::str::FromStr;
use std::time::Duration;

/// Longer than anybody waits, short enough that sums of such times do not overflow.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A factor: at 10 a pod of 30 seconds runs for 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed(f64);

/// A speed that is not a positive finite number.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("{0:?} is not a speed: a number above 0 such as 1, 2.5 or 100")]
pub struct BadSpeed(String);

impl Speed {
    /// As fast as life.
    pub const REAL: Self = Self(1.0);

    /// A speed of `factor`, which must be positive and finite.
    pub fn new(factor: f64) -> Result<Self, BadSpeed> {
        if factor.is_finite() && factor > 0.0 { Ok(Self(factor)) } else { Err(BadSpeed(factor.to_string())) }
    }

    /// The real time that a pretended time takes.
    pub fn scale(self, pretended: Duration) -> Duration {
        Duration::try_from_secs_f64(pretended.as_secs_f64() / self.0).unwrap_or(LONGEST).min(LONGEST)
    }
}

impl Default for Speed {
    fn default() -> Self {
        Self::REAL
    }
}

impl FromStr for Speed {
    type Err = BadSpeed;

    fn from_str(text: &str) -> Result<Self, BadSpeed> {
        text.parse().ok().and_then(|factor| Self::new(factor).ok()).ok_or_else(|| BadSpeed(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_divided_by_the_speed() {
        let speed: Speed = "10".parse().unwrap();
        assert_eq!(speed.scale(Duration::from_secs(30)), Duration::from_secs(3));
    }

    #[test]
    fn no_time_is_too_long() {
        let speed: Speed = "0.001".parse().unwrap();
        assert_eq!(speed.scale(Duration::MAX), LONGEST);
    }

    #[test]
    fn a_speed_is_positive_and_finite() {
        for text in ["0", "-1", "inf", "nan", "fast", ""] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
    }
}
