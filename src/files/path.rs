//! The paths of files: what must not reach a file server, and one prefix in place of another.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A path that is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnsafePath {
    /// It has a segment that leads elsewhere.
    #[error("the path has a segment \".\" or \"..\"")]
    Dots,
    /// It has a slash or a backslash that is not a separator.
    #[error("the path has a backslash or an encoded slash")]
    Slash,
    /// It has a NUL.
    #[error("the path has a NUL")]
    Nul,
    /// It is not encoded as a URL.
    #[error("the path is not encoded as a URL: after % come two hexadecimal digits, and the bytes must be UTF-8")]
    Encoding,
}

/// Checks the part of a path after the ticket as it was sent. What is encoded twice is refused as well: nobody needs it, and
/// no one can say how often whoever reads it decodes it.
///
/// # Errors
/// Why it must not reach a file server.
pub fn check(path: &str) -> Result<(), UnsafePath> {
    let once = decoded(path)?;
    harmless(path, &once)?;
    // A name may contain a % by itself, so this need not be encoded well.
    let twice = percent_decode_str(&once).decode_utf8_lossy();
    harmless(&once, &twice)
}

fn decoded(path: &str) -> Result<Cow<'_, str>, UnsafePath> {
    let mut after = path.split('%').skip(1);
    let is_hex = |part: &str| part.len() >= 2 && part.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !after.all(is_hex) {
        return Err(UnsafePath::Encoding);
    }
    percent_decode_str(path).decode_utf8().map_err(|_| UnsafePath::Encoding)
}

fn harmless(encoded: &str, decoded: &str) -> Result<(), UnsafePath> {
    let slashes = |text: &str| text.bytes().filter(|byte| *byte == b'/').count();
    if decoded.contains('\0') {
        return Err(UnsafePath::Nul);
    }
    if decoded.contains('\\') || slashes(encoded) != slashes(decoded) {
        return Err(UnsafePath::Slash);
    }
    if decoded.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(UnsafePath::Dots);
    }
    Ok(())
}

/// Whether a path after the ticket is that of the volume itself.
pub fn is_root(path: &str) -> bool {
    path.bytes().all(|byte| byte == b'/')
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for path in
            ["", "/", "/a/b.txt", "/a/", "/%C3%A4%20b", "/100%25", "/a..b/...", "/.hidden", "/~", "/a%2525b", "//a"]
        {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn what_leads_elsewhere_is_refused_however_it_is_encoded() {
        for path in ["/..", "/a/../b", "/.", "/a/..", "/%2e%2e/", "/.%2E/x", "/%252e%252e/", "/%252e", "/..//"] {
            assert_eq!(check(path), Err(UnsafePath::Dots), "{path}");
        }
        for path in ["/a%2fb", "/a%2F..%2Fb", "/a%252fb", "/a\\b", "/%5c", "/%255c..", "/..%5c.."] {
            assert_eq!(check(path), Err(UnsafePath::Slash), "{path}");
        }
        for path in ["/a%00", "/%2500b", "/\0"] {
            assert_eq!(check(path), Err(UnsafePath::Nul), "{path}");
        }
        for path in ["/%", "/%1", "/%zz", "/a%ff", "/%c0%ae%c0%ae/", "/%u002e"] {
            assert_eq!(check(path), Err(UnsafePath::Encoding), "{path}");
        }
    }

    proptest! {
        /// What passes stays below the volume, decoded once or twice.
        #[test]
        fn nothing_that_passes_leaves_the_volume(path in "(/|\\.|\\.\\.|%2e|%2E|%252e|%2f|%5c|a|%25|\\\\){0,12}") {
            if check(&path).is_ok() {
                let once = percent_decode_str(&path).decode_utf8_lossy().into_owned();
                let twice = percent_decode_str(&once).decode_utf8_lossy().into_owned();
                for text in [&path, &once, &twice] {
                    let mut parts = Path::new(text).components();
                    prop_assert!(parts.all(|part| matches!(part, Component::Normal(_) | Component::RootDir)), "{path}");
                    prop_assert!(!text.contains('\\'), "{path}");
                }
            }
        }

        #[test]
        fn no_path_breaks_the_check(path in ".{0,40}") {
            let _ = check(&path);
        }
    }
}
