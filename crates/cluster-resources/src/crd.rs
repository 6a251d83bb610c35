//! The scheduler's custom resources, exactly as the cluster's contract has them: `FlashJob` and `ClusterResourceQueue`.

mod definitions;

pub use definitions::{all_as_yaml, definitions, file_name, to_yaml};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The group of both resources.
pub const GROUP: &str = "scheduling.flash-sched.io";
/// The annotation on every pod template that names its queue.
pub const QUEUE_ANNOTATION: &str = "scheduling.flash-sched.io/queue-name";
/// The annotation on every pod template that says whether its queue may be preempted: `"true"` or `"false"`.
pub const PREEMPTABLE_ANNOTATION: &str = "scheduling.flash-sched.io/preemptable";

/// The most tasks a job may have: an object of the cluster is at most 1.5 MB, and a rule over them has to have a known cost.
pub const MAX_TASKS: u64 = 1000;

/// A gang-scheduled batch job: `tasks` pods of which `minAvailable` must be able to start together.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[x_kube(
    validation = Rule::new("self.minAvailable <= size(self.tasks)")
        .message("minAvailable must not be greater than the number of tasks")
        .field_path(".minAvailable")
)]
#[kube(
    group = "scheduling.flash-sched.io",
    version = "v1alpha1",
    kind = "FlashJob",
    plural = "flashjobs",
    namespaced,
    status = "FlashJobStatus",
    derive = "Default",
    derive = "PartialEq",
    shortname = "fj",
    doc = "A gang-scheduled batch job: tasks are pods of which minAvailable must be able to start together.",
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Min","type":"integer","jsonPath":".spec.minAvailable","priority":1}"#,
    printcolumn = r#"{"name":"Desired","type":"integer","jsonPath":".status.desired"}"#,
    printcolumn = r#"{"name":"Active","type":"integer","jsonPath":".status.active"}"#,
    printcolumn = r#"{"name":"Succeeded","type":"integer","jsonPath":".status.succeeded"}"#,
    printcolumn = r#"{"name":"Failed","type":"integer","jsonPath":".status.failed"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct FlashJobSpec {
    /// How many tasks must be able to start together (the gang). Cannot be changed.
    #[schemars(range(min = 1))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("minAvailable is immutable").reason(Reason::FieldValueForbidden))]
    pub min_available: i32,
    /// One pod template a task: N replicas are N entries. Cannot be changed.
    #[schemars(schema_with = "definitions::tasks_schema")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("tasks are immutable").reason(Reason::FieldValueForbidden))]
    pub tasks: Vec<PodTemplateSpec>,
}

/// What the scheduler has observed of a job.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlashJobStatus {
    /// Pods that are placed and not finished.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub active: i32,
    /// Pods that ended with success.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub succeeded: i32,
    /// Pods that ended with failure.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub failed: i32,
    /// Pods wanted: the number of tasks.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub desired: i32,
    /// Where the job as a whole stands.
    #[serde(default)]
    pub phase: Option<FlashJobPhase>,
    /// Details, newest transition last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// The phases the scheduler reports.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum FlashJobPhase {
    /// Not all of the gang is placed.
    Pending,
    /// The gang runs.
    Running,
    /// Every task succeeded.
    Succeeded,
    /// A task failed.
    Failed,
}

/// A queue that jobs wait in, ordered among all queues by priority.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[kube(
    group = "scheduling.flash-sched.io",
    version = "v1alpha1",
    kind = "ClusterResourceQueue",
    plural = "clusterresourcequeues",
    derive = "Default",
    derive = "PartialEq",
    shortname = "crq",
    doc = "A queue that jobs wait in, ordered among all queues by priority.",
    printcolumn = r#"{"name":"Priority","type":"integer","jsonPath":".spec.priority"}"#,
    printcolumn = r#"{"name":"Preemptible","type":"boolean","jsonPath":".spec.isPreemptible"}"#,
    printcolumn = r#"{"name":"MaxConcurrent","type":"integer","jsonPath":".spec.maxConcurrent"}"#,
    printcolumn = r#"{"name":"TTL","type":"integer","description":"Seconds a finished job is kept; 0 keeps it","jsonPath":".spec.ttlSeconds","priority":1}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterResourceQueueSpec {
    /// Higher goes first.
    pub priority: i64,
    /// Whether running jobs of this queue may be stopped to make room for a higher one.
    #[serde(default)]
    pub is_preemptible: bool,
    /// How many jobs of this queue may run at a time; 0 means no limit.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub max_concurrent: i64,
    /// Seconds a finished job is kept before its object is removed; 0 keeps it.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub ttl_seconds: i64,
}
