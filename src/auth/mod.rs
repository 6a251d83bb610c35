//! Authentication and authorization: passwords, tokens, sessions, API tokens, the principal and the policy table.

pub(crate) mod acting;
pub mod api_tokens;
pub(crate) mod attempts;
mod authenticator;
pub mod cookie;
pub(crate) mod device;
mod hashing;
mod last_use;
mod loader;
pub(crate) mod model;
pub mod oidc;
pub(crate) mod passwords;
pub mod policy;
pub mod principal;
mod recent;
pub(crate) mod refresh;
pub(crate) mod revocations;
pub mod rights;
mod rotation;
pub mod scope;
mod strength;
pub(crate) mod tokens;

pub use authenticator::{Authenticator, Credentials, OpenSession, SessionCookie, SessionTokens};
pub use last_use::keep_last_uses;
