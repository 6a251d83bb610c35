//! A running `platform serve` that can be killed, between a database and a Kubernetes API that keep running. The test
//! acts as the scheduler.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use dev_cluster::api::{self, EmbeddedApi};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use platform::cluster::crd::FlashJob;
use platform::config::DatabaseUrl;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio_postgres::NoTls;

use super::database;
use super::proxy::Proxy;
use super::session::{Session, http_client};

/// Longer than a dead worker's claim.
const PATIENCE: Duration = Duration::from_secs(90);

/// The same at every start.
pub const JWT_SECRET: &str = "a secret of the tests that is the same at every start";

/// The server and what it needs. It is killed with the test.
pub struct Serve {
    pub database_proxy: Proxy,
    pub cluster_proxy: Proxy,
    pub database_url: DatabaseUrl,
    sql: tokio_postgres::Client,
    objects: Api<FlashJob>,
    child: Option<Child>,
    variables: Vec<(&'static str, String)>,
    folder: tempfile::TempDir,
    _api: EmbeddedApi,
}

impl Serve {
    /// Everything but the server itself, with the demo tenant in the database.
    pub async fn prepare() -> Self {
        let database = database::demo().await;
        let api = EmbeddedApi::start(api::Options::default()).await.unwrap();
        let database_proxy = Proxy::before(database::address_of(&database)).await;
        let cluster: SocketAddr = api.base_url().trim_start_matches("http://").parse().unwrap();
        let cluster_proxy = Proxy::before(cluster).await;
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = api.kubeconfig().replace(&cluster.to_string(), &cluster_proxy.address().to_string());
        std::fs::write(folder.path().join("kubeconfig"), kubeconfig).unwrap();
        let (sql, driver) = tokio_postgres::connect(database.expose(), NoTls).await.unwrap();
        tokio::spawn(driver);
        let found = sql.query_one("SELECT namespace FROM projects WHERE name = 'detection'", &[]).await.unwrap();
        let namespace: String = found.get(0);
        let direct = kube::Config::new(api.base_url().parse().unwrap());
        let objects = Api::namespaced(Client::try_from(direct).unwrap(), &namespace);
        tokio::spawn(collect_garbage(objects.clone()));
        let database_url = database::through(&database, database_proxy.address());
        Self {
            database_proxy,
            cluster_proxy,
            database_url,
            sql,
            objects,
            child: None,
            variables: Vec::new(),
            folder,
            _api: api,
        }
    }

    /// The same with one more variable in the server's environment.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// Starts the server; it need not come up.
    pub fn start(&mut self) {
        let log = std::fs::File::create(self.log_file()).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_platform"))
            .arg("serve")
            .env_clear()
            .envs([
                ("DATABASE_URL", self.database_url.expose()),
                ("KUBECONFIG", self.folder.path().join("kubeconfig").to_str().unwrap()),
                ("LISTEN_ADDR", "127.0.0.1"),
                ("PORT", "0"),
                ("JWT_SECRET", JWT_SECRET),
                ("EXECUTOR_MODE", "scheduler"),
                ("FLASH_SCHED_ENABLED", "true"),
                ("LOG_FORMAT", "json"),
            ])
            .envs(self.variables.iter().map(|(name, value)| (*name, value)))
            .current_dir(self.folder.path())
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log))
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Starts the server and waits until it is ready.
    pub async fn run(&mut self) {
        self.start();
        self.ready().await;
    }

    /// Ends the server with SIGKILL.
    pub async fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.start_kill().unwrap();
        child.wait().await.unwrap();
    }

    /// Waits until `/ready` says yes.
    pub async fn ready(&self) {
        let http = http_client();
        eventually("the server is ready", || async {
            assert!(!self.log().contains("platform: "), "{}", self.log());
            let Some(url) = self.url() else { return false };
            http.get(format!("{url}/ready")).send().await.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
    }

    /// Waits until the log has a line with this in it; the line.
    pub async fn log_says(&self, text: &str) -> String {
        let line = || self.log().lines().find(|line| line.contains(text)).map(str::to_owned);
        eventually(text, || async { line().is_some() }).await;
        line().unwrap()
    }

    pub async fn log_in(&self, username: &str) -> Session {
        Session::log_in(&format!("{}/graphql", self.url().unwrap()), username).await
    }

    /// Where it listens, as its log says.
    pub fn url(&self) -> Option<String> {
        let log = self.log();
        let line = log.lines().find(|line| line.contains("\"listening\""))?;
        let address = line.split("\"address\":\"").nth(1)?.split('"').next()?;
        Some(format!("http://{address}"))
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// All that the server has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// The names of the FlashJobs that are there and not being deleted.
    pub async fn objects(&self) -> Vec<String> {
        let found = self.objects.list(&ListParams::default()).await.unwrap();
        let staying = found.iter().filter(|object| object.metadata.deletion_timestamp.is_none());
        staying.map(ResourceExt::name_any).collect()
    }

    /// Plays the scheduler for the object of the job's present attempt, and the kubelet of what it says that it runs.
    pub async fn report(&self, job: &str, status: Value) {
        let name = self.object_name(job).await;
        if status["phase"] == "Running" {
            run_pod(&self.objects, &name).await;
        }
        let patch = Patch::Merge(json!({ "status": status }));
        self.objects.patch_status(&name, &PatchParams::default(), &patch).await.unwrap();
    }

    async fn object_name(&self, job: &str) -> String {
        let id = job.parse::<platform::ids::JobId>().unwrap().uuid();
        self.sql.query_one("SELECT object_name FROM jobs WHERE id = $1", &[&id]).await.unwrap().get(0)
    }

    /// Waits until the job's row is as `condition` says.
    pub async fn until(&self, job: &str, condition: &str) {
        let id = job.parse::<platform::ids::JobId>().unwrap().uuid();
        let query = format!("SELECT count(*) FROM jobs WHERE id = $1 AND {condition}");
        let holds = || async { self.sql.query_one(&query, &[&id]).await.unwrap().get::<_, i64>(0) == 1 };
        eventually(condition, holds).await;
    }

    /// Runs a statement on the server's database.
    pub async fn execute(&self, statement: &str) {
        self.sql.batch_execute(statement).await.unwrap();
    }

    /// A client of the cluster itself, which the proxy does not stand before.
    pub fn client(&self) -> Client {
        self.objects.clone().into_client()
    }

    /// Waits until so many objects are there.
    pub async fn until_objects(&self, count: usize) {
        eventually("the objects are there", || async { self.objects().await.len() == count }).await;
    }

    /// The phases that the job's events tell, in order; why it waits and what its tasks did is left out.
    pub async fn phases(&self, job: &str) -> Vec<String> {
        let id = job.parse::<platform::ids::JobId>().unwrap().uuid();
        let rows = self
            .sql
            .query("SELECT payload ->> 'phase' FROM events WHERE subject = $1 AND payload ->> 'kind' NOT IN ('WAITING', 'TASK_CHANGED') ORDER BY seq", &[&id])
            .await
            .unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The jobs and phases of the event log after the first `count` events of jobs, in order.
    pub async fn log_after(&self, count: i64) -> Vec<(String, String)> {
        let rows = self
            .sql
            .query(
                "SELECT subject, payload ->> 'phase' FROM events WHERE kind = 'job' ORDER BY seq OFFSET $1",
                &[&count],
            )
            .await
            .unwrap();
        rows.iter().map(|row| (platform::ids::JobId::from_uuid(row.get(0)).to_string(), row.get(1))).collect()
    }

    /// The jobs and numbers of the event log after the first `count` events of jobs, in order.
    pub async fn numbers_after(&self, count: i64) -> Vec<(String, i64)> {
        let rows = self
            .sql
            .query("SELECT subject, seq FROM events WHERE kind = 'job' ORDER BY seq OFFSET $1", &[&count])
            .await
            .unwrap();
        rows.iter().map(|row| (platform::ids::JobId::from_uuid(row.get(0)).to_string(), row.get(1))).collect()
    }

    /// How many events of jobs the log has.
    pub async fn log_length(&self) -> i64 {
        self.sql.query_one("SELECT count(*) FROM events WHERE kind = 'job'", &[]).await.unwrap().get(0)
    }
}

/// The pod of task 0 of a FlashJob, running, as a scheduler and a kubelet leave it.
pub async fn run_pod(objects: &Api<FlashJob>, object: &str) {
    let object = objects.get(object).await.unwrap();
    let namespace = object.namespace().unwrap();
    let pods: Api<Pod> = Api::namespaced(objects.clone().into_client(), &namespace);
    let name = format!("{}-0", object.name_any());
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "labels": object.labels(), "ownerReferences": [object.controller_owner_ref(&())] },
        "spec": { "containers": [{ "name": "main", "image": "busybox" }] },
    });
    match pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await {
        Err(kube::Error::Api(status)) if status.code == 409 => return,
        made => drop(made.unwrap()),
    }
    let running = Patch::Merge(json!({ "status": { "phase": "Running" } }));
    pods.patch_status(&name, &PatchParams::default(), &running).await.unwrap();
}

/// Plays the garbage collector: a FlashJob here has no pods, so its foreground deletion is done at once.
pub async fn collect_garbage(objects: Api<FlashJob>) {
    loop {
        // The kind may not be defined yet.
        let found = objects.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
        for object in found.iter().filter(|object| object.metadata.deletion_timestamp.is_some()) {
            let released = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
            // It may have gone meanwhile.
            let _ = objects.patch(&object.name_any(), &PatchParams::default(), &released).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub async fn eventually<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
