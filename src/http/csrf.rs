//! Prevents pages of other sites from making a browser send a GET request, or open a WebSocket, on their behalf.
//!
//! A POST is protected by its content type, which requires a preflight. A GET needs proof that it was not caused by a
//! mere link, image or form: a header that only a script can set, or the `Sec-Fetch-Mode` header in which the browser
//! says that a script of this site or of an allowed one sent it. Pages of every site can open a WebSocket without a
//! preflight, so there the `Origin` header decides; clients other than browsers do not send it.

use http::header;
use http::request::Parts;

use crate::config::AllowedOrigins;

/// Headers that a page can set only after a preflight; the value does not matter.
const PREFLIGHT_HEADERS: [&str; 2] = ["x-graphql-csrf", "apollo-require-preflight"];

/// Whether a GET may run, or why not.
pub(super) fn check(request: &Parts, allowed: &AllowedOrigins) -> Result<(), &'static str> {
    if PREFLIGHT_HEADERS.iter().any(|name| request.headers.get(*name).is_some_and(|value| !value.is_empty())) {
        return Ok(());
    }
    let by_script = matches!(text(request, "sec-fetch-mode"), Some("cors" | "same-origin" | "websocket"));
    let origin_ok = match text(request, "sec-fetch-site") {
        Some("cross-site" | "same-site") if !request.headers.contains_key(header::ORIGIN) => false,
        _ => !is_foreign(request, allowed),
    };
    if by_script && origin_ok {
        Ok(())
    } else {
        Err(
            "a GET request requires the header x-graphql-csrf (with any value), so that pages of other sites cannot send it",
        )
    }
}

/// Whether this was sent by a page of another site that is not allowed.
pub(super) fn is_foreign(request: &Parts, allowed: &AllowedOrigins) -> bool {
    let Some(origin) = request.headers.get(header::ORIGIN) else { return false };
    // HTTP/2 has the host in the target and not in a header.
    let host = text(request, header::HOST.as_str()).or_else(|| request.uri.authority().map(|host| host.as_str()));
    let Ok(origin) = origin.to_str() else { return true };
    let own = origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host);
    !own && !allowed.contain(origin)
}

fn text<'r>(request: &'r Parts, name: &str) -> Option<&'r str> {
    request.headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> AllowedOrigins {
        AllowedOrigins::Listed(vec!["https://app.example.com".to_owned()])
    }

    fn request(target: &str, headers: &[(&str, &str)]) -> Parts {
        let builder = http::Request::get(target);
        let built = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value)).body(());
        built.unwrap().into_parts().0
    }

    fn of(headers: &[(&str, &str)]) -> bool {
        check(&request("/graphql", headers), &listed()).is_ok()
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

    #[test]
    fn a_socket_is_opened_for_our_own_pages_allowed_ones_and_clients_that_are_no_browser() {
        let foreign = |target, headers: &[(&str, &str)]| is_foreign(&request(target, headers), &listed());
        assert!(!foreign("/graphql", &[("host", "api.example.com")]));
        assert!(!foreign("/graphql", &[("host", "api.example.com"), ("origin", "https://api.example.com")]));
        assert!(!foreign("https://api.example.com/graphql", &[("origin", "https://api.example.com")]));
        assert!(!foreign("/graphql", &[("host", "api.example.com"), ("origin", "https://app.example.com")]));
        assert!(foreign("/graphql", &[("host", "api.example.com"), ("origin", "https://evil.example.com")]));
        assert!(foreign("/graphql", &[("host", "api.example.com"), ("origin", "null")]));
    }
}
