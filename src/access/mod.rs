//! The permission policy, explained: what a user may do with an object and why, and who may do something.

pub mod loader;
pub mod model;
pub mod query;
mod target;
pub mod types;
