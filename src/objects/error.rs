//! Why the object store did not do something.

use super::Key;

/// Why the object store did not do something. The messages contain nothing that the store has sent, which can contain keys.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// There is no object with this key, or no bucket.
    #[error("the object store has no such object or bucket")]
    NotFound(#[source] object_store::Error),
    /// There is an object with this key already.
    #[error("there already is an object {0}")]
    AlreadyExists(Key),
    /// The store does not accept the credentials.
    #[error("the object store does not accept the platform's credentials")]
    Denied(#[source] object_store::Error),
    /// The store does not respond, or with an error.
    #[error("the object store does not work at the moment")]
    Away(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The end of an object is missing.
    #[error("the object has ended after {read} of {expected} bytes")]
    CutOff {
        /// What was read.
        read: u64,
        /// What there should be.
        expected: u64,
    },
    /// The object is larger than it can be.
    #[error("the object is larger than {0} bytes")]
    TooLarge(u64),
}

impl ObjectError {
    /// Whether the same may succeed later.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::Away(_) | Self::CutOff { .. } => true,
            Self::NotFound(_) | Self::AlreadyExists(_) | Self::Denied(_) | Self::TooLarge(_) => false,
        }
    }

    /// The error of something that was done to this object.
    pub(super) fn of(error: object_store::Error, key: &Key) -> Self {
        use object_store::Error;
        match error {
            Error::AlreadyExists { .. } | Error::Precondition { .. } => Self::AlreadyExists(key.clone()),
            error => error.into(),
        }
    }

    pub(super) fn away(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Away(error.into())
    }
}

impl From<object_store::Error> for ObjectError {
    fn from(error: object_store::Error) -> Self {
        use object_store::Error;
        match error {
            error @ Error::NotFound { .. } => Self::NotFound(error),
            error @ (Error::PermissionDenied { .. } | Error::Unauthenticated { .. }) => Self::Denied(error),
            error => Self::away(error),
        }
    }
}
