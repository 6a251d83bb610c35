//! `platform dev`: an embedded PostgreSQL and the rows of a demo, for a laptop and for tests.
//!
//! Nothing but `app` and `cli` knows this room, and it meets the server only over the wire. The cluster beside it is
//! `crates/dev-cluster`.

pub mod postgres;
pub mod seed;
