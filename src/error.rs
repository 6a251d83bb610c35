//! What can go wrong, as a client will see it. Rooms return [`ApiError`]; `graphql::errors` is the one place that
//! turns it into a GraphQL error, and an unexpected cause is logged there, never shown.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// The machine-readable kind of a failure: `extensions.code` of a GraphQL error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// No valid access token came with the request.
    Unauthenticated,
    /// The caller can see the thing but may not do this to it.
    Forbidden,
    /// There is no such thing, or the caller may not know that there is.
    NotFound,
    /// The document does not follow the grammar of GraphQL.
    GraphqlParseFailed,
    /// The document does not fit the schema or breaks a rule of the GraphQL specification.
    GraphqlValidationFailed,
    /// An argument is not acceptable; `field` says which.
    BadUserInput,
    /// The change collides with another one or with the present state.
    Conflict,
    /// The project's quota does not allow it.
    QuotaExceeded,
    /// Too many requests; try again later.
    RateLimited,
    /// The operation is larger than a limit allows.
    QueryTooComplex,
    /// The deadline passed.
    Timeout,
    /// The Kubernetes API does not answer.
    ClusterUnavailable,
    /// PostgreSQL does not answer.
    DatabaseUnavailable,
    /// The cursor is older than the event log keeps.
    ResumeExpired,
    /// The subscriber did not keep up; resume from its last cursor.
    SlowConsumer,
    /// The server does not know the hash: send it again with the text (Apollo's automatic persisted queries).
    PersistedQueryNotFound,
    /// The server takes no hashes for texts: send the text.
    PersistedQueryNotSupported,
    /// A defect of the server; only the request id is told.
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

    /// The code as it stands in `extensions.code`.
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

/// A failure as a client will see it, with the cause that only the log sees. One pointer: whatever may fail has to have
/// room for a failure, and seldom has one.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
#[must_use]
pub struct ApiError(Box<Failure>);

/// What an [`ApiError`] says.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The kind.
    pub code: Code,
    /// One sentence for a person; names the value and what is allowed.
    pub message: Cow<'static, str>,
    /// Path into the input, such as `input.spec.resources.gpu`.
    pub field: Option<Cow<'static, str>>,
    /// The last cursor a subscriber got, where the error ends a subscription.
    pub cursor: Option<String>,
    /// When to try again, where that is known.
    pub retry_after: Option<Duration>,
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
    /// A failure of kind `code`, said in one sentence.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self(Box::new(Failure { code, message, field: None, cursor: None, retry_after: None, source: None }))
    }

    /// An argument that is not acceptable; `field` is its path into the input.
    pub fn bad_input(field: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::BadUserInput, message).at(field)
    }

    /// No such `what`, or none that the caller may know of.
    pub fn not_found(what: &str, id: impl fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("{what} \"{id}\" not found"))
    }

    /// The caller may not do this.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Forbidden, message)
    }

    /// The request needs a log-in.
    pub fn unauthenticated(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Unauthenticated, message)
    }

    /// The change collides with another one.
    pub fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Conflict, message)
    }

    /// A defect: the client is told the request id only, the log has `source`.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::Internal, "internal error").caused_by(source)
    }

    /// The same failure with the path into the input that caused it.
    pub fn at(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same failure with the cursor a subscriber can resume from.
    pub fn resuming_after(mut self, cursor: impl Into<String>) -> Self {
        self.cursor = Some(cursor.into());
        self
    }

    /// The same failure with when to try again.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same failure with its cause, for the log.
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
    /// PostgreSQL does not answer; nothing was changed.
    pub fn database_unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::DatabaseUnavailable, "the database is not responding; try again in a moment").caused_by(source)
    }

    /// The Kubernetes API does not answer.
    pub fn cluster_unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::ClusterUnavailable, "the cluster is not responding; try again in a moment").caused_by(source)
    }
}

/// PostgreSQL's shutdown notices and tokio-postgres' I/O errors carry no kind of their own in diesel.
fn says_server_is_away(message: &str) -> bool {
    ["connection closed", "error communicating with the server", "terminating connection", "the database system is"]
        .iter()
        .any(|known| message.contains(known))
}

/// One or more failures of the same request: several bad fields are told in one answer.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(|error| error.message.as_ref()).collect::<Vec<_>>().join("; "))]
#[must_use]
pub struct ApiErrors(pub Vec<ApiError>);

impl<E: Into<ApiError>> From<E> for ApiErrors {
    fn from(error: E) -> Self {
        Self(vec![error.into()])
    }
}

/// Collects what is wrong with an input, so that all of it is told at once.
#[derive(Debug, Default)]
pub struct Problems(Vec<ApiError>);

impl Problems {
    /// Adds a problem.
    pub fn push(&mut self, error: ApiError) {
        self.0.push(error);
    }

    /// How many there are so far.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The value, or `None` after noting the problem.
    pub fn take<T>(&mut self, result: Result<T, ApiError>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }

    /// `Ok` when nothing was wrong.
    pub fn finish(self) -> Result<(), ApiErrors> {
        if self.0.is_empty() { Ok(()) } else { Err(ApiErrors(self.0)) }
    }
}
