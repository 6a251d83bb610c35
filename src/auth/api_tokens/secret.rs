//! API tokens as text: `plat_`, 43 digits of base 62 that are 256 random bits, and 6 that are the CRC-32 of those 43.
//!
//! Secret scanners find them with the regular expression `plat_[0-9A-Za-z]{49}`, and the checksum tells a token from what
//! only looks like one, without asking the server. The server uses it in the same way: what is mistyped costs no statement.

use sha2::{Digest, Sha256};

/// What every token starts with.
pub const PREFIX: &str = "plat_";
/// The number of digits of the random bits, of which 62^43 > 2^256 makes this many.
const SECRET_DIGITS: usize = 43;
/// The number of digits of the checksum: 62^6 > 2^32.
const CHECK_DIGITS: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What is stored of a token.
pub type TokenHash = [u8; 32];

/// The secret of a token. It is not stored, and not shown when it is printed for debugging.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiSecret([u8; 32]);

impl ApiSecret {
    /// A new secret.
    pub fn generate() -> Self {
        Self(rand::random())
    }

    /// Whether a bearer token is meant to be an API token, and not an access token.
    pub fn is_meant(bearer: &str) -> bool {
        bearer.starts_with(PREFIX)
    }

    /// The token as its user sees it, once.
    pub fn encode(&self) -> String {
        let secret = digits(&self.0, SECRET_DIGITS);
        let check = digits(&crc32fast::hash(secret.as_bytes()).to_be_bytes(), CHECK_DIGITS);
        format!("{PREFIX}{secret}{check}")
    }

    /// The secret of a token with a valid checksum.
    pub fn decode(text: &str) -> Option<Self> {
        let (secret, check) = text.strip_prefix(PREFIX)?.split_at_checked(SECRET_DIGITS)?;
        let expected = digits(&crc32fast::hash(secret.as_bytes()).to_be_bytes(), CHECK_DIGITS);
        if check != expected {
            return None;
        }
        number(secret).map(Self)
    }

    /// What is stored. One round of SHA-256 is enough: passwords are hashed slowly because they can be guessed, and nobody
    /// guesses 256 random bits. So every request can afford it.
    pub fn hash(&self) -> TokenHash {
        Sha256::digest(self.0).into()
    }
}

impl std::fmt::Debug for ApiSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiSecret(..)")
    }
}

/// A number in base 62, with leading zeros.
fn digits(number: &[u8], count: usize) -> String {
    let mut left = number.to_vec();
    let mut text: Vec<char> = (0..count)
        .map(|_| {
            let mut rest = 0_u32;
            for byte in &mut left {
                let value = (rest << 8) | u32::from(*byte);
                // Less than 256, because the rest is less than 62.
                *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
                rest = value % 62;
            }
            DIGITS.get(rest as usize).copied().map_or('0', char::from)
        })
        .collect();
    text.reverse();
    text.into_iter().collect()
}

/// The number with these digits, if it has 256 bits at most.
fn number(text: &str) -> Option<[u8; 32]> {
    let mut number = [0_u8; 32];
    for digit in text.bytes() {
        let mut carry = u32::try_from(DIGITS.iter().position(|known| *known == digit)?).ok()?;
        for byte in number.iter_mut().rev() {
            let value = u32::from(*byte) * 62 + carry;
            *byte = (value & 0xff) as u8;
            carry = value >> 8;
        }
        if carry > 0 {
            return None;
        }
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Tokens that were given out must stay valid, and scanners know the form.
    #[test]
    fn a_token_is_written_as_it_always_was() {
        insta::assert_snapshot!(ApiSecret([0; 32]).encode(), @"plat_00000000000000000000000000000000000000000002CZclj");
        insta::assert_snapshot!(ApiSecret([0xff; 32]).encode(), @"plat_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp13sRzl1");
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", ApiSecret([7; 32])), "ApiSecret(..)");
    }

    #[test]
    fn a_number_of_more_than_256_bits_is_no_secret() {
        let secret = "z".repeat(SECRET_DIGITS);
        let check = digits(&crc32fast::hash(secret.as_bytes()).to_be_bytes(), CHECK_DIGITS);
        assert!(ApiSecret::decode(&format!("{PREFIX}{secret}{check}")).is_none());
    }

    proptest! {
        #[test]
        fn every_secret_comes_back(bytes: [u8; 32]) {
            let secret = ApiSecret(bytes);
            prop_assert_eq!(ApiSecret::decode(&secret.encode()), Some(secret));
        }

        #[test]
        fn a_mistyped_token_is_no_token(bytes: [u8; 32], place in 0_usize..54, digit in 0_usize..62) {
            let text = ApiSecret(bytes).encode();
            let mut mistyped = text.clone().into_bytes();
            mistyped[place] = DIGITS[digit];
            let mistyped = String::from_utf8(mistyped).unwrap();
            prop_assert_eq!(ApiSecret::decode(&mistyped).is_some(), mistyped == text);
        }

        #[test]
        fn no_text_breaks_the_parser(text in "(plat_)?.{0,60}") {
            if let Some(secret) = ApiSecret::decode(&text) {
                prop_assert_eq!(secret.encode(), text);
            }
        }
    }
}
