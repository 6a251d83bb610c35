//! Jobs: submission, life cycle, rows, and their representation in the API.

pub(crate) mod admission;
pub mod draft;
pub mod event;
mod existence;
pub(crate) mod feed;
pub(crate) mod input;
pub(crate) mod life;
pub(crate) mod loader;
pub mod logs;
pub mod model;
pub(crate) mod mutation;
pub(crate) mod opening;
pub mod phase;
pub(crate) mod preview;
pub(crate) mod priority;
pub(crate) mod query;
pub(crate) mod quota;
pub(crate) mod retry;
pub(crate) mod review;
pub(crate) mod room;
pub(crate) mod service;
pub(crate) mod subscription;
pub(crate) mod trial;
pub(crate) mod types;
pub(crate) mod watched;
pub(crate) mod worker;
