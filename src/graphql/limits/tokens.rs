//! Counts the lexical tokens of a document without building them.

use crate::graphql::lexer::{Lexer, after_comment};

/// The number of tokens that the lexical grammar of GraphQL finds in `text`. Commas, white space and comments are not
/// tokens.
///
/// What follows without a space (`1-1`) is several tokens, and what is not a token (`00`, `true0`) is counted as
/// several, so the count is never lower than what the parser may see.
pub(super) fn count(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut lexer = Lexer::default();
    let (mut at, mut tokens) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        at = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => at + 1,
            b'#' => after_comment(bytes, at),
            _ => {
                tokens += 1;
                match byte {
                    b'"' => lexer.after_string(bytes, at),
                    b'.' if bytes[at..].starts_with(b"...") => at + 3,
                    b'_' | b'a'..=b'z' | b'A'..=b'Z' => after_name(bytes, at),
                    b'0'..=b'9' | b'-' => after_number(bytes, at),
                    // Not part of a token; the bytes of a character belong together.
                    0x80.. => skip_while(bytes, at, |byte| byte >= 0x80),
                    _ => at + 1,
                }
            }
        };
    }
    tokens
}

fn skip_while(bytes: &[u8], from: usize, holds: impl Fn(u8) -> bool) -> usize {
    bytes[from..].iter().position(|&byte| !holds(byte)).map_or(bytes.len(), |length| from + length)
}

/// The position after a name, or after the constant that it starts with.
fn after_name(bytes: &[u8], from: usize) -> usize {
    let constant = ["true", "false", "null"].iter().find(|constant| bytes[from..].starts_with(constant.as_bytes()));
    match constant {
        Some(constant) => from + constant.len(),
        None => skip_while(bytes, from, |byte| byte.is_ascii_alphanumeric() || byte == b'_'),
    }
}

/// The position after a number: a sign, `0` or digits that start with another one, a fraction, an exponent.
fn after_number(bytes: &[u8], from: usize) -> usize {
    let digits = |from| skip_while(bytes, from, |byte| byte.is_ascii_digit());
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut at = from + usize::from(bytes[from] == b'-');
    at = if bytes.get(at) == Some(&b'0') { at + 1 } else { digits(at) };
    if bytes.get(at) == Some(&b'.') && is_digit(at + 1) {
        at = digits(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if is_digit(at + 1 + sign) {
            at = digits(at + 1 + sign);
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::count;
    use proptest::prelude::*;

    #[test]
    fn punctuation_names_numbers_and_strings_are_a_token_each() {
        assert_eq!(count("{ viewer { id, name } } # end"), 7);
        assert_eq!(count("query Q($n: Int = -1.5e3) { ...F @skip(if: true) }"), 21);
        assert_eq!(count(r#"{ a(s: "one \" two", b: """block "quoted" \""" text""") }"#), 11);
        assert_eq!(count(""), 0);
    }

    /// What a list may contain without spaces in between, and what a string hides only if it is terminated.
    #[test]
    fn nothing_that_the_parser_takes_for_several_is_counted_as_one() {
        assert_eq!(count("[00000]"), 7);
        assert_eq!(count("[1-1-1]"), 5);
        assert_eq!(count("[1.5-2e3-0]"), 5);
        assert_eq!(count("[true000]"), 6);
        assert_eq!(count("[truefalsenullnullE]"), 7);
        assert_eq!(count(r#"["""a" b c d]"#), 7);
        assert_eq!(count("[\"\"\"\"\"\"]"), 3);
    }

    proptest! {
        #[test]
        fn any_text_is_counted_and_never_more_than_its_bytes(text in any::<String>()) {
            prop_assert!(count(&text) <= text.len() as u64);
        }

        #[test]
        fn names_in_a_row_are_counted_exactly(names in proptest::collection::vec("[a-eg-mo-su-z_][a-z0-9_]{0,8}", 0..50)) {
            prop_assert_eq!(count(&names.join(" ")), names.len() as u64);
        }
    }
}
