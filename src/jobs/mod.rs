//! Jobs: submitting them, their life, their rows and what the API shows of them.

pub mod draft;
pub mod feed;
pub mod input;
pub mod life;
pub mod loader;
pub mod logs;
pub mod model;
pub mod mutation;
pub mod phase;
pub mod query;
pub mod service;
pub mod subscription;
pub mod types;
pub mod worker;
