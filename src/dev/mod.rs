//! `platform dev`: an embedded PostgreSQL and an embedded cluster, for a laptop and for tests.
//!
//! Nothing but `app` and `cli` knows this room, and it meets the server only over the wire.

pub mod cluster;
pub(crate) mod lock;
pub mod postgres;
pub mod seed;
