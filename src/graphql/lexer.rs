//! Where the strings and comments of a document end, for what is counted before a document is parsed. The parser
//! rejects unterminated strings; only their quotes are skipped here, so that nothing can hide in them.

/// Skips strings and comments. It remembers which strings are unterminated, so that no text makes it scan twice.
#[derive(Debug, Default)]
pub(super) struct Lexer {
    /// No block string that starts at or after the first unterminated one ends.
    block_strings_stay_open: bool,
    /// No string that starts before this position ends.
    strings_stay_open_until: usize,
}

impl Lexer {
    /// The position after the string whose opening quote is at `from`.
    pub(super) fn after_string(&mut self, bytes: &[u8], from: usize) -> usize {
        if bytes[from..].starts_with(b"\"\"\"") {
            if !self.block_strings_stay_open {
                match end_of_block_string(bytes, from) {
                    Some(end) => return end,
                    None => self.block_strings_stay_open = true,
                }
            }
            // An empty string, and the quote of the next.
            return from + 2;
        }
        if from < self.strings_stay_open_until {
            return from + 1;
        }
        match end_of_string(bytes, from) {
            Ok(end) => end,
            Err(looked_at) => {
                self.strings_stay_open_until = looked_at;
                from + 1
            }
        }
    }
}

/// The position after the comment that starts at `from`.
pub(super) fn after_comment(bytes: &[u8], from: usize) -> usize {
    let length = bytes[from..].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    from + length.unwrap_or(bytes.len() - from)
}

/// The position after a string, or the position where it breaks off. A quote in between is part of an escape, so a
/// string that starts with it breaks off there, too.
fn end_of_string(bytes: &[u8], from: usize) -> Result<usize, usize> {
    let mut at = from + 1;
    loop {
        match bytes.get(at) {
            None | Some(b'\n' | b'\r') => return Err(at),
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}

fn end_of_block_string(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 3;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"\"\"\"") {
            return Some(at + 3);
        }
        at += if bytes[at..].starts_with(b"\\\"\"\"") { 4 } else { 1 };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> &str {
        &text[Lexer::default().after_string(text.as_bytes(), 0)..]
    }

    #[test]
    fn strings_end_at_a_quote_that_is_not_escaped() {
        assert_eq!(after(r#""a\"b\\" rest"#), " rest");
        assert_eq!(after(r#""" rest"#), " rest");
        assert_eq!(after("\"\"\"a \" \\\"\"\" \n \"\"\" rest"), " rest");
    }

    #[test]
    fn of_a_string_that_does_not_end_only_the_quotes_are_skipped() {
        assert_eq!(after("\"a\n\""), "a\n\"");
        assert_eq!(after(r#""""a" rest"#), r#""a" rest"#);
        assert_eq!(after(r#""a\"#), r#"a\"#);
    }
}
