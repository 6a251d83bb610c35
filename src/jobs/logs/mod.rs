//! The logs of a job's tasks, followed live and resumable at any line.

mod chunks;
mod course;
mod cursor;
mod follow;
pub(crate) mod open;
mod readings;
mod stages;
mod tails;
pub(crate) mod types;

pub use course::Sight;
pub use cursor::Place;
pub use follow::{Chunk, Request, follow};
pub use stages::Stages;
pub use tails::Tails;
