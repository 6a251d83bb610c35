//! Where an action came from: the address, the client, the request and the credentials.

use std::net::IpAddr;
use std::sync::Arc;

use async_graphql::{Context, Enum};
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;

use crate::graphql::context::RequestExt;
use crate::ids::ApiTokenId;
use crate::text_enum;

/// What proved who the actor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, AsExpression, FromSqlRow)]
#[graphql(name = "AuditCredential")]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum Credential {
    /// The access token of a session.
    Session,
    /// The session cookie of a browser.
    Cookie,
    /// An API token.
    ApiToken,
    /// Access to the machine that the server runs on: a command of the operator.
    Operator,
}

text_enum!(Credential { Session => "SESSION", Cookie => "COOKIE", ApiToken => "API_TOKEN", Operator => "OPERATOR" });

/// Where an action came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The address of the client, behind the proxies that are trusted.
    pub address: Option<IpAddr>,
    /// The `User-Agent` of the client, truncated to 200 characters.
    pub user_agent: Option<Arc<str>>,
    /// The ID of the request.
    pub request_id: Option<Arc<str>>,
    /// The credentials; `None` for a client without valid ones.
    pub credential: Option<Credential>,
    /// The API token, if the credential is one.
    pub api_token: Option<ApiTokenId>,
}

impl Origin {
    /// A command of the operator.
    pub fn command() -> Self {
        Self { credential: Some(Credential::Operator), ..Self::default() }
    }
}

/// Of a request of which only the ID is known.
impl From<Option<&str>> for Origin {
    fn from(request_id: Option<&str>) -> Self {
        Self { request_id: request_id.map(Arc::from), ..Self::default() }
    }
}

/// The origin of the request that a field is executed for.
pub trait OriginExt {
    /// The origin.
    fn origin(&self) -> Origin;
}

impl OriginExt for Context<'_> {
    fn origin(&self) -> Origin {
        self.data_opt::<Origin>().cloned().unwrap_or_else(|| self.request_id().into())
    }
}
