//! The cookies of a browser: of its session, and of a sign-in with a provider. Scripts cannot read them, and pages of other
//! sites cannot send the session.

use http::{HeaderMap, HeaderValue, header};

/// The name. Because of the prefix, browsers only accept the cookie with `Secure`, for this host and all paths (RFC
/// 6265bis, section 4.1.3.2). They consider `localhost` secure.
const NAME: &str = "__Host-platform-session";

/// The name of the cookie that ties a sign-in with a provider to the browser that started it.
const SIGN_IN: &str = "__Host-platform-sign-in";

/// The token in the session cookie of a request.
pub fn token(headers: &HeaderMap) -> Option<&str> {
    value(headers, NAME)
}

/// The value of the cookie of a sign-in.
pub fn sign_in(headers: &HeaderMap) -> Option<&str> {
    value(headers, SIGN_IN)
}

/// The value of `Set-Cookie` that stores the cookie of a sign-in. Browsers send it with the request that returns from the
/// site of the provider, therefore `Lax`.
pub fn store_sign_in(secret: &str, seconds: i64) -> Option<HeaderValue> {
    let path = "Path=/; Secure; HttpOnly; SameSite=Lax";
    HeaderValue::from_str(&format!("{SIGN_IN}={secret}; Max-Age={seconds}; {path}")).ok()
}

fn value<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, value)| *name == wanted && !value.is_empty()).map(|(_, value)| value)
}

/// The value of `Set-Cookie` that stores `token` for this number of seconds.
pub fn store(token: &str, seconds: i64) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{NAME}={token}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict")).ok()
}

/// The value of `Set-Cookie` that deletes the cookie.
pub fn delete() -> Option<HeaderValue> {
    store("", 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(cookie: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(cookie).unwrap())]);
        token(&headers).map(str::to_owned)
    }

    #[test]
    fn the_token_is_found_among_other_cookies() {
        assert_eq!(found("theme=dark; __Host-platform-session=a.b.c; other=1"), Some("a.b.c".to_owned()));
        for none in ["__Host-platform-session=", "platform-session=abc", "__Host-platform-session"] {
            assert_eq!(found(none), None, "{none}");
        }
    }

    #[test]
    fn it_is_kept_from_scripts_and_other_sites() {
        insta::assert_snapshot!(
            store("abc", 60).unwrap().to_str().unwrap(),
            @"__Host-platform-session=abc; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Strict"
        );
        insta::assert_snapshot!(
            delete().unwrap().to_str().unwrap(),
            @"__Host-platform-session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict"
        );
    }
}
