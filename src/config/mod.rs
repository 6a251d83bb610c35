//! What the server is told from outside: environment variables and `.env`, checked once, typed ever after.
//!
//! [`settings`] is the list of variables as clap reads them; this module turns them into a [`Config`], the form that
//! the rest of the house sees. A value that is missing, weak or contradicts another becomes a [`ConfigError`]: one
//! line that names the variable, what it was (never for a secret) and what it may be.

mod database;
mod error;
mod gpu_resources;
mod limits;
mod proxies;
mod secrets;
pub mod settings;
mod values;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
    time::Duration,
};

pub use database::{DatabaseConfig, DatabaseUrl, SslMode};
pub use error::{ConfigError, one_line};
pub use gpu_resources::{GpuResources, Share};
pub use limits::RoleLimits;
pub use proxies::TrustedProxies;
#[cfg(feature = "embedded")]
pub(crate) use secrets::random_secret;
pub use secrets::{JwtKey, JwtKeys};
pub use values::{AllowedOrigins, BcryptCost, ExecutorMode, Introspection, LogFormat, TrustedDocumentsMode};

/// Everything `platform serve` needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the rows are.
    pub database: DatabaseConfig,
    /// Where clients connect, and what the page may do.
    pub http: HttpConfig,
    /// Tokens and passwords.
    pub auth: AuthConfig,
    /// The Kubernetes cluster and how jobs reach it.
    pub cluster: ClusterConfig,
    /// The event log.
    pub events: EventsConfig,
    /// What a client may ask for.
    pub limits: Limits,
    /// What the log looks like.
    pub log: LogConfig,
}

/// Where clients connect, and what the page may do.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Origins, apart from the server's own, whose pages may call the API.
    pub allowed_origins: AllowedOrigins,
    /// The reverse proxies whose word about a client's address is taken.
    pub trusted_proxies: TrustedProxies,
    /// Whether the playground is served at `/`.
    pub playground: bool,
    /// Who may ask for the schema.
    pub introspection: Introspection,
    /// How long running requests and sockets get to finish when the server is asked to stop.
    pub drain: Duration,
    /// Threads that serve connections.
    pub threads: NonZeroU32,
}

/// Tokens and passwords.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// The keys that sign and verify access tokens.
    pub jwt_keys: JwtKeys,
    /// The cost of hashing a new password.
    pub bcrypt_cost: BcryptCost,
    /// The life of an access token.
    pub access_token_life: Duration,
    /// The life of a refresh token that is not used.
    pub refresh_token_life: Duration,
}

/// The Kubernetes cluster and how jobs reach it.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// The kubeconfig to use; without one, the in-cluster service account or `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// The `schedulerName` on every pod.
    pub scheduler_name: String,
    /// Which resources are GPUs, and how much of one.
    pub gpu_resources: GpuResources,
}

/// The event log.
#[derive(Debug, Clone, Copy)]
pub struct EventsConfig {
    /// How long an event can be resumed from.
    pub retention: Duration,
}

/// What a client may ask for. Each refusal names the limit and its value.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes in a request's body.
    pub max_body_bytes: usize,
    /// Operations in one HTTP request; 0 refuses batches.
    pub max_batch: usize,
    /// Live subscriptions on one socket.
    pub max_subscriptions_per_socket: usize,
    /// For who has not logged in.
    pub anonymous: RoleLimits,
    /// For the platform role USER.
    pub user: RoleLimits,
    /// For the platform role ADMIN.
    pub admin: RoleLimits,
    /// The file of operations known in advance.
    pub trusted_documents: Option<PathBuf>,
    /// Whether operations that are not in that file are refused.
    pub trusted_documents_mode: TrustedDocumentsMode,
    /// Whether clients may name a text by its hash once they have sent it.
    pub persisted_queries: bool,
    /// How often a login may be tried.
    pub logins: LoginRates,
}

/// How often a login may be tried.
#[derive(Debug, Clone, Copy)]
pub struct LoginRates {
    /// Attempts a minute for one name; `None` turns the limit off.
    pub per_name: Option<NonZeroU32>,
    /// Attempts a minute from one address; `None` turns the limit off.
    pub per_address: Option<NonZeroU32>,
}

/// What the log looks like.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// Lines for people or JSON for machines.
    pub format: LogFormat,
    /// A `tracing` filter, as in `RUST_LOG`.
    pub filter: String,
}

/// What the embedded parts tell the server they start, in `platform dev` and in tests.
#[derive(Debug, Clone)]
pub struct DevParts {
    /// The private database.
    pub database_url: DatabaseUrl,
    /// The kubeconfig that reaches the development cluster.
    pub kubeconfig: PathBuf,
    /// The port to serve on; 0 takes a free one.
    pub port: u16,
    /// The key for access tokens. Keep it with the data and log-ins outlive a restart.
    pub jwt_keys: JwtKeys,
}

impl Config {
    /// The configuration of a development server: defaults, loopback only, scheduler mode, cheap password hashes and
    /// nothing read from the environment.
    #[must_use]
    pub fn for_dev(parts: DevParts) -> Self {
        let DevParts { database_url, kubeconfig, port, jwt_keys } = parts;
        let settings = settings::ServeSettings::defaults();
        let database = DatabaseConfig::for_dev(database_url);
        let http = HttpConfig {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
            drain: Duration::from_secs(2),
            ..settings.http.config(database.pool_size)
        };
        Self {
            database: DatabaseConfig { threads: http.threads, ..database },
            http,
            auth: AuthConfig { bcrypt_cost: BcryptCost::CHEAPEST, ..settings.auth.config(jwt_keys) },
            cluster: ClusterConfig { kubeconfig: Some(kubeconfig), ..settings.cluster.config() },
            events: settings.events.config(),
            limits: settings.limits.config(),
            log: settings.log.config(),
        }
    }
}

impl TryFrom<settings::ServeSettings> for Config {
    type Error = ConfigError;

    fn try_from(settings: settings::ServeSettings) -> Result<Self, ConfigError> {
        let jwt_keys = settings.auth.jwt_keys()?;
        settings.cluster.check()?;
        settings.limits.check()?;
        let database = settings.database.config()?;
        let http = settings.http.config(database.pool_size);
        Ok(Self {
            database: DatabaseConfig { threads: http.threads, ..database },
            http,
            auth: settings.auth.config(jwt_keys),
            cluster: settings.cluster.config(),
            events: settings.events.config(),
            limits: settings.limits.config(),
            log: settings.log.config(),
        })
    }
}
