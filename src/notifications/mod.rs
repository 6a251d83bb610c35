//! Notifications: what users are told of what concerns them, here and by their webhooks.

pub mod event;
mod feed;
pub mod loader;
pub mod model;
pub mod mutation;
pub mod query;
pub mod subscription;
pub mod types;
pub mod webhooks;
