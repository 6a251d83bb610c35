//! The names of objects.

use std::fmt;
use std::str::FromStr;

use object_store::path::Path;

/// The maximum length of a key. S3 allows 1024 bytes, but a path on a disk is in a folder.
const LONGEST: usize = 512;

/// The key of an object: names of ASCII letters, digits, `.`, `_` and `-` that are separated by slashes. None begins with a dot, so
/// that a key means the same in a bucket, in a folder and in a URL, and never leads out of any of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// A text is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the key of an object")]
pub struct InvalidKey;

impl Key {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last of its names.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    pub(super) fn path(&self) -> Path {
        Path::from(self.as_str())
    }
}

impl FromStr for Key {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let is_name = |name: &str| !name.is_empty() && !name.starts_with('.') && name.bytes().all(legal);
        if text.len() <= LONGEST && text.split('/').all(is_name) { Ok(Self(text.to_owned())) } else { Err(InvalidKey) }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_lead_nowhere_else() {
        assert!("exports/audit/x_1.ndjson.gz".parse::<Key>().is_ok());
        for bad in
            ["", "/", "/etc/passwd", "a/", "a//b", "..", "a/../b", "./a", ".hidden", "a b", "a%2e", "a\\b", "a#1", "ä"]
        {
            assert_eq!(bad.parse::<Key>(), Err(InvalidKey), "{bad}");
        }
        assert!("a".repeat(513).parse::<Key>().is_err());
    }

    proptest! {
        #[test]
        fn a_key_is_the_same_path_for_the_store(text in "[a-zA-Z0-9._/#%-]{0,20}") {
            if let Ok(key) = text.parse::<Key>() {
                let path = key.path();
                prop_assert_eq!(path.as_ref(), text.as_str());
                let inside = std::path::Path::new("/folder").join(&text);
                prop_assert!(inside.starts_with("/folder") && !inside.components().any(|part| part == std::path::Component::ParentDir));
            }
        }
    }
}
