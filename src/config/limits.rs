//! The limits for clients: one set of limits for everybody, and overrides per platform role.

use std::{num::NonZeroU32, path::PathBuf, str::FromStr, time::Duration};

use clap::Args;

use super::{
    ConfigError, Limits, LoginRates, TrustedDocumentsMode,
    values::{between, switch},
};

/// The limits of a role. Each rejection names the limit and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleLimits {
    /// Maximum depth of an operation.
    pub depth: u64,
    /// Maximum cost of an operation in points.
    pub cost: u64,
    /// Maximum number of objects in the lists of a response.
    pub nodes: u64,
    /// Maximum number of fields in a response.
    pub fields: u64,
    /// Maximum number of aliases in an operation.
    pub aliases: u64,
    /// Maximum number of directives in an operation.
    pub directives: u64,
    /// Maximum number of lexical tokens in a document.
    pub tokens: u64,
    /// Maximum number of root fields.
    pub root_fields: u64,
    /// Maximum page size of a connection.
    pub page_size: u64,
    /// Maximum number of items in a list of the input.
    pub list_items: u64,
    /// Maximum size of a response in bytes.
    pub answer_bytes: u64,
    /// Timeout of a query or mutation in seconds.
    pub timeout_seconds: u64,
    /// Maximum number of concurrent queries and mutations.
    pub operations: u64,
    /// Maximum number of concurrent subscriptions.
    pub subscriptions: u64,
    /// Open sockets.
    pub sockets: u64,
    /// Cost points regained per second; 0 disables the limit.
    pub points_per_second: u64,
    /// Maximum number of cost points that can be accumulated.
    pub burst_points: u64,
}

/// A limit that a role can override: its name, which is its variable in lowercase, and the allowed values.
struct Key {
    name: &'static str,
    least: u64,
    most: u64,
    of: fn(&mut RoleLimits) -> &mut u64,
}

/// The largest number that the rate limit can count with.
const MOST_POINTS: u64 = u32::MAX as u64;

const KEYS: [Key; 17] = [
    Key { name: "max_depth", least: 1, most: 1_000, of: |limits| &mut limits.depth },
    Key { name: "max_cost", least: 1, most: 1_000_000_000, of: |limits| &mut limits.cost },
    Key { name: "max_nodes", least: 1, most: 1_000_000_000, of: |limits| &mut limits.nodes },
    Key { name: "max_fields", least: 10, most: 1_000_000_000, of: |limits| &mut limits.fields },
    Key { name: "max_aliases", least: 0, most: 100_000, of: |limits| &mut limits.aliases },
    Key { name: "max_directives", least: 0, most: 100_000, of: |limits| &mut limits.directives },
    Key { name: "max_tokens", least: 10, most: 10_000_000, of: |limits| &mut limits.tokens },
    Key { name: "max_root_fields", least: 1, most: 100_000, of: |limits| &mut limits.root_fields },
    Key { name: "max_page_size", least: 1, most: 100, of: |limits| &mut limits.page_size },
    Key { name: "max_list_items", least: 1, most: 100_000, of: |limits| &mut limits.list_items },
    Key { name: "max_answer_bytes", least: 65_536, most: 1 << 30, of: |limits| &mut limits.answer_bytes },
    Key { name: "operation_timeout_seconds", least: 1, most: 3_600, of: |limits| &mut limits.timeout_seconds },
    Key { name: "max_operations", least: 1, most: 1_000_000, of: |limits| &mut limits.operations },
    Key { name: "max_subscriptions", least: 0, most: 1_000_000, of: |limits| &mut limits.subscriptions },
    Key { name: "max_sockets_per_user", least: 0, most: 1_000_000, of: |limits| &mut limits.sockets },
    Key {
        name: "rate_limit_points_per_second",
        least: 0,
        most: MOST_POINTS,
        of: |limits| &mut limits.points_per_second,
    },
    Key { name: "rate_limit_burst_points", least: 1, most: MOST_POINTS, of: |limits| &mut limits.burst_points },
];

/// A parser for the limit with this name.
fn limit(name: &'static str) -> impl Fn(&str) -> Result<u64, String> + Clone + Send + Sync + 'static {
    let (least, most) = KEYS.iter().find(|key| key.name == name).map_or((0, 0), |key| (key.least, key.most));
    between(least, most)
}

/// The overrides of a role, such as `max_depth=8,max_cost=500`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoleChanges(Vec<(&'static str, u64)>);

impl FromStr for RoleChanges {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut changes = Vec::new();
        for change in text.split(',').map(str::trim).filter(|change| !change.is_empty()) {
            let Some((name, value)) = change.split_once('=') else {
                return Err(format!(
                    "a comma-separated list of NAME=NUMBER, such as max_depth=8,max_cost=500; \"{change}\" is not in this form"
                ));
            };
            let (name, value) = (name.trim(), value.trim());
            let Some(key) = KEYS.iter().find(|key| key.name == name) else {
                let names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
                return Err(format!("a list of known limits; \"{name}\" is not one of: {}", names.join(", ")));
            };
            let value = between(key.least, key.most)(value)
                .map_err(|allowed| format!("a list in which {name} is {allowed}, not \"{value}\""))?;
            changes.push((key.name, value));
        }
        Ok(Self(changes))
    }
}

impl RoleLimits {
    fn with(mut self, changes: &RoleChanges) -> Self {
        for (name, value) in &changes.0 {
            if let Some(key) = KEYS.iter().find(|key| key.name == *name) {
                *(key.of)(&mut self) = *value;
            }
        }
        self
    }

    /// An operation that costs more than can be accumulated could never run.
    fn check(&self, variable: &'static str) -> Result<(), ConfigError> {
        if self.points_per_second > 0 && self.burst_points < self.cost {
            return Err(ConfigError::Unusable {
                variable,
                problem: format!(
                    "allows a burst of {} points, but a cost of {} per operation",
                    self.burst_points, self.cost
                ),
                expected: "limits in which rate_limit_burst_points is at least max_cost".to_owned(),
            });
        }
        Ok(())
    }
}

/// The limits for clients.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitSettings {
    // A config file of 1 MiB in which JSON escapes every character (six bytes for one), and 64 KiB for the rest.
    /// Maximum size of a request body, in bytes
    #[arg(long, env = "MAX_BODY_BYTES", default_value = "6356992", value_name = "N", value_parser = between(1024_usize, 1 << 30))]
    pub max_body_bytes: usize,
    /// Maximum number of operations in an HTTP request; 0 disables batching
    #[arg(long, env = "MAX_BATCH", default_value = "0", value_name = "N", value_parser = between(0_usize, 1000))]
    pub max_batch: usize,
    /// Maximum depth of an operation
    #[arg(long, env = "MAX_DEPTH", default_value = "16", value_name = "N", value_parser = limit("max_depth"))]
    pub max_depth: u64,
    /// Maximum cost of an operation, based on @cost and @listSize in the schema
    #[arg(long, env = "MAX_COST", default_value = "100000", value_name = "N", value_parser = limit("max_cost"))]
    pub max_cost: u64,
    /// Maximum number of objects in all lists of a response
    #[arg(long, env = "MAX_NODES", default_value = "50000", value_name = "N", value_parser = limit("max_nodes"))]
    pub max_nodes: u64,
    /// Maximum number of fields of all objects in a response
    #[arg(long, env = "MAX_FIELDS", default_value = "500000", value_name = "N", value_parser = limit("max_fields"))]
    pub max_fields: u64,
    /// Maximum number of aliases in an operation
    #[arg(long, env = "MAX_ALIASES", default_value = "50", value_name = "N", value_parser = limit("max_aliases"))]
    pub max_aliases: u64,
    /// Maximum number of directives in an operation
    #[arg(long, env = "MAX_DIRECTIVES", default_value = "50", value_name = "N", value_parser = limit("max_directives"))]
    pub max_directives: u64,
    /// Maximum number of lexical tokens in a document
    #[arg(long, env = "MAX_TOKENS", default_value = "5000", value_name = "N", value_parser = limit("max_tokens"))]
    pub max_tokens: u64,
    /// Maximum number of root fields in an operation
    #[arg(long, env = "MAX_ROOT_FIELDS", default_value = "20", value_name = "N", value_parser = limit("max_root_fields"))]
    pub max_root_fields: u64,
    /// Maximum page size
    #[arg(long, env = "MAX_PAGE_SIZE", default_value = "100", value_name = "N", value_parser = limit("max_page_size"))]
    pub max_page_size: u64,
    /// Maximum number of items in a list of the input
    #[arg(long, env = "MAX_LIST_ITEMS", default_value = "1000", value_name = "N", value_parser = limit("max_list_items"))]
    pub max_list_items: u64,
    /// Maximum size of a response, in bytes
    #[arg(long, env = "MAX_ANSWER_BYTES", default_value = "8388608", value_name = "N", value_parser = limit("max_answer_bytes"))]
    pub max_answer_bytes: u64,
    /// Timeout of queries and mutations, in seconds
    #[arg(long, env = "OPERATION_TIMEOUT_SECONDS", default_value = "30", value_name = "N", value_parser = limit("operation_timeout_seconds"))]
    pub operation_timeout_seconds: u64,
    /// Maximum number of concurrent queries and mutations per user
    #[arg(long, env = "MAX_OPERATIONS", default_value = "100", value_name = "N", value_parser = limit("max_operations"))]
    pub max_operations: u64,
    /// Maximum number of concurrent subscriptions per user
    #[arg(long, env = "MAX_SUBSCRIPTIONS", default_value = "1000", value_name = "N", value_parser = limit("max_subscriptions"))]
    pub max_subscriptions: u64,
    /// Maximum number of concurrent subscriptions per WebSocket
    #[arg(long, env = "MAX_SUBSCRIPTIONS_PER_SOCKET", default_value = "100", value_name = "N", value_parser = between(1_usize, 100_000))]
    pub max_subscriptions_per_socket: usize,
    /// Maximum number of open WebSockets per user
    #[arg(long, env = "MAX_SOCKETS_PER_USER", default_value = "50", value_name = "N", value_parser = limit("max_sockets_per_user"))]
    pub max_sockets_per_user: u64,
    /// Cost points that a user regains per second; 0 disables the rate limit
    #[arg(long, env = "RATE_LIMIT_POINTS_PER_SECOND", default_value = "20000", value_name = "N", value_parser = limit("rate_limit_points_per_second"))]
    pub rate_limit_points_per_second: u64,
    /// Maximum number of cost points that a user can accumulate
    #[arg(long, env = "RATE_LIMIT_BURST_POINTS", default_value = "1000000", value_name = "N", value_parser = limit("rate_limit_burst_points"))]
    pub rate_limit_burst_points: u64,
    /// Limits for unauthenticated clients that differ, such as max_depth=8,max_cost=500
    #[arg(long, env = "LIMITS_ANONYMOUS", default_value = "", value_name = "LIMITS", hide_default_value = true)]
    pub limits_anonymous: RoleChanges,
    /// Limits for the platform role USER that differ
    #[arg(long, env = "LIMITS_USER", default_value = "", value_name = "LIMITS", hide_default_value = true)]
    pub limits_user: RoleChanges,
    /// Limits for the platform role ADMIN that differ
    #[arg(long, env = "LIMITS_ADMIN", default_value = "", value_name = "LIMITS", hide_default_value = true)]
    pub limits_admin: RoleChanges,
    /// Maximum number of login attempts per minute and username; 0 disables the limit
    #[arg(long, env = "RATE_LIMIT_LOGINS_PER_NAME", default_value = "10", value_name = "N", value_parser = between(0_u32, 1_000_000))]
    pub rate_limit_logins_per_name: u32,
    /// Maximum number of login attempts per minute and IP address; 0 disables the limit
    #[arg(long, env = "RATE_LIMIT_LOGINS_PER_ADDRESS", default_value = "60", value_name = "N", value_parser = between(0_u32, 1_000_000))]
    pub rate_limit_logins_per_address: u32,
    /// Maximum number of registrations per minute and IP address; 0 disables the limit
    #[arg(long, env = "RATE_LIMIT_REGISTRATIONS", default_value = "5", value_name = "N", value_parser = between(0_u32, 1_000_000))]
    pub rate_limit_registrations: u32,
    /// Path of a JSON file with trusted operations: {"SHA-256 of the text": "text"}, or a persisted query manifest of Apollo
    #[arg(long, env = "TRUSTED_DOCUMENTS", value_name = "FILE")]
    pub trusted_documents: Option<PathBuf>,
    /// Ignore the file (off), allow its operations in addition to others (allow), or serve no other operations (only)
    #[arg(long, env = "TRUSTED_DOCUMENTS_MODE", default_value = "allow", value_name = "MODE")]
    pub trusted_documents_mode: TrustedDocumentsMode,
    /// Enable Apollo's automatic persisted queries
    #[arg(long, env = "PERSISTED_QUERIES", default_value = "true", value_name = "SWITCH", value_parser = switch, action = clap::ArgAction::Set)]
    pub persisted_queries: bool,
}

impl LimitSettings {
    fn trusted_documents(&self) -> Option<PathBuf> {
        self.trusted_documents.clone().filter(|path| !path.as_os_str().is_empty())
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.everybody().check("RATE_LIMIT_BURST_POINTS")?;
        let limits = self.config();
        limits.anonymous.check("LIMITS_ANONYMOUS")?;
        limits.user.check("LIMITS_USER")?;
        limits.admin.check("LIMITS_ADMIN")?;
        match (self.trusted_documents_mode, self.trusted_documents()) {
            (TrustedDocumentsMode::Only, None) => Err(ConfigError::Missing {
                variable: "TRUSTED_DOCUMENTS",
                expected: "the path of a file of trusted operations if TRUSTED_DOCUMENTS_MODE=only".to_owned(),
            }),
            (TrustedDocumentsMode::Only | TrustedDocumentsMode::Allow | TrustedDocumentsMode::Off, _) => Ok(()),
        }
    }

    fn everybody(&self) -> RoleLimits {
        RoleLimits {
            depth: self.max_depth,
            cost: self.max_cost,
            nodes: self.max_nodes,
            fields: self.max_fields,
            aliases: self.max_aliases,
            directives: self.max_directives,
            tokens: self.max_tokens,
            root_fields: self.max_root_fields,
            page_size: self.max_page_size,
            list_items: self.max_list_items,
            answer_bytes: self.max_answer_bytes,
            timeout_seconds: self.operation_timeout_seconds,
            operations: self.max_operations,
            subscriptions: self.max_subscriptions,
            sockets: self.max_sockets_per_user,
            points_per_second: self.rate_limit_points_per_second,
            burst_points: self.rate_limit_burst_points,
        }
    }

    pub(super) fn config(&self) -> Limits {
        Limits {
            max_body_bytes: self.max_body_bytes,
            max_batch: self.max_batch,
            max_subscriptions_per_socket: self.max_subscriptions_per_socket,
            anonymous: self.everybody().with(&self.limits_anonymous),
            user: self.everybody().with(&self.limits_user),
            admin: self.everybody().with(&self.limits_admin),
            trusted_documents: self.trusted_documents(),
            trusted_documents_mode: self.trusted_documents_mode,
            persisted_queries: self.persisted_queries,
            logins: LoginRates {
                per_name: NonZeroU32::new(self.rate_limit_logins_per_name),
                per_address: NonZeroU32::new(self.rate_limit_logins_per_address),
                registrations: NonZeroU32::new(self.rate_limit_registrations),
            },
        }
    }
}

impl RoleLimits {
    /// The timeout of a query or mutation.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_changes_what_it_names() {
        let all = super::super::dev::DevSettings::defaults().limits.everybody();
        let changes: RoleChanges = " max_depth=20, rate_limit_points_per_second = 0,".parse().unwrap();
        assert_eq!(all.with(&changes), RoleLimits { depth: 20, points_per_second: 0, ..all });
        assert_eq!(all.with(&"".parse().unwrap()), all);
    }

    #[test]
    fn every_name_is_a_variable_in_lower_case() {
        use clap::{Args as _, Command};
        let command = LimitSettings::augment_args(Command::new("limits"));
        let variables: Vec<_> =
            command.get_arguments().filter_map(|argument| Some(argument.get_env()?.to_str()?.to_owned())).collect();
        for key in KEYS {
            assert!(variables.contains(&key.name.to_ascii_uppercase()), "{}", key.name);
        }
    }
}
