//! What the configuration allows, in the form that the transports need: limits by platform role, and trusted documents.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use crate::auth::principal::Caller;
use crate::config::{Config, ConfigError, Introspection, Limits, RoleLimits, TrustedDocumentsMode};
use crate::graphql::limits::{CallerLimits, CostTable, OperationLimits, Rate};
use crate::http::DocumentSettings;
use crate::http::documents::Manifest;

/// The limits of each platform role.
pub(super) struct LimitsByRole {
    anonymous: Arc<CallerLimits>,
    user: Arc<CallerLimits>,
    admin: Arc<CallerLimits>,
}

impl LimitsByRole {
    pub fn new(config: &Config) -> Self {
        let (limits, introspection) = (&config.limits, config.http.introspection);
        let everyone = introspection == Introspection::Everyone;
        let users = everyone || introspection == Introspection::Users;
        let admins = users || introspection == Introspection::Admins;
        Self {
            anonymous: Arc::new(caller_limits(&limits.anonymous, everyone)),
            user: Arc::new(caller_limits(&limits.user, users)),
            admin: Arc::new(caller_limits(&limits.admin, admins)),
        }
    }

    /// The limits of a caller.
    pub fn of(&self, caller: &Caller) -> &Arc<CallerLimits> {
        match caller {
            Caller::Anonymous | Caller::Refused(_) => &self.anonymous,
            Caller::Known(principal) if principal.is_platform_admin() => &self.admin,
            Caller::Known(_) => &self.user,
        }
    }
}

fn caller_limits(role: &RoleLimits, introspection: bool) -> CallerLimits {
    let count = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    let points = |points: u64| u32::try_from(points).ok().and_then(NonZeroU32::new);
    CallerLimits {
        operation: OperationLimits {
            depth: role.depth,
            tokens: role.tokens,
            aliases: role.aliases,
            directives: role.directives,
            root_fields: role.root_fields,
            fields: role.fields,
            nodes: role.nodes,
            cost: role.cost,
            page_size: role.page_size,
            list_items: role.list_items,
            answer_bytes: role.answer_bytes,
            introspection,
        },
        timeout: role.timeout(),
        rate: points(role.points_per_second)
            .zip(points(role.burst_points))
            .map(|(points_per_second, burst)| Rate { points_per_second, burst }),
        operations: count(role.operations),
        subscriptions: count(role.subscriptions),
        sockets: count(role.sockets),
    }
}

/// The documents that the operator trusts, read from a file.
pub(super) fn documents(limits: &Limits, costs: &CostTable) -> Result<DocumentSettings, ConfigError> {
    let read = |path: &PathBuf| {
        Manifest::read(path, costs).map_err(|problem| ConfigError::Unusable {
            variable: "TRUSTED_DOCUMENTS",
            problem: format!("refers to {}, which {problem}", path.display()),
            expected: "the path of a JSON file of GraphQL operations by their SHA-256".to_owned(),
        })
    };
    let file = limits.trusted_documents.as_ref().filter(|_| limits.trusted_documents_mode != TrustedDocumentsMode::Off);
    let trusted = file.map(read).transpose()?.unwrap_or_default();
    if file.is_some() {
        tracing::info!(documents = trusted.len(), "read the trusted documents");
    }
    Ok(DocumentSettings {
        trusted: Arc::new(trusted),
        mode: limits.trusted_documents_mode,
        persisted_queries: limits.persisted_queries,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::auth::principal::{Credential, PlatformRole, Principal};
    use crate::config::{DevParts, JwtKeys};
    use crate::ids::{SessionId, UserId};

    fn limits(introspection: Introspection) -> LimitsByRole {
        let mut config = Config::for_dev(DevParts {
            database_url: "postgres://u@h/d".parse().unwrap(),
            kubeconfig: PathBuf::new(),
            port: 0,
            jwt_keys: JwtKeys::random(),
        });
        config.http.introspection = introspection;
        config.limits.anonymous.depth = 3;
        config.limits.admin.points_per_second = 0;
        LimitsByRole::new(&config)
    }

    fn somebody(platform_role: PlatformRole) -> Caller {
        Caller::Known(Arc::new(Principal {
            user: UserId::generate(),
            credential: Credential::Session { id: SessionId::generate(), ends_at: chrono::Utc::now() },
            platform_role,
            groups: BTreeMap::new(),
            expires_at: chrono::Utc::now(),
        }))
    }

    #[test]
    fn a_caller_has_the_limits_of_their_role() {
        let limits = limits(Introspection::Users);
        let (anonymous, user, admin) = (
            limits.of(&Caller::Anonymous),
            limits.of(&somebody(PlatformRole::User)),
            limits.of(&somebody(PlatformRole::Admin)),
        );
        assert_eq!((anonymous.operation.depth, user.operation.depth, admin.operation.depth), (3, 16, 16));
        assert_eq!((anonymous.rate.is_some(), user.rate.is_some(), admin.rate.is_some()), (true, true, false));
    }

    #[test]
    fn introspection_is_for_whom_the_operator_says() {
        for (who, told) in [
            (Introspection::Everyone, [true, true, true]),
            (Introspection::Users, [false, true, true]),
            (Introspection::Admins, [false, false, true]),
            (Introspection::Nobody, [false, false, false]),
        ] {
            let limits = limits(who);
            let callers = [Caller::Anonymous, somebody(PlatformRole::User), somebody(PlatformRole::Admin)];
            assert_eq!(callers.map(|caller| limits.of(&caller).operation.introspection), told, "{who:?}");
        }
    }
}
