//! Names that users choose: which characters are allowed, and the error if a name is invalid.

use crate::error::ApiError;

/// The maximum length of a name: the limit of Kubernetes for labels.
pub const MAX_NAME: usize = 63;
/// The maximum length of a description in characters.
pub const MAX_DESCRIPTION: usize = 2000;

/// A name of lowercase letters, digits and the characters in `inner`, which are not allowed at its ends.
///
/// # Errors
/// `BAD_USER_INPUT` with the name, truncated if it is long, and what is allowed.
pub fn name(text: String, inner: &str, field: &'static str) -> Result<String, ApiError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let legal = (1..=MAX_NAME).contains(&text.len())
        && text.chars().all(|c| plain(c) || inner.contains(c))
        && text.starts_with(plain)
        && text.ends_with(plain);
    if legal {
        return Ok(text);
    }
    let characters = inner.chars().map(|c| format!("\"{c}\"")).collect::<Vec<_>>().join(", ");
    Err(ApiError::bad_input(
        field,
        format!(
            "{} is not a valid name: it must have 1 to {MAX_NAME} lower-case letters and digits, with {characters} only between them",
            shown(&text)
        ),
    ))
}

/// A text for people: no control characters other than line breaks and tabs, and at most `most` characters.
///
/// # Errors
/// `BAD_USER_INPUT` with the text, truncated if it is long, and what is allowed.
pub fn prose(text: String, most: usize, field: &'static str) -> Result<String, ApiError> {
    let length = text.chars().count();
    if length > most {
        return Err(ApiError::bad_input(
            field,
            format!("the text has {length} characters; at most {most} are allowed"),
        ));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(ApiError::bad_input(
            field,
            format!("{} contains control characters; only line breaks and tabs are allowed", shown(&text)),
        ));
    }
    Ok(text)
}

/// Checks that somebody who deletes something has typed its name.
///
/// # Errors
/// `BAD_USER_INPUT` with both names.
pub fn confirmed(given: &str, name: &str, field: &'static str) -> Result<(), ApiError> {
    if given == name {
        return Ok(());
    }
    Err(ApiError::bad_input(field, format!("{} is not the name {}", shown(given), shown(name))))
}

/// A text of a client as shown in an error: quoted, escaped, truncated to 80 characters.
pub fn shown(text: &str) -> String {
    let start: String = text.chars().take(80).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    format!("{:?}{more}", start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_and_300_characters_are_refused_with_what_is_allowed() {
        let refused = |text: &str| name(text.to_owned(), "-", "input.name").unwrap_err().to_string();
        insta::assert_snapshot!(refused("Vision"), @r#""Vision" is not a valid name: it must have 1 to 63 lower-case letters and digits, with "-" only between them"#);
        insta::assert_snapshot!(refused(&"a".repeat(300)), @r#""aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"… is not a valid name: it must have 1 to 63 lower-case letters and digits, with "-" only between them"#);
        for bad in ["", "-a", "a-", "a b", "a.b", "ä", "a\0"] {
            assert!(name(bad.to_owned(), "-", "input.name").is_err(), "{bad:?}");
        }
        assert!(name("train.v2.yaml".to_owned(), "-._", "input.name").is_ok());
    }

    #[test]
    fn prose_may_have_line_breaks_and_no_other_control_characters() {
        assert!(prose("two\nlines".to_owned(), 20, "input.description").is_ok());
        let refused = prose("nul\0".to_owned(), 20, "input.description").unwrap_err();
        insta::assert_snapshot!(refused, @r#""nul\0" contains control characters; only line breaks and tabs are allowed"#);
    }
}
