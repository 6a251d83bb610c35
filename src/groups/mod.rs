//! Groups of users, which projects belong to.

pub mod limits;
pub mod loader;
pub mod members;
pub mod model;
pub mod mutation;
pub mod query;
pub mod types;
