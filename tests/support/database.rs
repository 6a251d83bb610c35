//! Databases for tests: one PostgreSQL for the whole run, with a copy of a template for each test.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use platform::config::{DatabaseConfig, DatabaseUrl};
use platform::db::{Db, migrations};
use platform::dev::postgres::{EmbeddedPostgres, Options};
use platform::dev::seed;
use platform::tasks::Tasks;
use tokio::sync::OnceCell;

const PATIENCE: Duration = Duration::from_secs(30);

/// PostgreSQL says that a template has connections.
const IN_USE: &str = "55006";

/// A database of the test's own with all tables and no rows.
pub async fn empty() -> DatabaseUrl {
    static TEMPLATE: OnceCell<()> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            execute(&url("postgres").await, "CREATE DATABASE empty").await.unwrap();
            let tasks = Tasks::default();
            let db = Db::new(&DatabaseConfig::for_dev(url("empty").await), &tasks).unwrap();
            migrations::run(&db).await.unwrap();
            tasks.shutdown(PATIENCE).await;
        })
        .await;
    copy_of("empty").await
}

/// A database of the test's own with the demo tenant in it.
pub async fn demo() -> DatabaseUrl {
    static TEMPLATE: OnceCell<DatabaseUrl> = OnceCell::const_new();
    let template = TEMPLATE.get_or_init(|| async {
        let url = empty().await;
        seed::demo(&url).await.unwrap();
        url
    });
    copy_of(name_of(template.await)).await
}

/// Another database of the test's own with what is in this one, which nobody is connected to any more.
pub async fn another(template: &DatabaseUrl) -> DatabaseUrl {
    copy_of(name_of(template)).await
}

/// Runs statements on a database.
pub async fn execute(url: &DatabaseUrl, statements: &str) -> Result<(), tokio_postgres::Error> {
    let (client, driver) = tokio_postgres::connect(url.expose(), tokio_postgres::NoTls).await?;
    let driver = tokio::spawn(driver);
    let done = client.batch_execute(statements).await;
    drop(client);
    driver.await.unwrap()?;
    done
}

/// Where a database's server listens.
pub fn address_of(url: &DatabaseUrl) -> SocketAddr {
    let after_credentials = url.expose().rsplit('@').next().unwrap();
    after_credentials.split('/').next().unwrap().parse().unwrap()
}

/// The same database, reached through a proxy before its server.
pub fn through(url: &DatabaseUrl, proxy: SocketAddr) -> DatabaseUrl {
    url.expose().replace(&address_of(url).to_string(), &proxy.to_string()).parse().unwrap()
}

async fn url(database: &str) -> DatabaseUrl {
    static POSTGRES: OnceCell<EmbeddedPostgres> = OnceCell::const_new();
    let postgres = POSTGRES.get_or_init(|| async { EmbeddedPostgres::start(Options::ephemeral()).await.unwrap() });
    postgres.await.connection().url(database).parse().unwrap()
}

fn name_of(url: &DatabaseUrl) -> &str {
    url.expose().rsplit('/').next().unwrap().split('?').next().unwrap()
}

async fn copy_of(template: &str) -> DatabaseUrl {
    static COPIES: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", COPIES.fetch_add(1, Ordering::Relaxed));
    let copy = format!("CREATE DATABASE {name} TEMPLATE {template}");
    // The server notices a moment later that the connections which filled the template are gone.
    while let Err(error) = execute(&url("postgres").await, &copy).await {
        assert_eq!(error.code().map(|code| code.code()), Some(IN_USE), "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    url(&name).await
}
