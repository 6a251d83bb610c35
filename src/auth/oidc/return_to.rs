//! Where a browser returns to after a sign-in: a page of this server or of an allowed origin, and nowhere else.

use url::Url;

use crate::config::AllowedOrigins;
use crate::error::ApiError;

/// The page that `given` refers to, relative to the server's own URL.
///
/// # Errors
/// `BAD_USER_INPUT` if it belongs to another site.
pub(super) fn parse(given: Option<&str>, public_url: &Url, allowed: &AllowedOrigins) -> Result<Url, ApiError> {
    let refused = || {
        let message = "return_to must be a path of this server, such as /, or a URL whose origin is in ALLOWED_ORIGINS";
        ApiError::bad_input("return_to", message)
    };
    // Parsed like browsers do, who read "//host" and "/\host" as another host.
    let mut url = public_url.join(given.unwrap_or("/")).map_err(|_| refused())?;
    let (origin, own) = (url.origin(), public_url.origin());
    // `*` lets every page call the API; it must not let every page receive sessions.
    let listed = || !matches!(allowed, AllowedOrigins::Any) && allowed.contain(&origin.ascii_serialization());
    if !url.username().is_empty() || url.password().is_some() || !(origin == own || origin.is_tuple() && listed()) {
        return Err(refused());
    }
    url.set_fragment(None);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn returned(given: Option<&str>, allowed: &str) -> Option<String> {
        let public_url = Url::parse("https://platform.example.com").unwrap();
        parse(given, &public_url, &allowed.parse().unwrap()).ok().map(String::from)
    }

    #[test]
    fn pages_of_this_server_and_of_allowed_origins_are_returned_to() {
        for (given, page) in [
            (None, "https://platform.example.com/"),
            (Some("/"), "https://platform.example.com/"),
            (Some("/jobs?phase=RUNNING#top"), "https://platform.example.com/jobs?phase=RUNNING"),
            (Some("https://platform.example.com/x"), "https://platform.example.com/x"),
            (Some("https://app.example.com/after"), "https://app.example.com/after"),
        ] {
            assert_eq!(returned(given, "https://app.example.com").as_deref(), Some(page), "{given:?}");
        }
    }

    #[test]
    fn no_other_site_is() {
        for given in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "https:evil.example",
            "https://platform.example.com.evil.example",
            "https://platform.example.com@evil.example",
            "https://user@platform.example.com/",
            "http://platform.example.com/",
            "https://platform.example.com:444/",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "https://app.example.com.evil.example/",
        ] {
            let page = returned(Some(given), "https://app.example.com");
            // "https:evil.example" is a path of an URL with the same scheme.
            assert!(page.as_deref().is_none_or(|page| page == "https://platform.example.com/evil.example"), "{given}");
        }
        assert_eq!(returned(Some("https://app.example.com/"), "*"), None);
    }
}
