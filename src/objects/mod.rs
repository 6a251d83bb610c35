//! The object store: large objects such as exports, in a bucket of an S3 server or in a folder.
//!
//! What is written is there whole or not at all, and takes a bounded amount of memory however large it is. Nothing here knows what
//! the objects are.

mod bucket;
mod error;
mod folder;
mod health;
mod key;
mod link;
mod store;
mod upkeep;
mod upload;

pub use error::ObjectError;
pub use health::Health;
pub use key::{InvalidKey, Key};
pub use link::{BadLink, Link, PATH};
pub use store::{Download, Store};
pub use upkeep::keep;
pub use upload::{PART, Upload};
