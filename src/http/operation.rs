//! From parameters to an operation that may run: read, within the limits, chosen by its name.

use std::sync::Arc;

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType};
use async_graphql::{Request, Response, ServerError};

use crate::error::ApiError;
use crate::graphql::errors::{RequestId, complete};
use crate::graphql::limits::{OperationLimits, Usage};
use crate::graphql::{nesting, nul};
use crate::http::answer;
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
}

impl Operation {
    /// Reads and measures the operation, or says why it may not run.
    pub fn prepare(params: Params, limits: &OperationLimits, request_id: &RequestId) -> Result<Self, Box<Response>> {
        let refused = |cause: ApiError| Box::new(answer::refusal(cause, request_id));
        limits.check_text(params.query()).map_err(|refusal| refused(refusal.into()))?;
        nesting::check(params.query()).map_err(refused)?;
        let mut request = params.into_request();
        let document = async_graphql::parser::parse_query(&request.query).map_err(|error| {
            let mut response = Response::from_errors(vec![ServerError::from(error)]);
            complete(&mut response, request_id);
            Box::new(response)
        })?;
        let (name, operation) = choose(&document, request.operation_name.as_deref())
            .map_err(|message| refused(ApiError::bad_input("operationName", message)))?;
        nul::refuse(&request, &document).map_err(refused)?;
        let usage =
            limits.check(&document, operation, &request.variables).map_err(|refusal| refused(refusal.into()))?;
        let kind = match operation.ty {
            OperationType::Query => Kind::Query,
            OperationType::Mutation => Kind::Mutation,
            OperationType::Subscription => Kind::Subscription,
        };
        request.set_parsed_query(document);
        Ok(Self { request, kind, name, usage })
    }
}

/// The operation that runs, and its name.
fn choose<'a>(
    document: &'a ExecutableDocument,
    asked: Option<&str>,
) -> Result<(Option<Arc<str>>, &'a OperationDefinition), String> {
    match (&document.operations, asked) {
        (DocumentOperations::Single(operation), None) => Ok((None, &operation.node)),
        (DocumentOperations::Single(_), Some(asked)) => Err(unknown(asked)),
        (DocumentOperations::Multiple(operations), Some(asked)) => {
            operations.get(asked).map(|operation| (Some(asked.into()), &operation.node)).ok_or_else(|| unknown(asked))
        }
        (DocumentOperations::Multiple(operations), None) => {
            let mut all = operations.iter();
            match (all.next(), all.next()) {
                (Some((name, operation)), None) => Ok((Some(name.as_str().into()), &operation.node)),
                _ => Err(format!("the document has {} operations: say which with operationName", operations.len())),
            }
        }
    }
}

fn unknown(asked: &str) -> String {
    format!("the document has no operation named \"{asked}\"")
}
