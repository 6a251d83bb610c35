//! Exports of the audit log to files in the object store: requested by a mutation, written by a worker, downloaded with a link.

pub mod mutation;
pub mod query;
pub mod types;
pub mod worker;
mod written;

pub use worker::ExportWake;
pub use written::folder;
