//! The API server's judgement without the server: what it would say to the creation of an object, asked in the process.

use super::cluster::Cluster;
use super::request::Options;
use super::seed;
use super::write::{Body, Write, create};
use chrono::Utc;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// A cluster of its own, in which objects are only tried.
#[derive(Debug)]
pub struct Trial {
    cluster: Cluster,
}

impl Default for Trial {
    fn default() -> Self {
        let cluster = Cluster::new(16, CancellationToken::new());
        seed::plant(&cluster);
        Trial { cluster }
    }
}

impl Trial {
    /// Makes an object that those tried need: a priority class, a namespace.
    ///
    /// # Errors
    /// The API server's message.
    pub fn plant(&self, group: &str, plural: &str, object: &Value) -> Result<(), String> {
        self.write(group, plural, None, object, false)
    }

    /// Tries to create an object in a namespace: admission and validation, and nothing is stored.
    ///
    /// # Errors
    /// The API server's message.
    pub fn create(&self, group: &str, plural: &str, namespace: &str, object: &Value) -> Result<(), String> {
        self.write(group, plural, Some(namespace), object, true)
    }

    fn write(
        &self,
        group: &str,
        plural: &str,
        namespace: Option<&str>,
        object: &Value,
        dry_run: bool,
    ) -> Result<(), String> {
        let kind = self.cluster.catalog().builtin_kind(group, plural);
        let kind = kind.ok_or_else(|| format!("there are no {plural} in {group:?}"))?;
        let turn = self.cluster.writer();
        let options = Options { dry_run, ..Options::default() };
        let mut write = Write {
            cluster: &self.cluster,
            turn: &turn,
            kind: &kind,
            namespace,
            subresource: None,
            options: &options,
            manager: "trial".to_owned(),
            now: Utc::now(),
            warnings: Vec::new(),
        };
        let body = Body { bytes: object.to_string().into(), media_type: "application/json".to_owned() };
        create(&mut write, &body).map(drop).map_err(|error| error.message)
    }
}
