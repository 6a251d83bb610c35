//! Groups of people: what a project belongs to.

pub mod loader;
pub mod model;
pub mod mutation;
pub mod query;
pub mod types;
