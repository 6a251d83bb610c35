//! The size of a storage claim as people write it, and in bytes.

use crate::error::ApiError;
use crate::graphql::names::shown;
use crate::graphql::scalars;
use crate::quantity::Quantity;

/// The largest size of a claim: larger ones are a slip of the keyboard (1 PiB).
pub const LARGEST: i64 = 1 << 50;
/// The smallest size of a claim: some storage drivers refuse smaller ones (1 MiB).
pub const SMALLEST: i64 = 1 << 20;

/// A size that a claim can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// As it was written.
    pub text: String,
    /// In bytes, rounded up.
    pub bytes: i64,
}

impl Size {
    /// The size in `field`.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for what is no quantity, or is smaller or larger than a claim can be.
    pub fn parse(given: &scalars::Quantity, field: &'static str) -> Result<Self, ApiError> {
        let text = given.0.trim();
        let refused = |message: String| Err(ApiError::bad_input(field, message));
        let Ok(quantity) = text.parse::<Quantity>() else {
            return refused(format!(
                "size was {}; it must be a number, optionally followed by a suffix such as Mi, Gi, Ti, M, G or T (10Gi, 1.5Ti)",
                shown(text)
            ));
        };
        match Self::of(&quantity) {
            Some(size) if (SMALLEST..=LARGEST).contains(&size.bytes) => Ok(size),
            _ => refused(format!("size was {}; it must be between 1Mi and 1Pi", shown(text))),
        }
    }

    /// The size that a quantity is; `None` for one beyond 2^63-1 bytes.
    pub fn of(quantity: &Quantity) -> Option<Self> {
        const NANOS: i128 = 1_000_000_000;
        // Rounded up, as Kubernetes does.
        let bytes = quantity.nanos().checked_add(NANOS - 1)?.div_euclid(NANOS);
        Some(Self { text: quantity.as_str().to_owned(), bytes: i64::try_from(bytes).ok()? })
    }
}

/// An amount of bytes in the notation of Kubernetes.
pub fn quantity(bytes: i64) -> scalars::Quantity {
    scalars::Quantity(Quantity::of_bytes(bytes).as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<i64, String> {
        let size = Size::parse(&scalars::Quantity(text.to_owned()), "input.size");
        size.map(|size| size.bytes).map_err(|error| error.to_string())
    }

    #[test]
    fn sizes_are_kubernetes_quantities() {
        assert_eq!(parsed("10Gi"), Ok(10 << 30));
        assert_eq!(parsed("10G"), Ok(10_000_000_000));
        assert_eq!(parsed(" 1.5Gi "), Ok(3 << 29));
        assert_eq!(parsed("1048576"), Ok(1 << 20));
        assert_eq!(parsed("1048576001m"), Ok(1_048_577), "rounded up");
        assert_eq!(parsed("1Pi"), Ok(LARGEST));
    }

    #[test]
    fn what_is_no_size_is_refused_with_what_is_allowed() {
        insta::assert_snapshot!(parsed("10GB").unwrap_err(), @r#"size was "10GB"; it must be a number, optionally followed by a suffix such as Mi, Gi, Ti, M, G or T (10Gi, 1.5Ti)"#);
        insta::assert_snapshot!(parsed("-1Gi").unwrap_err(), @r#"size was "-1Gi"; it must be between 1Mi and 1Pi"#);
        for wrong in ["", "0", "1Ki", "10E", "10000000E", "2Pi", "NaN", "1e400", "Gi"] {
            assert!(parsed(wrong).is_err(), "{wrong} was taken");
        }
    }
}
