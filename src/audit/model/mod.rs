//! The rows of the audit log and the SQL for reading them.

pub mod exports;
pub mod partitions;

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::auth::policy::Visible;
use crate::db::tables::{audit_log, users};
use crate::graphql::connection::Page;
use crate::graphql::keyset::{self, OrderDirection};
use crate::ids::{ApiTokenId, AuditId, GroupId, ProjectId, UserId};
use crate::trail::{Credential, Outcome};

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = audit_log, check_for_backend(Pg))]
pub struct Entry {
    /// The ID.
    pub id: AuditId,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// Who did it; `None` for the platform, its operator, and clients that nobody has logged in.
    pub actor_id: Option<UserId>,
    /// What was done.
    pub action: String,
    /// The outcome.
    pub outcome: Outcome,
    /// The ID of the object; `None` for the platform itself.
    pub subject: Option<String>,
    /// The group that the object belongs to.
    pub group: Option<GroupId>,
    /// The project that the object belongs to.
    pub project: Option<ProjectId>,
    /// What else is worth knowing.
    pub detail: Value,
    /// By field: the values before and after.
    pub changes: Value,
    /// How often it was tried.
    pub times: i32,
    /// The ID of the request.
    pub request_id: Option<String>,
    /// The credentials.
    pub credential: Option<Credential>,
    /// The address of the client.
    pub address: Option<String>,
    /// The user agent of the client.
    pub user_agent: Option<String>,
    /// The API token, if that was the credential.
    pub api_token: Option<ApiTokenId>,
}

/// Which entries, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Only what this user did.
    pub actor: Option<UserId>,
    /// Only these actions.
    pub actions: Option<Vec<String>>,
    /// Only what was done to the object with this ID.
    pub subject: Option<String>,
    /// Only what was done to the group and what belongs to it.
    pub group: Option<GroupId>,
    /// Only what was done to the project and what belongs to it.
    pub project: Option<ProjectId>,
    /// Only entries from this moment on.
    pub from: Option<DateTime<Utc>>,
    /// Only entries before this moment.
    pub to: Option<DateTime<Utc>>,
    /// Only with this outcome.
    pub outcome: Option<Outcome>,
    /// Oldest or newest first.
    pub direction: OrderDirection,
}

fn selected<'a>(visible: &Visible, selection: &'a Selection) -> audit_log::BoxedQuery<'a, Pg> {
    let mut query = audit_log::table.into_boxed();
    if let Visible::Groups { groups, project } = visible {
        query = query.filter(audit_log::group.eq_any(groups.clone()));
        if let Some(project) = *project {
            query = query.filter(audit_log::project.eq(project));
        }
    }
    if let Some(actor) = selection.actor {
        query = query.filter(audit_log::actor_id.eq(actor));
    }
    if let Some(actions) = &selection.actions {
        query = query.filter(audit_log::action.eq_any(actions));
    }
    if let Some(subject) = &selection.subject {
        query = query.filter(audit_log::subject.eq(subject));
    }
    if let Some(group) = selection.group {
        query = query.filter(audit_log::group.eq(group));
    }
    if let Some(project) = selection.project {
        query = query.filter(audit_log::project.eq(project));
    }
    if let Some(from) = selection.from {
        query = query.filter(audit_log::at.ge(from));
    }
    if let Some(to) = selection.to {
        query = query.filter(audit_log::at.lt(to));
    }
    if let Some(outcome) = selection.outcome {
        query = query.filter(audit_log::outcome.eq(outcome));
    }
    query
}

/// A page of the entries that are visible and match the filter, in the page's own direction.
///
/// # Errors
/// The database's.
pub async fn page(
    conn: &mut AsyncPgConnection,
    visible: &Visible,
    selection: &Selection,
    page: &Page,
) -> QueryResult<Vec<Entry>> {
    let mut query = selected(visible, selection);
    for condition in keyset::between(page.bounds(selection.direction), "audit_log.at", "audit_log.id") {
        query = query.filter(condition);
    }
    query = match page.ascending(selection.direction) {
        true => query.order((audit_log::at.asc(), audit_log::id.asc())),
        false => query.order((audit_log::at.desc(), audit_log::id.desc())),
    };
    query.limit(page.limit).select(Entry::as_select()).load(conn).await
}

/// The number of entries that are visible and match the filter.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut AsyncPgConnection, visible: &Visible, selection: &Selection) -> QueryResult<i64> {
    selected(visible, selection).count().get_result(conn).await
}

/// The entries with these IDs.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut AsyncPgConnection, ids: &[AuditId]) -> QueryResult<Vec<Entry>> {
    audit_log::table.filter(audit_log::id.eq_any(ids)).select(Entry::as_select()).load(conn).await
}

/// At most `limit` entries of the selection after this position, oldest first, each with the name of who did it.
///
/// # Errors
/// The database's.
pub async fn exported(
    conn: &mut AsyncPgConnection,
    selection: &Selection,
    after: Option<(DateTime<Utc>, AuditId)>,
    limit: i64,
) -> QueryResult<Vec<(Entry, Option<String>)>> {
    let mut query = selected(&Visible::Everything, selection);
    if let Some((at, id)) = after {
        // Two conditions: the first finds the partitions, the second the place.
        query = query.filter(audit_log::at.ge(at));
        query = query.filter(audit_log::at.gt(at).or(audit_log::id.gt(id)));
    }
    let query = query.order((audit_log::at.asc(), audit_log::id.asc())).limit(limit);
    let entries: Vec<Entry> = query.select(Entry::as_select()).load(conn).await?;
    let actors: BTreeSet<UserId> = entries.iter().filter_map(|entry| entry.actor_id).collect();
    let named = users::table.filter(users::id.eq_any(actors)).select((users::id, users::username));
    let names: HashMap<UserId, String> = named.load(conn).await?.into_iter().collect();
    let with_name = |entry: Entry| {
        let name = entry.actor_id.and_then(|actor| names.get(&actor).cloned());
        (entry, name)
    };
    Ok(entries.into_iter().map(with_name).collect())
}
