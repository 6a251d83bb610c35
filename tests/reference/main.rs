//! The server beside the stock way to serve the same rooms (`stock`): what the two answer, and where they differ why.
//! `benches/load` measures the two.
// A test's helpers may fail as loudly as the test itself.
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
