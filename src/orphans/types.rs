//! Orphans as GraphQL types.

use async_graphql::{Enum, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::judge::Orphan as Found;
use crate::cluster::orphans::Kind;
use crate::graphql::limits::directives::assumed_list;
use crate::graphql::scalars::Quantity;

/// The maximum number of orphans in a list.
pub const MOST: usize = 100;

/// The kind of an object in the cluster that can be left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum OrphanKind {
    /// The pod of a file server.
    FilePod,
    /// A storage claim (PersistentVolumeClaim).
    Claim,
    /// A volume (PersistentVolume).
    Volume,
    /// A namespace, with everything in it.
    Namespace,
}

impl OrphanKind {
    /// The kind as in the API, for the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FilePod => "FILE_POD",
            Self::Claim => "CLAIM",
            Self::Volume => "VOLUME",
            Self::Namespace => "NAMESPACE",
        }
    }
}

impl From<Kind> for OrphanKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::FilePod => Self::FilePod,
            Kind::Claim => Self::Claim,
            Kind::Volume => Self::Volume,
            Kind::Namespace => Self::Namespace,
        }
    }
}

/// An object in the cluster that the platform has created and does not know any more.
#[derive(Debug, Clone)]
pub struct Orphan(pub Found);

/// An object in the cluster that belongs to the platform, but to nothing that still exists on it: after a database was restored from
/// an older backup, for example, or because a volume keeps its data when its claim is deleted. The platform removes it only if
/// `removeOrphans` says so.
#[Object]
impl Orphan {
    /// The uid of the object in the cluster.
    async fn uid(&self) -> ID {
        ID(self.0.object.uid.clone())
    }

    /// The kind of the object.
    async fn kind(&self) -> OrphanKind {
        self.0.object.kind.into()
    }

    /// The namespace of the object; null for volumes and namespaces.
    async fn namespace(&self) -> Option<&str> {
        self.0.object.namespace.as_deref()
    }

    /// The name of the object.
    async fn name(&self) -> &str {
        &self.0.object.name
    }

    /// Why it is an orphan.
    async fn reason(&self) -> &str {
        &self.0.reason
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.object.created_at
    }

    /// Its size, for storage claims and volumes.
    async fn size(&self) -> Option<Quantity> {
        self.0.object.size.as_ref().map(|size| Quantity(size.as_str().to_owned()))
    }

    /// Whether removing it can lose data, so that `removeOrphans` requires its name.
    async fn has_data(&self) -> bool {
        self.0.has_data
    }
}

/// The orphans in the cluster.
#[derive(Debug, SimpleObject)]
pub struct OrphanList {
    /// How many there are.
    pub total_count: i32,
    /// At most 100 of them, in the order in which they are best removed.
    #[graphql(directive = assumed_list::apply(100))]
    pub nodes: Vec<Orphan>,
}
