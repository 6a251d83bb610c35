//! The only place that turns an error into a GraphQL error: `extensions { code, field, retryable, requestId }`.

use async_graphql::{
    Context, Error, ErrorExtensionValues, ErrorExtensions, PathSegment, Pos, Response, ServerError, Value,
};

use super::context::OnDenied;
use crate::db::error_chain;
use crate::error::{ApiError, ApiErrors, Code};

/// The result of a resolver.
pub type ApiResult<T> = async_graphql::Result<T>;

/// The ID of a request, returned with every error and in the `X-Request-Id` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

/// Turns an error into what the client sees.
pub trait IntoGraphql<T> {
    /// The value, or the error as the client sees it; further errors of the same input are added to the response.
    fn graphql(self, ctx: &Context<'_>) -> ApiResult<T>;
}

impl<T> IntoGraphql<T> for Result<T, ApiError> {
    fn graphql(self, ctx: &Context<'_>) -> ApiResult<T> {
        self.map_err(|error| told(error, ctx))
    }
}

impl<T> IntoGraphql<T> for Result<T, ApiErrors> {
    fn graphql(self, ctx: &Context<'_>) -> ApiResult<T> {
        self.map_err(|ApiErrors(mut errors)| {
            // The executor puts the returned error after those that were added.
            let last = errors.pop().unwrap_or_else(|| ApiError::internal("a failure without an error"));
            for error in errors {
                ctx.add_error(of_field(error, ctx));
            }
            told(last, ctx)
        })
    }
}

/// Adds an error of the item at `index` of the list that a resolver returns. The item must be null.
pub fn add_item_error(ctx: &Context<'_>, index: usize, error: ApiError) {
    let mut error = of_field(error, ctx);
    error.path.push(PathSegment::Index(index));
    ctx.add_error(error);
}

/// The error as the client sees it, with the path of the field.
fn of_field(error: ApiError, ctx: &Context<'_>) -> ServerError {
    let mut error = ctx.set_error_path(told(error, ctx).into_server_error(ctx.item.pos));
    if error.path.is_empty() {
        // The field of a subscription has no path of its own.
        error.path.push(PathSegment::Field(ctx.item.node.response_key().node.to_string()));
    }
    error
}

fn told(error: ApiError, ctx: &Context<'_>) -> Error {
    if let Some(on_denied) = ctx.data_opt::<OnDenied>() {
        on_denied.tell(&error);
    }
    let request = ctx.data_opt::<RequestId>();
    graphql_error(error, request)
}

/// `error` as the client sees it; the cause is logged.
pub fn graphql_error(error: ApiError, request: Option<&RequestId>) -> Error {
    let request_id = request.map(|id| id.0.as_str());
    match error.code {
        Code::Internal => {
            tracing::error!(request_id, error = %error_chain(&error), "internal error");
        }
        Code::DatabaseUnavailable | Code::ClusterUnavailable => {
            tracing::warn!(request_id, code = %error.code, error = %error_chain(&error), "a dependency is unavailable");
        }
        _ => tracing::debug!(request_id, code = %error.code, error = %error_chain(&error), "refused"),
    }
    let message = match error.code {
        Code::Internal => "internal error; the server log has the details under this requestId".to_owned(),
        _ => error.message.clone().into_owned(),
    };
    Error::new(message).extend_with(|_, extensions| fill(extensions, &error, request_id))
}

fn fill(extensions: &mut ErrorExtensionValues, error: &ApiError, request_id: Option<&str>) {
    extensions.set("code", error.code.as_str());
    if let Some(field) = &error.field {
        extensions.set("field", field.as_ref());
    }
    if let Some(reason) = error.reason {
        extensions.set("reason", reason.as_str());
    }
    if let Some(variable) = &error.variable {
        extensions.set("variable", &**variable);
    }
    if let Some((line, column)) = error.place {
        extensions.set("line", line);
        extensions.set("column", column);
    }
    if let Some(cursor) = &error.cursor {
        extensions.set("cursor", cursor.as_str());
    }
    extensions.set("retryable", error.code.is_retryable());
    if let Some(wait) = error.retry_after {
        // Rounded up: a client that retries a moment too early is rejected again.
        extensions.set("retryAfterMs", u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(1));
    }
    if let Some(id) = request_id {
        extensions.set("requestId", id);
    }
}

/// An error of a document at these positions; [`complete`] adds the extensions that every error has.
pub fn coded(code: Code, message: impl Into<String>, positions: impl IntoIterator<Item = Pos>) -> ServerError {
    let mut error = ServerError::new(message, None);
    error.locations = positions.into_iter().collect();
    error.extensions.get_or_insert_default().set("code", code.as_str());
    error
}

/// Errors of a document, and those that async-graphql created itself (a scalar that cannot be parsed), get the same
/// extensions.
pub fn complete(response: &mut Response, request: &RequestId) {
    for error in &mut response.errors {
        complete_error(error, request);
    }
}

/// The maximum length of a message in bytes: the library includes input of the client in its messages, however long it
/// is.
const LONGEST_MESSAGE: usize = 1_000;

fn complete_error(error: &mut ServerError, request: &RequestId) {
    if error.message.len() > LONGEST_MESSAGE {
        error.message.truncate(error.message.floor_char_boundary(LONGEST_MESSAGE));
        error.message.push('…');
    }
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("code").is_none() {
        extensions.set("code", Code::BadUserInput.as_str());
    }
    if extensions.get("retryable").is_none() {
        extensions.set("retryable", Value::Boolean(false));
    }
    if extensions.get("requestId").is_none() {
        extensions.set("requestId", request.0.as_str());
    }
}

/// Removes the suggestions of validation from its messages, for callers that cannot query the schema.
pub fn without_suggestions(response: &mut Response) {
    for error in response.errors.iter_mut().filter(|error| error.path.is_empty()) {
        if let Some(at) = error.message.find(" Did you mean ") {
            error.message.truncate(at);
        }
    }
}
