//! The audit log as it is shown, exported and kept: what was done on the platform, by whom, and what was refused.

pub mod export;
pub mod exports;
mod feed;
pub mod loader;
pub mod model;
pub mod query;
pub mod subscription;
pub mod types;
mod upkeep;

pub use upkeep::keep_partitions;
