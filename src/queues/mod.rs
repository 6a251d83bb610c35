//! The queues that jobs are submitted to, as the cluster has them.

pub(crate) mod query;
