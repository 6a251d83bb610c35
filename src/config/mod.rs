//! The configuration of the server: environment variables and `.env`, validated once and typed from then on.
//!
//! [`settings`] is the list of variables as clap reads them, [`dev`] the part of it that a development environment uses;
//! this module turns them into a [`Config`], the form that all other modules use. A value that is missing, weak or contradicts another becomes a [`ConfigError`]: one line with
//! the variable, its value (never for a secret) and the allowed values.

mod database;
pub mod dev;
mod error;
mod files;
mod gpu_resources;
mod limits;
mod objects;
mod oidc;
mod prometheus;
mod proxies;
mod queue_roles;
mod secrets;
pub mod settings;
mod values;
mod webhooks;

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

pub use database::{DatabaseConfig, DatabaseUrl, SslMode};
pub use dev::DevParts;
pub use error::{ConfigError, one_line};
pub use files::FilesSettings;
pub use gpu_resources::{GpuResources, Share};
pub use limits::RoleLimits;
pub use objects::{BucketConfig, ObjectSettings, ObjectsConfig, ObjectsPlace};
pub use oidc::{GroupRoleRule, OidcConfig, OidcProvider, OidcSettings, ProvidedRole};
pub use prometheus::PrometheusAddress;
pub use proxies::TrustedProxies;
pub use queue_roles::{QueueRole, QueueRoles};
#[cfg(feature = "embedded")]
pub(crate) use secrets::random_secret;
pub use secrets::{JwtKey, JwtKeys};
pub use values::{
    AllowedOrigins, BcryptCost, ExecutorMode, Introspection, JwtAlgorithm, LogFormat, Registration,
    TrustedDocumentsMode,
};
pub use webhooks::{AllowedHosts, WebhookConfig, WebhookSettings};

/// Everything that `platform serve` needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// The database settings.
    pub database: DatabaseConfig,
    /// Where clients connect, and what the playground can do.
    pub http: HttpConfig,
    /// Tokens and passwords.
    pub auth: AuthConfig,
    /// The OpenID Connect providers that users can sign in with.
    pub oidc: OidcConfig,
    /// The Kubernetes cluster and how jobs reach it.
    pub cluster: ClusterConfig,
    /// The event log.
    pub events: EventsConfig,
    /// The audit log.
    pub audit: AuditConfig,
    /// The limits for clients.
    pub limits: Limits,
    /// Where notifications may be sent to.
    pub webhooks: WebhookConfig,
    /// Where large objects are stored.
    pub objects: ObjectsConfig,
    /// The log format.
    pub log: LogConfig,
}

/// Where clients connect, and what the playground can do.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// The address to listen on; port 0 selects a free port.
    pub listen: SocketAddr,
    /// Origins, apart from the server's own, from which pages may call the API.
    pub allowed_origins: AllowedOrigins,
    /// The reverse proxies whose headers about the client address are trusted.
    pub trusted_proxies: TrustedProxies,
    /// Whether the playground is served at `/`.
    pub playground: bool,
    /// Who can query the schema.
    pub introspection: Introspection,
    /// How long running requests and WebSockets get to finish when the server is asked to stop.
    pub drain: Duration,
    /// The number of serving threads.
    pub threads: NonZeroU32,
}

/// Tokens and passwords.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// The keys that sign and verify access tokens.
    pub jwt_keys: JwtKeys,
    /// The cost of hashing a new password.
    pub bcrypt_cost: BcryptCost,
    /// The lifetime of an access token.
    pub access_token_life: Duration,
    /// The lifetime of an unused refresh token.
    pub refresh_token_life: Duration,
    /// The longest that an API token can be valid.
    pub api_token_life: Duration,
    /// Whether WebSockets and event streams end when their access token expires, and not with their session only.
    pub sockets_end_with_token: bool,
    /// Whether `login` also stores the session in a cookie.
    pub cookie_sessions: bool,
    /// Whether people can register.
    pub registration: Registration,
}

/// The Kubernetes cluster and how jobs reach it.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// The kubeconfig to use; without one, the in-cluster service account or `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// How new jobs are run.
    pub executor_mode: ExecutorMode,
    /// The `schedulerName` on every pod of a FlashJob.
    pub scheduler_name: String,
    /// Which resources are GPUs, and the share of a GPU that each stands for.
    pub gpu_resources: GpuResources,
    /// Who may submit jobs to which queue.
    pub queue_roles: QueueRoles,
    /// What new storage claims are like.
    pub storage: StorageConfig,
    /// How the files of claims are shown.
    pub files: FilesConfig,
}

/// What the operator chose for new storage claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageConfig {
    /// The storage class of claims that name none; the default one of the cluster if `None`.
    pub default_class: Option<String>,
    /// The size of a user's drive, a quantity.
    pub drive_size: String,
    /// The storage drivers whose volumes can be mounted a second time with the same handle.
    pub shared_drivers: Vec<String>,
    /// The Prometheus that knows how full volumes are, if there is one.
    pub prometheus: Option<PrometheusAddress>,
    /// How old an object in the cluster is at least before it counts as an orphan.
    pub orphan_age: Duration,
}

/// How the files of claims are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesConfig {
    /// The image of dufs.
    pub image: String,
    /// The user whom it runs as.
    pub uid: u32,
    /// Its group, which the files of the volume get.
    pub gid: u32,
    /// How long a file session lasts without a request.
    pub idle: Duration,
}

/// The event log.
#[derive(Debug, Clone, Copy)]
pub struct EventsConfig {
    /// How long a subscription can resume from an event.
    pub retention: Duration,
}

/// The audit log.
#[derive(Debug, Clone, Copy)]
pub struct AuditConfig {
    /// How long an entry is kept at least; it is removed together with the others of its month.
    pub retention: Duration,
}

/// The limits for clients. Each rejection names the limit and its value.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Maximum size of a request body in bytes.
    pub max_body_bytes: usize,
    /// Maximum number of operations in an HTTP request; 0 disables batching.
    pub max_batch: usize,
    /// Maximum number of subscriptions per WebSocket.
    pub max_subscriptions_per_socket: usize,
    /// For unauthenticated clients.
    pub anonymous: RoleLimits,
    /// For the platform role USER.
    pub user: RoleLimits,
    /// For the platform role ADMIN.
    pub admin: RoleLimits,
    /// The file of trusted operations.
    pub trusted_documents: Option<PathBuf>,
    /// Whether operations that are not in that file are rejected.
    pub trusted_documents_mode: TrustedDocumentsMode,
    /// Whether clients can send the hash of a text instead of the text, once they have sent it (Apollo's automatic
    /// persisted queries).
    pub persisted_queries: bool,
    /// How many login attempts are allowed.
    pub logins: LoginRates,
}

/// How many login attempts are allowed.
#[derive(Debug, Clone, Copy)]
pub struct LoginRates {
    /// Attempts per minute and username; `None` disables the limit.
    pub per_name: Option<NonZeroU32>,
    /// Attempts per minute and IP address; `None` disables the limit.
    pub per_address: Option<NonZeroU32>,
    /// Registrations per minute and IP address; `None` disables the limit.
    pub registrations: Option<NonZeroU32>,
}

/// The log format.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// Text for people or JSON for machines.
    pub format: LogFormat,
    /// A `tracing` filter, as in `RUST_LOG`.
    pub filter: String,
}

impl TryFrom<settings::ServeSettings> for Config {
    type Error = ConfigError;

    fn try_from(settings: settings::ServeSettings) -> Result<Self, ConfigError> {
        let jwt_keys = settings.auth.jwt_keys()?;
        settings.auth.check(&settings.http.allowed_origins)?;
        settings.cluster.check()?;
        settings.limits.check()?;
        let oidc = settings.oidc.config(|variable| std::env::var(variable).ok())?;
        let webhooks = settings.webhooks.config();
        let objects = settings.objects.config()?;
        let database = settings.database.config()?;
        let http = settings.http.config(database.pool_size);
        Ok(Self {
            database: DatabaseConfig { threads: http.threads, ..database },
            http,
            auth: settings.auth.config(jwt_keys),
            oidc,
            cluster: settings.cluster.config(),
            events: settings.events.config(),
            audit: settings.events.audit(),
            limits: settings.limits.config(),
            webhooks,
            objects,
            log: settings.log.config(),
        })
    }
}
