//! Config files: Kubernetes YAML of a project, versioned like git.

pub mod documents;
pub(crate) mod loader;
pub(crate) mod model;
pub(crate) mod mutation;
pub(crate) mod query;
pub(crate) mod types;
