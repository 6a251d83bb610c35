//! What a development server begins with: a demo tenant to try things with, or a hundred thousand jobs to measure.
//!
//! The rows go to the database over its own protocol, as everything of `dev` meets the server over the wire. Their ids
//! are fixed, so seeding again adds nothing.

mod bench;
mod demo;
mod model;

use serde::Serialize;
use tokio_postgres::NoTls;

use crate::config::DatabaseUrl;

/// Somebody the seed made, with the password to log in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeededUser {
    /// The log-in name.
    pub username: &'static str,
    /// The password.
    pub password: &'static str,
    /// What they may do, for people: `platform admin`, `group manager`, `member`.
    pub role: &'static str,
}

/// Why seeding failed.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The database refused.
    #[error("the database cannot be seeded: {0}")]
    Database(#[from] tokio_postgres::Error),
    /// A password could not be hashed.
    #[error("a password cannot be hashed: {0}")]
    Password(#[from] bcrypt::BcryptError),
}

/// Makes the demo tenant, where it is not there yet: an admin, a manager, two members, two groups, three projects, some
/// config files and past jobs.
///
/// # Errors
/// The database's. It has to be migrated.
pub async fn demo(database: &DatabaseUrl) -> Result<Vec<SeededUser>, SeedError> {
    with_client(database, demo::plant).await?;
    Ok(demo::users())
}

/// Makes what the benchmarks measure, where it is not there yet: 200 people, 50 groups, 250 projects, 100,000 jobs; and
/// the people of the demo tenant.
///
/// # Errors
/// The database's. It has to be migrated.
pub async fn bench(database: &DatabaseUrl) -> Result<Vec<SeededUser>, SeedError> {
    with_client(database, async |client| {
        demo::plant(client).await?;
        bench::plant(client).await
    })
    .await?;
    Ok(demo::users())
}

async fn with_client(
    database: &DatabaseUrl,
    work: impl AsyncFnOnce(&mut tokio_postgres::Client) -> Result<(), SeedError>,
) -> Result<(), SeedError> {
    // A development database listens on loopback or a socket, without TLS.
    let (mut client, connection) = tokio_postgres::connect(database.expose(), NoTls).await?;
    let work = async move { work(&mut client).await };
    // The connection ends when the work has dropped its client.
    let (done, ended) = tokio::join!(work, connection);
    done?;
    Ok(ended?)
}
