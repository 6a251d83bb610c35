//! The parts of the server that the stock server serves its rooms with.

use std::num::NonZeroU32;
use std::time::Duration;

use platform::app::App;
use platform::config::{DatabaseUrl, LoginRates};
use platform::tasks::Tasks;

use super::app;

/// They have at most so many connections to the database. The cluster is away: reads do without it.
pub async fn parts(url: DatabaseUrl, connections: NonZeroU32, tasks: &Tasks) -> anyhow::Result<App> {
    app::answering(url, tasks, |config| {
        config.database.pool_size = connections;
        config.auth.access_token_life = Duration::from_secs(3_600);
        config.limits.logins = LoginRates { per_name: None, per_address: None, registrations: None };
    })
    .await
}
