//! Simulators that play the rest of a cluster: nodes, kubelet, schedulers and controllers.
//!
//! They are ordinary Kubernetes clients and know nothing of the server behind the client, so they run unchanged against the
//! embedded API server and against a real kube-apiserver without controller-manager. They are for a laptop and for tests.

mod batch;
mod collector;
mod control;
mod flash;
mod informer;
mod kubelet;
mod nodes;
mod quotas;
mod recorder;
mod resources;
mod scheduler;
mod speed;
mod volumes;

use std::path::PathBuf;
use std::sync::Arc;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, Resource};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use control::Trigger;
use flash::{Caches, FlashScheduler};
pub use flash::{JOB_LABEL, TASK_LABEL};
use informer::{Change, Informer};
use kubelet::{Kubelet, Machine};
pub use kubelet::{ServeError, script};
use recorder::Recorder;
use scheduler::DefaultScheduler;
pub use speed::{BadSpeed, Speed};
use volumes::Folders;

/// What the simulators play.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// How much faster than life.
    pub speed: Speed,
    /// How many GPU nodes there are: `gpu-1`, `gpu-2` and so on.
    pub gpu_nodes: u32,
    /// GPUs of each node.
    pub gpus_per_node: u32,
    /// CPUs of each node.
    pub node_cpus: u32,
    /// Memory of each node in GiB.
    pub node_memory_gib: u32,
    /// Places for pods on each node.
    pub node_pods: u32,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self { speed: Speed::REAL, gpu_nodes: 2, gpus_per_node: 8, node_cpus: 64, node_memory_gib: 256, node_pods: 250 }
    }
}

/// Why the simulators could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The kubelet's endpoint could not be opened.
    #[error("pretend kubelet: {0}")]
    Kubelet(#[from] ServeError),
    /// The nodes could not be registered.
    #[error("pretend nodes: {0}")]
    Nodes(#[source] kube::Error),
    /// The default storage class could not be made.
    #[error("default storage class: {0}")]
    Storage(#[source] kube::Error),
}

/// The running simulators. Dropping the handle tells them to stop; [`Simulators::shutdown`] also waits.
#[derive(Debug)]
pub struct Simulators {
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl Simulators {
    /// Starts all of them as clients of one cluster, which must know the scheduler's custom resources.
    /// Volumes are folders in `volumes`.
    pub async fn start(client: Client, options: SimOptions, volumes: PathBuf) -> Result<Self, SimError> {
        let simulators = Self { cancel: CancellationToken::new(), tasks: TaskTracker::new() };
        let (tasks, cancel) = (&simulators.tasks, &simulators.cancel);
        tracing::info!(
            nodes = options.gpu_nodes,
            gpus = options.gpus_per_node,
            "simulated cluster: no container really runs but file servers; for development and tests only"
        );
        let recorder = Recorder::start(client.clone(), tasks, cancel.clone());
        let names = nodes::names(&options);
        let folders = Folders::new(volumes);
        let path = std::env::var_os("PATH");
        let (machine, mut endings) = Machine::new(folders.clone(), path, tasks.clone(), cancel.clone());
        let kubelet = Arc::new(Kubelet::new(client.clone(), options.speed, names, recorder.clone(), machine));
        let port = kubelet::serve(kubelet.clone(), tasks, cancel.clone()).await?;
        nodes::register(&client, &options, port).await.map_err(SimError::Nodes)?;
        volumes::seed(&client).await.map_err(SimError::Storage)?;
        tasks.spawn(nodes::heartbeat(client.clone(), options.clone(), cancel.clone()));

        let pods = Informer::<Pod>::start(Api::all(client.clone()), tasks, cancel.clone());
        let nodes = Informer::start(Api::all(client.clone()), tasks, cancel.clone());
        tasks.spawn(kubelet::forget_gone(kubelet.clone(), pods.clone(), cancel.clone()));
        let endings = stream::poll_fn(move |context| endings.poll_recv(context)).map(Trigger::One);
        tasks.spawn(control::run(
            "kubelet",
            kubelet,
            pods.store(),
            stream::select(pods.changes().map(to_trigger), endings),
            kubelet::reconcile,
            cancel.clone(),
        ));
        tasks.spawn(collector::run(client.clone(), cancel.clone()));
        batch::start(client.clone(), options.speed, recorder.clone(), pods.clone(), tasks, cancel.clone());
        let claims = Informer::start(Api::all(client.clone()), tasks, cancel.clone());
        quotas::start(client.clone(), options.speed, pods.clone(), claims.clone(), tasks, cancel.clone());
        let classes = Informer::start(Api::all(client.clone()), tasks, cancel.clone());
        let of_volumes = volumes::Caches { claims: claims.clone(), classes: classes.clone(), pods: pods.clone() };
        volumes::start(client.clone(), recorder.clone(), of_volumes, folders, tasks, cancel.clone());
        let of_scheduler = scheduler::Caches { pods: pods.clone(), nodes: nodes.clone(), claims, classes };
        let scheduler = DefaultScheduler::new(client.clone(), recorder.clone(), of_scheduler);
        tasks.spawn(scheduler.run(cancel.clone()));
        let caches = Caches {
            jobs: Informer::start(Api::all(client.clone()), tasks, cancel.clone()),
            queues: Informer::start(Api::all(client.clone()), tasks, cancel.clone()),
            pods,
            nodes,
        };
        tasks.spawn(FlashScheduler::new(client, options.speed, recorder, caches).run(cancel.clone()));
        tasks.close();
        Ok(simulators)
    }

    /// Stops all simulators and waits for them; the cluster stays as it is.
    pub async fn shutdown(self) {
        self.cancel.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Simulators {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

fn to_trigger<K: Resource<DynamicType = ()>>(change: Change<K>) -> Trigger<K> {
    match change {
        Change::One(object) => Trigger::One(ObjectRef::from_obj(object.as_ref())),
        Change::All => Trigger::All,
    }
}
