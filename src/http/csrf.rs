//! Keeps other sites' pages from making a browser send a GET for them.
//!
//! A POST is safe by its content type, which needs a preflight. A GET needs proof that it was not sent by a mere
//! link, image or form: a header that only a script can set, or the browser's own word (`Sec-Fetch-Mode`) that a
//! script of this site or of an allowed one sent it.

use http::{HeaderMap, header};

use crate::config::AllowedOrigins;

/// Headers that a page can set only after a preflight; the value does not matter.
const PREFLIGHT_HEADERS: [&str; 2] = ["x-graphql-csrf", "apollo-require-preflight"];

/// Whether a GET may run, or why not.
pub(super) fn check(headers: &HeaderMap, allowed: &AllowedOrigins) -> Result<(), &'static str> {
    if PREFLIGHT_HEADERS.iter().any(|name| headers.get(*name).is_some_and(|value| !value.is_empty())) {
        return Ok(());
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let by_script = matches!(text("sec-fetch-mode"), Some("cors" | "same-origin" | "websocket"));
    let origin_ok = match (text("origin"), text("sec-fetch-site")) {
        (Some(origin), _) => is_allowed(origin, text(header::HOST.as_str()), allowed),
        (None, Some("cross-site" | "same-site")) => false,
        (None, _) => true,
    };
    if by_script && origin_ok {
        Ok(())
    } else {
        Err("a GET needs the header x-graphql-csrf (any value), so that another site's page cannot send it")
    }
}

fn is_allowed(origin: &str, host: Option<&str>, allowed: &AllowedOrigins) -> bool {
    let own = origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host);
    own || match allowed {
        AllowedOrigins::SameOrigin => false,
        AllowedOrigins::Listed(list) => list.iter().any(|listed| listed == origin),
        AllowedOrigins::Any => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&'static str, &str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect();
        check(&headers, &AllowedOrigins::Listed(vec!["https://app.example.com".to_owned()])).is_ok()
    }

    #[test]
    fn a_bare_get_is_refused() {
        assert!(!of(&[]));
    }

    #[test]
    fn a_header_that_needs_a_preflight_is_proof() {
        assert!(of(&[("x-graphql-csrf", "1")]));
        assert!(of(&[("apollo-require-preflight", "true")]));
        assert!(!of(&[("x-graphql-csrf", "")]));
    }

    #[test]
    fn a_script_of_our_own_page_may_and_a_link_or_image_may_not() {
        assert!(of(&[("sec-fetch-mode", "cors"), ("sec-fetch-site", "same-origin")]));
        assert!(!of(&[("sec-fetch-mode", "navigate"), ("sec-fetch-site", "none")]));
        assert!(!of(&[("sec-fetch-mode", "no-cors"), ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn a_script_of_another_site_may_only_when_its_origin_is_allowed() {
        let cross = ("sec-fetch-site", "cross-site");
        assert!(of(&[("sec-fetch-mode", "cors"), cross, ("origin", "https://app.example.com")]));
        assert!(!of(&[("sec-fetch-mode", "cors"), cross, ("origin", "https://evil.example.com")]));
        assert!(!of(&[("sec-fetch-mode", "cors"), cross]));
    }
}
