//! Sign-in with OpenID Connect: the authorization code flow for pages, the device flow for command lines, and ID tokens.
//!
//! The protocol is that of the crate `openidconnect`; these files add what it leaves to its users: metadata that is read
//! again when keys change, requests that cannot be led elsewhere, states and codes that work once.

mod device;
mod fetch;
mod identity;
mod metadata;
pub(crate) mod model;
mod provider;
mod return_to;
mod sign_ins;

pub use device::{DeviceLogin, DevicePoll};
pub use identity::Identity;
pub use sign_ins::{Begun, Callback, Page, Returned, SignIns};
