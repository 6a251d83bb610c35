//! The queues that jobs are submitted to, as the cluster has them, with what waits and runs in them and whether they are
//! paused.

pub(crate) mod loader;
pub(crate) mod model;
pub(crate) mod mutation;
pub(crate) mod query;
pub(crate) mod types;
