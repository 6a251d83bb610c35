//! Prevents pages of other sites from making a browser send a GET request, or open a WebSocket, on their behalf.
//!
//! A POST is protected by its content type, which requires a preflight. A GET needs proof that it was not caused by a
//! mere link, image or form: a header that only a script can set, or the `Sec-Fetch-Mode` header in which the browser
//! says that a script of this site or of an allowed one sent it. Pages of every site can open a WebSocket without a
//! preflight, so there the `Origin` header decides; clients other than browsers do not send it.

use std::net::IpAddr;

use http::header;
use http::request::Parts;
use http::uri::Authority;

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

/// Whether the session cookie of this request counts. The page must be of this site or an allowed one; and a page that
/// was loaded over plain HTTP could have been written by anybody on the way, although its host is our own.
pub(super) fn may_use_cookie(request: &Parts, allowed: &AllowedOrigins) -> bool {
    let origin = text(request, header::ORIGIN.as_str()).unwrap_or_default();
    let is_listed = matches!(allowed, AllowedOrigins::Listed(list) if list.iter().any(|listed| listed == origin));
    let is_plain = origin.strip_prefix("http://").is_some_and(|authority| !is_loopback(authority));
    (is_listed || !is_plain) && !is_foreign(request, allowed)
}

fn is_loopback(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    let host = authority.host().trim_matches(['[', ']']);
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
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
    fn a_cookie_counts_for_our_own_pages_and_allowed_ones_that_came_over_tls_or_from_this_machine() {
        let counts = |host: &str, origin: &str| {
            let headers = [("host", host), ("origin", origin)];
            may_use_cookie(&request("/graphql", if origin.is_empty() { &headers[..1] } else { &headers }), &listed())
        };
        assert!(counts("api.example.com", ""));
        assert!(counts("api.example.com", "https://api.example.com"));
        assert!(counts("api.example.com", "https://app.example.com"));
        assert!(!counts("api.example.com", "http://api.example.com"));
        assert!(!counts("api.example.com", "http://app.example.com"));
        assert!(!counts("api.example.com", "https://evil.example.com"));
        assert!(!counts("api.example.com", "null"));
        for local in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "api.localhost"] {
            assert!(counts(local, &format!("http://{local}")), "{local}");
        }
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
