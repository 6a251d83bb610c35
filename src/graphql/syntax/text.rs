//! The values of strings: escapes and block strings (specification, section 2.9.4, String Value).

/// The value of a quoted string, and the number of bytes that it takes after its opening quote.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Quoted {
    pub text: String,
    pub length: usize,
}

/// Parses a string after its opening quote; otherwise returns the offset of the problem and a description.
pub(super) fn quoted(content: &str) -> Result<Quoted, (usize, String)> {
    let mut text = String::new();
    let mut at = 0;
    loop {
        let rest = &content[at..];
        let plain = rest.find(['"', '\\', '\n', '\r']).ok_or((content.len(), "unterminated string".to_owned()))?;
        text.push_str(&rest[..plain]);
        at += plain;
        match content.as_bytes()[at] {
            b'"' => return Ok(Quoted { text, length: at + 1 }),
            b'\\' => {
                let (character, length) = escape(&content[at..]).map_err(|problem| (at, problem))?;
                text.push(character);
                at += length;
            }
            _ => return Err((at, "unterminated string: only a block string (\"\"\") can span lines".to_owned())),
        }
    }
}

/// The character of an escape, and the number of bytes that it takes.
fn escape(text: &str) -> Result<(char, usize), String> {
    let invalid = |length: usize| {
        let shown: String = text.chars().take(length).collect();
        format!("invalid escape {shown} in a string")
    };
    let character = match text.as_bytes().get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode(text).ok_or_else(|| invalid(12.min(end_of_escape(text)))),
        _ => return Err(invalid(2)),
    };
    Ok((character, 2))
}

/// The number of characters of a Unicode escape that an error shows.
fn end_of_escape(text: &str) -> usize {
    let rest = &text[2..];
    let hex = |rest: &str| rest.chars().take_while(char::is_ascii_hexdigit).count();
    match rest.strip_prefix('{') {
        Some(rest) => 3 + hex(rest) + 1,
        None => 2 + hex(rest).clamp(1, 4),
    }
}

/// `\u{1F600}`, `\u00e9`, or a surrogate pair `\uD83D\uDE00`.
fn unicode(text: &str) -> Option<(char, usize)> {
    if let Some(rest) = text.strip_prefix("\\u{") {
        let end = rest.find('}')?;
        // Leading zeros are allowed, so the length does not matter.
        let digits = rest[..end].trim_start_matches('0');
        let hexadecimal = end > 0 && rest[..end].bytes().all(|byte| byte.is_ascii_hexdigit()) && digits.len() <= 6;
        let value = if digits.is_empty() { 0 } else { u32::from_str_radix(digits, 16).ok()? };
        return hexadecimal.then(|| char::from_u32(value))?.map(|character| (character, 3 + end + 1));
    }
    let first = four_digits(text)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, 6));
    }
    let second = four_digits(&text[6..])?;
    let mut pair = char::decode_utf16([u16::try_from(first).ok()?, u16::try_from(second).ok()?]);
    pair.next()?.ok().map(|character| (character, 12))
}

fn four_digits(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hexadecimal.then(|| u32::from_str_radix(digits, 16).ok())?
}

/// The length of the content of a block string, which `content` starts with; `None` if it is unterminated.
pub(super) fn end_of_block(content: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += content[at..].find("\"\"\"")?;
        if !content[..at].ends_with('\\') {
            return Some(at);
        }
        at += 3;
    }
}

/// The value of a block string: without the common indentation of its lines, and without blank lines at its ends.
pub(super) fn block(raw: &str) -> String {
    let lines: Vec<&str> = lines(raw).collect();
    let indentation = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let is_blank = |line: &&str| indentation(line) == line.len();
    let common = lines.iter().skip(1).filter(|line| !is_blank(line)).map(|line| indentation(line)).min().unwrap_or(0);
    let from = lines.iter().position(|line| !is_blank(line)).unwrap_or(lines.len());
    let to = lines.iter().rposition(|line| !is_blank(line)).map_or(from, |last| last + 1);
    let kept = lines.iter().enumerate().take(to).skip(from);
    let kept = kept.map(|(index, line)| if index == 0 { line } else { line.get(common..).unwrap_or_default() });
    kept.collect::<Vec<_>>().join("\n").replace("\\\"\"\"", "\"\"\"")
}

/// The lines of a text, which end with `\n`, `\r` or both.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\n', '\r']) else { return rest.take() };
        let length = if text[end..].starts_with("\r\n") { 2 } else { 1 };
        rest = Some(&text[end + length..]);
        Some(&text[..end])
    })
}
