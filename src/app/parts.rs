//! The parts of a server, created by one builder for `serve`, `dev` and the tests.

use std::sync::Arc;

use super::collapsing::Collapsing;
use super::limits::{LimitsByRole, documents};
use super::{App, Running};
use crate::audit;
use crate::audit::exports::{self as audit_exports, ExportWake};
use crate::auth::oidc::SignIns;
use crate::auth::{Authenticator, keep_last_uses};
use crate::change;
use crate::cluster::Cluster;
use crate::cluster::queues::Queues;
use crate::cluster::storage_classes::Classes;
use crate::config::{self, Config, StorageConfig};
use crate::db::{Db, migrations};
use crate::events::{Bus, Lines};
use crate::executor::{ExecutorMode, Executors, Nodes, Wake};
use crate::feeds::Audience;
use crate::files::Gate;
use crate::files::proxy::FilesProxy;
use crate::files::worker::{self as files_worker, FilesWake};
use crate::jobs::logs::{Chunk, Tails};
use crate::jobs::quota::feed::Moment;
use crate::jobs::service::Submitter;
use crate::jobs::watched::Jobs;
use crate::jobs::worker;
use crate::notifications::webhooks::worker as webhooks;
use crate::objects;
use crate::projects::keeper;
use crate::schema::{self, Channels, SchemaBuilder};
use crate::storage::usage::Usages;
use crate::storage::watched::Claims;
use crate::storage::worker::{self as storage_worker, StorageWake};
use crate::tasks::{Duty, Tasks};
use crate::trail::Refusals;
use crate::watch;

/// What the rooms need, the same for every request. Clones share the same parts.
#[derive(Clone)]
pub struct Parts {
    /// The configuration.
    pub config: Arc<Config>,
    /// The connections to the database.
    pub db: Db,
    /// Delivers new events and ended sessions.
    pub bus: Bus,
    /// The Kubernetes cluster.
    pub cluster: Cluster,
    /// Logins, sessions and tokens.
    pub authenticator: Authenticator,
    /// Sign-ins with OpenID Connect providers.
    pub sign_ins: SignIns,
    /// Submits and cancels jobs.
    pub submitter: Submitter,
    /// Wakes the storage worker.
    pub storage: StorageWake,
    /// The storage classes of the cluster.
    pub storage_classes: Classes,
    /// What the operator chose for new claims.
    pub storage_defaults: StorageConfig,
    /// How full the volumes of claims are.
    pub usages: Usages,
    /// Wakes the worker of the pods that show files.
    pub files_wake: FilesWake,
    /// Passes requests for files on to these pods.
    pub files: FilesProxy,
    /// The object store, if there is one.
    pub objects: Option<objects::Store>,
    /// Wakes the worker of exports of the audit log.
    pub exports: ExportWake,
    /// Reads the logs of containers, each once for all its followers.
    pub tails: Tails,
    /// The channels for the events of the rooms.
    pub channels: Channels,
    /// The followers of logs.
    pub log_chunks: Audience<Chunk>,
    /// The followers of what projects use.
    pub quota_moments: Audience<Moment>,
    /// The health of the cluster watch, which is not started if the server only answers requests.
    pub watch: watch::Health,
    /// The background tasks.
    pub tasks: Tasks,
    /// Records attempts that were refused.
    pub refusals: Refusals,
}

impl Parts {
    /// Adds what resolvers need to the data of a schema.
    #[must_use]
    pub fn put_in(&self, builder: SchemaBuilder) -> SchemaBuilder {
        let builder = builder.data(self.db.clone()).data(self.bus.clone()).data(self.cluster.clone());
        let builder = builder.data(self.authenticator.clone()).data(self.submitter.clone());
        let builder = builder.data(Arc::clone(&self.submitter.gpus)).data(self.submitter.queues.clone());
        let builder = builder.data(self.tails.clone()).data(self.sign_ins.clone());
        let builder = builder.data(self.submitter.wake.clone()).data(self.storage.clone());
        let builder = builder.data(self.storage_classes.clone()).data(self.storage_defaults.clone());
        let builder = builder.data(self.usages.clone()).data(self.files_wake.clone());
        let builder = builder.data(Arc::new(self.config.webhooks.clone())).data(self.exports.clone());
        let builder = match &self.objects {
            Some(store) => builder.data(store.clone()),
            None => builder,
        };
        self.channels.put_in(builder).data(self.log_chunks.clone()).data(self.quota_moments.clone())
    }
}

/// Builds an [`App`].
#[must_use]
pub struct AppBuilder {
    config: Config,
    tasks: Tasks,
    demo_users: serde_json::Value,
    only_answers: bool,
}

impl AppBuilder {
    pub(super) fn new(config: Config, tasks: &Tasks) -> Self {
        let demo_users = serde_json::Value::Array(Vec::new());
        Self { config, tasks: tasks.clone(), demo_users, only_answers: false }
    }

    /// The demo users of the playground; none by default.
    pub fn demo_users(mut self, users: serde_json::Value) -> Self {
        self.demo_users = users;
        self
    }

    /// Only answers requests: no job is sent to the cluster, the cluster is not watched, and nothing is cleaned up.
    pub fn only_answers(mut self) -> Self {
        self.only_answers = true;
        self
    }

    /// Waits for the database, migrates if configured, and starts the background tasks. The cluster may be unavailable.
    ///
    /// # Errors
    /// A migration fails, or the configuration contains no usable cluster.
    pub async fn build(self) -> anyhow::Result<App> {
        super::metrics_handle();
        let Self { config, tasks, demo_users, only_answers } = self;
        let costs = super::costs()?;
        let documents = documents(&config.limits, &costs)?;
        let db = Db::new(&config.database, &tasks)?;
        db.wait_until_up().await;
        if config.database.migrate_on_start {
            let applied = migrations::run(&db).await?;
            if !applied.is_empty() {
                tracing::info!(migrations = applied.join(", "), "migrated");
            }
        }
        let cluster = Cluster::new(&config.cluster).await?;
        let mut lines = Lines::default();
        let channels = Channels::open(&mut lines);
        let bus = Bus::start(&tasks, &db, config.events.retention, lines);
        let authenticator = Authenticator::new(db.clone(), bus.clone(), &config.auth, &config.limits.logins)?;
        let sign_ins = SignIns::start(&tasks, &db, &config.oidc, &config.http.allowed_origins)?;
        let used = authenticator.clone();
        tasks.supervise("session uses", Duty::Housekeeping, move || keep_last_uses(used.clone()));
        let nodes = Nodes::default();
        let submitter = Submitter {
            db: db.clone(),
            mode: match config.cluster.executor_mode {
                config::ExecutorMode::Scheduler => ExecutorMode::Scheduler,
                config::ExecutorMode::Local => ExecutorMode::Local,
            },
            scheduler: config.cluster.scheduler_name.as_str().into(),
            queues: Queues::new(config.cluster.queue_roles.clone()),
            executors: Executors::new(&cluster, &nodes),
            gpus: Arc::new(config.cluster.gpu_resources.clone()),
            wake: Wake::default(),
        };
        let usages = Usages::default();
        if let Some(prometheus) = config.cluster.storage.prometheus.clone() {
            usages.watch(&tasks, prometheus)?;
        }
        let (storage, storage_classes) = (StorageWake::default(), Classes::default());
        let (files_wake, shown) = (FilesWake::default(), config.cluster.files.clone());
        let gate = Gate::new(db.clone(), authenticator.clone(), shown.idle);
        let exports = ExportWake::default();
        let public_url = config.oidc.public_url.as_ref();
        let objects = objects::Store::open(&config.objects.place, &config.auth.jwt_keys, public_url, &tasks)?;
        let watch = match only_answers {
            true => watch::Health::default(),
            false => {
                audit::keep_partitions(&tasks, &db, config.audit.retention);
                let drivers = config.cluster.storage.shared_drivers.clone();
                storage_worker::spawn(&tasks, db.clone(), cluster.clone(), drivers.into(), storage.clone());
                keep_classes(&tasks, &cluster, &storage_classes);
                files_worker::spawn(&tasks, db.clone(), cluster.clone(), shown, files_wake.clone());
                webhooks::spawn(&tasks, &db, &config.webhooks)?;
                if let Some(store) = &objects {
                    objects::keep(&tasks, store, vec![audit_exports::folder()?]);
                    audit_exports::worker::spawn(&tasks, &db, store, config.objects.export_life, exports.clone());
                }
                start_work(&tasks, &submitter, &cluster, nodes)
            }
        };
        let parts = Parts {
            refusals: Refusals::start(&tasks, &db),
            tails: Tails::new(cluster.clone(), &tasks),
            files: FilesProxy::new(gate, db.clone(), cluster.clone(), files_wake.clone()),
            files_wake,
            storage,
            storage_classes,
            usages,
            objects,
            exports,
            storage_defaults: config.cluster.storage.clone(),
            config: Arc::new(config),
            db,
            bus,
            cluster,
            authenticator,
            sign_ins,
            submitter,
            channels,
            log_chunks: Audience::default(),
            quota_moments: Audience::default(),
            watch,
            tasks,
        };
        let running = Running {
            schema: schema::build(|builder| parts.put_in(builder)),
            limits: LimitsByRole::new(&parts.config),
            parts,
            costs,
            documents,
            collapsing: Collapsing::default(),
            demo_users,
        };
        Ok(App(Arc::new(running)))
    }
}

/// Starts the background tasks. Returns the health of the watch.
fn start_work(tasks: &Tasks, submitter: &Submitter, cluster: &Cluster, nodes: Nodes) -> watch::Health {
    let Submitter { db, queues, mode, executors, wake, gpus, .. } = submitter;
    let (kept, with_scheduler) = ((queues.clone(), cluster.clone()), *mode == ExecutorMode::Scheduler);
    tasks.supervise("queues", Duty::Serving, move || kept.0.clone().keep(kept.1.clone(), with_scheduler));
    let read = cluster.clone();
    tasks.supervise("nodes", Duty::Housekeeping, move || nodes.clone().keep(read.clone()));
    let keys = db.clone();
    tasks.supervise("idempotency keys", Duty::Housekeeping, move || change::forget_old_keys(keys.clone()));
    keeper::spawn(tasks, db.clone(), cluster.clone(), Arc::clone(gpus));
    worker::spawn(tasks, db.clone(), executors.clone(), wake.clone());
    watch::spawn(tasks, db.clone(), cluster.clone(), watch::Rooms::default().with::<Jobs>().with::<Claims>())
}

/// Starts reading the storage classes.
fn keep_classes(tasks: &Tasks, cluster: &Cluster, classes: &Classes) {
    let kept = (classes.clone(), cluster.clone());
    tasks.supervise("storage classes", Duty::Housekeeping, move || kept.0.clone().keep(kept.1.clone()));
}
