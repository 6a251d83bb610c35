//! An entry of the audit log, as it is written.

use async_graphql::Enum;
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Changed, Origin};
use crate::ids::{GroupId, ProjectId, UserId};
use crate::text_enum;

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, AsExpression, FromSqlRow, Serialize, Deserialize)]
#[graphql(name = "AuditOutcome")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused, and nothing was changed.
    Refused,
}

text_enum!(Outcome { Done => "DONE", Refused => "REFUSED" });

/// The object of an action.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Object {
    /// The ID; `None` for the platform itself.
    pub subject: Option<String>,
    /// The group that it belongs to.
    pub group: Option<GroupId>,
    /// The project that it belongs to.
    pub project: Option<ProjectId>,
}

/// What somebody did, or tried to do.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Who it was; `None` for the operator, the platform itself, and clients that nobody has logged in.
    pub actor: Option<UserId>,
    /// What was done, named like the mutation: `createProject`.
    pub action: String,
    /// The outcome.
    pub outcome: Outcome,
    /// To what.
    pub object: Object,
    /// What else is worth knowing about it.
    pub detail: Value,
    /// The fields that have other values than before.
    pub changed: Changed,
    /// How often it was tried, for attempts that were refused.
    pub times: i32,
    /// From where.
    pub origin: Origin,
}

impl Entry {
    /// `actor` did this.
    pub fn done(actor: Option<UserId>, action: impl Into<String>, object: Object, origin: Origin) -> Self {
        Self {
            actor,
            action: action.into(),
            outcome: Outcome::Done,
            object,
            detail: Value::Object(serde_json::Map::new()),
            changed: Changed::default(),
            times: 1,
            origin,
        }
    }

    /// The same with this detail.
    #[must_use]
    pub fn with(self, detail: Value) -> Self {
        Self { detail, ..self }
    }

    /// The same, refused.
    #[must_use]
    pub fn refused(self) -> Self {
        Self { outcome: Outcome::Refused, ..self }
    }
}
