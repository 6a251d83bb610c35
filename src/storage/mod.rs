//! Storage claims: PersistentVolumeClaims of projects, groups and users, who may use them, and what mounts them.

mod binding;
pub mod classes;
mod creation;
mod deletion;
mod drive;
pub mod event;
mod feed;
pub mod life;
pub mod loader;
pub mod model;
pub mod mutation;
mod permissions;
pub mod phase;
pub mod query;
mod resizing;
pub mod size;
pub mod subscription;
pub mod types;
pub mod usage;
pub mod watched;
pub mod worker;
