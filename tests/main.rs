//! The tests of the whole server: one binary, one file per capability.
// Test support code may panic like the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

// The contract suite of the cluster uses all of it.
#[allow(dead_code)]
#[macro_use]
#[path = "../crates/dev-cluster/tests/contract/arena.rs"]
mod arena;
mod accounts;
mod api_tokens;
mod attacks;
mod audit;
mod build_script;
mod cluster_contract;
mod cluster_says;
mod config;
mod crds;
mod cursors;
mod dependencies;
mod dev_settings;
mod executors;
mod exports;
mod faults;
mod feeds;
mod files;
mod forms;
mod fuzz;
mod house;
mod job_logs;
mod job_path;
mod memory;
mod migrations;
mod namespaces;
mod objects;
mod observations;
mod orphans;
mod postgres_embedded;
mod queues;
mod rooms;
mod schedules;
mod schema;
mod screens;
mod sessions;
mod sharing;
mod sign_in;
mod storage;
mod stream;
mod support;
mod told;
mod transport;
mod webhooks;
mod yaml;
