//! The types of single settings, and the parsers clap calls for them. A parser's error says what the value may be.

use std::{fmt, str::FromStr};

/// Who places the pods of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum ExecutorMode {
    /// The Flash scheduler: one FlashJob a job.
    Scheduler,
    /// Kubernetes itself: one `batch/v1` Job a job.
    Local,
}

/// What a line of the log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Coloured lines for a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// Who may ask for the schema, and is told names like the one that they misspelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Introspection {
    /// All callers.
    Everyone,
    /// Who has logged in.
    Users,
    /// Platform admins.
    Admins,
    /// No caller.
    Nobody,
}

impl FromStr for Introspection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text.to_ascii_lowercase().as_str(), switch(text)) {
            ("everyone", _) | (_, Ok(true)) => Ok(Self::Everyone),
            ("users", _) => Ok(Self::Users),
            ("admins", _) => Ok(Self::Admins),
            ("nobody", _) | (_, Ok(false)) => Ok(Self::Nobody),
            _ => Err("everyone, users, admins or nobody (true and false do for the first and the last)".to_owned()),
        }
    }
}

/// Whether operations that are not known in advance are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TrustedDocumentsMode {
    /// Every operation is served, and none is known.
    Off,
    /// Every operation is served; known ones may be named by their hash.
    Allow,
    /// Only known operations are served.
    Only,
}

/// How much work hashing a password is, as a power of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BcryptCost(u32);

impl BcryptCost {
    /// What bcrypt allows at the least: for development and tests, where nothing is worth stealing.
    pub const CHEAPEST: Self = Self(4);

    /// The number that bcrypt is called with.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl FromStr for BcryptCost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        between(10_u32, 16)(text).map(Self)
    }
}

impl fmt::Display for BcryptCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which web pages may call the API from another origin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AllowedOrigins {
    /// None: the server's own page only.
    #[default]
    SameOrigin,
    /// These, each as `scheme://host[:port]`.
    Listed(Vec<String>),
    /// Every page (`*`).
    Any,
}

impl FromStr for AllowedOrigins {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let origins: Vec<&str> = text.split(',').map(str::trim).filter(|origin| !origin.is_empty()).collect();
        match origins.as_slice() {
            [] => Ok(Self::SameOrigin),
            ["*"] => Ok(Self::Any),
            origins if origins.iter().copied().all(is_origin) => {
                Ok(Self::Listed(origins.iter().map(|origin| (*origin).to_owned()).collect()))
            }
            _ => Err("a comma-separated list of origins such as https://app.example.com, or * for all".to_owned()),
        }
    }
}

/// Whether `text` is a scheme, a host and at most a port, as browsers send it in `Origin`.
fn is_origin(text: &str) -> bool {
    http::Uri::from_str(text).is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.path_and_query().is_none_or(|path| path.as_str() == "/")
            && !text.ends_with('/')
    })
}

/// A parser for numbers from `least` to `most`, both included.
pub(super) fn between<N>(least: N, most: N) -> impl Fn(&str) -> Result<N, String> + Clone + Send + Sync + 'static
where
    N: FromStr + PartialOrd + fmt::Display + Copy + Send + Sync + 'static,
{
    move |text| match text.parse::<N>() {
        Ok(number) if least <= number && number <= most => Ok(number),
        _ => Err(format!("a whole number from {least} to {most}")),
    }
}

/// A parser for switches.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err("true or false (on and off, yes and no, 1 and 0 do as well)".to_owned()),
    }
}

/// A parser for names that Kubernetes gives its objects.
pub(super) fn object_name(text: &str) -> Result<String, String> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    if bytes.len() <= 253 && bytes.iter().copied().all(legal) && edge(bytes.first()) && edge(bytes.last()) {
        Ok(text.to_owned())
    } else {
        Err("a Kubernetes name: lower-case letters, digits, - and ., at most 253".to_owned())
    }
}

/// A parser for `tracing` filters.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("a filter such as info or platform=debug,warn".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_what_a_browser_sends() {
        assert_eq!("".parse(), Ok(AllowedOrigins::SameOrigin));
        assert_eq!("*".parse(), Ok(AllowedOrigins::Any));
        assert_eq!(
            "https://a.example, http://localhost:5173".parse(),
            Ok(AllowedOrigins::Listed(vec!["https://a.example".to_owned(), "http://localhost:5173".to_owned()]))
        );
        for bad in ["a.example", "https://a.example/", "https://a.example/app", "ftp://a.example", "https://a,*"] {
            assert!(bad.parse::<AllowedOrigins>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn switches_take_the_usual_words() {
        assert_eq!(switch("On"), Ok(true));
        assert_eq!(switch("0"), Ok(false));
        assert!(switch("maybe").is_err());
    }
}
