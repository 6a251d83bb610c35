//! What new users can be called: usernames, display names and email addresses. Names that exist already stay valid.

use crate::error::ApiError;
use crate::graphql::names::{self, shown};

/// The allowed lengths of a username.
const LENGTHS: std::ops::RangeInclusive<usize> = 2..=32;
/// The maximum length of a display name in characters.
const MAX_DISPLAY_NAME: usize = 100;
/// The maximum length of an email address in bytes (RFC 5321, section 4.5.3.1.3, without the angle brackets).
const MAX_EMAIL: usize = 254;

/// Usernames that nobody can have, and why.
const RESERVED: [(&[&str], &str); 3] = [
    (
        &[
            "admin",
            "administrator",
            "helpdesk",
            "moderator",
            "official",
            "operator",
            "owner",
            "platform",
            "root",
            "security",
            "staff",
            "superuser",
            "support",
            "sysadmin",
            "system",
        ],
        "others could take the user for somebody who runs the platform",
    ),
    (
        &[
            "all",
            "anonymous",
            "anybody",
            "anyone",
            "everybody",
            "everyone",
            "guest",
            "me",
            "nobody",
            "none",
            "null",
            "self",
            "somebody",
            "undefined",
            "unknown",
            "user",
            "users",
            "viewer",
        ],
        "it does not name one user",
    ),
    (
        &[
            "api",
            "assets",
            "audit",
            "auth",
            "default",
            "graphql",
            "groups",
            "health",
            "kube-system",
            "kubernetes",
            "login",
            "logout",
            "metrics",
            "new",
            "node",
            "projects",
            "ready",
            "register",
            "settings",
            "static",
        ],
        "the platform uses the name itself",
    ),
];

/// A username for a new user.
///
/// # Errors
/// `BAD_USER_INPUT` with the name, truncated if it is long, and what is allowed or why it is reserved.
pub(super) fn username(text: String, field: &'static str) -> Result<String, ApiError> {
    let text = any_username(text, field)?;
    match RESERVED.iter().find(|(names, _)| names.contains(&text.as_str())) {
        None => Ok(text),
        Some((_, reason)) => {
            Err(ApiError::bad_input(field, format!("{} is a reserved username: {reason}", shown(&text))))
        }
    }
}

/// The same for the operator, who may use a reserved name for a platform admin.
///
/// # Errors
/// `BAD_USER_INPUT` with the name, truncated if it is long, and what is allowed.
pub(super) fn any_username(text: String, field: &'static str) -> Result<String, ApiError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if let Some(foreign) = text.chars().find(|c| !c.is_ascii()) {
        let message = format!(
            "{} is not a valid username: it contains {foreign:?} (U+{:04X}), and only the letters a-z are allowed, because others can look the same",
            shown(&text),
            u32::from(foreign)
        );
        return Err(ApiError::bad_input(field, message));
    }
    if LENGTHS.contains(&text.len()) && text.chars().all(plain) && text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Ok(text);
    }
    let message = format!(
        "{} is not a valid username: it must have {} to {} lowercase letters, digits and hyphens, and start with a letter",
        shown(&text),
        LENGTHS.start(),
        LENGTHS.end()
    );
    Err(ApiError::bad_input(field, message))
}

/// A display name, without blanks around it.
///
/// # Errors
/// `BAD_USER_INPUT` if it is blank or too long, or if it contains what is invisible or changes how other text is shown.
pub(super) fn display_name(text: String, field: &'static str) -> Result<String, ApiError> {
    let text = names::prose(text.trim().to_owned(), MAX_DISPLAY_NAME, field)?;
    if text.is_empty() {
        return Err(ApiError::bad_input(field, "a display name must have at least one character"));
    }
    if text.chars().any(|c| c.is_control() || is_invisible(c)) {
        let message = format!("{} contains line breaks or invisible characters", shown(&text));
        return Err(ApiError::bad_input(field, message));
    }
    Ok(text)
}

/// Marks of direction, and characters without a width.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{00AD}' | '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// An email address. Whether it reaches anybody is not checked.
///
/// # Errors
/// `BAD_USER_INPUT` with the text, truncated if it is long.
pub(super) fn email(text: String, field: &'static str) -> Result<String, ApiError> {
    let text = text.trim().to_owned();
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !is_invisible(c) && !"<>,;:\"()[]\\".contains(c);
    let legal = text.len() <= MAX_EMAIL
        && text.chars().all(plain)
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.contains('@') && domain.split('.').all(|label| !label.is_empty())
        });
    if legal {
        return Ok(text);
    }
    Err(ApiError::bad_input(field, format!("{} is not an email address", shown(&text))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(name: &str) -> String {
        username(name.to_owned(), "input.username").unwrap_err().to_string()
    }

    #[test]
    fn a_username_has_2_to_32_lowercase_letters_digits_and_hyphens() {
        for name in ["ab", "ada", "ada-2", &"a".repeat(32)] {
            assert!(username(name.to_owned(), "input.username").is_ok(), "{name}");
        }
        for name in ["", "a", "Ada", "2ada", "-ada", "ada.hart", "ada_hart", "a b", "ada\0", &"a".repeat(33)] {
            assert!(username(name.to_owned(), "input.username").is_err(), "{name}");
        }
        insta::assert_snapshot!(refused("Ada"), @r#""Ada" is not a valid username: it must have 2 to 32 lowercase letters, digits and hyphens, and start with a letter"#);
    }

    #[test]
    fn a_letter_that_only_looks_like_one_of_a_to_z_is_named() {
        insta::assert_snapshot!(refused("аda"), @r#""аda" is not a valid username: it contains 'а' (U+0430), and only the letters a-z are allowed, because others can look the same"#);
        for name in ["adа", "ａda", "ma\u{200B}ya", "ben\u{0301}", "ﬁona", "ıda"] {
            assert!(refused(name).contains("can look the same"), "{name}");
        }
    }

    #[test]
    fn a_reserved_username_is_refused_with_the_reason_and_the_operator_may_use_it() {
        insta::assert_snapshot!(refused("root"), @r#""root" is a reserved username: others could take the user for somebody who runs the platform"#);
        insta::assert_snapshot!(refused("nobody"), @r#""nobody" is a reserved username: it does not name one user"#);
        insta::assert_snapshot!(refused("graphql"), @r#""graphql" is a reserved username: the platform uses the name itself"#);
        assert!(any_username("admin".to_owned(), "username").is_ok());
        for (names, _) in RESERVED {
            assert!(names.iter().all(|name| any_username((*name).to_owned(), "username").is_ok()));
        }
    }

    #[test]
    fn a_display_name_shows_what_it_is() {
        assert_eq!(display_name("  Zoë Ångström 李 ".to_owned(), "f").unwrap(), "Zoë Ångström 李");
        for bad in ["", "  ", "a\nb", "Ada\u{202E}nimdA", "A\u{200B}da", &"a".repeat(101)] {
            assert!(display_name(bad.to_owned(), "f").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_email_address_has_two_parts() {
        for good in ["ada@example.org", "a+b@x", "ada.hart@sub.example.org"] {
            assert!(email(good.to_owned(), "f").is_ok(), "{good}");
        }
        for bad in ["", "ada", "@x", "ada@", "a@b@c", "a@b..c", "a b@c", "a@b\r\nBcc: x", "Ada <a@b>"] {
            assert!(email(bad.to_owned(), "f").is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_plain(name in any::<String>()) {
            if let Ok(name) = any_username(name, "f") {
                prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            }
        }
    }
}
