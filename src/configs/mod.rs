//! Config files: versioned Kubernetes YAML of a project.

pub(crate) mod deletion;
pub mod documents;
pub(crate) mod loader;
pub(crate) mod model;
pub(crate) mod mutation;
pub(crate) mod query;
pub(crate) mod types;
pub(crate) mod versions;
