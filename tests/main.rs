//! The whole-server tests: one binary, one file a capability.
// A test's helpers may fail as loudly as the test itself.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attacks;
mod cluster_contract;
mod cluster_says;
mod config;
mod crds;
mod dependencies;
mod faults;
mod fuzz;
mod house;
mod job_logs;
mod job_path;
mod migrations;
mod postgres_embedded;
mod rooms;
mod schema;
mod sharing;
mod stream;
mod support;
mod transport;
