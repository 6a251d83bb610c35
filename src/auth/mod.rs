//! Authentication and authorization: passwords, tokens, sessions, the principal and the policy table.

pub mod acting;
pub mod attempts;
mod authenticator;
mod loader;
pub mod model;
pub mod passwords;
pub mod policy;
pub mod principal;
mod recent;
pub mod refresh;
pub mod revocations;
pub mod rights;
pub mod scope;
pub mod tokens;

pub use authenticator::{Authenticator, Credentials, OpenSession};
