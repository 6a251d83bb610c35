//! The environment of these tests: a private PostgreSQL and API server behind proxies, and a server's worker and watch.

use std::net::SocketAddr;
use std::time::Duration;

use dev_cluster::api::{self, EmbeddedApi};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use platform::app::App;
use platform::auth::policy::Scope;
use platform::auth::principal::Caller;
use platform::auth::rights::Rights;
use platform::cluster::Cluster;
use platform::cluster::crd::FlashJob;
use platform::cluster::names::{job_object, project_namespace};
use platform::cluster::queues;
use platform::config::{Config, DevParts, JwtKeys};
use platform::db::Db;
use platform::events::{Bus, Line, Seq};
use platform::ids::{GroupId, JobId, ProjectId, UserId};
use platform::jobs::event::JobEvent;
use platform::jobs::logs::{self, Place};
use platform::tasks::Tasks;
use platform::watch;
use serde_json::{Value, json};
use tokio_postgres::NoTls;

use crate::support::database;
use crate::support::proxy::Proxy;
use crate::support::serve::{collect_garbage, run_pod};

const PATIENCE: Duration = Duration::from_secs(30);

/// Everything a test needs. The server reaches database and cluster through the proxies, the test itself directly.
pub struct Stage {
    config: Config,
    sql: tokio_postgres::Client,
    objects: Api<FlashJob>,
    project: ProjectId,
    user: UserId,
    direct: SocketAddr,
    database_proxy: Proxy,
    cluster_proxy: Proxy,
    server: Option<App>,
    _api: EmbeddedApi,
    _folder: tempfile::TempDir,
}

impl Stage {
    pub async fn set() -> Self {
        let database = database::empty().await;
        let api = EmbeddedApi::start(api::Options::default()).await.unwrap();
        let database_proxy = Proxy::before(database::address_of(&database)).await;
        let cluster_address: SocketAddr = api.base_url().trim_start_matches("http://").parse().unwrap();
        let cluster_proxy = Proxy::before(cluster_address).await;

        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        let through_proxy =
            api.kubeconfig().replace(&cluster_address.to_string(), &cluster_proxy.address().to_string());
        std::fs::write(&kubeconfig, through_proxy).unwrap();
        let database_url = database::through(&database, database_proxy.address());
        let parts = DevParts { database_url, kubeconfig, port: 0, jwt_keys: JwtKeys::random() };
        let mut config = Config::for_dev(parts);
        config.database.migrate_on_start = false;

        let (sql, driver) = tokio_postgres::connect(database.expose(), NoTls).await.unwrap();
        tokio::spawn(driver);
        let cluster = Cluster::new(&config.cluster).await.unwrap();
        eventually("the queues", || async { queues::ensure(&cluster).await.is_ok() }).await;

        let (group, project, user) = (GroupId::generate(), ProjectId::generate(), UserId::generate());
        let rows = format!(
            "INSERT INTO users (id, username, display_name, password_hash) VALUES ('{user}', 'ada', 'Ada', '');
             INSERT INTO groups (id, name) VALUES ('{group}', 'lab');
             INSERT INTO projects (id, group_id, name, namespace) VALUES ('{project}', '{group}', 'p', '{namespace}')",
            user = user.uuid(),
            group = group.uuid(),
            project = project.uuid(),
            namespace = project_namespace(project),
        );
        sql.batch_execute(&rows).await.unwrap();
        let direct = kube::Config::new(api.base_url().parse().unwrap());
        let objects = Api::namespaced(Client::try_from(direct).unwrap(), &project_namespace(project));
        tokio::spawn(collect_garbage(Api::clone(&objects)));
        let stage = Self {
            config,
            sql,
            objects,
            project,
            user,
            direct: database::address_of(&database),
            database_proxy,
            cluster_proxy,
            server: None,
            _api: api,
            _folder: folder,
        };
        stage.start_server().await
    }

    pub async fn start_server(mut self) -> Self {
        self.server = Some(start(self.config.clone()).await);
        self
    }

    /// Makes the database refuse every change of the job's row, as a constraint that nobody thought of would.
    pub async fn refuse_changes_of(&self, job: JobId) {
        let refuse = format!(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON jobs FOR EACH ROW WHEN (old.id = '{}') EXECUTE FUNCTION refuse()",
            job.uuid()
        );
        self.execute(&refuse).await;
    }

    /// The running server.
    pub fn server(&self) -> &App {
        self.server.as_ref().unwrap()
    }

    /// How the server's watch fares.
    pub fn watch(&self) -> &watch::Health {
        &self.server().watch
    }

    /// Another replica, which reaches the database without the proxy.
    pub async fn another(&self) -> App {
        let mut config = self.config.clone();
        config.database.primary = database::through(&config.database.primary, self.direct);
        start(config).await
    }

    /// Where the log stands.
    pub async fn tip(&self) -> Seq {
        Seq(self.sql.query_one("SELECT max(seq) FROM events", &[]).await.unwrap().get(0))
    }

    pub async fn stop_server(mut self) -> Self {
        let server = self.server.take().unwrap();
        assert!(server.tasks.shutdown(PATIENCE).await);
        self
    }

    /// Has a background task of the server panic.
    pub fn break_task(&self, name: &'static str) {
        self.server().tasks.break_task(name);
    }

    /// How often a background task of the server was begun again.
    pub fn restarts(&self, name: &str) -> u64 {
        let standing = self.server().tasks.standing();
        standing.iter().find(|task| task.name == name).unwrap().restarts
    }

    /// What it takes to follow the server's events.
    pub fn feed(&self) -> (Db, Line<JobEvent>) {
        (self.server().db.clone(), self.server().channels.job_events.line().clone())
    }

    pub fn bus(&self) -> &Bus {
        &self.server().bus
    }

    pub fn database_proxy(&self) -> &Proxy {
        &self.database_proxy
    }

    pub fn cluster_proxy(&self) -> &Proxy {
        &self.cluster_proxy
    }

    /// A job as `submitJob` leaves it: the row and its first event, committed.
    pub async fn submit(&self) -> JobId {
        self.submit_with(one_task()).await
    }

    pub async fn submit_with(&self, spec: Value) -> JobId {
        let job = JobId::generate();
        self.execute(&format!("BEGIN; {}; COMMIT", self.rows(job, &spec))).await;
        job
    }

    fn manifest(&self, job: JobId, spec: &Value) -> Value {
        json!({
            "apiVersion": "scheduling.flash-sched.io/v1alpha1",
            "kind": "FlashJob",
            "metadata": {
                "name": job_object(job),
                "namespace": project_namespace(self.project),
                "labels": { "platform.job-id": job.to_string() },
            },
            "spec": spec,
        })
    }

    fn rows(&self, job: JobId, spec: &Value) -> String {
        format!(
            "INSERT INTO jobs (id, project_id, submitted_by, name, queue, priority, executor, phase, manifest, namespace, object_name)
             VALUES ('{id}', '{project}', '{user}', 'train', 'default-batch', 0, 'SCHEDULER', 'SUBMITTED', '{manifest}', '{namespace}', '{name}');
             SELECT pg_advisory_xact_lock({lock});
             INSERT INTO events (kind, subject, project, \"group\", person, payload)
             SELECT 'job', '{id}', id, group_id, '{user}', '{{\"kind\": \"SUBMITTED\", \"phase\": \"SUBMITTED\"}}' FROM projects;
             NOTIFY platform_events",
            id = job.uuid(),
            project = self.project.uuid(),
            user = self.user.uuid(),
            manifest = self.manifest(job, spec),
            namespace = project_namespace(self.project),
            name = job_object(job),
            lock = 0x706c_6174_6576_7473_i64,
        )
    }

    /// A job that is submitted and sent to the cluster by another replica in the short time after the leader has begun to
    /// list the cluster and before it has read the table.
    pub async fn submit_while_the_leader_lists(self) -> (Self, JobId) {
        self.execute("BEGIN; LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE").await;
        let stage = self.start_server().await;
        let reads_table = "SELECT pid FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%object_uid%IS NOT NULL%'";
        let waits = || async {
            // Within a transaction the first look would be repeated for ever.
            stage.execute("SELECT pg_stat_clear_snapshot()").await;
            // Each of the kinds that jobs run as is listed.
            stage.sql.query(reads_table, &[]).await.unwrap().len() == 2
        };
        eventually("the leader waits for the table", waits).await;
        let job = JobId::generate();
        let object = serde_json::from_value(stage.manifest(job, &one_task())).unwrap();
        let uid = stage.objects.create(&PostParams::default(), &object).await.unwrap().uid().unwrap();
        let sent = format!("UPDATE jobs SET phase = 'QUEUED', object_uid = '{uid}' WHERE id = '{}'", job.uuid());
        stage.execute(&format!("{}; {sent}; COMMIT", stage.rows(job, &one_task()))).await;
        (stage, job)
    }

    /// What `cancelJob` leaves.
    pub async fn cancel(&self, job: JobId) {
        let id = job.uuid();
        self.execute(&format!(
            "UPDATE jobs SET cancel_requested_at = now(), next_attempt_at = now() WHERE id = '{id}'"
        ))
        .await;
    }

    pub async fn execute(&self, sql: &str) {
        self.sql.batch_execute(sql).await.unwrap();
    }

    /// Plays the scheduler, of the object of the job's present attempt, and the kubelet of what it says that it runs.
    pub async fn report(&self, job: JobId, status: Value) {
        let name = self.object_name(job).await;
        if status["phase"] == "Running" {
            run_pod(&self.objects, &name).await;
        }
        self.say(&name, status).await;
    }

    /// Plays the scheduler alone.
    pub async fn say(&self, name: &str, status: Value) {
        let patch = Patch::Merge(json!({ "status": status }));
        self.objects.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// The object with this name.
    pub async fn object(&self, name: &str) -> FlashJob {
        self.objects.get(name).await.unwrap()
    }

    /// The pods of the project's namespace.
    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.objects.clone().into_client(), &project_namespace(self.project))
    }

    /// The tasks of the job's row.
    pub async fn tasks(&self, job: JobId) -> Value {
        let query = "SELECT tasks::text FROM jobs WHERE id = $1";
        let text: String = self.sql.query_one(query, &[&job.uuid()]).await.unwrap().get(0);
        serde_json::from_str(&text).unwrap()
    }

    /// The name of the object of the job's present attempt.
    pub async fn object_name(&self, job: JobId) -> String {
        self.sql.query_one("SELECT object_name FROM jobs WHERE id = $1", &[&job.uuid()]).await.unwrap().get(0)
    }

    /// A pod that runs the job's only task, as a scheduler and a kubelet leave it.
    pub async fn run_pod(&self, job: JobId) {
        run_pod(&self.objects, &self.object_name(job).await).await;
        self.until(job, "tasks -> 0 ->> 'state' = 'RUNNING'").await;
    }

    /// Plays the kubelet of the job's only pod.
    pub async fn report_pod(&self, job: JobId, status: Value) {
        let patch = Patch::Merge(json!({ "status": status }));
        self.pods().patch_status(&format!("{}-0", job_object(job)), &PatchParams::default(), &patch).await.unwrap();
    }

    /// The log of the job's only task, as somebody reads it who may.
    pub async fn log_of(&self, job: JobId) -> logs::Request {
        let (db, line) = self.feed();
        let server = self.server();
        logs::Request {
            tails: server.tails.clone(),
            cluster: server.cluster.clone(),
            rights: Rights::of(&server.authenticator, Caller::Anonymous).await.unwrap(),
            scope: Scope::within(GroupId::generate(), job),
            namespace: project_namespace(self.project),
            stages: logs::Stages::of_one("main"),
            place: Place::start(job, 0),
            tail: None,
            db,
            line,
        }
    }

    /// Deletes the object behind the platform's back.
    pub async fn delete_object(&self, job: JobId) {
        self.objects.delete(&job_object(job), &DeleteParams::default()).await.unwrap();
    }

    /// FlashJobs in the project's namespace, once those that are being deleted have gone.
    pub async fn objects(&self) -> usize {
        let gone = || async {
            let found = self.objects.list(&ListParams::default()).await.unwrap();
            found.iter().all(|object| object.metadata.deletion_timestamp.is_none())
        };
        eventually("deletions are done", gone).await;
        self.objects.list(&ListParams::default()).await.unwrap().items.len()
    }

    pub async fn phase(&self, job: JobId) -> String {
        self.sql.query_one("SELECT phase FROM jobs WHERE id = $1", &[&job.uuid()]).await.unwrap().get(0)
    }

    pub async fn reason(&self, job: JobId) -> Option<String> {
        self.sql.query_one("SELECT reason FROM jobs WHERE id = $1", &[&job.uuid()]).await.unwrap().get(0)
    }

    /// The phases that the job's events tell, in order; what its tasks did is left out.
    pub async fn phases(&self, job: JobId) -> Vec<String> {
        let query = "SELECT payload ->> 'phase' FROM events
             WHERE subject = $1 AND payload ->> 'kind' <> 'TASK_CHANGED' ORDER BY seq";
        self.sql.query(query, &[&job.uuid()]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// The kinds of the job's events after the first, in order. What its tasks did is left out, and why it waits: a slow
    /// machine sees it wait for reasons that a fast one does not.
    pub async fn kinds(&self, job: JobId) -> Vec<String> {
        let query = "SELECT payload ->> 'kind' FROM events
             WHERE subject = $1 AND payload ->> 'kind' NOT IN ('SUBMITTED', 'TASK_CHANGED', 'WAITING') ORDER BY seq";
        self.sql.query(query, &[&job.uuid()]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    pub async fn reach(&self, job: JobId, phase: &str) {
        self.until(job, &format!("phase = '{phase}'")).await;
    }

    /// Waits until the job's row is as `condition` says.
    pub async fn until(&self, job: JobId, condition: &str) {
        let query = format!("SELECT count(*) FROM jobs WHERE id = $1 AND {condition}");
        let id = job.uuid();
        let holds = || async { self.sql.query_one(&query, &[&id]).await.unwrap().get::<_, i64>(0) == 1 };
        eventually(condition, holds).await;
    }
}

async fn start(config: Config) -> App {
    App::builder(config, &Tasks::default()).build().await.unwrap()
}

fn one_task() -> Value {
    let container = json!({ "name": "main", "image": "busybox" });
    json!({ "minAvailable": 1, "tasks": [{ "spec": { "containers": [container] } }] })
}

async fn eventually<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
