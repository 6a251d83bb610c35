//! API tokens: how they look, and how a request that has one is authenticated.

mod known;
pub(super) mod loader;
pub(super) mod model;
mod secret;

pub(super) use known::KnownTokens;
pub use secret::{ApiSecret, TokenHash};
