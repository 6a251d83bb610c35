//! Config files: Kubernetes YAML of a project, versioned like git.

pub mod documents;
pub mod loader;
pub mod model;
pub mod mutation;
pub mod query;
pub mod types;
