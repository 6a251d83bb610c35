//! The event log and everything between it and a subscriber: LISTEN/NOTIFY, the in-process bus, resume.
//!
//! A change and its events are one transaction. Each kind of event is a type of its own ([`event`]); [`model::append`]
//! writes it in commit order, the listener reads new events once per replica, the [`bus`] delivers them to the feeds on
//! the kind's [`mod@line`], and [`resume`] joins the log and the line without a gap. Nothing in here knows any of the
//! rooms.

pub(crate) mod bus;
pub mod cursor;
pub(crate) mod event;
mod inbox;
pub(crate) mod line;
mod listen;
pub(crate) mod loader;
pub mod model;
pub mod resume;
pub mod retention;
pub(crate) mod topic;

pub use bus::{Bus, Notice, Revision};
pub use cursor::Seq;
pub use event::{About, Event, History, Logged};
pub use line::{Line, Lines, Member, Whereabouts};
pub use topic::Topics;
