//! What authentication writes of API tokens. Creating and revoking them is a matter of the users.

use diesel::QueryResult;
use diesel::sql_types::{Array, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::ids::ApiTokenId;

/// Stores that these tokens are in use, unless that was stored within the last minute.
///
/// # Errors
/// The database's.
pub async fn used(conn: &mut AsyncPgConnection, tokens: &[ApiTokenId]) -> QueryResult<()> {
    diesel::sql_query(
        "UPDATE api_tokens SET last_used_at = now()
          WHERE id = ANY($1) AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')",
    )
    .bind::<Array<SqlUuid>, _>(tokens)
    .execute(conn)
    .await
    .map(drop)
}
