//! User accounts: who they are, how they log in, and which groups they are in.

pub mod loader;
pub mod model;
pub mod mutation;
mod names;
pub mod provided;
pub mod providers;
pub mod query;
pub mod service;
pub mod types;
