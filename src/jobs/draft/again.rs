//! The draft of a job that is run again: what its object says, without what the platform has written into it.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde::Deserialize;

use super::{Draft, TaskGroup};
use crate::jobs::model::earlier::Earlier;
use crate::jobs::model::manifest::Manifest;

/// The labels of the platform begin with this.
const OWN: &str = "platform.";

/// The part of an object that its tasks do not say.
#[derive(Deserialize)]
struct Whole {
    spec: Gang,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gang {
    min_available: i32,
}

impl Draft {
    /// The draft of another job like this one.
    ///
    /// # Errors
    /// The stored object is not a valid FlashJob, which is a bug.
    pub fn of_earlier(earlier: &Earlier) -> Result<Self, serde_json::Error> {
        let manifest = Manifest::from(earlier.kept.clone());
        let Whole { spec } = serde_json::from_str(manifest.json().as_str())?;
        let group = |(template, count): (&str, usize)| {
            let mut template: PodTemplateSpec = serde_json::from_str(template)?;
            if let Some(labels) = template.metadata.as_mut().and_then(|metadata| metadata.labels.as_mut()) {
                // The new job gets its own.
                labels.retain(|label, _| !label.starts_with(OWN));
            }
            Ok(TaskGroup { template, count })
        };
        Ok(Self {
            name: Some(earlier.job.name.clone()),
            tasks: manifest.templates().map(group).collect::<Result<_, serde_json::Error>>()?,
            min_available: Some(spec.min_available),
            deadline_seconds: earlier.deadline_seconds,
            ttl_seconds: earlier.ttl_seconds,
            retries: earlier.job.retry_limit,
            // The tasks of an indexed job have their indexes already.
            ..Self::default()
        })
    }
}
