//! What the benchmarks measure: 200 people, 50 groups, 250 projects and 100,000 jobs that are over.

use tokio_postgres::Client;

use super::{SeedError, model};

/// The password of everybody in it: `bench-001` to `bench-200`, of whom the first 32 are platform admins.
const PASSWORD: &str = "bench-password";

pub(super) async fn plant(client: &mut Client) -> Result<(), SeedError> {
    let hash = bcrypt::hash(PASSWORD, 4)?;
    let transaction = client.transaction().await?;
    model::bench(&transaction, &hash).await?;
    model::bench_projects(&transaction).await?;
    transaction.commit().await?;
    // A hundred thousand new rows are news to the planner.
    Ok(client.batch_execute("ANALYZE").await?)
}
