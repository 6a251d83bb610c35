//! What the objects of a job reported last that is run as several of them, as stored in the column `parts`.

use diesel::deserialize::{FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::sql_types::Jsonb;
use serde::{Deserialize, Serialize};

use crate::jobs::life::ObjectPhase;

/// The column `parts`: one entry for each object, `None` for one that has not been seen. Empty for a job with one object.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromSqlRow, AsExpression)]
#[diesel(sql_type = Jsonb)]
pub struct Parts(pub Vec<Option<PartSeen>>);

/// What one of the objects reported last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartSeen {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The resource version of this state.
    pub version: i64,
    /// Its phase.
    pub phase: ObjectPhase,
    /// The number of failed tasks that it reports.
    pub failed: i32,
}

impl Parts {
    /// Whether an object of the job has not ended.
    pub fn are_unfinished(&self) -> bool {
        let ended = |part: &PartSeen| matches!(part.phase, ObjectPhase::Succeeded | ObjectPhase::Failed);
        !self.0.iter().all(|part| part.as_ref().is_some_and(ended))
    }

    /// Whether an object of the job has not been seen: creating it may have been interrupted.
    pub fn are_incomplete(&self) -> bool {
        self.0.iter().any(Option::is_none)
    }
}

impl FromSql<Jsonb, Pg> for Parts {
    fn from_sql(bytes: PgValue<'_>) -> diesel::deserialize::Result<Self> {
        let value = <serde_json::Value as FromSql<Jsonb, Pg>>::from_sql(bytes)?;
        Ok(Self(serde_json::from_value(value)?))
    }
}
