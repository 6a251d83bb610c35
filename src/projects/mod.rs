//! Projects, which run the jobs of a group in a namespace of their own.

pub mod deletion;
pub mod event;
pub mod keeper;
pub mod limits;
pub mod loader;
pub mod model;
pub mod mutation;
pub mod query;
pub mod schedule;
pub mod states;
pub mod types;
