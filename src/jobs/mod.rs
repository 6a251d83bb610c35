//! Jobs: submitting them, their life, their rows and what the API shows of them.

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
