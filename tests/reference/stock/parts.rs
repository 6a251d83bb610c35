//! What the rooms need of a server, on a database that is there. The cluster is away: reads do without it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use platform::auth::Authenticator;
use platform::cluster::Cluster;
use platform::cluster::queues::Queues;
use platform::config::{
    AuthConfig, BcryptCost, Config, DatabaseConfig, DatabaseUrl, DevParts, GpuResources, JwtKeys, LoginRates,
};
use platform::db::Db;
use platform::events::{Bus, Lines};
use platform::executor::{Scheduler, Wake};
use platform::feeds::Audience;
use platform::jobs::logs::{Chunk, Tails};
use platform::jobs::service::Submitter;
use platform::schema::{Channels, SchemaBuilder};
use platform::tasks::Tasks;
use serde_json::json;

/// The parts that lie in a schema's data, the same for every request.
pub struct Parts {
    pub db: Db,
    pub authenticator: Authenticator,
    bus: Bus,
    cluster: Cluster,
    submitter: Submitter,
    tails: Tails,
    channels: Channels,
}

impl Parts {
    /// Parts with at most so many connections to the database.
    pub async fn start(url: DatabaseUrl, connections: NonZeroU32, tasks: &Tasks) -> anyhow::Result<Self> {
        // A second install is refused, and it is the same one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let cluster = cluster_that_is_away(&url).await?;
        let config = DatabaseConfig { pool_size: connections, ..DatabaseConfig::for_dev(url) };
        let db = Db::new(&config, tasks)?;
        let mut lines = Lines::default();
        let channels = Channels::open(&mut lines);
        let bus = Bus::start(tasks, &db, Duration::from_secs(3_600), lines);
        bus.tip().wait_for(Option::is_some).await?;
        let auth = AuthConfig {
            jwt_keys: JwtKeys::random(),
            bcrypt_cost: BcryptCost::CHEAPEST,
            access_token_life: Duration::from_secs(3_600),
            refresh_token_life: Duration::from_secs(3_600),
        };
        let rates = LoginRates { per_name: None, per_address: None };
        let authenticator = Authenticator::new(db.clone(), bus.clone(), &auth, &rates);
        let submitter = Submitter {
            db: db.clone(),
            scheduler: "flash-scheduler".into(),
            queues: Queues::default(),
            executor: Arc::new(Scheduler::new(cluster.clone())),
            gpus: Arc::default(),
            wake: Wake::default(),
        };
        let tails = Tails::new(cluster.clone(), tasks);
        Ok(Self { db, authenticator, bus, cluster, submitter, tails, channels })
    }

    /// Puts them into a schema.
    pub fn put_in(&self, builder: SchemaBuilder) -> SchemaBuilder {
        let builder = builder.data(self.db.clone()).data(self.bus.clone()).data(self.cluster.clone());
        let builder = builder.data(Arc::new(GpuResources::default())).data(self.authenticator.clone());
        let builder = builder.data(self.submitter.clone()).data(self.tails.clone());
        self.channels.put_in(builder).data(Audience::<Chunk>::default())
    }
}

async fn cluster_that_is_away(database: &DatabaseUrl) -> anyhow::Result<Cluster> {
    let folder = tempfile::tempdir()?;
    let kubeconfig = folder.path().join("kubeconfig");
    let text = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "away",
        "clusters": [{ "name": "away", "cluster": { "server": "http://127.0.0.1:1" } }],
        "contexts": [{ "name": "away", "context": { "cluster": "away", "user": "nobody" } }],
        "users": [{ "name": "nobody", "user": {} }],
    });
    std::fs::write(&kubeconfig, text.to_string())?;
    let parts = DevParts { database_url: database.clone(), kubeconfig, port: 0, jwt_keys: JwtKeys::random() };
    Ok(Cluster::new(&Config::for_dev(parts).cluster).await?)
}
