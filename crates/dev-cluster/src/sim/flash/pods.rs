//! The pods of a job: tried, made, put on their nodes, taken back.
//!
//! A gang starts whole or not at all. So its pods are tried first, then made without a node, where they do nothing, and put on
//! their nodes when all are there; when one is refused the others are taken back.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;

use super::super::control::gone_is_fine;
use super::super::kubelet::is_finished;
use super::super::recorder::{Note, Recorder};
use super::decide::Placement;
use super::observe::{Assumed, JOB_LABEL, Observed, TASK_LABEL, is_placed};
use super::{COMPONENT, NAME};
use cluster_resources::crd::FlashJob;

/// What became of a call about a job's pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was done.
    Done,
    /// The API server refuses a pod, in these words.
    Refused(String),
}

/// Asks the API server whether it would take the pods of these tasks; equal ones once.
pub(super) async fn try_pods(client: &Client, job: &FlashJob, tasks: &[usize]) -> Result<Outcome, kube::Error> {
    let api = api(client, job);
    let mut tried: Vec<&PodTemplateSpec> = Vec::new();
    for task in tasks {
        let Some(template) = job.spec.tasks.get(*task) else { continue };
        if tried.contains(&template) {
            continue;
        }
        tried.push(template);
        let Some(pod) = task_pod(job, *task) else { continue };
        match api.create(&PostParams { dry_run: true, ..PostParams::default() }, &pod).await {
            Ok(_) => {}
            Err(error) => match refusal(&error) {
                Some(why) => return Ok(Outcome::Refused(why)),
                // One of that name is there already, or the namespace is gone.
                None if super::is_race(&error) => {}
                None => return Err(error),
            },
        }
    }
    Ok(Outcome::Done)
}

/// What the scheduler needs to make pods.
pub(super) struct Hands<'a> {
    pub(super) client: &'a Client,
    pub(super) recorder: &'a Recorder,
    pub(super) assumed: &'a mut Assumed,
}

impl Hands<'_> {
    /// Makes the pods that are missing and puts all on their nodes.
    pub(super) async fn place(
        &mut self,
        observed: &Observed,
        placements: &[&Placement],
    ) -> Result<Outcome, kube::Error> {
        let job = observed.object.as_ref();
        let api = api(self.client, job);
        let mut made: Vec<(Pod, &str)> = Vec::new();
        for placement in placements {
            let there = observed.pods.get(&placement.task).filter(|pod| !is_placed(pod));
            let pod = match there {
                Some(pod) => Pod::clone(pod),
                None => {
                    let Some(pod) = task_pod(job, placement.task) else { continue };
                    match make(&api, job, &pod).await {
                        Ok(pod) => pod,
                        Err(error) => {
                            let Some(why) = refusal(&error) else { return Err(error) };
                            for (pod, _) in &made {
                                self.remove(&api, pod).await?;
                            }
                            return Ok(Outcome::Refused(why));
                        }
                    }
                }
            };
            made.push((pod, &placement.node));
        }
        for (pod, node) in made {
            self.bind(&api, pod, node).await?;
        }
        Ok(Outcome::Done)
    }

    async fn bind(&mut self, api: &Api<Pod>, pod: Pod, node: &str) -> Result<(), kube::Error> {
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let uid = pod.uid().unwrap_or_default();
        if !is_placed(&pod) {
            let binding = json!({
                "apiVersion": "v1", "kind": "Binding",
                "metadata": {"name": name, "namespace": namespace, "uid": uid},
                "target": {"apiVersion": "v1", "kind": "Node", "name": node},
            });
            let _: serde_json::Value =
                api.create_subresource("binding", &name, &PostParams::default(), &binding).await?;
            let message = format!("Successfully assigned {namespace}/{name} to {node}");
            self.recorder.tell(&pod, COMPONENT, Note::normal("Scheduled", message));
            self.assumed.bound.insert(uid.clone(), node.to_owned());
        }
        self.assumed.made.insert(uid, Arc::new(pod));
        Ok(())
    }

    /// Deletes the pods of a job that have not ended.
    pub(super) async fn stop(&mut self, observed: &Observed) -> Result<(), kube::Error> {
        let api = api(self.client, &observed.object);
        for pod in observed.pods.values().filter(|pod| !is_finished(pod)) {
            self.remove(&api, pod).await?;
        }
        Ok(())
    }

    /// Takes back the pods that were made and are on no node.
    pub(super) async fn take_back(&mut self, observed: &Observed) -> Result<(), kube::Error> {
        let api = api(self.client, &observed.object);
        for pod in observed.pods.values().filter(|pod| !is_placed(pod) && !is_finished(pod)) {
            self.remove(&api, pod).await?;
        }
        Ok(())
    }

    async fn remove(&mut self, api: &Api<Pod>, pod: &Pod) -> Result<(), kube::Error> {
        let Some(uid) = pod.uid() else { return Ok(()) };
        if pod.metadata.deletion_timestamp.is_some() || self.assumed.deleted.contains(&uid) {
            return Ok(());
        }
        let this_pod = Preconditions { uid: Some(uid.clone()), resource_version: None };
        let params = DeleteParams { preconditions: Some(this_pod), ..DeleteParams::default() };
        gone_is_fine(api.delete(&pod.name_any(), &params).await)?;
        self.assumed.made.remove(&uid);
        self.assumed.deleted.insert(uid);
        Ok(())
    }
}

fn api(client: &Client, job: &FlashJob) -> Api<Pod> {
    Api::namespaced(client.clone(), &job.namespace().unwrap_or_default())
}

/// Makes a pod. One that is there already is the job's own, made a moment ago, which the cache does not show yet.
async fn make(api: &Api<Pod>, job: &FlashJob, pod: &Pod) -> Result<Pod, kube::Error> {
    match api.create(&PostParams::default(), pod).await {
        Err(kube::Error::Api(refused)) if refused.reason == "AlreadyExists" => {
            let there = api.get(&pod.name_any()).await?;
            let own = there.owner_references().iter().any(|owner| Some(&owner.uid) == job.metadata.uid.as_ref());
            if own && there.metadata.deletion_timestamp.is_none() { Ok(there) } else { Err(kube::Error::Api(refused)) }
        }
        answer => answer,
    }
}

/// The API server's words against an object, if that is what the error is.
fn refusal(error: &kube::Error) -> Option<String> {
    match error {
        kube::Error::Api(status) if matches!(status.code, 400 | 403 | 413 | 422) => Some(status.message.clone()),
        _ => None,
    }
}

/// The pod of one task. A template that does not say how it restarts is a batch task and does not; one that names no scheduler
/// is ours all the same.
fn task_pod(job: &FlashJob, task: usize) -> Option<Pod> {
    let template = job.spec.tasks.get(task)?;
    let metadata = template.metadata.clone().unwrap_or_default();
    let mut labels = metadata.labels.unwrap_or_default();
    labels.insert(JOB_LABEL.to_owned(), job.name_any());
    labels.insert(TASK_LABEL.to_owned(), task.to_string());
    let mut spec = template.spec.clone()?;
    spec.restart_policy.get_or_insert_with(|| "Never".to_owned());
    spec.scheduler_name.get_or_insert_with(|| NAME.to_owned());
    Some(Pod {
        metadata: ObjectMeta {
            name: Some(format!("{}-{task}", job.name_any())),
            namespace: job.namespace(),
            labels: Some(labels),
            annotations: metadata.annotations,
            owner_references: job.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        status: None,
    })
}
