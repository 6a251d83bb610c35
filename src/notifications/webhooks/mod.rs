//! Webhooks: the URLs that users have their notifications sent to, and the sending.

mod message;
pub mod mutation;
mod receiver;
pub mod worker;
