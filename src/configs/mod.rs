//! Config files: versioned Kubernetes YAML of a project.

pub mod documents;
pub mod loader;
pub mod model;
pub mod mutation;
pub mod query;
pub mod types;
