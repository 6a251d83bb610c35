//! Errors as a client sees them. Modules return [`ApiError`]; `graphql::errors` is the only place that turns it into a
//! GraphQL error. Unexpected causes are logged there, and never shown.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use uuid::Uuid;

/// The machine-readable kind of an error: `extensions.code` of a GraphQL error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The request has no valid access token.
    Unauthenticated,
    /// The caller can see the object, but does not have the permission for this.
    Forbidden,
    /// The object does not exist, or the caller cannot see it.
    NotFound,
    /// The document is not valid GraphQL.
    GraphqlParseFailed,
    /// The document does not match the schema or violates a rule of the GraphQL specification.
    GraphqlValidationFailed,
    /// An argument is invalid; `field` says which.
    BadUserInput,
    /// The change conflicts with another change or with the current state.
    Conflict,
    /// The quota of the project is exceeded.
    QuotaExceeded,
    /// Too many requests; try again later.
    RateLimited,
    /// The operation exceeds a limit.
    QueryTooComplex,
    /// The deadline was exceeded.
    Timeout,
    /// The Kubernetes API is not responding.
    ClusterUnavailable,
    /// PostgreSQL is not responding.
    DatabaseUnavailable,
    /// The event log does not contain the cursor any more.
    ResumeExpired,
    /// The subscriber could not keep up; resume after its last cursor.
    SlowConsumer,
    /// The hash is unknown: send it again together with the text (Apollo's automatic persisted queries).
    PersistedQueryNotFound,
    /// Automatic persisted queries are disabled: send the text.
    PersistedQueryNotSupported,
    /// A bug in the server; only the request ID is shown.
    Internal,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 18] = [
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::GraphqlParseFailed,
        Self::GraphqlValidationFailed,
        Self::BadUserInput,
        Self::Conflict,
        Self::QuotaExceeded,
        Self::RateLimited,
        Self::QueryTooComplex,
        Self::Timeout,
        Self::ClusterUnavailable,
        Self::DatabaseUnavailable,
        Self::ResumeExpired,
        Self::SlowConsumer,
        Self::PersistedQueryNotFound,
        Self::PersistedQueryNotSupported,
        Self::Internal,
    ];

    /// The value of `extensions.code`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::GraphqlParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::GraphqlValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::Conflict => "CONFLICT",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::RateLimited => "RATE_LIMITED",
            Self::QueryTooComplex => "QUERY_TOO_COMPLEX",
            Self::Timeout => "TIMEOUT",
            Self::ClusterUnavailable => "CLUSTER_UNAVAILABLE",
            Self::DatabaseUnavailable => "DATABASE_UNAVAILABLE",
            Self::ResumeExpired => "RESUME_EXPIRED",
            Self::SlowConsumer => "SLOW_CONSUMER",
            Self::PersistedQueryNotFound => "PERSISTED_QUERY_NOT_FOUND",
            Self::PersistedQueryNotSupported => "PERSISTED_QUERY_NOT_SUPPORTED",
            Self::Internal => "INTERNAL",
        }
    }

    /// Whether the same request may succeed when it is sent again later.
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::RateLimited
            | Self::Timeout
            | Self::ClusterUnavailable
            | Self::DatabaseUnavailable
            | Self::SlowConsumer => true,
            Self::Unauthenticated
            | Self::Forbidden
            | Self::NotFound
            | Self::GraphqlParseFailed
            | Self::GraphqlValidationFailed
            | Self::BadUserInput
            | Self::Conflict
            | Self::QuotaExceeded
            | Self::QueryTooComplex
            | Self::ResumeExpired
            | Self::PersistedQueryNotFound
            | Self::PersistedQueryNotSupported
            | Self::Internal => false,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a caller is not authenticated: `extensions.reason` of an `UNAUTHENTICATED` error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignInReason {
    /// The request has no access token.
    NoToken,
    /// The token was not issued by this server, or the header is not `Bearer <token>`.
    TokenInvalid,
    /// The token has expired; `refreshSession` returns a new one.
    TokenExpired,
    /// The session has ended, or the account is disabled: log in again.
    SessionEnded,
    /// The API token was revoked, or the account of its user is disabled.
    TokenRevoked,
    /// The username or the password is incorrect.
    WrongCredentials,
    /// The password is correct, but the account waits for the approval of a platform admin.
    AccountWaiting,
}

impl SignInReason {
    /// The reason as in `extensions.reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "NO_TOKEN",
            Self::TokenInvalid => "TOKEN_INVALID",
            Self::TokenExpired => "TOKEN_EXPIRED",
            Self::SessionEnded => "SESSION_ENDED",
            Self::TokenRevoked => "TOKEN_REVOKED",
            Self::WrongCredentials => "WRONG_CREDENTIALS",
            Self::AccountWaiting => "ACCOUNT_WAITING",
        }
    }
}

/// What a caller was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied {
    /// The action, such as `CreateProject`.
    pub action: &'static str,
    /// The prefix of the object's ID, and the UUID in it; `None` for the platform itself.
    pub subject: Option<(&'static str, Uuid)>,
    /// The group of the object.
    pub group: Option<Uuid>,
}

/// An error as a client sees it, with a cause that is only logged. A single pointer, because every function that can
/// fail needs room for an error and rarely has one.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
#[must_use]
pub struct ApiError(Box<Failure>);

/// The content of an [`ApiError`].
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The kind.
    pub code: Code,
    /// A human-readable sentence that names the value and what is allowed.
    pub message: Cow<'static, str>,
    /// Path into the input, such as `input.source.spec.resources.gpu`.
    pub field: Option<Cow<'static, str>>,
    /// The name of the variable whose value is invalid, without the `$`.
    pub variable: Option<Box<str>>,
    /// The line and the column in a text of the input, such as YAML, counted from 1.
    pub place: Option<(u32, u32)>,
    /// The last cursor of a subscriber, if the error ends a subscription.
    pub cursor: Option<String>,
    /// Why the caller is not authenticated, if the code is `Unauthenticated`.
    pub reason: Option<SignInReason>,
    /// When to retry, if known.
    pub retry_after: Option<Duration>,
    /// What was denied, if it was denied by a decision about the caller: for the audit log, and never shown.
    pub denied: Option<Denied>,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Deref for ApiError {
    type Target = Failure;

    fn deref(&self) -> &Failure {
        &self.0
    }
}

impl DerefMut for ApiError {
    fn deref_mut(&mut self) -> &mut Failure {
        &mut self.0
    }
}

impl ApiError {
    /// An error of kind `code` with a one-sentence message.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self(Box::new(Failure {
            code,
            message,
            field: None,
            variable: None,
            place: None,
            cursor: None,
            reason: None,
            retry_after: None,
            denied: None,
            source: None,
        }))
    }

    /// Something refers to `id`, which does not exist: a foreign key is violated.
    pub fn dangling(id: &impl fmt::Display) -> Self {
        Self::internal(format!("{id} is referred to and not there"))
    }

    /// An invalid argument; `field` is its path in the input.
    pub fn bad_input(field: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::BadUserInput, message).at(field)
    }

    /// `what` does not exist, or the caller cannot see it.
    pub fn not_found(what: &str, id: impl fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("{what} \"{id}\" not found"))
    }

    /// The caller does not have the permission.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Forbidden, message)
    }

    /// The request needs authentication, and has none for this reason.
    pub fn unauthenticated(reason: SignInReason, message: impl Into<Cow<'static, str>>) -> Self {
        let mut error = Self::new(Code::Unauthenticated, message);
        error.reason = Some(reason);
        error
    }

    /// The change conflicts with another one.
    pub fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Conflict, message)
    }

    /// A bug: the client only sees the request ID, and `source` is logged.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::Internal, "internal error").caused_by(source)
    }

    /// The same error with the path of the input that caused it.
    pub fn at(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same error with the name of the variable that contains the invalid value.
    pub fn in_variable(mut self, name: &str) -> Self {
        self.variable = Some(name.into());
        self
    }

    /// The same error with the line and the column in a text of the input, counted from 1, if it has a position.
    pub fn placed(mut self, place: Option<impl Into<(u32, u32)>>) -> Self {
        self.place = place.map(Into::into);
        self
    }

    /// This error, and the problems that `others` has, if it has any.
    pub fn and_of<T>(self, others: Result<T, ApiErrors>) -> ApiErrors {
        let mut all = vec![self];
        all.extend(others.err().into_iter().flat_map(|ApiErrors(errors)| errors));
        ApiErrors(all)
    }

    /// The same error with the cursor that a subscriber can resume after.
    pub fn resuming_after(mut self, cursor: impl Into<String>) -> Self {
        self.cursor = Some(cursor.into());
        self
    }

    /// The same error with when to retry.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same error with what was denied, for the audit log.
    pub fn denying(mut self, denied: Denied) -> Self {
        self.denied = Some(denied);
        self
    }

    /// The same error with its cause, for the log.
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl From<diesel::result::Error> for ApiError {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::{DatabaseErrorKind, Error};
        match &error {
            Error::BrokenTransactionManager | Error::DatabaseError(DatabaseErrorKind::ClosedConnection, _) => {
                Self::database_unavailable(error)
            }
            Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => {
                Self::conflict("the object was changed at the same time; try again").caused_by(error)
            }
            Error::DatabaseError(_, info) if says_server_is_away(info.message()) => Self::database_unavailable(error),
            _ => Self::internal(error),
        }
    }
}

impl ApiError {
    /// PostgreSQL is not responding; nothing was changed.
    pub fn database_unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::DatabaseUnavailable, "the database is not responding; try again in a moment").caused_by(source)
    }

    /// The Kubernetes API is not responding.
    pub fn cluster_unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::ClusterUnavailable, "the cluster is not responding; try again in a moment").caused_by(source)
    }
}

/// PostgreSQL's shutdown messages and the I/O errors of tokio-postgres have no kind of their own in diesel.
fn says_server_is_away(message: &str) -> bool {
    ["connection closed", "error communicating with the server", "terminating connection", "the database system is"]
        .iter()
        .any(|known| message.contains(known))
}

/// One or more errors of the same request: all invalid fields are reported in one response.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(|error| error.message.as_ref()).collect::<Vec<_>>().join("; "))]
#[must_use]
pub struct ApiErrors(pub Vec<ApiError>);

impl<E: Into<ApiError>> From<E> for ApiErrors {
    fn from(error: E) -> Self {
        Self(vec![error.into()])
    }
}

/// Both values, or the problems of both.
///
/// # Errors
/// The problems of the first, then those of the second.
pub fn both<A, B>(
    one: Result<A, impl Into<ApiErrors>>,
    other: Result<B, impl Into<ApiErrors>>,
) -> Result<(A, B), ApiErrors> {
    match (one.map_err(Into::into), other.map_err(Into::into)) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(ApiErrors(mut errors)), Err(ApiErrors(more))) => {
            errors.extend(more);
            Err(ApiErrors(errors))
        }
        (Err(errors), Ok(_)) | (Ok(_), Err(errors)) => Err(errors),
    }
}

/// Collects the problems of an input, so that they are reported together.
#[derive(Debug, Default)]
pub struct Problems(Vec<ApiError>);

impl Problems {
    /// Adds a problem.
    pub fn push(&mut self, error: ApiError) {
        self.0.push(error);
    }

    /// The number of problems so far.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The value, or `None` after recording the problem.
    pub fn take<T>(&mut self, result: Result<T, ApiError>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }

    /// The value, or `None` after recording all problems with it.
    pub fn take_all<T>(&mut self, result: Result<T, ApiErrors>) -> Option<T> {
        result.map_err(|errors| self.0.extend(errors.0)).ok()
    }

    /// `Ok` if there were no problems.
    pub fn finish(self) -> Result<(), ApiErrors> {
        if self.0.is_empty() { Ok(()) } else { Err(ApiErrors(self.0)) }
    }
}
