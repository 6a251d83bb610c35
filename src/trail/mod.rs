//! The trail that every action leaves: who did what to which object, from where, and with which outcome. Whoever does
//! something writes its entry here.

mod changed;
mod entry;
pub mod event;
pub mod model;
mod origin;
mod refusals;

pub use changed::Changed;
pub use entry::{Entry, Object, Outcome};
pub use origin::{Credential, Origin, OriginExt};
pub use refusals::Refusals;
