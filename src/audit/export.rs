//! The audit log as lines of JSON, oldest entry first.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::Stream;
use serde_json::json;

use super::model::{self, Entry, Selection};
use crate::auth::policy::{self, Action, Scope};
use crate::auth::principal::Caller;
use crate::change::{Change, Done};
use crate::db::Db;
use crate::error::ApiError;
use crate::error::ApiErrors;
use crate::ids::AuditId;
use crate::trail::Origin;

/// The number of entries that are read at a time.
const PAGE: i64 = 500;

/// The lines for the entries of a span, which ends now at the latest. Each page is read when it is asked for, after the
/// last entry of the page before. The export is in the audit log itself.
///
/// # Errors
/// `UNAUTHENTICATED` without a login, `FORBIDDEN` for callers who may not export the log, or the database's.
pub async fn lines(
    db: &Db,
    caller: &Caller,
    origin: Origin,
    (from, to): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
) -> Result<impl Stream<Item = Result<Bytes, ApiError>> + Send + use<>, ApiError> {
    let permit = policy::check(caller, Action::ExportAuditLog, Scope::PLATFORM)?;
    let to = to.unwrap_or_else(Utc::now).min(Utc::now());
    let span = json!({ "from": from, "to": to });
    let noted = Change::new(db, permit, origin).commit(async |_| Ok(Done::to_platform(span))).await;
    noted.map_err(|ApiErrors(mut errors)| errors.pop().unwrap_or_else(|| ApiError::internal("no error")))?;
    let (db, selection) = (db.clone(), Selection { from, to: Some(to), ..Selection::default() });
    Ok(async_stream::try_stream! {
        let mut after = None;
        while let Some(page) = page(&db, &selection, after).await? {
            after = Some(page.last);
            yield Bytes::from(page.lines);
            if page.is_last {
                return;
            }
        }
    })
}

/// Some entries as lines.
pub(super) struct LinesPage {
    /// The lines.
    pub(super) lines: String,
    /// Their number.
    pub(super) count: i64,
    /// The position of the last entry.
    pub(super) last: Position,
    /// Whether there were fewer entries than fit into a page.
    pub(super) is_last: bool,
}

/// The position of an entry in the log.
pub(super) type Position = (DateTime<Utc>, AuditId);

/// The next entries of a selection; `None` if there are no more. The connection is not kept while the lines are taken.
pub(super) async fn page(
    db: &Db,
    selection: &Selection,
    after: Option<Position>,
) -> Result<Option<LinesPage>, ApiError> {
    let page = model::exported(&mut *db.connection().await?, selection, after, PAGE).await?;
    let Some((last, _)) = page.last() else { return Ok(None) };
    let last = (last.at, last.id);
    let count = i64::try_from(page.len()).unwrap_or(PAGE);
    let mut lines = String::new();
    for (entry, username) in &page {
        lines.push_str(&line(entry, username.as_deref()));
        lines.push('\n');
    }
    Ok(Some(LinesPage { lines, count, last, is_last: count < PAGE }))
}

fn line(entry: &Entry, username: Option<&str>) -> String {
    let Entry { id, at, actor_id, action, outcome, subject, group, project, detail, changes, times, .. } = entry;
    let line = json!({
        "id": id.to_text(),
        "at": at,
        "actorId": actor_id.map(crate::ids::Id::to_text),
        "actor": username,
        "action": action,
        "outcome": outcome.as_str(),
        "subjectId": subject,
        "groupId": group.map(crate::ids::Id::to_text),
        "projectId": project.map(crate::ids::Id::to_text),
        "detail": detail,
        "changes": changes,
        "times": times,
        "requestId": entry.request_id,
        "credential": entry.credential.map(crate::trail::Credential::as_str),
        "apiTokenId": entry.api_token.map(crate::ids::Id::to_text),
        "address": entry.address,
        "userAgent": entry.user_agent,
    });
    line.to_string()
}
