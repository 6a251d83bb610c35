//! The cluster's contract: one suite, run against the embedded API server and against a real etcd and kube-apiserver.
//!
//! Both have the simulators in them. Where the two differ, the embedded one is wrong. The real half needs the folder
//! that `KUBEBUILDER_ASSETS` names; without it each of its tests says so and counts as skipped.

// A test's parts may fail as loudly as the test itself.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[macro_use]
mod arena;

mod alone;
mod claims;
mod conventions;
mod deletion;
mod discovery;
mod files;
mod flash_jobs;
mod jobs;
mod kubectl;
mod listing;
mod pod_tables;
mod pod_validation;
mod pods;
mod quotas;
mod scheduling;
mod schema;
mod security;
mod watching;
mod writing;
