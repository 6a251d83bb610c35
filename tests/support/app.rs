//! A server without transports that answers over a database which is there; its cluster is away.

use platform::app::App;
use platform::config::{Config, DatabaseUrl, DevParts, JwtKeys};
use platform::tasks::Tasks;

/// A kubeconfig whose server nobody is at home at.
const AWAY: &str = "
apiVersion: v1
kind: Config
current-context: away
contexts: [{name: away, context: {cluster: away, user: nobody}}]
clusters: [{name: away, cluster: {server: 'http://127.0.0.1:1'}}]
users: [{name: nobody, user: {}}]
";

/// Starts it with the configuration of a development server, as far as `adjust` leaves it. The database must be migrated.
pub async fn answering(
    database_url: DatabaseUrl,
    tasks: &Tasks,
    adjust: impl FnOnce(&mut Config),
) -> anyhow::Result<App> {
    // A second install is refused, and it is the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir()?;
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, AWAY)?;
    let mut config = Config::for_dev(DevParts { database_url, kubeconfig, port: 0, jwt_keys: JwtKeys::random() });
    config.database.migrate_on_start = false;
    adjust(&mut config);
    let app = App::builder(config, tasks).only_answers().build().await?;
    app.bus.tip().wait_for(Option::is_some).await?;
    Ok(app)
}
