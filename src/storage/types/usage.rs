//! How full the volume of a storage claim is, as a GraphQL type.

use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};

use crate::graphql::scalars::Quantity;
use crate::storage::size::quantity;
use crate::storage::usage::Usage;

/// How full a volume is. A network file system may report the whole of what it exports, which is larger than the claim.
#[derive(Debug, Clone, SimpleObject)]
pub struct PvcUsage {
    /// The space in use; null if it is not known.
    pub used: Option<Quantity>,
    /// The space that is free; null if it is not known.
    pub available: Option<Quantity>,
    /// The size of the file system; null if it is not known.
    pub capacity: Option<Quantity>,
    /// The number of files, folders and links; null if it is not known.
    pub inodes_used: Option<f64>,
    /// The number of files, folders and links that the file system can have; null if it is not known or not limited.
    pub inodes: Option<f64>,
    /// When the platform learned of it.
    pub measured_at: DateTime<Utc>,
}

impl PvcUsage {
    pub(super) fn new(usage: Usage, measured_at: DateTime<Utc>) -> Self {
        // Exact up to 2^53.
        let count = |inodes: i64| inodes as f64;
        Self {
            used: usage.used_bytes.map(quantity),
            available: usage.available_bytes.map(quantity),
            capacity: usage.capacity_bytes.map(quantity),
            inodes_used: usage.inodes_used.map(count),
            // Btrfs and some network file systems say 0: they have no limit.
            inodes: usage.inodes.filter(|inodes| *inodes > 0).map(count),
            measured_at,
        }
    }
}
