//! Writes entries of the audit log, in the transaction of what they are about.

use chrono::{SubsecRound, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::changed::without_secrets;
use super::event::Recorded;
use super::{Entry, Object};
use crate::db::tables::audit_log;
use crate::events::About;
use crate::events::model::{Record, append_records};
use crate::ids::AuditId;

/// Writes the entries, and returns their events, which the caller appends together with the others of the transaction.
///
/// # Errors
/// The database's.
pub async fn write(conn: &mut AsyncPgConnection, entries: Vec<Entry>) -> QueryResult<Vec<Record>> {
    let (mut rows, mut events) = (Vec::with_capacity(entries.len()), Vec::with_capacity(entries.len()));
    for Entry { actor, action, outcome, object, detail, changed, times, origin } in entries {
        let (id, Object { subject, group, project }) = (AuditId::generate(), object);
        let about = About { project, group, person: actor, ..About::subject(id) };
        events.push(Record::of(about, &Recorded { action: action.clone(), outcome })?);
        rows.push((
            audit_log::id.eq(id),
            audit_log::at.eq(Utc::now().trunc_subsecs(6)),
            audit_log::actor_id.eq(actor),
            audit_log::action.eq(action),
            audit_log::outcome.eq(outcome),
            (audit_log::subject.eq(subject), audit_log::group.eq(group), audit_log::project.eq(project)),
            (audit_log::detail.eq(without_secrets(detail)), audit_log::changes.eq(changed.into_json())),
            audit_log::times.eq(times),
            (
                audit_log::request_id.eq(origin.request_id.map(|id| id.to_string())),
                audit_log::credential.eq(origin.credential),
                audit_log::api_token.eq(origin.api_token),
                audit_log::address.eq(origin.address.map(|address| address.to_string())),
                audit_log::user_agent.eq(origin.user_agent.map(|agent| agent.to_string())),
            ),
        ));
    }
    diesel::insert_into(audit_log::table).values(rows).execute(conn).await?;
    Ok(events)
}

/// Writes the entries and their events. Call it last in the transaction, as [`append_records`].
///
/// # Errors
/// The database's.
pub async fn record(conn: &mut AsyncPgConnection, entries: Vec<Entry>) -> QueryResult<()> {
    let events = write(conn, entries).await?;
    append_records(conn, &events).await
}
