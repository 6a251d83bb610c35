//! The lexical tokens of a document (specification, section 2.1.6).

use std::fmt;

use async_graphql::{Pos, ServerError};

use super::{error, text};

/// A lexical token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// One of `! $ & ( ) ... : = @ [ ] { | }`.
    Punctuator(&'static str),
    Name(&'a str),
    Int(&'a str),
    Float(&'a str),
    String(String),
    /// The end of the document.
    End,
}

impl fmt::Display for Token<'_> {
    /// As shown in an error, truncated if it is long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| {
            let start: String = text.chars().take(40).collect();
            let more = if start.len() < text.len() { "…" } else { "" };
            format!("{start}{more}")
        };
        match self {
            Self::Punctuator(mark) => write!(f, "\"{mark}\""),
            Self::Name(name) => write!(f, "\"{}\"", shown(name)),
            Self::Int(number) | Self::Float(number) => write!(f, "the number {}", shown(number)),
            Self::String(text) => write!(f, "the string {:?}", shown(text)),
            Self::End => f.write_str("the end of the document"),
        }
    }
}

/// Reads tokens one after another. A copy continues from the same position.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    /// The position up to which `column` counts.
    counted: usize,
    /// The number of characters of the line before `counted`.
    column: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1, counted: 0, column: 0 }
    }

    /// The next token and its position.
    pub(super) fn next(&mut self) -> Result<(Token<'a>, Pos), ServerError> {
        self.skip_ignored();
        let pos = self.pos();
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok((Token::End, pos)) };
        let token = match first {
            '!' => self.punctuator("!"),
            '$' => self.punctuator("$"),
            '&' => self.punctuator("&"),
            '(' => self.punctuator("("),
            ')' => self.punctuator(")"),
            ':' => self.punctuator(":"),
            '=' => self.punctuator("="),
            '@' => self.punctuator("@"),
            '[' => self.punctuator("["),
            ']' => self.punctuator("]"),
            '{' => self.punctuator("{"),
            '|' => self.punctuator("|"),
            '}' => self.punctuator("}"),
            '.' if rest.starts_with("...") => self.punctuator("..."),
            '"' => self.string(pos)?,
            '-' | '0'..='9' => self.number()?,
            'a'..='z' | 'A'..='Z' | '_' => {
                let end = rest.bytes().position(|byte| !is_name_byte(byte)).unwrap_or(rest.len());
                self.at += end;
                Token::Name(&rest[..end])
            }
            '\'' => return Err(error(pos, "unexpected character '; strings are written in double quotes")),
            other => return Err(error(pos, format_args!("unexpected character {}", shown(other)))),
        };
        Ok((token, pos))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn punctuator(&mut self, mark: &'static str) -> Token<'a> {
        self.at += mark.len();
        Token::Punctuator(mark)
    }

    /// The position of the next token, in lines and characters from 1.
    fn pos(&mut self) -> Pos {
        self.column += self.text[self.counted..self.at].chars().count();
        self.counted = self.at;
        Pos { line: self.line, column: self.column + 1 }
    }

    fn new_line(&mut self, at: usize) {
        self.line += 1;
        self.counted = at;
        self.column = 0;
    }

    /// White space, line terminators, commas, comments and byte order marks are ignored (section 2.1.7, Ignored
    /// Tokens).
    fn skip_ignored(&mut self) {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b' ' | b'\t' | b',') => self.at += 1,
                Some(b'\n') => {
                    self.at += 1;
                    self.new_line(self.at);
                }
                Some(b'\r') => {
                    self.at += if bytes.get(self.at + 1) == Some(&b'\n') { 2 } else { 1 };
                    self.new_line(self.at);
                }
                Some(b'#') => {
                    let length = bytes[self.at..].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
                    self.at = length.map_or(bytes.len(), |length| self.at + length);
                }
                Some(0xef) if self.rest().starts_with('\u{feff}') => self.at += '\u{feff}'.len_utf8(),
                _ => return,
            }
        }
    }

    /// `-`, `0` or digits that start with another one, a fraction, an exponent; a name or a dot must not follow.
    fn number(&mut self) -> Result<Token<'a>, ServerError> {
        let from = self.at;
        let mut float = false;
        self.skip_if(b"-");
        if self.skip_if(b"0") {
            if self.is_digit() {
                return Err(self.invalid_number("a number other than 0 cannot start with 0"));
            }
        } else {
            self.digits()?;
        }
        if self.skip_if(b".") {
            float = true;
            self.digits()?;
        }
        if self.skip_if(b"eE") {
            float = true;
            self.skip_if(b"+-");
            self.digits()?;
        }
        if self.byte().is_some_and(|byte| byte == b'.' || is_name_byte(byte)) {
            return Err(self.invalid_number("a digit, a space or punctuation was expected"));
        }
        let text = &self.text[from..self.at];
        Ok(if float { Token::Float(text) } else { Token::Int(text) })
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn is_digit(&self) -> bool {
        self.byte().is_some_and(|byte| byte.is_ascii_digit())
    }

    fn skip_if(&mut self, any: &[u8]) -> bool {
        let found = self.byte().is_some_and(|byte| any.contains(&byte));
        self.at += usize::from(found);
        found
    }

    fn digits(&mut self) -> Result<(), ServerError> {
        if !self.is_digit() {
            return Err(self.invalid_number("a digit was expected"));
        }
        while self.is_digit() {
            self.at += 1;
        }
        Ok(())
    }

    fn invalid_number(&mut self, problem: &str) -> ServerError {
        let pos = self.pos();
        match self.rest().chars().next() {
            Some(found) => error(pos, format_args!("invalid number: {problem}, found {}", shown(found))),
            None => error(pos, format_args!("invalid number: {problem}, found the end of the document")),
        }
    }

    fn string(&mut self, pos: Pos) -> Result<Token<'a>, ServerError> {
        let rest = self.rest();
        if let Some(content) = rest.strip_prefix("\"\"\"") {
            let end = text::end_of_block(content).ok_or_else(|| error(pos, "unterminated string"))?;
            let raw = &content[..end];
            let from = self.at + 3;
            self.at = from + end + 3;
            let mut lines = text::lines(raw);
            lines.next();
            for line in lines {
                // Where the line starts in the document.
                self.new_line(from + (line.as_ptr() as usize - raw.as_ptr() as usize));
            }
            return Ok(Token::String(text::block(raw)));
        }
        let content = &rest[1..];
        let read = text::quoted(content).map_err(|(offset, problem)| {
            self.at += 1 + offset;
            let pos = self.pos();
            error(pos, problem)
        })?;
        self.at += 1 + read.length;
        Ok(Token::String(read.text))
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A character as shown in an error.
fn shown(character: char) -> String {
    match character {
        '"' => "'\"'".to_owned(),
        ' '..='~' => format!("\"{character}\""),
        other => format!("U+{:04X}", u32::from(other)),
    }
}
