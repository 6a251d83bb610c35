//! `platform dev`: an embedded PostgreSQL and the demo data, for laptops and tests. The cluster is `crates/dev-cluster`.
//!
//! Only `app` and `cli` depend on this module, and it only talks to the server over the network.

pub mod postgres;
pub mod seed;
