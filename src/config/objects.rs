//! Where large objects such as exports are stored: a bucket of an S3 server, or a folder.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::ConfigError;
use super::values::{between, switch};

const DAY: u64 = 24 * 60 * 60;
/// What an endpoint must be.
const ENDPOINT: &str = "HOST, HOST:PORT, or a URL without a path, such as https://s3.example.com";

/// The settings of the object store.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Object store")]
pub struct ObjectSettings {
    /// S3 server for large objects such as exports, as HOST, HOST:PORT or a URL
    #[arg(long, env = "MINIO_ENDPOINT", value_name = "HOST")]
    pub minio_endpoint: Option<String>,
    /// Bucket on the S3 server, which must exist
    #[arg(long, env = "MINIO_BUCKET", value_name = "NAME")]
    pub minio_bucket: Option<String>,
    /// Access key for the S3 server
    #[arg(long, env = "MINIO_ACCESS_KEY", hide_env_values = true, value_name = "KEY")]
    pub minio_access_key: Option<SecretString>,
    /// Secret key for the S3 server
    #[arg(long, env = "MINIO_SECRET_KEY", hide_env_values = true, value_name = "SECRET")]
    pub minio_secret_key: Option<SecretString>,
    /// Region of the bucket
    #[arg(long, env = "MINIO_REGION", default_value = "us-east-1", value_name = "NAME")]
    pub minio_region: String,
    /// Whether the S3 server is reached with TLS, if MINIO_ENDPOINT does not say it
    #[arg(long, env = "MINIO_USE_SSL", default_value = "true", value_name = "SWITCH", value_parser = switch, action = clap::ArgAction::Set)]
    pub minio_use_ssl: bool,
    /// The S3 server as browsers reach it, for links to downloads; MINIO_ENDPOINT by default
    #[arg(long, env = "MINIO_PUBLIC_ENDPOINT", value_name = "HOST")]
    pub minio_public_endpoint: Option<String>,
    /// Folder for large objects if there is no S3 server, the same for all replicas; without either, there are no exports
    #[arg(long, env = "OBJECTS_DIR", value_name = "FOLDER")]
    pub objects_dir: Option<PathBuf>,
    /// How long an export of the audit log can be downloaded, in days
    #[arg(long, env = "AUDIT_EXPORT_DAYS", default_value = "7", value_name = "N", value_parser = between(1_u64, 365))]
    pub audit_export_days: u64,
}

/// Where large objects are stored.
#[derive(Debug, Clone)]
pub struct ObjectsConfig {
    /// The place.
    pub place: ObjectsPlace,
    /// How long an export of the audit log is kept.
    pub export_life: Duration,
}

/// A place for objects.
#[derive(Debug, Clone)]
pub enum ObjectsPlace {
    /// There is none.
    Nowhere,
    /// A folder, which is created if it does not exist. Replicas must share it.
    Folder(PathBuf),
    /// A bucket.
    Bucket(Box<BucketConfig>),
}

/// A bucket of an S3 server.
#[derive(Debug, Clone)]
pub struct BucketConfig {
    /// The server.
    pub endpoint: Url,
    /// The server in links for browsers.
    pub public_endpoint: Url,
    /// The name of the bucket.
    pub bucket: String,
    /// The region that requests are signed for.
    pub region: String,
    /// Who the server takes the platform for.
    pub access_key: SecretString,
    /// The key that requests are signed with.
    pub secret_key: SecretString,
}

impl ObjectSettings {
    pub(super) fn config(&self) -> Result<ObjectsConfig, ConfigError> {
        let endpoint = given(self.minio_endpoint.as_deref());
        let folder = self.objects_dir.as_ref().filter(|folder| !folder.as_os_str().is_empty());
        let place = match (endpoint, folder) {
            (Some(_), Some(folder)) => {
                return Err(ConfigError::Invalid {
                    variable: "OBJECTS_DIR",
                    given: folder.display().to_string(),
                    expected: "empty if MINIO_ENDPOINT is set".to_owned(),
                });
            }
            (Some(endpoint), None) => ObjectsPlace::Bucket(Box::new(self.bucket(endpoint)?)),
            (None, Some(folder)) => ObjectsPlace::Folder(folder.clone()),
            (None, None) => ObjectsPlace::Nowhere,
        };
        Ok(ObjectsConfig { place, export_life: Duration::from_secs(DAY * self.audit_export_days) })
    }

    fn bucket(&self, endpoint: &str) -> Result<BucketConfig, ConfigError> {
        let secret = |variable, secret: &Option<SecretString>| {
            let given = secret.clone().filter(|secret| !secret.expose_secret().trim().is_empty());
            given.ok_or_else(|| missing(variable, "the key that the S3 server has given out"))
        };
        let endpoint = self.server("MINIO_ENDPOINT", endpoint)?;
        let public_endpoint = match given(self.minio_public_endpoint.as_deref()) {
            Some(public) => self.server("MINIO_PUBLIC_ENDPOINT", public)?,
            None => endpoint.clone(),
        };
        let bucket =
            given(self.minio_bucket.as_deref()).ok_or_else(|| missing("MINIO_BUCKET", "the name of a bucket"))?;
        if !is_bucket_name(bucket) {
            return Err(ConfigError::Invalid {
                variable: "MINIO_BUCKET",
                given: bucket.to_owned(),
                expected: "3 to 63 lowercase letters, digits, dots and hyphens".to_owned(),
            });
        }
        Ok(BucketConfig {
            endpoint,
            public_endpoint,
            bucket: bucket.to_owned(),
            region: self.minio_region.clone(),
            access_key: secret("MINIO_ACCESS_KEY", &self.minio_access_key)?,
            secret_key: secret("MINIO_SECRET_KEY", &self.minio_secret_key)?,
        })
    }

    fn server(&self, variable: &'static str, text: &str) -> Result<Url, ConfigError> {
        let scheme = if self.minio_use_ssl { "https" } else { "http" };
        let full = if text.contains("://") { text.to_owned() } else { format!("{scheme}://{text}") };
        let is_server = |url: &Url| {
            let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
            let anonymous = url.username().is_empty() && url.password().is_none();
            matches!(url.scheme(), "https" | "http") && url.has_host() && bare && anonymous
        };
        // A URL can contain a password.
        let problem = || ConfigError::Secret {
            variable,
            problem: "is not the address of a server".to_owned(),
            expected: ENDPOINT.to_owned(),
        };
        Url::parse(&full).ok().filter(is_server).ok_or_else(problem)
    }
}

impl ObjectsConfig {
    /// The same, in this folder if there is no other place.
    #[must_use]
    pub fn or_in(self, folder: PathBuf) -> Self {
        match self.place {
            ObjectsPlace::Nowhere => Self { place: ObjectsPlace::Folder(folder), ..self },
            ObjectsPlace::Folder(_) | ObjectsPlace::Bucket(_) => self,
        }
    }
}

fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn missing(variable: &'static str, what: &str) -> ConfigError {
    ConfigError::Missing { variable, expected: format!("{what} if MINIO_ENDPOINT is set") }
}

/// As S3 has it, without its rules against what looks like something else.
fn is_bucket_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    let edges = edge(bytes.first()) && edge(bytes.last());
    (3..=63).contains(&name.len()) && bytes.iter().copied().all(legal) && edges && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(endpoint: &str) -> ObjectSettings {
        ObjectSettings {
            minio_endpoint: Some(endpoint.to_owned()),
            minio_bucket: Some("platform".to_owned()),
            minio_access_key: Some("key".to_owned().into()),
            minio_secret_key: Some("secret".to_owned().into()),
            minio_region: "us-east-1".to_owned(),
            minio_use_ssl: true,
            minio_public_endpoint: None,
            objects_dir: None,
            audit_export_days: 7,
        }
    }

    fn bucket(settings: &ObjectSettings) -> BucketConfig {
        match settings.config().unwrap().place {
            ObjectsPlace::Bucket(bucket) => *bucket,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_scheme_is_in_the_address_or_in_a_setting_of_its_own() {
        let endpoint =
            |text, minio_use_ssl| bucket(&ObjectSettings { minio_use_ssl, ..settings(text) }).endpoint.to_string();
        assert_eq!(endpoint("minio.minio.svc:9000", false), "http://minio.minio.svc:9000/");
        assert_eq!(endpoint("s3.example.com", true), "https://s3.example.com/");
        assert_eq!(endpoint("http://[::1]:9000", true), "http://[::1]:9000/");
    }

    #[test]
    fn browsers_may_need_another_address() {
        let public = Some("https://files.example.com".to_owned());
        let with = ObjectSettings { minio_public_endpoint: public, ..settings("minio:9000") };
        assert_eq!(bucket(&with).public_endpoint.as_str(), "https://files.example.com/");
        assert_eq!(bucket(&settings("minio:9000")).public_endpoint.as_str(), "https://minio:9000/");
    }

    #[test]
    fn what_is_missing_or_contradicts_itself_is_named_without_a_secret() {
        let refused = |settings: &ObjectSettings| settings.config().unwrap_err().to_string();
        let without = ObjectSettings { minio_secret_key: Some(" ".to_owned().into()), ..settings("s3") };
        insta::assert_snapshot!(refused(&without), @"MINIO_SECRET_KEY is not set; it must be the key that the S3 server has given out if MINIO_ENDPOINT is set");
        let both = ObjectSettings { objects_dir: Some("/objects".into()), ..settings("s3") };
        insta::assert_snapshot!(refused(&both), @r#"OBJECTS_DIR was "/objects"; it must be empty if MINIO_ENDPOINT is set"#);
        insta::assert_snapshot!(refused(&settings("https://user:hunter2@s3/path")), @"MINIO_ENDPOINT is not the address of a server; it must be HOST, HOST:PORT, or a URL without a path, such as https://s3.example.com");
        let name = ObjectSettings { minio_bucket: Some("../other".to_owned()), ..settings("s3") };
        insta::assert_snapshot!(refused(&name), @r#"MINIO_BUCKET was "../other"; it must be 3 to 63 lowercase letters, digits, dots and hyphens"#);
        assert!(!format!("{:?}", settings("s3")).contains("\"secret\""));
    }

    #[test]
    fn nothing_is_stored_anywhere_unless_the_operator_says_where() {
        let nothing = ObjectSettings { minio_endpoint: None, ..settings("") };
        let config = nothing.config().unwrap();
        assert!(matches!(config.place, ObjectsPlace::Nowhere));
        assert!(matches!(config.or_in("here".into()).place, ObjectsPlace::Folder(_)));
    }
}
