//! Requests of users to those who are responsible for the platform, a group or a project.

mod apply;
pub mod event;
mod feed;
mod input;
pub mod loader;
pub mod model;
pub mod mutation;
pub mod query;
pub mod subscription;
pub mod types;
