//! Where the database is: a URL, or its parts.

use std::{fmt, num::NonZeroU32, str::FromStr};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

use super::{ConfigError, settings::DatabaseSettings};

const EXPECTED_URL: &str = "postgres://USER:PASSWORD@HOST:PORT/NAME";

/// The database settings.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// The primary database.
    pub primary: DatabaseUrl,
    /// The number of connections, including those that are reserved for a single thread.
    pub pool_size: NonZeroU32,
    /// The number of serving threads, each of which has some of these connections to itself.
    pub threads: NonZeroU32,
    /// Whether `serve` migrates before it serves.
    pub migrate_on_start: bool,
}

impl DatabaseConfig {
    /// A private development database: a small pool, migrated at start.
    #[must_use]
    pub fn for_dev(primary: DatabaseUrl) -> Self {
        const POOL: NonZeroU32 = NonZeroU32::MIN.saturating_add(7);
        Self { primary, pool_size: POOL, threads: NonZeroU32::MIN, migrate_on_start: true }
    }
}

/// The TLS mode of a connection, with the meanings that libpq defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SslMode {
    /// Never encrypt.
    Disable,
    /// Encrypt if the server supports it.
    Prefer,
    /// Encrypt; accept any certificate.
    Require,
    /// Encrypt; the certificate must be signed by a trusted authority.
    VerifyCa,
    /// Encrypt; the certificate must be signed by a trusted authority and match the host.
    VerifyFull,
}

impl SslMode {
    /// The equivalent in `tokio_postgres`; checking certificates is left to the connector.
    fn wire(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require | Self::VerifyCa | Self::VerifyFull => "require",
        }
    }

    fn named(name: &str) -> Option<Self> {
        <Self as clap::ValueEnum>::from_str(name, false).ok()
    }
}

/// A database to connect to. Displayed without its password.
#[derive(Clone)]
pub struct DatabaseUrl {
    url: SecretString,
    ssl_mode: SslMode,
}

impl DatabaseUrl {
    /// The URL with its password, in the format that `tokio_postgres` parses.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.url.expose_secret()
    }

    /// The TLS mode of the connection.
    #[must_use]
    pub fn ssl_mode(&self) -> SslMode {
        self.ssl_mode
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    /// Parses `postgres://…`; the error says what is wrong and never repeats the text.
    fn from_str(text: &str) -> Result<Self, String> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        if !base.starts_with("postgres://") && !base.starts_with("postgresql://") {
            return Err("does not start with postgres://".to_owned());
        }
        // The modes that check certificates are handled here: tokio_postgres only knows the first three.
        let mut ssl_mode = SslMode::Prefer;
        let mut parameters = Vec::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.strip_prefix("sslmode=") {
                Some(name) => ssl_mode = SslMode::named(name).ok_or("has an unknown sslmode")?,
                None => parameters.push(parameter.to_owned()),
            }
        }
        parameters.push(format!("sslmode={}", ssl_mode.wire()));
        let url = format!("{base}?{}", parameters.join("&"));
        match url.parse::<tokio_postgres::Config>() {
            Ok(parsed) if parsed.get_hosts().is_empty() => Err("has no host".to_owned()),
            Ok(parsed) if parsed.get_dbname().is_none_or(str::is_empty) => Err("has no database name".to_owned()),
            Ok(_) => Ok(Self { url: SecretString::from(url), ssl_mode }),
            Err(_) => Err("is not a valid database URL (not shown because it may contain a password)".to_owned()),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.expose_secret();
        let after_scheme = url.find("://").map_or(0, |at| at + 3);
        let authority_end = url[after_scheme..].find(['/', '?']).map_or(url.len(), |at| after_scheme + at);
        let shown_from = url[..authority_end].rfind('@').map_or(after_scheme, |at| at + 1);
        write!(f, "postgres://{}", url[shown_from..].split('?').next().unwrap_or_default())
    }
}

impl DatabaseSettings {
    /// The database these settings describe.
    ///
    /// # Errors
    /// Neither a URL nor a host is given, the URL is invalid, or there is a replica, which is not supported.
    pub fn config(&self) -> Result<DatabaseConfig, ConfigError> {
        if given(self.database_replica_url.as_ref()).is_some() {
            return Err(ConfigError::Secret {
                variable: "DATABASE_REPLICA_URL",
                problem: "is set, but read replicas are not supported".to_owned(),
                expected: "left unset".to_owned(),
            });
        }
        Ok(DatabaseConfig {
            primary: self.primary()?,
            pool_size: self.db_pool_size,
            threads: NonZeroU32::MIN,
            migrate_on_start: self.migrate_on_start,
        })
    }

    fn primary(&self) -> Result<DatabaseUrl, ConfigError> {
        if let Some(url) = given(self.database_url.as_ref()) {
            return parse("DATABASE_URL", url);
        }
        let missing = |variable, expected: &str| ConfigError::Missing { variable, expected: expected.to_owned() };
        let part = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
        let host = part(&self.db_host).ok_or_else(|| {
            missing("DATABASE_URL", &format!("{EXPECTED_URL}, or DB_HOST and the other DB_* settings must be set"))
        })?;
        let user = part(&self.db_user).ok_or_else(|| missing("DB_USER", "the name of a database role"))?;
        let name = part(&self.db_name).ok_or_else(|| missing("DB_NAME", "the name of a database"))?;
        let password = given(self.db_password.as_ref()).map(|password| format!(":{}", percent_encode(password)));
        let url = format!(
            "postgres://{}{}@{}:{}/{}?sslmode={}",
            percent_encode(&user),
            password.unwrap_or_default(),
            // A path is the directory of a Unix socket; an IPv6 address keeps its brackets.
            if host.starts_with('[') { host.clone() } else { percent_encode(&host) },
            self.db_port,
            percent_encode(&name),
            clap::ValueEnum::to_possible_value(&self.db_sslmode)
                .map_or_else(String::new, |mode| mode.get_name().to_owned()),
        );
        url.parse().map_err(|_| ConfigError::Invalid {
            variable: "DB_HOST",
            given: host,
            expected: "a host name, an IP address or the directory of a Unix socket".to_owned(),
        })
    }
}

fn given(secret: Option<&SecretString>) -> Option<&str> {
    secret.map(|secret| secret.expose_secret().trim()).filter(|text| !text.is_empty())
}

fn parse(variable: &'static str, url: &str) -> Result<DatabaseUrl, ConfigError> {
    url.parse().map_err(|problem| ConfigError::Secret { variable, problem, expected: EXPECTED_URL.to_owned() })
}

/// All but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `text` with every byte that has a meaning in URLs encoded as `%XX`.
pub(crate) fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl DatabaseConfig {
        /// A database that does not exist, for tests that do not query it.
        pub(crate) fn nowhere() -> Self {
            Self::for_dev(url("postgres://nobody@127.0.0.1:1/nothing").unwrap())
        }
    }

    fn url(text: &str) -> Result<DatabaseUrl, String> {
        text.parse()
    }

    #[test]
    fn a_url_is_shown_without_who_connects() {
        let url =
            url("postgres://anna:s3cret@db.example:5433/platform?sslmode=verify-full&application_name=x").unwrap();
        assert_eq!(format!("{url} {url:?}"), "postgres://db.example:5433/platform postgres://db.example:5433/platform");
        assert_eq!(url.ssl_mode(), SslMode::VerifyFull);
        assert_eq!(url.expose(), "postgres://anna:s3cret@db.example:5433/platform?application_name=x&sslmode=require");
    }

    #[test]
    fn a_bad_url_is_described_and_not_repeated() {
        assert_eq!(url("mysql://a:b@c/d").unwrap_err(), "does not start with postgres://");
        assert_eq!(url("postgres:///d").unwrap_err(), "has no host");
        assert_eq!(url("postgres://a:b@c").unwrap_err(), "has no database name");
        assert_eq!(url("postgres://a:b@c/d?sslmode=maybe").unwrap_err(), "has an unknown sslmode");
        assert_eq!(
            url("postgres://a:b@c:port/d").unwrap_err(),
            "is not a valid database URL (not shown because it may contain a password)"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_password_survives_the_url(password in "[^\0]{1,40}") {
            let url = url(&format!("postgres://u:{}@h:1/d", percent_encode(&password))).unwrap();
            let parsed: tokio_postgres::Config = url.expose().parse().unwrap();
            proptest::prop_assert_eq!(parsed.get_password(), Some(password.as_bytes()));
        }
    }
}
