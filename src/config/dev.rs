//! The configuration of `platform dev`: the settings of `platform serve`, except for those of the parts that a
//! development environment starts itself.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Arg, Args, Command, FromArgMatches};
use secrecy::{ExposeSecret, SecretString};

use super::{
    BcryptCost, ClusterConfig, Config, ConfigError, DatabaseConfig, DatabaseUrl, ExecutorMode, HttpConfig, JwtKeys,
    ObjectsConfig, OidcConfig, OidcSettings,
    limits::LimitSettings,
    settings::{AuthSettings, EventSettings, GpuSettings, HttpSettings, LogSettings, StorageSettings},
    values::between,
};

/// What `platform dev --help` says about the settings of `platform serve`.
pub const HELP: &str = "\
All other settings of `platform serve` apply too: --help lists them with their defaults here. Ignored are those of the \
parts that `platform dev` starts itself: DATABASE_URL, DATABASE_REPLICA_URL, DB_*, MIGRATE_ON_START, KUBECONFIG, \
FLASH_SCHED_ENABLED and SCHEDULER_NAME. Without JWT_SECRET, a generated key is kept with the data. \
Pages of localhost, 127.0.0.1 and [::1] may call the API from any port, in addition to those of ALLOWED_ORIGINS.";

/// The settings that `platform dev` has in common with `platform serve`, with the defaults of an environment that only
/// this machine can reach.
#[derive(Debug, Clone, Args)]
#[command(
    mut_arg("port", |port| port.help_heading(None::<&'static str>)),
    mut_arg("listen_addr", |address| address.default_value("127.0.0.1")),
    mut_arg("drain_seconds", |seconds| seconds.default_value("2")),
    mut_arg("bcrypt_cost", cheap),
    mut_arg("log_format", |format| format.default_value("text")),
    mut_args(|argument| if argument.get_help_heading().is_some() { argument.hide_short_help(true) } else { argument })
)]
pub struct DevSettings {
    /// Where clients connect.
    #[command(flatten)]
    pub http: HttpSettings,
    /// Tokens and passwords.
    #[command(flatten)]
    pub auth: AuthSettings,
    /// The OpenID Connect providers that users can sign in with.
    #[command(flatten)]
    pub oidc: OidcSettings,
    /// How new jobs are run in the cluster: as FlashJobs of the Flash scheduler, or as plain Kubernetes Jobs
    #[arg(long, env = "EXECUTOR_MODE", default_value = "scheduler", value_name = "MODE", help_heading = "Cluster")]
    pub executor_mode: ExecutorMode,
    /// Which resources are GPUs.
    #[command(flatten)]
    pub gpus: GpuSettings,
    /// What new storage claims are like.
    #[command(flatten)]
    pub storage: StorageSettings,
    /// How the files of claims are shown.
    #[command(flatten)]
    pub files: super::FilesSettings,
    /// The event log.
    #[command(flatten)]
    pub events: EventSettings,
    /// The limits for clients.
    #[command(flatten)]
    pub limits: LimitSettings,
    /// Where notifications may be sent to.
    #[command(flatten)]
    pub webhooks: super::WebhookSettings,
    /// Where large objects are stored.
    #[command(flatten)]
    pub objects: super::ObjectSettings,
    /// The log.
    #[command(flatten)]
    pub log: LogSettings,
}

/// Demo accounts have published passwords, so theirs need no strong hashes.
fn cheap(cost: Arg) -> Arg {
    let parse = |text: &str| between(BcryptCost::CHEAPEST.get(), 16)(text).map(BcryptCost::from_checked);
    cost.default_value("4").value_parser(parse).help("Cost of hashing a password, as a power of two from 4 to 16")
}

impl DevSettings {
    /// The default settings, regardless of the environment of this process.
    pub(super) fn defaults() -> Self {
        let command = Self::augment_args(Command::new("defaults")).mut_args(|argument| argument.env(None));
        let settings =
            command.try_get_matches_from(["defaults"]).and_then(|mut matches| Self::from_arg_matches_mut(&mut matches));
        match settings {
            Ok(settings) => settings,
            Err(error) => unreachable!("every setting is optional or has a default: {error}"),
        }
    }

    /// The keys for access tokens: those that are set, or else `kept`.
    ///
    /// # Errors
    /// A secret that is set is too weak.
    pub fn jwt_keys(&self, kept: SecretString) -> Result<JwtKeys, ConfigError> {
        let set = self.auth.jwt_secret.clone().filter(|secret| !secret.expose_secret().trim().is_empty());
        Ok(self.auth.signed(JwtKeys::parse(Some(&set.unwrap_or(kept)), self.auth.jwt_secrets_old.as_ref())?))
    }

    /// Whether other machines can reach the server.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        !self.http.listen_addr.is_loopback()
    }
}

/// The parts that `platform dev` and tests start, for the server that uses them.
#[derive(Debug, Clone)]
pub struct DevParts {
    /// The private database.
    pub database_url: DatabaseUrl,
    /// The kubeconfig of the development cluster.
    pub kubeconfig: PathBuf,
    /// The port to listen on; 0 selects a free port.
    pub port: u16,
    /// The key for access tokens. Stored with the data, it keeps users logged in across restarts.
    pub jwt_keys: JwtKeys,
}

impl Config {
    /// The configuration of a server for tests: defaults, loopback only, scheduler mode, cheap password hashes, and
    /// nothing read from the environment.
    #[must_use]
    pub fn for_dev(parts: DevParts) -> Self {
        let settings = DevSettings::defaults();
        match settings.objects.config() {
            Ok(objects) => Self::with_parts(parts, &settings, (OidcConfig::default(), objects)),
            Err(error) => unreachable!("without any setting, there is no store for objects: {error}"),
        }
    }

    /// The configuration of `platform dev`: these parts, and these settings for everything else.
    ///
    /// # Errors
    /// The limits contradict each other, or a sign-in provider or the object store is incomplete.
    pub fn of_dev(parts: DevParts, settings: &DevSettings) -> Result<Self, ConfigError> {
        settings.limits.check()?;
        let oidc = settings.oidc.config(|variable| std::env::var(variable).ok())?;
        let objects = settings.objects.config()?;
        Ok(Self::with_parts(parts, settings, (oidc, objects)))
    }

    fn with_parts(parts: DevParts, settings: &DevSettings, (oidc, objects): (OidcConfig, ObjectsConfig)) -> Self {
        let DevParts { database_url, kubeconfig, port, jwt_keys } = parts;
        let database = DatabaseConfig::for_dev(database_url);
        let http = settings.http.config(database.pool_size);
        let http = HttpConfig {
            listen: SocketAddr::new(http.listen.ip(), port),
            allowed_origins: http.allowed_origins.and_this_machine(),
            ..http
        };
        Self {
            database: DatabaseConfig { threads: http.threads, ..database },
            http,
            auth: settings.auth.config(jwt_keys),
            oidc,
            cluster: ClusterConfig::for_dev(
                (kubeconfig, settings.executor_mode),
                &settings.gpus,
                &settings.storage,
                &settings.files,
            ),
            events: settings.events.config(),
            audit: settings.events.audit(),
            limits: settings.limits.config(),
            webhooks: settings.webhooks.config(),
            objects,
            log: settings.log.config(),
        }
    }
}
