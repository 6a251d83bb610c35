//! From parameters to an operation that may run: read, within the limits, chosen by its name, and admitted.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response, ServerError};

use crate::error::ApiError;
use crate::graphql::errors::{RequestId, complete};
use crate::graphql::limits::{Account, Admission, CallerLimits, Prepared, Spending, Usage};
use crate::graphql::nul;
use crate::http::answer;
use crate::http::documents::{Documents, NoDocument};
use crate::http::params::Params;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Reads.
    Query,
    /// Changes.
    Mutation,
    /// Stays.
    Subscription,
}

impl Kind {
    /// The name in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
            Self::Subscription => "subscription",
        }
    }
}

impl From<OperationType> for Kind {
    fn from(operation: OperationType) -> Self {
        match operation {
            OperationType::Query => Self::Query,
            OperationType::Mutation => Self::Mutation,
            OperationType::Subscription => Self::Subscription,
        }
    }
}

/// An operation that may run. Its document is parsed, once.
#[derive(Debug)]
pub struct Operation {
    /// For the schema.
    pub request: Request,
    /// What it does.
    pub kind: Kind,
    /// Its name in the document.
    pub name: Option<Arc<str>>,
    /// What it has of all that is limited.
    pub usage: Usage,
    /// What it was measured by, for its actual cost.
    pub prepared: Prepared,
    /// What its sender may do.
    pub limits: Arc<CallerLimits>,
    /// Counted among what its sender is doing until this is dropped.
    pub admission: Admission,
    /// Whether the answer is to say what it cost.
    pub tells_cost: bool,
}

impl Operation {
    /// Reads, measures and charges the operation, or says why it may not run.
    pub async fn prepare(
        params: Params,
        documents: &Documents,
        limits: Arc<CallerLimits>,
        account: &Arc<Account>,
        request_id: &RequestId,
    ) -> Result<Self, Box<Response>> {
        let refused = |cause: ApiError| Box::new(answer::refusal(cause, request_id));
        let document = documents.find(&params, &limits.operation).await.map_err(|problem| match problem {
            NoDocument::Refused(cause) => refused(cause),
            NoDocument::Syntax(error) => syntax(error, request_id),
        })?;
        let prepared = Prepared::choose(document, params.operation_name())
            .map_err(|message| refused(ApiError::bad_input("operationName", message)))?;
        let tells_cost = params.wants_cost();
        let mut request = params.into_request();
        let document = prepared.document();
        nul::refuse(&request.variables, document.text(), document.parsed()).map_err(refused)?;
        prepared.check_variables(&request.variables).map_err(refused)?;
        let usage = prepared.check(&request.variables, &limits.operation).map_err(|refusal| refused(refusal.into()))?;
        let kind = Kind::from(prepared.operation_type());
        let admission = match kind {
            Kind::Query | Kind::Mutation => account.begin_operation(usage.cost, &limits),
            Kind::Subscription => account.begin_subscription(usage.cost, &limits),
        }
        .map_err(refused)?;
        if let Some(rate) = limits.rate {
            request = request.data(Spending { account: Arc::clone(account), rate, cost: usage.cost });
        }
        if kind == Kind::Subscription {
            // Subscribers with the same text share what is executed for them.
            request.query = document.text().to_string();
        }
        request.set_parsed_query(document.parsed().clone());
        let name = prepared.name().map(|name| Arc::from(name.as_str()));
        Ok(Self { request, kind, name, usage, prepared, limits, admission, tells_cost })
    }
}

fn syntax(error: ServerError, request_id: &RequestId) -> Box<Response> {
    let mut response = Response::from_errors(vec![error]);
    complete(&mut response, request_id);
    Box::new(response)
}
