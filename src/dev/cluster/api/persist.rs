//! The cluster in a file: so that the objects of `platform dev` survive its restart as its database does.
//!
//! A snapshot is written beside the file and renamed over it, every few seconds while something changes and once more at
//! the end: a crash costs those seconds, never the file.

use super::catalog::CollectionId;
use super::cluster::Cluster;
use super::store::Key;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

const EVERY: Duration = Duration::from_secs(3);

#[derive(Serialize, Deserialize)]
struct File<O> {
    revision: u64,
    objects: Vec<Record<O>>,
}

#[derive(Serialize, Deserialize)]
struct Record<O> {
    group: String,
    plural: String,
    namespace: String,
    name: String,
    object: O,
}

/// Reads the file into an empty store; a file that is not there is an empty cluster.
pub fn load(cluster: &Cluster, path: &Path) -> io::Result<()> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let file: File<Value> = serde_json::from_slice(&bytes)?;
    let objects = file.objects.into_iter().map(|record| {
        let key = Key::new(&record.namespace, &record.name);
        (CollectionId::new(&record.group, &record.plural), key, record.object)
    });
    cluster.store.import(file.revision, objects.collect());
    Ok(())
}

/// Writes the file until the server stops, and once more then.
pub async fn keep(cluster: Arc<Cluster>, path: PathBuf) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut written = 0;
    loop {
        let last = tokio::select! {
            _ = tick.tick() => false,
            () = cluster.stop.cancelled() => true,
        };
        let revision = cluster.store.revision();
        if revision != written {
            let (cluster, path) = (cluster.clone(), path.clone());
            match tokio::task::spawn_blocking(move || save(&cluster, &path)).await {
                Ok(Ok(())) => written = revision,
                Ok(Err(error)) => tracing::warn!(%error, "the embedded cluster could not be written to its file"),
                Err(error) => tracing::warn!(%error, "the writing of the embedded cluster failed"),
            }
        }
        if last {
            return;
        }
    }
}

fn save(cluster: &Cluster, path: &Path) -> io::Result<()> {
    let (revision, objects) = cluster.store.export();
    let objects = objects.into_iter().map(|(id, key, object)| Record {
        group: id.group,
        plural: id.plural,
        namespace: key.namespace,
        name: key.name,
        object: Value::clone(&object),
    });
    let bytes = serde_json::to_vec(&File { revision, objects: objects.collect() })?;
    let beside = path.with_extension("new");
    std::fs::write(&beside, bytes)?;
    std::fs::rename(beside, path)
}

#[cfg(test)]
mod tests {
    use super::super::{EmbeddedApi, Options};
    use k8s_openapi::api::core::v1::Namespace;
    use kube::{Api, Client, Config};

    fn namespaces(server: &EmbeddedApi) -> Api<Namespace> {
        let config = Config::new(server.base_url().parse().expect("a url"));
        Api::all(Client::try_from(config).expect("a client"))
    }

    #[tokio::test]
    async fn objects_survive_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options { file: Some(folder.path().join("cluster.json")), ..Options::default() };
        let first = EmbeddedApi::start(options.clone()).await.expect("a server");
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some("kept".to_owned());
        namespaces(&first).create(&Default::default(), &namespace).await.expect("created");
        first.shutdown().await;

        let second = EmbeddedApi::start(options).await.expect("a server");
        namespaces(&second).get("kept").await.expect("kept");
        second.shutdown().await;
    }
}
