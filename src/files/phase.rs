//! The states of the pod that shows the files of a claim.

use async_graphql::Enum;
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;

use crate::text_enum;

/// The phase of a file session: whether the files can be seen yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
#[graphql(name = "FileSessionPhase")]
pub enum FilesPhase {
    /// The pod that shows the files is being started.
    Starting,
    /// The files can be seen.
    Ready,
    /// The cluster has rejected the pod. It is tried again every minute.
    Failed,
}

text_enum!(FilesPhase { Starting => "STARTING", Ready => "READY", Failed => "FAILED" });
