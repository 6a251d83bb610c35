//! The types of single settings, and the parsers that clap calls for them. The error of a parser describes the allowed
//! values.

use std::{fmt, str::FromStr};

/// How jobs are run in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum ExecutorMode {
    /// As FlashJobs, placed by the Flash scheduler.
    Scheduler,
    /// As plain Kubernetes Jobs.
    Local,
}

/// Whether people can create accounts for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Registration {
    /// Everybody can, and uses the platform at once.
    Open,
    /// Everybody can, and a platform admin lets them in.
    Approval,
    /// Only platform admins create accounts.
    Closed,
}

/// How access tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, clap::ValueEnum)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256: only who has the secret can verify tokens.
    #[default]
    #[value(name = "HS256")]
    Hs256,
    /// Ed25519: other services can verify tokens with the public keys, which the server publishes.
    #[value(name = "EdDSA")]
    EdDsa,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Colored lines for a terminal.
    Text,
    /// One JSON object per line.
    Json,
}

/// Who can query the schema and gets suggestions for misspelled names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Introspection {
    /// All callers.
    Everyone,
    /// Authenticated users.
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
            _ => Err("everyone, users, admins or nobody (or true for everyone, false for nobody)".to_owned()),
        }
    }
}

/// Whether operations that are not in the file of trusted operations are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TrustedDocumentsMode {
    /// The file is ignored.
    Off,
    /// All operations are served; those in the file can be identified by their hash.
    Allow,
    /// Only the operations in the file are served.
    Only,
}

/// The cost of hashing a password, as a power of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BcryptCost(u32);

impl BcryptCost {
    /// The minimum that bcrypt allows: for development and tests, where nothing is worth stealing.
    pub const CHEAPEST: Self = Self(4);

    /// A cost that its parser has found to be allowed.
    pub(super) const fn from_checked(cost: u32) -> Self {
        Self(cost)
    }

    /// The number that is passed to bcrypt.
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
    /// None: only the server's own page.
    #[default]
    SameOrigin,
    /// These, each as `scheme://host[:port]`.
    Listed(Vec<String>),
    /// Those of this machine, on any port, and these.
    ThisMachineAnd(Vec<String>),
    /// Every page (`*`).
    Any,
}

/// The hosts whose pages come from the machine of the browser.
const THIS_MACHINE: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

impl AllowedOrigins {
    /// Whether pages of `origin`, which is not the server's own, may call the API.
    #[must_use]
    pub fn contain(&self, origin: &str) -> bool {
        let listed = |list: &[String]| list.iter().any(|listed| listed == origin);
        match self {
            Self::SameOrigin => false,
            Self::Listed(list) => listed(list),
            Self::ThisMachineAnd(list) => is_of_this_machine(origin) || listed(list),
            Self::Any => true,
        }
    }

    /// The same, and all pages of this machine: for development, where a page has a server of its own.
    #[must_use]
    pub fn and_this_machine(self) -> Self {
        match self {
            Self::SameOrigin => Self::ThisMachineAnd(Vec::new()),
            Self::Listed(list) => Self::ThisMachineAnd(list),
            other @ (Self::ThisMachineAnd(_) | Self::Any) => other,
        }
    }
}

fn is_of_this_machine(origin: &str) -> bool {
    let host = |origin: &str| http::Uri::from_str(origin).ok().and_then(|uri| uri.host().map(str::to_owned));
    is_origin(origin) && host(origin).is_some_and(|host| THIS_MACHINE.contains(&host.as_str()))
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

/// Whether `text` consists of a scheme, a host and an optional port, as browsers send it in `Origin`.
fn is_origin(text: &str) -> bool {
    http::Uri::from_str(text).is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.path_and_query().is_none_or(|path| path.as_str() == "/")
            && !text.ends_with('/')
    })
}

/// A parser for numbers from `least` to `most`, inclusive.
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
        _ => Err("true or false (or on, off, yes, no, 1, 0)".to_owned()),
    }
}

/// A parser for names of Kubernetes objects.
pub(super) fn object_name(text: &str) -> Result<String, String> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    if bytes.len() <= 253 && bytes.iter().copied().all(legal) && edge(bytes.first()) && edge(bytes.last()) {
        Ok(text.to_owned())
    } else {
        Err("a Kubernetes name: at most 253 lower-case letters, digits, - and .".to_owned())
    }
}

/// A parser for the size of a storage claim.
pub(super) fn storage_size(text: &str) -> Result<String, String> {
    match text.trim().parse::<cluster_resources::quantity::Quantity>() {
        Ok(size) if size.is_positive() => Ok(text.trim().to_owned()),
        Ok(_) | Err(_) => Err("a size such as 10Gi".to_owned()),
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
    fn pages_of_this_machine_are_known_by_their_whole_host() {
        let allowed = "https://app.example.com".parse::<AllowedOrigins>().unwrap().and_this_machine();
        for origin in [
            "http://localhost:5173",
            "http://localhost",
            "https://127.0.0.1:8443",
            "http://[::1]:3000",
            "https://app.example.com",
        ] {
            assert!(allowed.contain(origin), "{origin}");
        }
        for origin in [
            "null",
            "",
            "localhost:5173",
            "http://localhost.example.com",
            "http://localhost@example.com",
            "http://example.com:80/localhost",
            "http://127.0.0.1.example.com",
            "http://127.0.0.2:5173",
            "file://localhost",
            "https://app.example.com:444",
        ] {
            assert!(!allowed.contain(origin), "{origin}");
        }
        assert!(!AllowedOrigins::SameOrigin.contain("http://localhost:5173"));
        assert_eq!(AllowedOrigins::Any.and_this_machine(), AllowedOrigins::Any);
    }

    #[test]
    fn switches_take_the_usual_words() {
        assert_eq!(switch("On"), Ok(true));
        assert_eq!(switch("0"), Ok(false));
        assert!(switch("maybe").is_err());
    }
}
