//! All variables of the server, as clap lists them in `--help`.
//!
//! Doc comments here are help texts: one line, for an operator. Values that do not depend on other values are checked
//! by their parser; the rest when these settings become a [`super::Config`].

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use secrecy::SecretString;

use super::{
    AllowedOrigins, AuditConfig, AuthConfig, BcryptCost, ClusterConfig, ConfigError, EventsConfig, ExecutorMode,
    HttpConfig, Introspection, JwtAlgorithm, JwtKeys, LogConfig, LogFormat, Registration, SslMode, StorageConfig,
    TrustedProxies,
    limits::LimitSettings,
    values::{between, log_filter, object_name, storage_size, switch},
};

/// All settings of `platform serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeSettings {
    /// See [`DatabaseSettings`].
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// See [`HttpSettings`].
    #[command(flatten)]
    pub http: HttpSettings,
    /// See [`AuthSettings`].
    #[command(flatten)]
    pub auth: AuthSettings,
    /// See [`super::OidcSettings`].
    #[command(flatten)]
    pub oidc: super::OidcSettings,
    /// See [`ClusterSettings`].
    #[command(flatten)]
    pub cluster: ClusterSettings,
    /// See [`EventSettings`].
    #[command(flatten)]
    pub events: EventSettings,
    /// See [`LimitSettings`].
    #[command(flatten)]
    pub limits: LimitSettings,
    /// See [`super::WebhookSettings`].
    #[command(flatten)]
    pub webhooks: super::WebhookSettings,
    /// See [`super::ObjectSettings`].
    #[command(flatten)]
    pub objects: super::ObjectSettings,
    /// See [`LogSettings`].
    #[command(flatten)]
    pub log: LogSettings,
}

/// Where the database is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseSettings {
    /// Database URL, as postgres://USER:PASSWORD@HOST:PORT/NAME; replaces the DB_* settings
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<SecretString>,
    /// Host name, IP address or socket directory of the database
    #[arg(long, env = "DB_HOST", value_name = "HOST")]
    pub db_host: Option<String>,
    /// Port of the database
    #[arg(long, env = "DB_PORT", default_value = "5432", value_name = "PORT", value_parser = between(1_u16, u16::MAX))]
    pub db_port: u16,
    /// Database user
    #[arg(long, env = "DB_USER", value_name = "ROLE")]
    pub db_user: Option<String>,
    /// Password of the database user
    #[arg(long, env = "DB_PASSWORD", hide_env_values = true, value_name = "SECRET")]
    pub db_password: Option<SecretString>,
    /// Name of the database
    #[arg(long, env = "DB_NAME", value_name = "NAME")]
    pub db_name: Option<String>,
    /// TLS mode of database connections
    #[arg(long, env = "DB_SSLMODE", default_value = "prefer", value_name = "MODE")]
    pub db_sslmode: SslMode,
    /// Not supported yet: the server does not start while this is set
    #[arg(long, env = "DATABASE_REPLICA_URL", hide = true, hide_env_values = true, value_name = "URL")]
    pub database_replica_url: Option<SecretString>,
    /// Number of database connections; half of them are divided among the serving threads
    #[arg(long, env = "DB_POOL_SIZE", default_value = "16", value_name = "N", value_parser = between_one_and(500))]
    pub db_pool_size: NonZeroU32,
    /// Run database migrations before serving
    #[arg(long, env = "MIGRATE_ON_START", default_value = "true", value_name = "SWITCH", value_parser = switch, action = clap::ArgAction::Set)]
    pub migrate_on_start: bool,
}

/// The default `schedulerName` of pods.
const SCHEDULER_NAME: &str = "flash-scheduler";
/// The default size of a user's drive.
const USER_PV_SIZE: &str = "10Gi";

/// With fewer database connections per thread, no thread has its own (`db::lane`).
const CONNECTIONS_FOR_A_THREAD: u32 = 4;

/// Where clients connect.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server")]
pub struct HttpSettings {
    /// Port to listen on; 0 selects a free port
    #[arg(long, env = "PORT", default_value = "8080", value_parser = between(0_u16, u16::MAX))]
    pub port: u16,
    /// IP address to listen on
    #[arg(long, env = "LISTEN_ADDR", default_value = "0.0.0.0", value_name = "ADDRESS", value_parser = address)]
    pub listen_addr: IpAddr,
    /// Comma-separated origins that may call the API from a browser; * allows all
    #[arg(long, env = "ALLOWED_ORIGINS", default_value = "", value_name = "ORIGINS", hide_default_value = true)]
    pub allowed_origins: AllowedOrigins,
    /// Comma-separated IP addresses and networks of reverse proxies whose X-Forwarded-For or Forwarded headers are trusted
    #[arg(long, env = "TRUSTED_PROXIES", default_value = "", value_name = "NETWORKS", hide_default_value = true)]
    pub trusted_proxies: TrustedProxies,
    /// Serve the playground at /
    #[arg(long, env = "PLAYGROUND", default_value = "true", value_name = "SWITCH", value_parser = switch, action = clap::ArgAction::Set)]
    pub playground: bool,
    /// Who can query the schema and gets suggestions for misspelled names: everyone, users, admins or nobody
    #[arg(long, env = "INTROSPECTION", default_value = "everyone", value_name = "WHO")]
    pub introspection: Introspection,
    /// Seconds that running requests get to finish on shutdown
    #[arg(long, env = "DRAIN_SECONDS", default_value = "20", value_name = "N", value_parser = between(0_u64, 600))]
    pub drain_seconds: u64,
    /// Number of serving threads; by default one per core, but at most one per four database connections
    #[arg(long, env = "SERVE_THREADS", value_name = "N", value_parser = between_one_and(256))]
    pub serve_threads: Option<NonZeroU32>,
}

impl HttpSettings {
    /// The HTTP configuration of these settings, for this number of database connections.
    pub(super) fn config(&self, connections: NonZeroU32) -> HttpConfig {
        HttpConfig {
            listen: SocketAddr::new(self.listen_addr, self.port),
            allowed_origins: self.allowed_origins.clone(),
            trusted_proxies: self.trusted_proxies.clone(),
            playground: self.playground,
            introspection: self.introspection,
            drain: Duration::from_secs(self.drain_seconds),
            threads: self.serve_threads.unwrap_or_else(|| threads_for(connections)),
        }
    }
}

fn threads_for(connections: NonZeroU32) -> NonZeroU32 {
    let cores = std::thread::available_parallelism().ok().and_then(|cores| NonZeroU32::try_from(cores).ok());
    let at_most = NonZeroU32::new(connections.get() / CONNECTIONS_FOR_A_THREAD).unwrap_or(NonZeroU32::MIN);
    cores.unwrap_or(NonZeroU32::MIN).min(at_most)
}

/// Tokens and passwords.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tokens and passwords")]
pub struct AuthSettings {
    /// Key that signs access tokens: at least 32 random bytes
    #[arg(long, env = "JWT_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub jwt_secret: Option<SecretString>,
    /// Comma-separated previous values of JWT_SECRET whose tokens are still accepted
    #[arg(long, env = "JWT_SECRETS_OLD", hide_env_values = true, value_name = "SECRETS")]
    pub jwt_secrets_old: Option<SecretString>,
    /// How access tokens are signed: HS256, or EdDSA with keys that are derived from the secrets and published for other services
    #[arg(long, env = "JWT_ALGORITHM", default_value = "HS256", value_name = "NAME", ignore_case = true)]
    pub jwt_algorithm: JwtAlgorithm,
    /// Issuer in access tokens, which only servers with the same issuer accept
    #[arg(long, env = "JWT_ISSUER", default_value = "platform", value_name = "TEXT", value_parser = issuer)]
    pub jwt_issuer: String,
    /// Lifetime of an access token, in minutes
    #[arg(long, env = "ACCESS_TOKEN_MINUTES", default_value = "15", value_name = "N", value_parser = between(1_u64, 1440))]
    pub access_token_minutes: u64,
    /// Lifetime of an unused refresh token, in days
    #[arg(long, env = "REFRESH_TOKEN_DAYS", default_value = "30", value_name = "N", value_parser = between(1_u64, 365))]
    pub refresh_token_days: u64,
    /// Longest lifetime of an API token, in days
    #[arg(long, env = "API_TOKEN_MAX_DAYS", default_value = "365", value_name = "N", value_parser = between(1_u64, 3650))]
    pub api_token_max_days: u64,
    /// End WebSockets and event streams when their access token expires; by default, they last as long as their session
    #[arg(long, env = "SOCKETS_END_WITH_TOKEN", default_value = "false", value_name = "SWITCH", value_parser = switch, action = clap::ArgAction::Set)]
    pub sockets_end_with_token: bool,
    /// Also store sessions in an HttpOnly cookie, for pages of the same site; not with ALLOWED_ORIGINS=*
    #[arg(long, env = "COOKIE_SESSIONS", default_value = "false", value_name = "SWITCH", value_parser = switch, action = clap::ArgAction::Set)]
    pub cookie_sessions: bool,
    /// Who can create accounts: everyone (open), everyone, but a platform admin lets them in (approval), or only platform admins (closed)
    #[arg(long, env = "REGISTRATION", default_value = "closed", value_name = "WHO")]
    pub registration: Registration,
    /// See [`PasswordSettings`].
    #[command(flatten)]
    pub passwords: PasswordSettings,
}

impl AuthSettings {
    pub(super) fn jwt_keys(&self) -> Result<JwtKeys, ConfigError> {
        Ok(self.signed(JwtKeys::parse(self.jwt_secret.as_ref(), self.jwt_secrets_old.as_ref())?))
    }

    /// The keys with how they are used.
    pub(super) fn signed(&self, keys: JwtKeys) -> JwtKeys {
        keys.signing(self.jwt_algorithm, &self.jwt_issuer)
    }

    /// A browser adds the cookie to the requests of every page that may call the API, so these have to be listed.
    pub(super) fn check(&self, allowed: &AllowedOrigins) -> Result<(), ConfigError> {
        match allowed {
            AllowedOrigins::Any if self.cookie_sessions => Err(ConfigError::Invalid {
                variable: "ALLOWED_ORIGINS",
                given: "*".to_owned(),
                expected: "empty or a list of origins when COOKIE_SESSIONS=true".to_owned(),
            }),
            AllowedOrigins::Any
            | AllowedOrigins::Listed(_)
            | AllowedOrigins::ThisMachineAnd(_)
            | AllowedOrigins::SameOrigin => Ok(()),
        }
    }

    pub(super) fn config(&self, jwt_keys: JwtKeys) -> AuthConfig {
        AuthConfig {
            jwt_keys,
            bcrypt_cost: self.passwords.bcrypt_cost,
            access_token_life: Duration::from_secs(60 * self.access_token_minutes),
            refresh_token_life: Duration::from_secs(24 * 60 * 60 * self.refresh_token_days),
            api_token_life: Duration::from_secs(24 * 60 * 60 * self.api_token_max_days),
            sockets_end_with_token: self.sockets_end_with_token,
            cookie_sessions: self.cookie_sessions,
            registration: self.registration,
        }
    }
}

/// How passwords are stored.
#[derive(Debug, Clone, Args)]
pub struct PasswordSettings {
    /// Cost of hashing a password, as a power of two from 10 to 16
    #[arg(long, env = "BCRYPT_COST", default_value = "12", value_name = "N")]
    pub bcrypt_cost: BcryptCost,
}

/// The cluster.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterSettings {
    /// Path of the kubeconfig file; by default the service account when running in a cluster, or ~/.kube/config
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// How new jobs are run in the cluster: as plain Kubernetes Jobs, or as FlashJobs of the Flash scheduler
    #[arg(long, env = "EXECUTOR_MODE", default_value = "local", value_name = "MODE")]
    pub executor_mode: ExecutorMode,
    /// Whether the Flash scheduler is installed in the cluster; required for EXECUTOR_MODE=scheduler
    #[arg(long, env = "FLASH_SCHED_ENABLED", default_value = "false", value_name = "SWITCH", value_parser = switch, action = clap::ArgAction::Set)]
    pub flash_sched_enabled: bool,
    /// schedulerName of pods if EXECUTOR_MODE=scheduler
    #[arg(long, env = "SCHEDULER_NAME", default_value = SCHEDULER_NAME, value_name = "NAME", value_parser = object_name)]
    pub scheduler_name: String,
    /// See [`GpuSettings`].
    #[command(flatten)]
    pub gpus: GpuSettings,
    /// See [`StorageSettings`].
    #[command(flatten)]
    pub storage: StorageSettings,
    /// See [`super::FilesSettings`].
    #[command(flatten)]
    pub files: super::FilesSettings,
}

/// What new storage claims are like, and which can be shared.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
pub struct StorageSettings {
    /// Storage class of claims that name none; by default the cluster's own default class
    #[arg(long, env = "DEFAULT_STORAGE_CLASS", value_name = "NAME", value_parser = object_name)]
    pub default_storage_class: Option<String>,
    /// Size of the drive of a user
    #[arg(long, env = "USER_PV_SIZE", default_value = USER_PV_SIZE, value_name = "QUANTITY", value_parser = storage_size)]
    pub user_pv_size: String,
    /// Storage drivers (CSI), besides NFS, CephFS and Longhorn, whose volumes may be mounted in a second namespace
    #[arg(long, env = "STORAGE_SHARED_DRIVERS", default_value = "", value_name = "LIST", hide_default_value = true)]
    pub storage_shared_drivers: String,
    /// Prometheus that has the kubelets' metrics, which say how full volumes are
    #[arg(long, env = "PROMETHEUS_ADDR", hide_env_values = true, value_name = "URL")]
    pub prometheus_addr: Option<super::PrometheusAddress>,
    /// How old an object in the cluster must be to count as an orphan, in minutes
    #[arg(long, env = "STORAGE_ORPHAN_MINUTES", default_value = "10", value_name = "N", value_parser = between(0_u64, 10_080))]
    pub storage_orphan_minutes: u64,
}

impl StorageSettings {
    pub(super) fn config(&self) -> StorageConfig {
        StorageConfig {
            default_class: self.default_storage_class.clone(),
            drive_size: self.user_pv_size.clone(),
            shared_drivers: listed(&self.storage_shared_drivers),
            prometheus: self.prometheus_addr.clone(),
            orphan_age: Duration::from_secs(60 * self.storage_orphan_minutes),
        }
    }
}

/// Which resources are GPUs, and who may use which queue.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
pub struct GpuSettings {
    /// Resources that count as GPUs, each with its share of a GPU; jobs cannot request other devices
    #[arg(long, env = "GPU_RESOURCES", default_value = super::gpu_resources::DEFAULT, value_name = "LIST")]
    pub gpu_resources: super::GpuResources,
    /// Queues that are not for every member, each with the least role: MANAGER, ADMIN (of the group) or PLATFORM_ADMIN
    #[arg(long, env = "QUEUE_ROLES", default_value = super::queue_roles::DEFAULT, value_name = "LIST")]
    pub queue_roles: super::QueueRoles,
}

impl ClusterSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match self.executor_mode {
            ExecutorMode::Scheduler if !self.flash_sched_enabled => Err(ConfigError::Invalid {
                variable: "FLASH_SCHED_ENABLED",
                given: "false".to_owned(),
                expected: "true if EXECUTOR_MODE=scheduler".to_owned(),
            }),
            ExecutorMode::Scheduler | ExecutorMode::Local => Ok(()),
        }
    }

    pub(super) fn config(&self) -> ClusterConfig {
        ClusterConfig {
            kubeconfig: self.kubeconfig.clone().filter(|path| !path.as_os_str().is_empty()),
            executor_mode: self.executor_mode,
            scheduler_name: self.scheduler_name.clone(),
            gpu_resources: self.gpus.gpu_resources.clone(),
            queue_roles: self.gpus.queue_roles.clone(),
            storage: self.storage.config(),
            files: self.files.config(),
        }
    }
}

/// The names in a list that is separated by commas.
fn listed(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

impl ClusterConfig {
    /// A development cluster, whose scheduler has the default name.
    pub(super) fn for_dev(
        (kubeconfig, executor_mode): (PathBuf, ExecutorMode),
        gpus: &GpuSettings,
        storage: &StorageSettings,
        files: &super::FilesSettings,
    ) -> Self {
        Self {
            kubeconfig: Some(kubeconfig),
            executor_mode,
            scheduler_name: SCHEDULER_NAME.to_owned(),
            gpu_resources: gpus.gpu_resources.clone(),
            queue_roles: gpus.queue_roles.clone(),
            storage: storage.config(),
            files: files.config(),
        }
    }
}

/// The event log.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Events")]
pub struct EventSettings {
    /// How old an event may be for subscriptions to resume after it, in hours; a job keeps its history
    #[arg(long, env = "EVENT_RETENTION_HOURS", default_value = "72", value_name = "N", value_parser = between(1_u64, 8760))]
    pub event_retention_hours: u64,
    /// How long the audit log is kept, in days; it is removed month by month
    #[arg(long, env = "AUDIT_RETENTION_DAYS", default_value = "30", value_name = "N", value_parser = between(1_u64, 3650))]
    pub audit_retention_days: u64,
}

impl EventSettings {
    pub(super) fn config(self) -> EventsConfig {
        EventsConfig { retention: Duration::from_secs(60 * 60 * self.event_retention_hours) }
    }

    pub(super) fn audit(self) -> AuditConfig {
        AuditConfig { retention: Duration::from_secs(24 * 60 * 60 * self.audit_retention_days) }
    }
}

/// The log.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Log")]
pub struct LogSettings {
    /// Log format: text for people, or json
    #[arg(long, env = "LOG_FORMAT", default_value = "json", value_name = "FORMAT")]
    pub log_format: LogFormat,
    /// Log filter, in the syntax of tracing
    #[arg(long = "log", env = "RUST_LOG", default_value = "info", value_name = "FILTER", value_parser = log_filter)]
    pub rust_log: String,
}

impl LogSettings {
    /// The log these settings describe.
    #[must_use]
    pub fn config(&self) -> LogConfig {
        LogConfig { format: self.log_format, filter: self.rust_log.clone() }
    }
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "an IP address, such as 0.0.0.0, 127.0.0.1 or ::".to_owned())
}

/// Not empty, and short enough for a header.
fn issuer(text: &str) -> Result<String, String> {
    let legal = (1..=200).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic());
    if legal { Ok(text.to_owned()) } else { Err("1 to 200 characters without spaces, such as a URL".to_owned()) }
}

fn between_one_and(most: u32) -> impl Fn(&str) -> Result<NonZeroU32, String> + Clone + Send + Sync + 'static {
    let most = NonZeroU32::new(most).unwrap_or(NonZeroU32::MIN);
    between(NonZeroU32::MIN, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_threads_are_started_unasked_than_there_are_connections_for() {
        let cores = std::thread::available_parallelism().unwrap().get() as u32;
        for connections in 1..=64 {
            let threads = threads_for(NonZeroU32::new(connections).unwrap()).get();
            assert_eq!(threads, cores.min((connections / 4).max(1)));
        }
    }
}
