//! Projects: where a group's jobs run, each in a namespace of its own.

pub mod loader;
pub mod model;
pub mod mutation;
pub mod query;
pub mod types;
