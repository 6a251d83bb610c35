//! Asks the cluster whether it would accept a job: a dry run of the object and of its pods with strict field
//! validation.
//!
//! The API server treats a dry run like a real request, including admission, and stores nothing. A dry run does not
//! detect that an object is too large for etcd, and it checks a quota for one pod rather than for all.
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run>

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use serde::Serialize;

use super::Target;
use super::capacity::Nodes;
use super::object::JobObject;
use super::references::{self, Key, Kind, Missing, Reference};
use crate::cluster::error::Refusal;
use crate::cluster::names::Tenant;
use crate::cluster::{Cluster, ClusterError, namespaces, queues};

/// Number of pods that are tried in parallel.
const AT_ONCE: usize = 8;
/// Maximum number of missing keys in a message.
const MAX_KEYS: usize = 5;
/// Timeout of a trial.
const PATIENCE: Duration = Duration::from_secs(5);
/// When a trial that came too early is repeated.
const SOON: Duration = Duration::from_millis(100);
/// The owner of a pod has a uid, and an object that was not created has none.
const NO_UID: &str = "00000000-0000-0000-0000-000000000000";

/// The cluster's verdict on a job in a dry run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trial {
    /// The objections; empty if it would accept the job.
    pub objections: Vec<Objection>,
    /// Messages about what would keep an accepted job waiting.
    pub warnings: Vec<String>,
}

/// An objection of the cluster to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// The first task whose pod it is about; `None` for the job's object.
    pub task: Option<usize>,
    /// Whether it is permanent; otherwise a change of the cluster may resolve it.
    pub is_final: bool,
    /// The message.
    pub refusal: Refusal,
}

/// The part of a job to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Its pods: one for each different template.
    Pods,
    /// Its object, its pods, and whether the objects they refer to exist.
    Whole,
}

/// A job as its executor would send it.
pub(super) struct Candidate<'a, K> {
    /// Its objects.
    pub(super) objects: &'a [K],
    /// The pod template of each task.
    pub(super) tasks: &'a [PodTemplateSpec],
    /// What the object's controller gives to the pod of a task.
    pub(super) shape: &'a (dyn Fn(usize) -> PodShape + Sync),
}

/// What a controller gives to a pod that it creates.
pub(super) struct PodShape {
    /// The API version, kind and name of its owner.
    pub(super) owner: (String, String, String),
    /// Its name.
    pub(super) name: String,
    /// Its labels, in addition to those of the template.
    pub(super) labels: Vec<(&'static str, String)>,
}

/// Tries a job. The namespace is created if it is missing.
///
/// # Errors
/// The cluster could not be asked, or not within a few seconds; nothing is known about the job in that case.
pub(super) async fn run<K: JobObject>(
    (cluster, nodes): (&Cluster, &Nodes),
    target: &Target,
    job: &Candidate<'_, K>,
    part: Part,
) -> Result<Trial, ClusterError> {
    let tried = async {
        let mut has_namespace = false;
        loop {
            match try_once((cluster, nodes), target, job, part).await {
                Err(ClusterError::NotFound(_)) if !has_namespace => {
                    has_namespace = true;
                    namespaces::ensure(cluster, &target.namespace, Tenant::Project(target.project)).await?;
                }
                // A server that has just started creates the queues' priority classes, and may be called before it has
                // done so; the API server learns of them a moment later.
                Ok(trial) if trial.objections.iter().any(|objection| lacks_own_class(&objection.refusal)) => {
                    queues::ensure_classes(cluster).await?;
                    tokio::time::sleep(SOON).await;
                }
                answer => return answer,
            }
        }
    };
    let late = |_| Err(ClusterError::Away(format!("no answer within {} s", PATIENCE.as_secs())));
    tokio::time::timeout(PATIENCE, tried).await.unwrap_or_else(late)
}

/// Whether a pod is rejected because the priority class of a queue that every cluster has is missing.
fn lacks_own_class(refusal: &Refusal) -> bool {
    let of_queue =
        |queue: queues::Queue| refusal.message.contains(&format!("no PriorityClass with name {} ", queue.name));
    queues::QUEUES.into_iter().any(of_queue)
}

async fn try_once<K: JobObject>(
    (cluster, nodes): (&Cluster, &Nodes),
    target: &Target,
    job: &Candidate<'_, K>,
    part: Part,
) -> Result<Trial, ClusterError> {
    let pods = distinct(job.tasks);
    let objects = async {
        let mut answers = Vec::new();
        for object in if part == Part::Whole { job.objects } else { &[] } {
            answers.push((None, dry_run(cluster, &target.namespace, object).await));
        }
        answers
    };
    let calls: Vec<_> = pods
        .iter()
        .map(|&(task, template)| {
            let pod = pod_of(&target.namespace, (job.shape)(task), template);
            async move { (Some(task), dry_run(cluster, &target.namespace, &pod).await) }
        })
        .collect();
    let pods_tried = stream::iter(calls).buffered(AT_ONCE).collect::<Vec<_>>();
    let (mut answers, pods_tried, missing) = tokio::join!(objects, pods_tried, missing(cluster, target, &pods, part));
    answers.extend(pods_tried);

    let mut trial = Trial::default();
    let mut unknown = None;
    for (task, answer) in answers {
        let mut object = |refusal, is_final| trial.objections.push(Objection { task, is_final, refusal });
        match answer {
            // An object with that name exists: from an earlier attempt whose response was lost.
            Ok(()) | Err(ClusterError::AlreadyExists(_) | ClusterError::Conflict(_)) => {}
            Err(ClusterError::Invalid(refusal)) => object(refusal, true),
            Err(ClusterError::Denied(refusal)) => object(refusal, false),
            Err(ClusterError::OverQuota(words)) => {
                let sentence = format!("The quota of the project's namespace has no room at the moment: {words}");
                if trial.warnings.is_empty() {
                    trial.warnings.push(sentence);
                }
            }
            Err(
                error @ (ClusterError::Away(_)
                | ClusterError::NotFound(_)
                | ClusterError::KindMissing(_)
                | ClusterError::Forbidden(_)
                | ClusterError::Refused(_)
                | ClusterError::Unconfigured(_)),
            ) => unknown = unknown.or(Some(error)),
        }
    }
    trial.warnings.extend(missing);
    if part == Part::Whole {
        trial.warnings.extend(nodes.warnings(job.tasks, &pods));
    }
    match unknown {
        // A known rejection stands, whatever the other results are.
        Some(error) if trial.objections.is_empty() => Err(error),
        Some(_) | None => Ok(trial),
    }
}

/// The different templates, each with its first task. Equal ones are usually adjacent.
pub(super) fn distinct(tasks: &[PodTemplateSpec]) -> Vec<(usize, &PodTemplateSpec)> {
    let mut distinct: Vec<(usize, &PodTemplateSpec)> = Vec::new();
    for (task, template) in tasks.iter().enumerate() {
        if !distinct.iter().rev().any(|(_, known)| *known == template) {
            distinct.push((task, template));
        }
    }
    distinct
}

/// The pod of a task as its controller creates it.
fn pod_of(namespace: &str, shape: PodShape, template: &PodTemplateSpec) -> Pod {
    let metadata = template.metadata.clone().unwrap_or_default();
    let mut labels = metadata.labels.unwrap_or_default();
    labels.extend(shape.labels.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let (api_version, kind, name) = shape.owner;
    let owner = OwnerReference {
        api_version,
        kind,
        name,
        uid: NO_UID.to_owned(),
        controller: Some(true),
        ..OwnerReference::default()
    };
    Pod {
        metadata: ObjectMeta {
            name: Some(shape.name),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels),
            annotations: metadata.annotations,
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

/// Creates an object in a dry run in which an unknown field is an error.
async fn dry_run<K>(cluster: &Cluster, namespace: &str, object: &K) -> Result<(), ClusterError>
where
    K: Resource<DynamicType = ()> + Serialize,
{
    let malformed = |error: &dyn std::error::Error| ClusterError::Invalid(Refusal::from(error.to_string()));
    let body = serde_json::to_vec(object).map_err(|error| malformed(&error))?;
    super::check_size(body.len())?;
    // The client's parameters have no field validation for a create.
    let path = format!("{}?dryRun=All&fieldValidation=Strict", K::url_path(&(), Some(namespace)));
    let request = http::Request::post(path)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(body)
        .map_err(|error| malformed(&error))?;
    cluster.call(cluster.client().request_text(request)).await.map(drop)
}

/// Messages about what the pods need and the namespace does not have. What the platform may not read is skipped.
async fn missing(cluster: &Cluster, target: &Target, pods: &[(usize, &PodTemplateSpec)], part: Part) -> Vec<String> {
    if part == Part::Pods {
        return Vec::new();
    }
    // Each object once, for the first task that needs it; its keys in order.
    let mut places = HashMap::new();
    let mut needed: Vec<(usize, (Kind, String), BTreeSet<Key>)> = Vec::new();
    for (task, template) in pods {
        for Reference { kind, name, key } in template.spec.iter().flat_map(references::of_pod) {
            let object = (kind, name);
            let place = *places.entry(object.clone()).or_insert_with(|| {
                needed.push((*task, object, BTreeSet::new()));
                needed.len() - 1
            });
            needed[place].2.extend(key);
        }
    }
    let calls: Vec<_> = needed
        .into_iter()
        .map(|(task, (kind, name), keys)| async move {
            let missing = references::missing(cluster, &target.namespace, (kind, &name), keys.iter()).await;
            missing_sentence(task, kind.name(), &name, &missing)
        })
        .collect();
    stream::iter(calls).buffered(AT_ONCE).filter_map(std::future::ready).collect().await
}

/// The message about an object that a task needs, if a part of it is missing.
fn missing_sentence(task: usize, kind: &str, name: &str, missing: &Missing) -> Option<String> {
    match missing {
        Missing::Nothing => None,
        Missing::Object => Some(format!(
            "Task {task} needs the {kind} \"{name}\", which is not in the project's namespace, and will wait until it is created: \
             submitJob creates only the job, not the other objects of a config file"
        )),
        Missing::Keys(keys) => {
            let shown: Vec<String> = keys.iter().take(MAX_KEYS).map(|key| format!("{key:?}")).collect();
            let more = if keys.len() > shown.len() {
                format!(" and {} more", keys.len() - shown.len())
            } else {
                String::new()
            };
            let (keys, them) = if keys.len() == 1 { ("key", "it") } else { ("keys", "them") };
            let shown = shown.join(", ");
            Some(format!(
                "Task {task} needs the {keys} {shown}{more} of the {kind} \"{name}\", which does not have {them}, and will wait \
                 for {them}"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn template(image: &str) -> PodTemplateSpec {
        let template = json!({
            "metadata": { "labels": { "a": "b" }, "annotations": { "c": "d" } },
            "spec": { "containers": [{ "name": "main", "image": image }], "priorityClassName": "default-batch" },
        });
        serde_json::from_value(template).unwrap()
    }

    #[test]
    fn what_is_missing_is_told_in_a_sentence() {
        let keys = |count: usize| Missing::Keys((1..=count).map(|n| format!("k{n}")).collect());
        let told = [Missing::Object, keys(1), keys(2), keys(8)];
        let told = told.map(|missing| missing_sentence(0, "Secret", "token", &missing).unwrap());
        insta::assert_snapshot!(told.join("\n"), @r#"
    Task 0 needs the Secret "token", which is not in the project's namespace, and will wait until it is created: submitJob creates only the job, not the other objects of a config file
    Task 0 needs the key "k1" of the Secret "token", which does not have it, and will wait for it
    Task 0 needs the keys "k1", "k2" of the Secret "token", which does not have them, and will wait for them
    Task 0 needs the keys "k1", "k2", "k3", "k4", "k5" and 3 more of the Secret "token", which does not have them, and will wait for them
    "#);
        assert_eq!(missing_sentence(0, "Secret", "token", &Missing::Nothing), None);
    }

    #[test]
    fn equal_templates_are_tried_once_each_as_the_first_task_that_has_it() {
        let tasks = ["x", "x", "y", "x", "y", "z"].map(template);
        assert_eq!(distinct(&tasks).into_iter().map(|(task, _)| task).collect::<Vec<_>>(), [0, 2, 5]);
    }

    #[test]
    fn only_the_class_of_an_own_queue_is_made_sure_of() {
        let refusal = |class: &str| {
            Refusal::from(format!("pods \"x\" is forbidden: no PriorityClass with name {class} was found"))
        };
        assert!(lacks_own_class(&refusal("default-batch")));
        assert!(!lacks_own_class(&refusal("default-batch-2")));
    }

    #[test]
    fn a_pod_is_tried_with_all_that_the_scheduler_gives_it() {
        let shape = PodShape {
            owner: ("scheduling.flash-sched.io/v1alpha1".to_owned(), "FlashJob".to_owned(), "job-y".to_owned()),
            name: "job-y-3".to_owned(),
            labels: vec![
                ("scheduling.flash-sched.io/job-name", "job-y".to_owned()),
                ("scheduling.flash-sched.io/task-index", "3".to_owned()),
            ],
        };
        insta::assert_json_snapshot!(pod_of("proj-x", shape, &template("x")), @r#"
        {
          "apiVersion": "v1",
          "kind": "Pod",
          "metadata": {
            "annotations": {
              "c": "d"
            },
            "labels": {
              "a": "b",
              "scheduling.flash-sched.io/job-name": "job-y",
              "scheduling.flash-sched.io/task-index": "3"
            },
            "name": "job-y-3",
            "namespace": "proj-x",
            "ownerReferences": [
              {
                "apiVersion": "scheduling.flash-sched.io/v1alpha1",
                "controller": true,
                "kind": "FlashJob",
                "name": "job-y",
                "uid": "00000000-0000-0000-0000-000000000000"
              }
            ]
          },
          "spec": {
            "containers": [
              {
                "image": "x",
                "name": "main"
              }
            ],
            "priorityClassName": "default-batch"
          }
        }
        "#);
    }
}
