//! The states of a storage claim.

use async_graphql::Enum;
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use serde::{Deserialize, Serialize};

use crate::text_enum;

/// The phase of a storage claim.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Enum, AsExpression, FromSqlRow, Serialize, Deserialize,
)]
#[diesel(sql_type = diesel::sql_types::Text)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PvcPhase {
    /// Accepted; not in the cluster yet.
    Submitted,
    /// In the cluster, and waiting for a volume.
    Pending,
    /// Has a volume: it can be used.
    Bound,
    /// The volume no longer exists, or the claim was deleted in the cluster.
    Lost,
    /// The cluster has rejected the claim, which is final.
    Failed,
    /// Being deleted.
    Deleting,
}

text_enum!(PvcPhase {
    Submitted => "SUBMITTED",
    Pending => "PENDING",
    Bound => "BOUND",
    Lost => "LOST",
    Failed => "FAILED",
    Deleting => "DELETING",
});

impl PvcPhase {
    /// Why a claim in this phase cannot be mounted, phrased to follow "which"; `None` if it can, now or later.
    pub const fn obstacle(self) -> Option<&'static str> {
        match self {
            Self::Submitted | Self::Pending | Self::Bound => None,
            Self::Lost => Some("has lost its volume"),
            Self::Failed => Some("the cluster has rejected"),
            Self::Deleting => Some("is being deleted"),
        }
    }
}

/// How the pods of a cluster can mount a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Enum, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
#[graphql(name = "PvcAccessMode")]
#[allow(clippy::enum_variant_names, reason = "the names that Kubernetes gives them")]
pub enum AccessMode {
    /// All pods on one node (`ReadWriteOnce`).
    ReadWriteOnce,
    /// Read-only, on many nodes (`ReadOnlyMany`).
    ReadOnlyMany,
    /// On many nodes (`ReadWriteMany`). Not every storage class can do it.
    ReadWriteMany,
    /// A single pod (`ReadWriteOncePod`).
    ReadWriteOncePod,
}

text_enum!(AccessMode {
    ReadWriteOnce => "READ_WRITE_ONCE",
    ReadOnlyMany => "READ_ONLY_MANY",
    ReadWriteMany => "READ_WRITE_MANY",
    ReadWriteOncePod => "READ_WRITE_ONCE_POD",
});

impl AccessMode {
    /// The name in Kubernetes.
    pub const fn in_kubernetes(self) -> &'static str {
        match self {
            Self::ReadWriteOnce => "ReadWriteOnce",
            Self::ReadOnlyMany => "ReadOnlyMany",
            Self::ReadWriteMany => "ReadWriteMany",
            Self::ReadWriteOncePod => "ReadWriteOncePod",
        }
    }

    /// The most that a claim with these modes allows; `ReadWriteOnce` if it has none that is known.
    pub fn of_kubernetes(modes: &[String]) -> Self {
        let has = |mode: &Self| modes.iter().any(|name| name == mode.in_kubernetes());
        let by_reach = [Self::ReadWriteMany, Self::ReadWriteOnce, Self::ReadWriteOncePod, Self::ReadOnlyMany];
        by_reach.into_iter().find(has).unwrap_or(Self::ReadWriteOnce)
    }
}

/// The state of making a claim larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
#[graphql(name = "PvcResizeState")]
pub enum Resize {
    /// The storage driver is making the volume larger.
    InProgress,
    /// The volume is larger; its file system grows when a pod mounts it.
    WaitingForMount,
    /// The storage driver cannot make the volume as large.
    Failed,
}

text_enum!(Resize { InProgress => "IN_PROGRESS", WaitingForMount => "WAITING_FOR_MOUNT", Failed => "FAILED" });

/// What happened to a storage claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PvcEventKind {
    /// It was created.
    Created,
    /// It was found in the cluster: the platform has not created it.
    Found,
    /// Its name, or what it grants to the members of its group, was changed.
    Updated,
    /// Its phase has changed, or the reason for it.
    PhaseChanged,
    /// A larger size was requested.
    ResizeRequested,
    /// The state of the resize has changed.
    ResizeChanged,
    /// It has become larger.
    Resized,
    /// What a user may do with it was changed.
    PermissionsChanged,
    /// A pod has begun or ceased to mount it.
    MountsChanged,
    /// Its deletion was requested.
    DeletionRequested,
    /// It was deleted.
    Deleted,
}
