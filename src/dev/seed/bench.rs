//! The data for benchmarks: 200 users, 50 groups, 250 projects and 100,000 finished jobs.

use tokio_postgres::Client;

use super::{SeedError, model};

/// The password of all benchmark users: `bench-001` to `bench-200`, of whom the first 32 are platform admins.
const PASSWORD: &str = "bench-password";

pub(super) async fn plant(client: &mut Client) -> Result<(), SeedError> {
    let hash = bcrypt::hash(PASSWORD, 4)?;
    let transaction = client.transaction().await?;
    model::bench(&transaction, &hash).await?;
    model::bench_projects(&transaction).await?;
    transaction.commit().await?;
    // The planner does not know about a hundred thousand new rows yet.
    Ok(client.batch_execute("ANALYZE").await?)
}
