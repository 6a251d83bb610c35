//! Notifications: what users are told of what concerns them.

pub mod event;
mod feed;
pub mod loader;
pub mod model;
pub mod mutation;
pub mod query;
pub mod subscription;
pub mod types;
