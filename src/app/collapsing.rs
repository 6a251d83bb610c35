//! Executes identical queries of one user at the same time only once. Scripts and dashboards send the same query from
//! many places; the response is computed after all of them have asked.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use async_graphql::Request;

use super::App;
use crate::auth::principal::{Caller, Principal};
use crate::graphql::collapse::{Collapse, Way};
use crate::graphql::executable::Executed;
use crate::graphql::limits::Prepared;
use crate::http::{Answer, GraphqlService as _, RequestMeta, SharedAnswer, answer};

/// The queries of a server that are in progress.
pub(super) type Collapsing = Collapse<EqualQuery, Arc<SharedAnswer>>;

/// What makes two queries identical: everything that their response depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct EqualQuery {
    document: Arc<str>,
    operation: usize,
    variables: String,
    viewer: Viewer,
}

/// The caller, with their permissions.
#[derive(Debug, Clone)]
struct Viewer(Caller);

impl PartialEq for Viewer {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Caller::Anonymous, Caller::Anonymous) => true,
            (Caller::Known(one), Caller::Known(other)) => Arc::ptr_eq(one, other) || rights(one) == rights(other),
            (Caller::Refused(one), Caller::Refused(other)) => one == other,
            (Caller::Anonymous | Caller::Refused(_) | Caller::Known(_), _) => false,
        }
    }
}

impl Eq for Viewer {}

impl Hash for Viewer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Caller::Anonymous | Caller::Refused(_) => state.write_u8(0),
            Caller::Known(principal) => principal.user.hash(state),
        }
    }
}

/// Everything about a user that a response can depend on. The session that they ask from is not part of it, and of an API
/// token, only what it can be used for.
fn rights(principal: &Principal) -> impl PartialEq {
    let Principal { user, platform_role, groups, credential, expires_at: _ } = principal;
    (*user, *platform_role, groups.clone(), credential.limits().copied())
}

impl EqualQuery {
    /// The query of `request`; `None` if it has to be executed for this request alone.
    fn of(caller: &Caller, request: &Request, prepared: &Prepared, meta: &RequestMeta) -> Option<Self> {
        let is_shared = prepared.can_be_shared() && !meta.tells_cost;
        is_shared.then(|| Self {
            document: Arc::clone(prepared.document().text()),
            operation: prepared.index(),
            variables: serde_json::to_string(&request.variables).unwrap_or_default(),
            viewer: Viewer(caller.clone()),
        })
    }
}

/// Executes a query or a mutation, alone or together with others.
pub(super) async fn execute(
    app: &App,
    caller: &Caller,
    request: Request,
    prepared: &Prepared,
    meta: RequestMeta,
) -> Answer {
    let Some(query) = EqualQuery::of(caller, &request, prepared, &meta) else {
        return app.execute_alone(caller, request, prepared, meta).await.into();
    };
    let together = || {
        metrics::counter!("platform_shared_queries_total").increment(1);
        let (app, caller, prepared, meta) = (app.clone(), caller.clone(), prepared.clone(), meta.clone());
        let twin = twin(&request, &prepared, &meta);
        async move {
            let executed = app.execute_alone(&caller, twin, &prepared, meta).await;
            shared(&executed, app.limits(&caller).operation.answer_bytes)
        }
    };
    match app.0.collapsing.ask(query, together) {
        Way::Alone(_turn) => app.execute_alone(caller, request, prepared, meta).await.into(),
        Way::Together(work) => match work.await {
            Some(answer) => Answer::Shared(answer),
            // An error contains its request ID, and may have happened to this request only.
            None => app.execute_alone(caller, request, prepared, meta).await.into(),
        },
    }
}

/// The same request once more.
fn twin(request: &Request, prepared: &Prepared, meta: &RequestMeta) -> Request {
    let mut twin = Request::new("").variables(request.variables.clone()).data(meta.request_id.clone());
    twin.operation_name.clone_from(&request.operation_name);
    twin.set_parsed_query(prepared.executable(&request.variables));
    match meta.deadline {
        Some(deadline) => twin.data(deadline),
        None => twin,
    }
}

fn shared(Executed { response, cost }: &Executed, allowed: u64) -> Option<Arc<SharedAnswer>> {
    let is_plain = response.errors.is_empty() && response.extensions.is_empty() && response.http_headers.is_empty();
    if !is_plain {
        return None;
    }
    let payload = answer::serialize_within(response, usize::try_from(allowed).unwrap_or(usize::MAX)).ok()?;
    Some(Arc::new(SharedAnswer { payload: payload.into(), cost: *cost }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::auth::policy::TokenScope;
    use crate::auth::principal::{Credential, GroupRole, OnlyProject, PlatformRole, TokenLimits};
    use crate::ids::{ApiTokenId, GroupId, ProjectId, SessionId, UserId};

    fn viewer(principal: &Principal) -> Viewer {
        Viewer(Caller::Known(Arc::new(principal.clone())))
    }

    #[test]
    fn a_viewer_is_a_person_with_rights_and_not_a_session() {
        let group = GroupId::generate();
        let principal = Principal {
            user: UserId::generate(),
            credential: Credential::Session { id: SessionId::generate(), ends_at: chrono::Utc::now() },
            platform_role: PlatformRole::User,
            groups: BTreeMap::from([(group, GroupRole::Member)]),
            expires_at: chrono::Utc::now(),
        };
        let elsewhere = Principal {
            credential: Credential::Session { id: SessionId::generate(), ends_at: chrono::Utc::now() },
            expires_at: principal.expires_at + chrono::TimeDelta::seconds(1),
            ..principal.clone()
        };
        assert_eq!(viewer(&principal), viewer(&elsewhere));
        for other in [
            Principal { user: UserId::generate(), ..principal.clone() },
            Principal { platform_role: PlatformRole::Admin, ..principal.clone() },
            Principal { groups: BTreeMap::new(), ..principal.clone() },
            Principal { groups: BTreeMap::from([(group, GroupRole::Manager)]), ..principal.clone() },
        ] {
            assert_ne!(viewer(&principal), viewer(&other));
        }
        let only = OnlyProject { project: ProjectId::generate(), group };
        let limits = |scope, project| Credential::ApiToken {
            id: ApiTokenId::generate(),
            limits: TokenLimits { scope, project },
        };
        let with = |credential| viewer(&Principal { credential, ..principal.clone() });
        assert_eq!(
            with(limits(TokenScope::Read, None)),
            with(limits(TokenScope::Read, None)),
            "one token is as good as another"
        );
        let (read, submit, confined) =
            (limits(TokenScope::Read, None), limits(TokenScope::Submit, None), limits(TokenScope::Read, Some(only)));
        assert!(with(read) != viewer(&principal) && with(read) != with(submit) && with(read) != with(confined));
        assert_ne!(viewer(&principal), Viewer(Caller::Anonymous));
        assert_eq!(Viewer(Caller::Anonymous), Viewer(Caller::Anonymous));
    }
}
