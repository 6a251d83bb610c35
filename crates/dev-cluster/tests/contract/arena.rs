//! Where a behaviour is tried: one shared cluster of each kind, a namespace of its own for every test.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use dev_cluster::sim::SimOptions;
use dev_cluster::{ClusterKind, DevCluster, Options};
use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace};
use kube::api::{ListParams, ObjectMeta, PostParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::wait::{Condition, await_condition};
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, Config, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The clusters outlive each test, so the tests share the runtime that drives them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    // Only heard by who asks: RUST_LOG=dev_cluster=debug.
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::OFF.into()).from_env_lossy();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    Runtime::new().expect("a runtime")
});
static EMBEDDED: OnceCell<DevCluster> = OnceCell::const_new();
static REAL: OnceCell<DevCluster> = OnceCell::const_new();
/// Who forgets a cluster's history is alone with it: any other behaviour may be about to ask for a version of a moment ago.
static EMBEDDED_HISTORY: RwLock<()> = RwLock::const_new(());
static REAL_HISTORY: RwLock<()> = RwLock::const_new(());

/// Which of the two clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Embedded,
    Real,
}

impl Which {
    fn history(self) -> &'static RwLock<()> {
        match self {
            Self::Embedded => &EMBEDDED_HISTORY,
            Self::Real => &REAL_HISTORY,
        }
    }
}

/// A cluster and a namespace in it that belongs to one test.
pub struct Arena {
    pub cluster: &'static DevCluster,
    pub client: Client,
    pub namespace: String,
    which: Which,
    history: RwLockReadGuard<'static, ()>,
}

impl Arena {
    async fn enter(which: Which) -> Option<Self> {
        let cluster = match which {
            Which::Embedded => EMBEDDED.get_or_init(|| start(ClusterKind::Embedded, "embedded")).await,
            Which::Real => {
                let assets = PathBuf::from(std::env::var_os("KUBEBUILDER_ASSETS")?);
                REAL.get_or_init(|| start(ClusterKind::Real { assets }, "real")).await
            }
        };
        let client = cluster.client();
        let namespace = Namespace {
            metadata: ObjectMeta { generate_name: Some("contract-".to_owned()), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        let made = Api::all(client.clone()).create(&PostParams::default(), &namespace).await.expect("a namespace");
        let history = which.history().read().await;
        Some(Self { cluster, client, namespace: made.name_any(), which, history })
    }

    /// The objects of a kind in the test's namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates an object written as JSON in the test's namespace.
    pub async fn create<K>(&self, object: Value) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + serde::Serialize
            + Clone
            + std::fmt::Debug,
    {
        let object: K = serde_json::from_value(object).expect("an object of the kind");
        self.api::<K>().create(&PostParams::default(), &object).await.expect("created")
    }

    /// Waits until an object is as wanted, and answers it.
    pub async fn until<K>(&self, name: &str, wanted: impl Condition<K>) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Clone
            + std::fmt::Debug
            + Send
            + 'static,
    {
        let waiting = await_condition(self.api::<K>(), name, wanted);
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(found) => found.expect("a watch").expect("the object is there"),
            Err(_) => {
                let now = self.api::<K>().get_opt(name).await;
                panic!("{name} did not become what was waited for within {PATIENCE:?}; it is {now:#?}")
            }
        }
    }

    /// Waits until an object is gone.
    pub async fn until_gone<K>(&self, name: &str)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Clone
            + std::fmt::Debug
            + Send
            + 'static,
    {
        let gone = await_condition(self.api::<K>(), name, |object: Option<&K>| object.is_none());
        tokio::time::timeout(PATIENCE, gone)
            .await
            .unwrap_or_else(|_| panic!("{name} is still there"))
            .expect("a watch");
    }

    /// What was told about an object, in order.
    pub async fn events(&self, name: &str) -> Vec<Event> {
        let params = ListParams::default().fields(&format!("involvedObject.name={name}"));
        let mut events = self.api::<Event>().list(&params).await.expect("events").items;
        events.sort_by_key(ResourceExt::name_any);
        events
    }

    /// Waits until something is told about an object.
    pub async fn until_event(&self, name: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        let config = watcher::Config::default().fields(&format!("involvedObject.name={name}"));
        let events = watcher(self.api::<Event>(), config).default_backoff().applied_objects();
        let mut found = std::pin::pin!(events.filter_map(async |event| event.ok().filter(|event| wanted(event))));
        tokio::time::timeout(PATIENCE, found.next()).await.expect("it is told in time").expect("a watch")
    }

    /// The real kubectl, if it is on this machine.
    pub fn kubectl(&self) -> Option<PathBuf> {
        let path = Path::new(&std::env::var_os("KUBEBUILDER_ASSETS")?).join("kubectl");
        path.is_file().then_some(path)
    }

    /// Forgets the history up to now: continue tokens and versions from before become too old.
    pub async fn compact(self) -> Self {
        let Self { cluster, client, namespace, which, history } = self;
        drop(history);
        let alone = which.history().write().await;
        match cluster.etcd_url() {
            None => cluster.compact_embedded(),
            Some(etcd) => {
                let api = Api::<ConfigMap>::namespaced(client.clone(), &namespace);
                let now = api.list(&ListParams::default()).await.expect("a list");
                let revision = now.metadata.resource_version.expect("a version");
                let body = serde_json::json!({"revision": revision, "physical": true}).to_string();
                let etcd = Client::try_from(Config::new(etcd.parse().expect("a URL"))).expect("a client");
                let request = http::Request::post("/v3/kv/compaction").body(body.into_bytes()).expect("a request");
                etcd.request_text(request).await.expect("compacted");
            }
        }
        Self { cluster, client, namespace, which, history: alone.downgrade() }
    }
}

async fn start(kind: ClusterKind, name: &str) -> DevCluster {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    sweep(scratch);
    let dir = scratch.join(format!("cluster-{name}-{}", std::process::id()));
    let simulators = SimOptions { speed: "10".parse().expect("a speed"), ..SimOptions::default() };
    let options = Options { kind, folder: Some(dir), simulators, ..Options::default() };
    DevCluster::start(options).await.unwrap_or_else(|error| panic!("the {name} cluster: {error}"))
}

/// Removes what earlier test processes left behind: a shared cluster ends with its process, not with a test.
fn sweep(scratch: &Path) {
    for entry in std::fs::read_dir(scratch).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix("cluster-").and_then(|rest| rest.rsplit('-').next()?.parse::<u32>().ok());
        if process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Runs one behaviour against one cluster.
pub fn run<Outcome: Future<Output = ()>>(which: Which, name: &str, behaviour: impl FnOnce(Arena) -> Outcome) {
    insta::allow_duplicates!(RUNTIME.block_on(async {
        match Arena::enter(which).await {
            // One inline snapshot is for both clusters: they have to answer alike.
            Some(arena) => behaviour(arena).await,
            None => skip(name, "set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kubectl"),
        }
    }));
}

/// Says aloud that a test did not run, here and in the summary of `make test`.
pub fn skip(name: &str, what_to_do: &str) {
    // `eprintln!` is captured when a test passes, and a skipped one passes: this line must be seen.
    let _ = writeln!(std::io::stderr(), "SKIPPED {name}: {what_to_do}");
    let Some(path) = std::env::var_os("TEST_SKIPS_FILE") else { return };
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| writeln!(file, "{name}: {what_to_do}")).expect("the skip is noted");
}

/// Whether an answer is a refusal with this code and reason.
pub fn refused<T>(answer: Result<T, kube::Error>, code: u16, reason: &str) -> String {
    match answer {
        Err(kube::Error::Api(status)) => {
            assert_eq!((status.code, status.reason.as_str()), (code, reason), "{}", status.message);
            status.message.clone()
        }
        Err(error) => panic!("{code} {reason} expected, not {error}"),
        Ok(_) => panic!("{code} {reason} expected, and it was accepted"),
    }
}

/// A small object of which a test may make as many as it likes.
pub fn note(name: &str, text: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        data: Some([("text".to_owned(), text.to_owned())].into()),
        ..ConfigMap::default()
    }
}

/// Declares behaviours, each of which becomes two tests: `embedded::NAME` and `real::NAME`.
macro_rules! contract {
    ($($(#[doc = $doc:literal])* async fn $name:ident($arena:ident: Arena) $body:block)*) => {
        mod behaviour {
            use super::*;
            $($(#[doc = $doc])* pub async fn $name($arena: $crate::arena::Arena) $body)*
        }
        contract!(@tests embedded Embedded $($name)*);
        contract!(@tests real Real $($name)*);
    };
    (@tests $module:ident $which:ident $($name:ident)*) => {
        mod $module {
            use super::behaviour;
            use $crate::arena::{Which, run};
            $(
                #[test]
                fn $name() {
                    run(Which::$which, concat!(module_path!(), "::", stringify!($name)), behaviour::$name);
                }
            )*
        }
    };
}
