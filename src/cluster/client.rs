//! The client of one cluster: made from a kubeconfig or the pod's own account, and its errors told apart.

use std::future::Future;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};

use super::text::storable;
use crate::config::ClusterConfig;
use crate::db::error_chain;

/// How long one call may take; watches and logs have no such end.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(3);
/// The longest message of an error that is kept, in bytes.
const LONGEST_MESSAGE: usize = 32 << 10;

/// Why a call to the cluster came to nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClusterError {
    /// The API server does not answer, or says that it cannot at present: the call may be made again.
    #[error("the cluster does not answer: {0}")]
    Away(String),
    /// The object breaks a rule of its kind and will do so the next time too.
    #[error("{0}")]
    Invalid(String),
    /// There is an object of that name.
    #[error("{0}")]
    AlreadyExists(String),
    /// The object has changed since it was read.
    #[error("{0}")]
    Conflict(String),
    /// There is no such object, namespace or kind.
    #[error("{0}")]
    NotFound(String),
    /// The cluster has a reason not to do it now, such as a quota or a missing permission.
    #[error("{0}")]
    Refused(String),
    /// There is no usable kubeconfig.
    #[error("no cluster is configured: {0}")]
    Unconfigured(String),
}

impl From<kube::Error> for ClusterError {
    fn from(error: kube::Error) -> Self {
        // It becomes the reason of a job, and anybody's webhook may have written it.
        let told = |text: &str| storable(text, LONGEST_MESSAGE).into_owned();
        let kube::Error::Api(status) = &error else { return Self::Away(told(&error_chain(&error))) };
        let message = told(if status.message.is_empty() { &status.reason } else { &status.message });
        match status.code {
            _ if status.is_already_exists() => Self::AlreadyExists(message),
            404 => Self::NotFound(message),
            409 => Self::Conflict(message),
            400 | 413 | 422 => Self::Invalid(message),
            408 | 429 | 500.. => Self::Away(message),
            _ => Self::Refused(message),
        }
    }
}

/// The cluster that jobs go to. Clones share connections.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
}

impl Cluster {
    /// Reads the configuration; the cluster itself may be away.
    ///
    /// # Errors
    /// [`ClusterError::Unconfigured`] if there is neither a kubeconfig nor an account of the pod's own.
    pub async fn new(config: &ClusterConfig) -> Result<Self, ClusterError> {
        let unusable = |error: &dyn std::error::Error| ClusterError::Unconfigured(error_chain(error));
        let mut settings = match &config.kubeconfig {
            Some(path) => {
                let kubeconfig = Kubeconfig::read_from(path).map_err(|error| unusable(&error))?;
                kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                    .await
                    .map_err(|error| unusable(&error))?
            }
            None => kube::Config::infer().await.map_err(|error| unusable(&error))?,
        };
        settings.connect_timeout = Some(CONNECT);
        let client = kube::Client::try_from(settings).map_err(|error| unusable(&error))?;
        Ok(Self { client })
    }

    /// The client itself, for watches and logs.
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// Waits for `call`, but not longer than a call may take.
    ///
    /// # Errors
    /// The call's, told apart; [`ClusterError::Away`] when the time is over.
    pub async fn call<T>(&self, call: impl Future<Output = Result<T, kube::Error>> + Send) -> Result<T, ClusterError> {
        match tokio::time::timeout(PATIENCE, call).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(ClusterError::Away(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }

    /// The version of the API server, as `major.minor`.
    ///
    /// # Errors
    /// [`ClusterError::Away`] if it does not answer.
    pub async fn version(&self) -> Result<String, ClusterError> {
        let info = self.call(self.client.apiserver_version()).await?;
        Ok(info.git_version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn told(code: u16, reason: &str) -> ClusterError {
        kube::Error::Api(Status::failure("it says so", reason).with_code(code).boxed()).into()
    }

    #[test]
    fn errors_are_told_apart_by_what_to_do_about_them() {
        assert!(matches!(told(409, "AlreadyExists"), ClusterError::AlreadyExists(_)));
        assert!(matches!(told(409, "Conflict"), ClusterError::Conflict(_)));
        assert!(matches!(told(404, "NotFound"), ClusterError::NotFound(_)));
        assert!(matches!(told(422, "Invalid"), ClusterError::Invalid(_)));
        assert!(matches!(told(403, "Forbidden"), ClusterError::Refused(_)));
        assert!(matches!(told(503, "ServiceUnavailable"), ClusterError::Away(_)));
        assert!(matches!(told(429, "TooManyRequests"), ClusterError::Away(_)));
    }
}
