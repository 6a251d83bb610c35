//! From parameters to an operation that may run: parsed, within the limits, selected by its name, and admitted.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response, ServerError};

use crate::error::{ApiError, ApiErrors};
use crate::graphql::errors::{RequestId, complete, without_suggestions};
use crate::graphql::limits::{Account, Admission, CallerLimits, NotChosen, Prepared, Spending, Usage};
use crate::graphql::nul;
use crate::http::answer;
use crate::http::documents::{Documents, NoDocument};
use crate::http::params::Params;

/// The kind of an operation.
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

/// An operation that may run. Its document is parsed once.
#[derive(Debug)]
pub struct Operation {
    /// The request for the schema.
    pub request: Request,
    /// What it does.
    pub kind: Kind,
    /// Its name in the document.
    pub name: Option<Arc<str>>,
    /// Its measurements for all limits.
    pub usage: Usage,
    /// What it was measured with, for its actual cost.
    pub prepared: Prepared,
    /// The limits of its sender.
    pub limits: Arc<CallerLimits>,
    /// Counted as an operation of its sender until this is dropped.
    pub admission: Admission,
    /// Whether the response should contain the cost.
    pub tells_cost: bool,
}

impl Operation {
    /// Parses, measures and charges the operation, or returns why it may not run.
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
            NoDocument::Syntax(error) => invalid(vec![error], &limits, request_id),
        })?;
        let asked = params.operation_name();
        let prepared = Prepared::choose(Arc::clone(&document), asked).map_err(|problem| match problem {
            NotChosen::Invalid(errors) => match Prepared::exceeded(&document, asked, &limits.operation) {
                Some(refusal) => refused(refusal.into()),
                None => invalid(errors, &limits, request_id),
            },
            NotChosen::Unknown(message) => refused(ApiError::bad_input("operationName", message)),
        })?;
        let tells_cost = params.wants_cost();
        let mut request = params.into_request();
        let document = prepared.document();
        let place_of = |variable: &str| prepared.place_of(variable);
        nul::refuse(&request.variables, document.text(), document.parsed(), place_of).map_err(refused)?;
        request.variables = prepared.coerce(std::mem::take(&mut request.variables)).map_err(|ApiErrors(causes)| {
            let mut response = answer::refusals(causes, request_id);
            if !limits.operation.introspection {
                without_suggestions(&mut response);
            }
            Box::new(response)
        })?;
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
        request.set_parsed_query(prepared.executable(&request.variables));
        let name = prepared.name().map(|name| Arc::from(name.as_str()));
        Ok(Self { request, kind, name, usage, prepared, limits, admission, tells_cost })
    }
}

/// The response to a document that cannot be executed.
fn invalid(errors: Vec<ServerError>, limits: &CallerLimits, request_id: &RequestId) -> Box<Response> {
    let mut response = Response::from_errors(errors);
    complete(&mut response, request_id);
    if !limits.operation.introspection {
        without_suggestions(&mut response);
    }
    Box::new(response)
}
