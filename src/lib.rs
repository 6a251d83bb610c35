//! Platform API: a GraphQL API with live subscriptions for a Kubernetes compute platform.
//!
//! The modules ("rooms"), from top to bottom; imports only point down this list (`tests/house.rs` checks it):
//!
//! | room | subject |
//! |---|---|
//! | [`cli`], [`app`] | the command line; the parts, put together |
//! | [`http`] | the transports: HTTP, WebSocket, health, metrics, the playground |
//! | [`schema`] | the three roots, what a request carries, the SDL |
//! | [`watch`] | the cluster's changes, reconciled into rows and events |
//! | [`users`] [`groups`] [`projects`] [`configs`] [`jobs`] [`queues`] [`storage`] [`files`] [`orphans`] [`audit`] [`access`] [`requests`] [`notifications`] | one room a domain |
//! | [`change`] | the one construct of every mutation: policy, transaction, audit, events, idempotency key |
//! | [`executor`] | how a job reaches the cluster |
//! | [`feeds`] | subscriptions that follow the event log: one trait, one driver |
//! | [`reconcile`] | what a room brings to the watch |
//! | [`auth`] | passwords, tokens, sessions, the policy table |
//! | [`trail`] | what the audit log keeps of every action, and of what was refused |
//! | [`events`] | the one event log of all rooms, LISTEN/NOTIFY, the bus, resume |
//! | [`cluster`] | everything that speaks Kubernetes |
//! | [`objects`] | large objects such as exports, in a bucket or a folder |
//! | [`graphql`] | the toolkit every room builds with |
//! | [`db`] | pools, coalescers, transactions, migrations |
//! | `dev` | the embedded PostgreSQL behind `platform dev`, and what is in the database at the first start |
//!
//! [`outbound`] is at the bottom, [`config`], [`error`], [`ids`], [`quantity`] and [`tasks`] right above it, and `cursors` above them:
//! all other modules may use them.
//!
//! Two crates know nothing of the server: `crates/cluster-resources` has the scheduler's custom resources and Kubernetes
//! quantities, and `crates/dev-cluster` is the Kubernetes cluster of `platform dev` and of the tests.

// The futures of the schema contain those of all rooms, which contain those of the clients of databases and clusters.
#![recursion_limit = "256"]

pub(crate) mod access;
pub mod app;
pub mod audit;
pub mod auth;
pub mod change;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod configs;
pub(crate) mod cursors;
pub mod db;
#[cfg(feature = "embedded")]
pub mod dev;
pub mod error;
pub mod events;
pub(crate) mod executor;
pub(crate) mod feeds;
pub(crate) mod files;
pub mod graphql;
pub(crate) mod groups;
pub mod http;
pub mod ids;
pub mod jobs;
pub(crate) mod notifications;
pub mod objects;
pub(crate) mod orphans;
pub mod outbound;
pub(crate) mod projects;
pub(crate) mod queues;
pub(crate) mod reconcile;
pub(crate) mod requests;
pub mod schema;
pub mod storage;
pub mod tasks;
pub mod trail;
pub(crate) mod users;
pub mod watch;

pub use cluster_resources::quantity;
