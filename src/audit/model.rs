//! The audit log's rows: written in the transaction of the change that they tell of.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::db::tables::audit_log;
use crate::ids::{AuditId, UserId};

/// One change.
#[derive(Debug)]
pub struct Entry<'a> {
    /// Who changed it; nobody for the platform itself.
    pub actor: Option<UserId>,
    /// What was done, as the mutation is called: `createProject`.
    pub action: &'a str,
    /// The id of what was changed.
    pub subject: String,
    /// What is worth knowing about it.
    pub detail: Value,
    /// The request that did it.
    pub request_id: Option<&'a str>,
}

/// Writes `entry` into the log; call it in the change's own transaction.
///
/// # Errors
/// The database's.
pub async fn record(conn: &mut AsyncPgConnection, entry: Entry<'_>) -> QueryResult<()> {
    diesel::insert_into(audit_log::table)
        .values((
            audit_log::id.eq(AuditId::generate()),
            audit_log::actor_id.eq(entry.actor),
            audit_log::action.eq(entry.action),
            audit_log::subject.eq(entry.subject),
            audit_log::detail.eq(entry.detail),
            audit_log::request_id.eq(entry.request_id),
        ))
        .execute(conn)
        .await
        .map(drop)
}
