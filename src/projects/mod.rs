//! Projects, which run the jobs of a group in a namespace of their own.

pub mod loader;
pub mod model;
pub mod mutation;
pub mod query;
pub mod types;
