//! The rows of file sessions and of the pods that show files, and the SQL for them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::phase::FilesPhase;
use super::ticket::SecretHash;
use crate::auth::principal::CredentialId;
use crate::change::Writes;
use crate::db::tables::{file_pods, file_sessions, users};
use crate::ids::{ApiTokenId, FileSessionId, PvcId, SessionId, UserId};
use crate::storage::model::Claim;

/// A file session.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = file_sessions, check_for_backend(Pg))]
pub struct FileSession {
    /// The ID.
    pub id: FileSessionId,
    /// The claim.
    pub claim_id: PvcId,
    /// Who opened it.
    pub user_id: UserId,
    /// The session that it was opened with.
    pub session_id: Option<SessionId>,
    /// The API token that it was opened with.
    pub api_token_id: Option<ApiTokenId>,
    /// The SHA-256 of the ticket.
    pub ticket_hash: Vec<u8>,
    /// The SHA-256 of the secret in the cookie.
    pub cookie_hash: Vec<u8>,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When it was used last; noted every half a minute.
    pub last_used_at: DateTime<Utc>,
    /// When it ends, however much it is used.
    pub expires_at: DateTime<Utc>,
}

impl FileSession {
    /// What it was opened with.
    pub fn credential(&self) -> Option<CredentialId> {
        let session = self.session_id.map(CredentialId::Session);
        session.or_else(|| self.api_token_id.map(CredentialId::ApiToken))
    }
}

/// The pod that shows the files of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = file_pods, check_for_backend(Pg))]
pub struct FilePodRow {
    /// The claim.
    pub claim_id: PvcId,
    /// The namespace of the claim.
    pub namespace: String,
    /// The name of the claim.
    pub claim_name: String,
    /// Whether nobody can write through the claim.
    pub read_only: bool,
    /// The phase.
    pub phase: FilesPhase,
    /// The reason for the phase, as a sentence.
    pub message: Option<String>,
    /// When the worker looks at it.
    pub next_attempt_at: DateTime<Utc>,
    /// Looks since it was ready.
    pub attempts: i32,
}

/// The sessions with these IDs that have not ended.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut AsyncPgConnection, ids: &[FileSessionId]) -> QueryResult<Vec<FileSession>> {
    file_sessions::table
        .filter(file_sessions::id.eq_any(ids).and(file_sessions::expires_at.gt(diesel::dsl::now)))
        .select(FileSession::as_select())
        .load(conn)
        .await
}

/// The sessions of these users that have not ended, the newest first.
///
/// # Errors
/// The database's.
pub async fn of_users(conn: &mut AsyncPgConnection, users: &[UserId]) -> QueryResult<Vec<FileSession>> {
    file_sessions::table
        .filter(file_sessions::user_id.eq_any(users).and(file_sessions::expires_at.gt(diesel::dsl::now)))
        .order((file_sessions::user_id, file_sessions::created_at.desc(), file_sessions::id.desc()))
        .select(FileSession::as_select())
        .load(conn)
        .await
}

/// The session with this ticket, unless it has ended or was not used for as long as `idle`.
///
/// # Errors
/// The database's.
pub async fn by_ticket(
    conn: &mut AsyncPgConnection,
    ticket: &SecretHash,
    idle: Duration,
) -> QueryResult<Option<FileSession>> {
    let used_since = Utc::now() - chrono::Duration::from_std(idle).unwrap_or_default();
    file_sessions::table
        .filter(file_sessions::ticket_hash.eq(&ticket[..]))
        .filter(file_sessions::expires_at.gt(diesel::dsl::now).and(file_sessions::last_used_at.gt(used_since)))
        .select(FileSession::as_select())
        .first(conn)
        .await
        .optional()
}

/// The number of sessions that a user has. They cannot open another one before the transaction ends.
///
/// # Errors
/// The database's.
pub async fn count(writes: &mut Writes<'_>, user: UserId) -> QueryResult<i64> {
    let row = users::table.find(user).select(users::id).for_no_key_update();
    row.first::<UserId>(writes.conn()).await.optional()?;
    let own = file_sessions::user_id.eq(user).and(file_sessions::expires_at.gt(diesel::dsl::now));
    file_sessions::table.filter(own).count().get_result(writes.conn()).await
}

/// Opens a session, and makes the pod of its claim due.
///
/// # Errors
/// The database's.
pub async fn open(writes: &mut Writes<'_>, session: &FileSession, claim: &Claim, read_only: bool) -> QueryResult<()> {
    diesel::insert_into(file_sessions::table).values(session).execute(writes.conn()).await?;
    want_pod(writes.conn(), claim, read_only).await
}

/// Makes the pod of a claim due. One that the cluster has rejected is tried again.
///
/// # Errors
/// The database's.
pub async fn want_pod(conn: &mut AsyncPgConnection, claim: &Claim, read_only: bool) -> QueryResult<()> {
    diesel::sql_query(
        "INSERT INTO file_pods (claim_id, namespace, claim_name, read_only) VALUES ($1, $2, $3, $4)
         ON CONFLICT (claim_id) DO UPDATE SET next_attempt_at = least(file_pods.next_attempt_at, now()),
             phase = CASE WHEN file_pods.phase = 'FAILED' THEN 'STARTING' ELSE file_pods.phase END, attempts = 0",
    )
    .bind::<SqlUuid, _>(claim.id)
    .bind::<Text, _>(&claim.namespace)
    .bind::<Text, _>(&claim.name)
    .bind::<Bool, _>(read_only)
    .execute(conn)
    .await
    .map(drop)
}

/// Closes a session. Returns whether it was open.
///
/// # Errors
/// The database's.
pub async fn close(writes: &mut Writes<'_>, id: FileSessionId) -> QueryResult<bool> {
    Ok(diesel::delete(file_sessions::table.find(id)).execute(writes.conn()).await? > 0)
}

/// Notes that a session is being used.
///
/// # Errors
/// The database's.
pub async fn touch(conn: &mut AsyncPgConnection, id: FileSessionId) -> QueryResult<()> {
    let row = diesel::update(file_sessions::table.find(id));
    row.set(file_sessions::last_used_at.eq(diesel::dsl::now)).execute(conn).await.map(drop)
}

/// Ends the sessions that have expired, or that were not used for as long as `idle`. Returns how many.
///
/// # Errors
/// The database's.
pub async fn end_idle(conn: &mut AsyncPgConnection, idle: Duration) -> QueryResult<usize> {
    diesel::sql_query(
        "DELETE FROM file_sessions WHERE expires_at <= now() OR last_used_at <= now() - make_interval(secs => $1)",
    )
    .bind::<Double, _>(idle.as_secs_f64())
    .execute(conn)
    .await
}

/// The pods of these claims.
///
/// # Errors
/// The database's.
pub async fn pods(conn: &mut AsyncPgConnection, claims: &[PvcId]) -> QueryResult<Vec<FilePodRow>> {
    file_pods::table.filter(file_pods::claim_id.eq_any(claims)).select(FilePodRow::as_select()).load(conn).await
}

/// Claims at most `limit` due pods for `lease_seconds`; after that others see them again, in case the claimer has died.
///
/// # Errors
/// The database's.
pub async fn due_pods(conn: &mut AsyncPgConnection, limit: i64, lease_seconds: i64) -> QueryResult<Vec<FilePodRow>> {
    diesel::sql_query(
        "WITH due AS (
             SELECT claim_id FROM file_pods WHERE next_attempt_at <= now()
             ORDER BY next_attempt_at, claim_id LIMIT $1
             FOR UPDATE SKIP LOCKED
         )
         UPDATE file_pods SET next_attempt_at = now() + make_interval(secs => $2), attempts = attempts + 1
         FROM due WHERE file_pods.claim_id = due.claim_id
         RETURNING file_pods.*",
    )
    .bind::<BigInt, _>(limit)
    .bind::<BigInt, _>(lease_seconds)
    .load(conn)
    .await
}

/// Whether a claim has a session.
///
/// # Errors
/// The database's.
pub async fn is_open(conn: &mut AsyncPgConnection, claim: PvcId) -> QueryResult<bool> {
    let sessions = file_sessions::table.filter(file_sessions::claim_id.eq(claim));
    diesel::select(diesel::dsl::exists(sessions)).get_result(conn).await
}

/// Writes how a pod is, and when to look at it again, in milliseconds. A look that was asked for in the meantime is not
/// put off.
///
/// # Errors
/// The database's.
pub async fn observed(
    conn: &mut AsyncPgConnection,
    pod: &FilePodRow,
    phase: FilesPhase,
    message: Option<&str>,
    again_in: i64,
) -> QueryResult<()> {
    diesel::sql_query(
        "UPDATE file_pods SET phase = $2, message = $3, attempts = CASE WHEN $2 = 'READY' THEN 0 ELSE attempts END,
                next_attempt_at = CASE WHEN next_attempt_at <= now() THEN next_attempt_at
                                       ELSE now() + $4 * interval '1 millisecond' END
         WHERE claim_id = $1",
    )
    .bind::<SqlUuid, _>(pod.claim_id)
    .bind::<Text, _>(phase.as_str())
    .bind::<Nullable<Text>, _>(message)
    .bind::<BigInt, _>(again_in)
    .execute(conn)
    .await
    .map(drop)
}

/// The pod of a claim did not answer: it is looked at again at once.
///
/// # Errors
/// The database's.
pub async fn lost(conn: &mut AsyncPgConnection, claim: PvcId) -> QueryResult<()> {
    diesel::update(file_pods::table.find(claim))
        .set((file_pods::phase.eq(FilesPhase::Starting), file_pods::next_attempt_at.eq(diesel::dsl::now)))
        .execute(conn)
        .await
        .map(drop)
}

/// Forgets a pod that is gone, unless a session wants another one.
///
/// # Errors
/// The database's.
pub async fn forget_pod(conn: &mut AsyncPgConnection, claim: PvcId) -> QueryResult<()> {
    conn.transaction(async |conn| {
        let row = file_pods::table.find(claim).select(file_pods::claim_id).for_update();
        row.first::<PvcId>(conn).await.optional()?;
        match is_open(conn, claim).await? {
            true => lost(conn, claim).await,
            false => diesel::delete(file_pods::table.find(claim)).execute(conn).await.map(drop),
        }
    })
    .await
}

/// The number of pods in each phase, and of sessions.
///
/// # Errors
/// The database's.
pub async fn measure(conn: &mut AsyncPgConnection) -> QueryResult<(Vec<(FilesPhase, i64)>, i64)> {
    let pods = file_pods::table.group_by(file_pods::phase).select((file_pods::phase, diesel::dsl::count_star()));
    let pods = pods.load(conn).await?;
    Ok((pods, file_sessions::table.count().get_result(conn).await?))
}
