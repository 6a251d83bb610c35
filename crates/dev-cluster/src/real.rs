//! A real control plane on loopback: etcd and kube-apiserver from a folder of binaries (the envtest convention).

mod keeper;
#[cfg(test)]
mod tests;

use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use kube::Client;
use rand::Rng;
use tokio::time::Instant;

use crate::lock::FolderLock;
use keeper::{Keeper, Process};

/// How long etcd and kube-apiserver may take until `/readyz` answers.
const READY_WITHIN: Duration = Duration::from_secs(90);
/// How often ports are drawn: one that was free a moment ago may have been taken by any connection since.
const ATTEMPTS: usize = 5;
/// What etcd and kube-apiserver both say of a port that somebody else has.
const PORT_TAKEN: &str = "address already in use";

/// Why a real control plane could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum RealError {
    /// A binary is not in the assets folder.
    #[error("{} is missing: set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver", .0.display())]
    Missing(PathBuf),
    /// Another process keeps a cluster in the same folder.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// A process ended before the cluster was ready, or while it ran.
    #[error("{name} ended unexpectedly; the end of its log:\n{log}")]
    Ended {
        /// The program's name.
        name: String,
        /// The last lines it wrote.
        log: String,
    },
    /// `/readyz` did not answer in time.
    #[error("kube-apiserver was not ready within {} s; see {}", READY_WITHIN.as_secs(), .0.display())]
    NotReady(PathBuf),
    /// The folder, a key or a process could not be made.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// The service-account key could not be made.
    #[error("cannot make the service-account key: {0}")]
    Key(#[from] rcgen::Error),
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> RealError {
    move |source| RealError::Io { what, source }
}

/// A running etcd and kube-apiserver; both end with this handle, and with this process however it ends.
pub struct ControlPlane {
    processes: Processes,
    /// Holding it keeps other processes out of the folder.
    _lock: FolderLock,
}

impl ControlPlane {
    /// Starts both in `data_dir`, which keeps etcd's data from one run to the next, and waits until `/readyz` answers.
    pub async fn start(assets: &Path, data_dir: &Path) -> Result<Self, RealError> {
        fs::create_dir_all(data_dir).map_err(failed("create the cluster's folder"))?;
        let dir = fs::canonicalize(data_dir).map_err(failed("resolve the cluster's folder"))?;
        let lock = FolderLock::take(&dir.join("lock")).map_err(failed("lock the cluster's folder"))?;
        let lock = lock.ok_or_else(|| RealError::InUse(dir.clone()))?;
        keeper::end_stale(&dir);

        let token = credentials(&dir)?;
        let mut attempts = 1;
        loop {
            let ports = free_ports().map_err(failed("find free ports"))?;
            match Processes::start(assets, &dir, &token, ports).await {
                Ok(processes) => return Ok(Self { processes, _lock: lock }),
                Err(RealError::Ended { name, log }) if log.contains(PORT_TAKEN) && attempts < ATTEMPTS => {
                    tracing::info!(process = name, attempts, "a port was taken meanwhile: starting on others");
                    attempts += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The kubeconfig with an administrator's token.
    pub fn kubeconfig(&self) -> &Path {
        &self.processes.kubeconfig
    }

    /// A client as the administrator.
    pub fn client(&self) -> Client {
        self.processes.client.clone()
    }

    /// Where etcd answers, its JSON gateway included: tests compact its history there.
    pub fn etcd_url(&self) -> &str {
        &self.processes.etcd_url
    }

    /// Stops kube-apiserver, then etcd, and waits for both.
    pub async fn shutdown(self) {
        self.processes.keeper.stop().await;
    }
}

/// The two processes on ports that may turn out to be taken.
struct Processes {
    kubeconfig: PathBuf,
    etcd_url: String,
    client: Client,
    keeper: Keeper,
}

impl Processes {
    /// Starts both and waits until `/readyz` answers.
    async fn start(assets: &Path, dir: &Path, token: &str, ports: [u16; 3]) -> Result<Self, RealError> {
        let [client_port, peer_port, api_port] = ports;
        let etcd_url = format!("http://127.0.0.1:{client_port}");
        let etcd = etcd(assets, dir, &etcd_url, peer_port)?;
        let apiserver = apiserver(assets, dir, &etcd_url, api_port)?;
        let (kubeconfig, certificate) = (dir.join("kubeconfig"), dir.join("certs/apiserver.crt"));
        private_file(&kubeconfig, &kubeconfig_text(api_port, &certificate, token))
            .map_err(failed("write the kubeconfig"))?;
        let mut keeper = Keeper::start(dir.to_owned(), vec![etcd, apiserver]).await.map_err(failed("start etcd"))?;
        let outcome = tokio::select! {
            client = until_ready(&kubeconfig) => client.ok_or_else(|| RealError::NotReady(dir.join("kube-apiserver.log"))),
            name = keeper.ended() => Err(RealError::Ended { log: keeper::log_tail(dir, &name), name }),
        };
        match outcome {
            Ok(client) => Ok(Self { kubeconfig, etcd_url, client, keeper }),
            Err(error) => {
                keeper.stop().await;
                Err(error)
            }
        }
    }
}

/// Waits until `/readyz` answers, and no longer than [`READY_WITHIN`].
///
/// kube-apiserver writes its certificate on its first start. A client that found it half-written would trust nobody for as
/// long as it lives, so that each look is a new client's.
async fn until_ready(kubeconfig: &Path) -> Option<Client> {
    let deadline = Instant::now() + READY_WITHIN;
    while Instant::now() < deadline {
        match super::connect(kubeconfig).await {
            Ok(client) if is_ready(&client).await => return Some(client),
            Ok(_) => {}
            Err(error) => tracing::trace!(%error, "kube-apiserver is not there yet"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    None
}

async fn is_ready(client: &Client) -> bool {
    let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else { return false };
    matches!(client.request_text(request).await.as_deref(), Ok("ok"))
}

/// Three ports nobody listens on now; all are held until all are known, so they differ.
fn free_ports() -> io::Result<[u16; 3]> {
    let listeners =
        [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    let mut ports = [0; 3];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

/// Makes the administrator's token (a new one each start) and the service-account key (kept: tokens stay valid).
fn credentials(dir: &Path) -> Result<String, RealError> {
    let token = format!("{:032x}", rand::rng().next_u64() as u128 | (rand::rng().next_u64() as u128) << 64);
    private_file(&dir.join("tokens.csv"), &format!("{token},admin,admin,\"system:masters\"\n"))
        .map_err(failed("write the token file"))?;
    let (private, public) = (dir.join("sa.key"), dir.join("sa.pub"));
    if !public.exists() {
        let key = rcgen::KeyPair::generate()?;
        private_file(&private, &key.serialize_pem()).map_err(failed("write the service-account key"))?;
        private_file(&public, &key.public_key_pem()).map_err(failed("write the service-account key"))?;
    }
    Ok(token)
}

fn private_file(path: &Path, text: &str) -> io::Result<()> {
    use io::Write;
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

fn binary(assets: &Path, name: &'static str) -> Result<PathBuf, RealError> {
    let path = assets.join(name);
    if path.is_file() { Ok(path) } else { Err(RealError::Missing(path)) }
}

fn etcd(assets: &Path, dir: &Path, client_url: &str, peer_port: u16) -> Result<Process, RealError> {
    let peer_url = format!("http://127.0.0.1:{peer_port}");
    let arguments = [
        format!("--data-dir={}", dir.join("etcd").display()),
        // A laptop's cluster may lose its last second with the power, and starts and writes faster for it.
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
        format!("--listen-client-urls={client_url}"),
        format!("--advertise-client-urls={client_url}"),
        format!("--listen-peer-urls={peer_url}"),
        format!("--initial-advertise-peer-urls={peer_url}"),
        format!("--initial-cluster=default={peer_url}"),
        // The peer port changes from run to run, and the one member of this cluster must not look for its old self.
        "--force-new-cluster".to_owned(),
    ];
    Ok(Process { name: "etcd", program: binary(assets, "etcd")?, arguments: arguments.into() })
}

fn apiserver(assets: &Path, dir: &Path, etcd_url: &str, port: u16) -> Result<Process, RealError> {
    let file = |name: &str| dir.join(name).display().to_string();
    let arguments = [
        format!("--etcd-servers={etcd_url}"),
        format!("--cert-dir={}", file("certs")),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        "--allow-privileged".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        format!("--token-auth-file={}", file("tokens.csv")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", file("sa.pub")),
        format!("--service-account-signing-key-file={}", file("sa.key")),
        "--service-cluster-ip-range=10.0.0.0/16".to_owned(),
        // Nobody makes service accounts here, and pods would wait for one.
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        // The pretend nodes have names that no resolver knows.
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        "--v=1".to_owned(),
    ];
    let program = binary(assets, "kube-apiserver")?;
    Ok(Process { name: "kube-apiserver", program, arguments: arguments.into() })
}

fn kubeconfig_text(port: u16, certificate: &Path, token: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: dev-cluster\n\
         clusters: [{{name: dev-cluster, cluster: {{server: \"https://127.0.0.1:{port}\", certificate-authority: \"{}\"}}}}]\n\
         users: [{{name: admin, user: {{token: \"{token}\"}}}}]\n\
         contexts: [{{name: dev-cluster, context: {{cluster: dev-cluster, user: admin}}}}]\n",
        certificate.display()
    )
}
