//! Where requests come from, for the audit log.

use crate::auth::principal::{Caller, Credential};
use crate::http::RequestMeta;
use crate::trail::{self, Origin};

/// Where a request comes from. The credentials only count if they are valid.
pub(super) fn origin(caller: &Caller, meta: &RequestMeta) -> Origin {
    let (credential, api_token) = match caller.principal().map(|principal| principal.credential) {
        Ok(Credential::ApiToken { id, .. }) => (Some(trail::Credential::ApiToken), Some(id)),
        Ok(Credential::Session { .. }) => (meta.credential, None),
        Err(_) => (None, None),
    };
    Origin {
        address: Some(meta.peer.address),
        user_agent: meta.peer.user_agent.clone(),
        request_id: Some(meta.request_id.0.as_str().into()),
        credential,
        api_token,
    }
}
