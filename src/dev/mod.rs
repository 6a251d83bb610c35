//! `platform dev`: an embedded PostgreSQL and an embedded cluster, for laptops and tests.
//!
//! Only `app` and `cli` depend on this module, and it only talks to the server over the network.

pub mod cluster;
pub(crate) mod lock;
pub mod postgres;
pub mod seed;
