//! The files of storage claims: who has opened them, the pods that show them, and the proxy in between.

mod gate;
mod headers;
pub mod loader;
pub mod model;
pub mod mutation;
mod path;
pub mod phase;
pub mod proxy;
pub mod query;
mod refusal;
mod relay;
mod rewrite;
mod ticket;
mod transfer;
pub mod types;
pub mod worker;

pub use gate::Gate;
