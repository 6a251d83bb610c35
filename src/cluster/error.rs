//! Errors of calls to the cluster, classified by what to do about them.
//!
//! The status code alone is not enough: an object too large for etcd is a 500 like any other failure, and a 403 means a
//! missing permission, an exhausted quota or a pod that admission will never accept.

use super::text::storable;
use crate::db::error_chain;

/// Maximum length of an error message that is kept, in bytes.
const LONGEST_MESSAGE: usize = 32 << 10;
/// Messages of etcd and its client for a request that is too large. The API server passes them on with code 500.
const TOO_LARGE: [&str; 2] = ["request is too large", "trying to send message larger than max"];

/// An error of a call to the cluster.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClusterError {
    /// The API server does not answer, or says that it is unavailable: the call may be repeated.
    #[error("the cluster does not answer: {0}")]
    Away(String),
    /// The object violates a rule of its kind or is too large; repeating the call does not help.
    #[error("{0}")]
    Invalid(Refusal),
    /// Admission rejects the object: Pod Security, a LimitRange, a webhook, a class that does not exist. Repeating the
    /// call does not help unless someone changes the cluster.
    #[error("{0}")]
    Denied(Refusal),
    /// An object with this name already exists.
    #[error("{0}")]
    AlreadyExists(String),
    /// The object has changed since it was read.
    #[error("{0}")]
    Conflict(String),
    /// The object or its namespace does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The API server has no resource of that kind: its custom resource definition is not installed.
    #[error("the cluster does not know this kind of object: {0}")]
    KindMissing(String),
    /// A quota of the namespace is exhausted.
    #[error("{0}")]
    OverQuota(String),
    /// The platform's own account lacks the permission: an operator has to grant it.
    #[error("{0}")]
    Forbidden(String),
    /// The cluster refuses for another reason that may pass, such as a webhook that cannot be reached.
    #[error("{0}")]
    Refused(String),
    /// There is no usable kubeconfig.
    #[error("no cluster is configured: {0}")]
    Unconfigured(String),
}

/// The cluster's reason for rejecting an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The message.
    pub message: String,
    /// The fields that the message is about, if the cluster names them.
    pub causes: Vec<Cause>,
}

/// A problem with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The path in the object, such as `spec.containers[0].name`.
    pub path: String,
    /// The problem.
    pub message: String,
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self { message, causes: Vec::new() }
    }
}

impl From<kube::Error> for ClusterError {
    fn from(error: kube::Error) -> Self {
        let kube::Error::Api(status) = &error else { return Self::Away(told(&error_chain(&error))) };
        let message = told(if status.message.is_empty() { &status.reason } else { &status.message });
        let says = |words: &str| message.contains(words);
        let refusal = || Refusal { message: message.clone(), causes: causes(status) };
        match status.code {
            _ if status.is_already_exists() => Self::AlreadyExists(message),
            // A webhook chooses its code itself.
            _ if says("denied the request") && says("admission webhook") => Self::Denied(refusal()),
            _ if TOO_LARGE.into_iter().any(says) => Self::Invalid(refusal()),
            404 if is_about_nothing(status) => Self::KindMissing(message),
            404 => Self::NotFound(message),
            409 => Self::Conflict(message),
            // Whatever it says about the object, the object was not the cause.
            400 if says("does not support dry run") => Self::Refused(message),
            400 | 405 | 406 | 413 | 414 | 415 | 422 => Self::Invalid(refusal()),
            401 => Self::Forbidden(message),
            403 if is_of_the_account(&message) => Self::Forbidden(message),
            403 if says("exceeded quota") => Self::OverQuota(message),
            403 if is_terminating(status) => Self::Refused(message),
            403 => Self::Denied(refusal()),
            500 if says("failed calling webhook") => Self::Refused(message),
            408 | 429 | 500.. => Self::Away(message),
            _ => Self::Refused(message),
        }
    }
}

/// The cluster's message, fit to be stored: it becomes the reason of a job, and any webhook may have written it.
fn told(text: &str) -> String {
    storable(text, LONGEST_MESSAGE).into_owned()
}

/// A 404 that names no object comes from the route: the kind or its version is not served.
fn is_about_nothing(status: &kube::core::Status) -> bool {
    status.details.as_ref().is_none_or(|details| details.kind.is_empty() && details.name.is_empty())
}

/// The message of the authorizer, as opposed to admission: `pods is forbidden: User "x" cannot create resource "pods"`.
fn is_of_the_account(message: &str) -> bool {
    message.contains(" is forbidden: User ") && message.contains(" cannot ")
}

fn is_terminating(status: &kube::core::Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
}

fn causes(status: &kube::core::Status) -> Vec<Cause> {
    let all = status.details.iter().flat_map(|details| &details.causes);
    // The schema of a custom resource adds a cause about nothing: that it could not look at the rest.
    let named = all.filter(|cause| !cause.field.is_empty() && cause.field != "<nil>");
    named.map(|cause| Cause { path: told(&cause.field), message: told(&cause.message) }).collect()
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
