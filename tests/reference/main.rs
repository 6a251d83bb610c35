//! Compares the server with a server built from stock crates that serves the same types (`stock`): the responses of
//! both, and why they differ. `benches/load` measures both.
// Test support code may panic like the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod compared;
// Of the databases for tests it takes one kind.
#[allow(dead_code)]
#[path = "../support/database.rs"]
mod database;
mod deviations;
mod differential;
mod judge;
mod made;
#[path = "../support/skip.rs"]
mod skip;
mod stage;
mod stock;
mod transports;
mod types;
mod values;
