//! The initial data of a development server: a demo tenant to experiment with, or a hundred thousand jobs for
//! benchmarks.
//!
//! The rows are written over the database protocol, since `dev` only talks to the server over the network. Their IDs
//! are fixed, so seeding again adds nothing.

mod bench;
mod demo;
mod model;

use serde::Serialize;
use tokio_postgres::NoTls;

use crate::config::DatabaseUrl;

/// A user that the seed created, with the password to log in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeededUser {
    /// The username.
    pub username: &'static str,
    /// The password.
    pub password: &'static str,
    /// Their role, for people: `platform admin`, `group manager`, `member`.
    pub role: &'static str,
}

/// Why seeding failed.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The database returned an error.
    #[error("the database cannot be seeded: {0}")]
    Database(#[from] tokio_postgres::Error),
    /// A password could not be hashed.
    #[error("a password cannot be hashed: {0}")]
    Password(#[from] bcrypt::BcryptError),
}

/// Creates the demo tenant, if it does not exist yet: an admin, a manager, two members, two groups, three projects,
/// some config files and past jobs.
///
/// # Errors
/// The database's. It has to be migrated.
pub async fn demo(database: &DatabaseUrl) -> Result<Vec<SeededUser>, SeedError> {
    with_client(database, demo::plant).await?;
    Ok(demo::users())
}

/// Creates the data for benchmarks, if it does not exist yet: 200 users, 50 groups, 250 projects, 100,000 jobs; and the
/// users of the demo tenant.
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
    // The connection ends when its client is dropped.
    let (done, ended) = tokio::join!(work, connection);
    done?;
    Ok(ended?)
}
