//! The secrets of a file session: the ticket in its URL, and the one in its cookie.

use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::ids;

/// What the path of every file session starts with.
pub const PREFIX: &str = "/files/";
/// The number of characters of a ticket. It has the form of the end of an ID, so it can stand in place of that of a claim.
pub const LENGTH: usize = 26;
/// The name of the cookie. Because of the prefix, browsers only accept it with `Secure` (RFC 6265bis, section 4.1.3.1). They
/// consider `localhost` secure.
const COOKIE: &str = "__Secure-platform-files";

/// What is stored of a secret.
pub type SecretHash = [u8; 32];

/// The ticket in the URL of a file session: 128 random bits.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket(String);

impl Ticket {
    /// A new one.
    pub fn generate() -> Self {
        Self(ids::suffix(Uuid::from_u128(rand::random())))
    }

    /// The ticket and the rest of a path, which is empty or starts with `/`; `None` if it is not the path of a file session.
    pub fn of_path(path: &str) -> Option<(Self, &str)> {
        let (ticket, rest) = path.strip_prefix(PREFIX)?.split_at_checked(LENGTH)?;
        ids::parse_suffix(ticket)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| (Self(ticket.to_owned()), rest))
    }

    /// The 26 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of the session: `/files/<ticket>/`.
    pub fn path(&self) -> String {
        format!("{PREFIX}{}/", self.0)
    }

    /// What is stored.
    pub fn hash(&self) -> SecretHash {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

/// A ticket opens nothing by itself, but it is not for logs either.
impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ticket(..)")
    }
}

/// The secret in the cookie of a file session: 256 random bits.
#[derive(Clone, PartialEq, Eq)]
pub struct CookieSecret(String);

impl CookieSecret {
    /// A new one.
    pub fn generate() -> Self {
        let half = || ids::suffix(Uuid::from_u128(rand::random()));
        Self(half() + &half())
    }

    /// The one that a browser sends for the path of a session.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs
            .find(|(name, value)| *name == COOKIE && value.len() == 2 * LENGTH)
            .map(|(_, value)| Self(value.to_owned()))
    }

    /// What is stored.
    pub fn hash(&self) -> SecretHash {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The value of `Set-Cookie` for a session with this ticket. Browsers send it with links to the session and with nothing
    /// else of other sites, therefore `Lax`.
    pub fn store(&self, ticket: &Ticket, seconds: i64) -> Option<HeaderValue> {
        let Self(secret) = self;
        let attributes = "Secure; HttpOnly; SameSite=Lax";
        HeaderValue::from_str(&format!("{COOKIE}={secret}; Path={}; Max-Age={seconds}; {attributes}", ticket.path()))
            .ok()
    }
}

impl std::fmt::Debug for CookieSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CookieSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_its_ticket_and_the_rest() {
        let parsed = |path| Ticket::of_path(path).map(|(ticket, rest)| (ticket.0, rest));
        let ticket = "01h455vb4pex5vsknk084sn02q";
        assert_eq!(parsed("/files/01h455vb4pex5vsknk084sn02q/a/b"), Some((ticket.to_owned(), "/a/b")));
        assert_eq!(parsed("/files/01h455vb4pex5vsknk084sn02q"), Some((ticket.to_owned(), "")));
        for none in [
            "/files/",
            "/files/01h4",
            "/files/01h455vb4pex5vsknk084sn02qx",
            "/file/01h455vb4pex5vsknk084sn02q/",
            "/files/01h455vb4pex5vsknk084sn0éé/",
        ] {
            assert_eq!(parsed(none), None, "{none}");
        }
    }

    #[test]
    fn a_ticket_is_as_long_as_the_end_of_an_id() {
        let ticket = Ticket::generate();
        assert_eq!(ticket.as_str().len(), LENGTH);
        assert_eq!(Ticket::of_path(&ticket.path()), Some((ticket.clone(), "/")));
        assert_ne!(ticket, Ticket::generate());
    }

    #[test]
    fn the_cookie_is_for_the_path_of_its_session_and_kept_from_scripts() {
        let (ticket, _) = Ticket::of_path("/files/01h455vb4pex5vsknk084sn02q").unwrap();
        let secret = CookieSecret("s".repeat(52));
        insta::assert_snapshot!(
            secret.store(&ticket, 60).unwrap().to_str().unwrap(),
            @"__Secure-platform-files=ssssssssssssssssssssssssssssssssssssssssssssssssssss; Path=/files/01h455vb4pex5vsknk084sn02q/; Max-Age=60; Secure; HttpOnly; SameSite=Lax"
        );
        let headers =
            HeaderMap::from_iter([(header::COOKIE, format!("a=b; {COOKIE}={}", "s".repeat(52)).parse().unwrap())]);
        assert_eq!(CookieSecret::of(&headers), Some(secret));
    }
}
