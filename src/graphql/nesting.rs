//! The nesting of the brackets of a document, determined without recursion: the parser, the validation and the executor
//! are recursive, and a document of a few thousand brackets would exhaust a stack and crash the whole process.

use super::lexer::{Lexer, after_comment};
use crate::error::{ApiError, Code};

/// The maximum number of open brackets. Far more than any depth limit needs, far less than a stack can hold.
const MAX_NESTING: usize = 200;

/// Rejects a document whose brackets nest too deeply for the parser.
///
/// # Errors
/// `QUERY_TOO_COMPLEX` with the limit.
pub fn check(document: &str) -> Result<(), ApiError> {
    if nests_deeper_than(document.as_bytes(), MAX_NESTING) {
        let message = format!(
            "the operation exceeds the limit \"nesting\": at most {MAX_NESTING} brackets, braces and parentheses may be open at once"
        );
        return Err(ApiError::new(Code::QueryTooComplex, message));
    }
    Ok(())
}

/// Brackets in comments and strings do not count.
fn nests_deeper_than(bytes: &[u8], allowed: usize) -> bool {
    let mut lexer = Lexer::default();
    let (mut at, mut open) = (0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        at = match byte {
            b'#' => after_comment(bytes, at),
            b'"' => lexer.after_string(bytes, at),
            b'{' | b'[' | b'(' => {
                open += 1;
                if open > allowed {
                    return true;
                }
                at + 1
            }
            b'}' | b']' | b')' => {
                open = open.saturating_sub(1);
                at + 1
            }
            _ => at + 1,
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nests(document: &str) -> usize {
        (0..).find(|allowed| !nests_deeper_than(document.as_bytes(), *allowed)).unwrap()
    }

    #[test]
    fn brackets_of_every_kind_count_while_they_are_open() {
        assert_eq!(nests("{ a(b: [{ c: 1 }]) { d } e { f } }"), 4);
        assert_eq!(nests("{ a } { b } ) ] {"), 1);
    }

    #[test]
    fn brackets_in_strings_and_comments_are_none() {
        assert_eq!(nests("{ a(b: \"[[[\", c: \"\\\"[[[\") # [[[\n }"), 2);
        assert_eq!(nests("{ a(b: \"\"\"[[[ \\\"\"\" [[[ \" [[[\"\"\") }"), 2);
    }

    /// `"""a"` is an empty string and `"a"` if it is not terminated by `"""`.
    #[test]
    fn a_string_that_does_not_end_hides_no_bracket() {
        assert_eq!(nests(r#"{ a(b: ["""a" [[[1]]]]) }"#), 6);
        assert_eq!(nests("{ a(b: \"\n[[["), 5);
    }

    #[test]
    fn the_refusal_names_the_limit() {
        insta::assert_snapshot!(check(&"[".repeat(201)).unwrap_err(), @r#"the operation exceeds the limit "nesting": at most 200 brackets, braces and parentheses may be open at once"#);
        assert!(check(&"[".repeat(200)).is_ok());
    }
}
