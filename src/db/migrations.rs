//! The migrations, which are part of the binary; they run under an advisory lock, so that replicas that start at the
//! same time take turns.

use std::collections::HashSet;

use diesel::QueryDsl as _;
use diesel::dsl::sql;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::sql_types::Bool;
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::Db;
use crate::error::ApiError;

/// Every migration, in order.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Any number that nothing else uses: "platform migrations".
const LOCK: i64 = 0x706c_6174_6d69_6772;

diesel::table! {
    /// The table in which diesel stores the applied migrations.
    __diesel_schema_migrations (version) {
        /// The prefix of its directory name.
        version -> Text,
    }
}

/// Applies the migrations that the database does not have yet and returns their names.
///
/// # Errors
/// The database does not respond, or a migration fails; a failed one leaves nothing behind.
pub async fn run(db: &Db) -> Result<Vec<String>, ApiError> {
    with_harness(db, |harness| {
        let applied = harness.run_pending_migrations(MIGRATIONS).map_err(ApiError::internal)?;
        Ok(applied.iter().map(ToString::to_string).collect())
    })
    .await
}

/// Reverts all migrations, newest first.
///
/// # Errors
/// As [`run`].
pub async fn revert_all(db: &Db) -> Result<(), ApiError> {
    with_harness(db, |harness| {
        harness.revert_all_migrations(MIGRATIONS).map_err(ApiError::internal)?;
        Ok(())
    })
    .await
}

/// Reverts the newest migration and returns its name.
///
/// # Errors
/// As [`run`].
pub async fn revert_last(db: &Db) -> Result<String, ApiError> {
    with_harness(db, |harness| {
        harness.revert_last_migration(MIGRATIONS).map(|reverted| reverted.to_string()).map_err(ApiError::internal)
    })
    .await
}

/// Whether every migration of this binary has been applied.
///
/// # Errors
/// The database does not respond.
pub async fn is_current(db: &Db) -> Result<bool, ApiError> {
    let mut connection = db.connection().await?;
    let begun = sql::<Bool>("to_regclass('__diesel_schema_migrations') IS NOT NULL");
    if !diesel::select(begun).get_result::<bool>(&mut connection).await? {
        return Ok(false);
    }
    let applied = __diesel_schema_migrations::table.select(__diesel_schema_migrations::version);
    let applied: HashSet<String> = applied.load(&mut connection).await?.into_iter().collect();
    let known = MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(ApiError::internal)?;
    Ok(known.iter().all(|migration| applied.contains(&migration.name().version().to_string())))
}

async fn with_harness<T>(
    db: &Db,
    work: impl FnOnce(&mut AsyncMigrationHarness<AsyncPgConnection>) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let mut connection = db.dedicated().await?;
    diesel::sql_query("SELECT pg_advisory_lock($1)")
        .bind::<diesel::sql_types::BigInt, _>(LOCK)
        .execute(&mut connection)
        .await?;
    // The lock belongs to the connection and is released with it.
    let mut harness = AsyncMigrationHarness::new(connection);
    work(&mut harness)
}
