//! Jobs: submission, life cycle, rows, and their representation in the API.

pub mod admission;
pub mod draft;
pub mod event;
pub mod feed;
pub mod input;
pub mod life;
pub mod loader;
pub mod logs;
pub mod model;
pub mod mutation;
pub mod phase;
pub mod preview;
pub mod query;
pub mod review;
pub mod service;
pub mod subscription;
pub mod trial;
pub mod types;
pub mod watched;
pub mod worker;
