//! The event log and everything between it and a subscriber: LISTEN/NOTIFY, the in-process bus, resume.
//!
//! A change and its event are one transaction. [`log`] appends in commit order, [`listen`] reads what is new once per
//! replica, [`bus`] hands it to every feed of the process, and [`resume`] joins the log and the bus without a gap.

pub mod bus;
pub mod cursor;
mod inbox;
mod listen;
pub mod loader;
pub mod model;
pub mod resume;
mod retention;
pub mod topic;

pub use bus::{Bus, Member, Notice, Revision};
pub use cursor::Seq;
pub use topic::Topics;
