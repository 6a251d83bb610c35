//! The kinds that the storage room watches: claims, the cluster's events about them, and the pods that mount them.

use std::collections::HashMap;
use std::fmt::Display;
use std::time::Duration;

use chrono::Utc;
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use kube::ResourceExt;

use super::model::{mounts, observed};
use crate::cluster::Cluster;
use crate::cluster::claims::{self, ClaimState, ObjectKey, Seen, has_ended, key_of, mounting};
use crate::reconcile::{Kinds, Reconciler, Selector, Watched};

const RETRY: Duration = Duration::from_millis(500);

/// The reconciler of storage claims.
#[derive(Debug)]
pub enum Claims {}

impl Reconciler for Claims {
    type Observation = Seen;
    const ROOM: &'static str = "storage";

    fn kinds(kinds: &mut impl Kinds<Seen>) {
        kinds.follow::<Objects>();
        kinds.follow::<Troubles>();
        kinds.follow::<Pods>();
    }

    fn clean(observation: Seen) -> Seen {
        // Names are DNS labels and quantities are parsed; messages are cleaned where they are read.
        observation
    }

    fn subject(observation: &Seen) -> impl Display {
        match observation {
            Seen::Pod(pod) => pod.name.clone(),
            Seen::PodGone { uid } => uid.clone(),
            Seen::Claim(ClaimState { key, .. }) | Seen::Gone { key, .. } | Seen::Trouble { key, .. } => {
                format!("{}/{}", key.namespace, key.name)
            }
        }
    }

    async fn apply(conn: &mut AsyncPgConnection, observations: &[Seen]) -> QueryResult<()> {
        observed::apply(conn, observations, Utc::now()).await
    }

    async fn measure(conn: &mut AsyncPgConnection) -> QueryResult<()> {
        for (phase, managed, claims) in observed::phases(conn).await? {
            let managed = if managed { "true" } else { "false" };
            metrics::gauge!("platform_storage_claims", "phase" => phase, "managed" => managed).set(claims as f64);
        }
        Ok(())
    }
}

/// All claims: those in namespaces of the platform that somebody else has created are shown, too.
enum Objects {}

impl Watched for Objects {
    type Object = PersistentVolumeClaim;
    type Observation = Seen;
    type Key = ObjectKey;
    /// Where it was, and its uid.
    type Expected = (ObjectKey, String);
    const KIND: &'static str = "PersistentVolumeClaim";
    const VANISHED_FIRST: bool = true;

    fn selector() -> Selector {
        Selector::All
    }

    fn key(object: &PersistentVolumeClaim) -> Option<ObjectKey> {
        Some(key_of(object))
    }

    async fn seen(_: &Cluster, object: PersistentVolumeClaim, listed: bool) -> Option<Seen> {
        ClaimState::read(&object, listed).map(Seen::Claim)
    }

    fn deleted(object: PersistentVolumeClaim) -> Option<Seen> {
        Some(Seen::Gone { key: key_of(&object), uid: object.uid() })
    }

    async fn expected(conn: &mut AsyncPgConnection) -> QueryResult<HashMap<ObjectKey, (ObjectKey, String)>> {
        let expected = observed::in_cluster(conn).await?;
        let entry = |(namespace, name, uid)| {
            let key = ObjectKey { namespace, name };
            (key.clone(), (key, uid))
        };
        Ok(expected.into_iter().map(entry).collect())
    }

    /// Read by name: the list alone proves nothing.
    async fn vanished(cluster: &Cluster, (key, uid): (ObjectKey, String)) -> Option<Seen> {
        let found = loop {
            match cluster.uid_of::<PersistentVolumeClaim>(&key.namespace, &key.name).await {
                Ok(found) => break found,
                Err(error) => {
                    tracing::warn!(claim = key.name, %error, "the watch cannot tell whether a claim exists");
                    tokio::time::sleep(RETRY).await;
                }
            }
        };
        (found.as_ref() != Some(&uid)).then_some(Seen::Gone { key, uid: Some(uid) })
    }
}

/// The cluster's events about claims: why one waits, or cannot be made larger.
enum Troubles {}

impl Watched for Troubles {
    type Object = Event;
    type Observation = Seen;
    type Key = ();
    type Expected = ();
    const KIND: &'static str = "Event";

    fn selector() -> Selector {
        Selector::Fields("involvedObject.kind=PersistentVolumeClaim".to_owned())
    }

    fn key(_: &Event) -> Option<()> {
        None
    }

    async fn seen(_: &Cluster, event: Event, _: bool) -> Option<Seen> {
        claims::trouble(event)
    }

    fn deleted(_: Event) -> Option<Seen> {
        None
    }

    async fn expected(_: &mut AsyncPgConnection) -> QueryResult<HashMap<(), ()>> {
        Ok(HashMap::new())
    }

    async fn vanished(_: &Cluster, (): ()) -> Option<Seen> {
        None
    }
}

/// The pods that mount claims.
enum Pods {}

impl Watched for Pods {
    type Object = Pod;
    type Observation = Seen;
    /// Its uid.
    type Key = String;
    type Expected = String;
    const KIND: &'static str = "Pod";

    fn selector() -> Selector {
        Selector::All
    }

    fn key(pod: &Pod) -> Option<String> {
        // One that has ended is as good as one that is not there.
        if has_ended(pod) { None } else { pod.uid() }
    }

    async fn seen(_: &Cluster, pod: Pod, _: bool) -> Option<Seen> {
        let mounting = mounting(&pod)?;
        Some(if has_ended(&pod) { Seen::PodGone { uid: mounting.uid } } else { Seen::Pod(mounting) })
    }

    fn deleted(pod: Pod) -> Option<Seen> {
        mounting(&pod).map(|pod| Seen::PodGone { uid: pod.uid })
    }

    async fn expected(conn: &mut AsyncPgConnection) -> QueryResult<HashMap<String, String>> {
        Ok(mounts::pods(conn).await?.into_iter().map(|uid| (uid.clone(), uid)).collect())
    }

    async fn vanished(_: &Cluster, uid: String) -> Option<Seen> {
        Some(Seen::PodGone { uid })
    }
}
