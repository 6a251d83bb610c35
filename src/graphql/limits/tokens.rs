//! Counts the lexical tokens of a document without building them.

/// How many tokens the lexical grammar of GraphQL finds in `text`. Commas, white space and comments are none.
pub(super) fn count(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let (mut at, mut tokens) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        at = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => at + 1,
            b'#' => skip_while(bytes, at, |byte| byte != b'\n' && byte != b'\r'),
            _ => {
                tokens += 1;
                match byte {
                    b'"' => end_of_string(bytes, at),
                    b'.' if bytes[at..].starts_with(b"...") => at + 3,
                    b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | 0x80.. => {
                        skip_while(bytes, at + 1, |byte| {
                            byte.is_ascii_alphanumeric()
                                || matches!(byte, b'_' | b'.' | b'+' | b'-' | 0x80..)
                                    && (byte != b'.' || !bytes[at].is_ascii_alphabetic())
                        })
                    }
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

/// Where a string or block string that starts at `from` ends; an open one ends with the text.
fn end_of_string(bytes: &[u8], from: usize) -> usize {
    let block = bytes[from..].starts_with(b"\"\"\"");
    let mut at = from + if block { 3 } else { 1 };
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if !block => at += 2,
            b'\\' if bytes[at..].starts_with(b"\\\"\"\"") => at += 4,
            b'"' if !block => return at + 1,
            b'"' if bytes[at..].starts_with(b"\"\"\"") => return at + 3,
            _ => at += 1,
        }
    }
    bytes.len()
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

    proptest! {
        #[test]
        fn any_text_is_counted_and_never_more_than_its_bytes(text in any::<String>()) {
            prop_assert!(count(&text) <= text.len() as u64);
        }

        #[test]
        fn names_in_a_row_are_counted_exactly(names in proptest::collection::vec("[a-z_][a-z0-9_]{0,8}", 0..50)) {
            prop_assert_eq!(count(&names.join(" ")), names.len() as u64);
        }
    }
}
