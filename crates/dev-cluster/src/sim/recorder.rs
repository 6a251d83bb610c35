//! Writes Event objects, so that `kubectl describe` tells the story of an object.

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client, Resource};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Events that wait to be written; more are dropped, as a real recorder does.
const QUEUE: usize = 1024;

/// How serious an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// The ordinary course of things.
    Normal,
    /// Something that somebody may have to mend.
    Warning,
}

/// Something worth telling about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) severity: Severity,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Note {
    pub(super) fn normal(reason: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Normal, reason, message: message.into() }
    }

    pub(super) fn warning(reason: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, reason, message: message.into() }
    }
}

/// The way to write events; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Recorder(mpsc::Sender<Event>);

impl Recorder {
    /// Starts the writer.
    pub(super) fn start(client: Client, tasks: &TaskTracker, cancel: CancellationToken) -> Self {
        let (sender, mut queue) = mpsc::channel::<Event>(QUEUE);
        tasks.spawn(async move {
            while let Some(Some(event)) = cancel.run_until_cancelled(queue.recv()).await {
                let namespace = event.metadata.namespace.clone().unwrap_or_else(|| "default".to_owned());
                let api = Api::<Event>::namespaced(client.clone(), &namespace);
                if let Err(error) = api.create(&PostParams::default(), &event).await {
                    tracing::debug!(%error, "event not written");
                }
            }
        });
        Self(sender)
    }

    /// Tells `note` about `object` in the name of `component`.
    pub(super) fn tell<K>(&self, object: &K, component: &str, note: Note)
    where
        K: Resource<DynamicType = ()>,
    {
        let involved = object.object_ref(&());
        let now = Time(Timestamp::now());
        let event = Event {
            metadata: ObjectMeta {
                name: Some(event_name(&involved)),
                namespace: Some(involved.namespace.clone().unwrap_or_else(|| "default".to_owned())),
                ..ObjectMeta::default()
            },
            involved_object: involved,
            type_: Some(match note.severity {
                Severity::Normal => "Normal".to_owned(),
                Severity::Warning => "Warning".to_owned(),
            }),
            reason: Some(note.reason.to_owned()),
            message: Some(note.message),
            source: Some(EventSource { component: Some(component.to_owned()), host: None }),
            reporting_component: Some(component.to_owned()),
            first_timestamp: Some(now.clone()),
            last_timestamp: Some(now),
            count: Some(1),
            ..Event::default()
        };
        if self.0.try_send(event).is_err() {
            tracing::debug!("event dropped: the queue is full");
        }
    }
}

fn event_name(involved: &ObjectReference) -> String {
    format!("{}.{}", involved.name.as_deref().unwrap_or("unnamed"), Uuid::now_v7().simple())
}
