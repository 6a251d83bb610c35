//! The fields of an Argo Workflow that are defined by Argo, so that a misspelled one is detected.
//!
//! They are those of Argo Workflows 3.7 (<https://argo-workflows.readthedocs.io/en/release-3.7/fields/>). A [`Skipped`]
//! field is read elsewhere, as a Kubernetes type, or not at all.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::{ConfigMapKeySelector, SecretKeySelector};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;
use serde::de::{Deserialize, Deserializer, IgnoredAny as Skipped, Visitor};

/// Declares types with optional fields only, as in Go.
macro_rules! types {
    ($($(#[doc = $doc:literal])+ $name:ident { $($(#[$of_field:meta])* $field:ident: $type:ty),+ $(,)? })+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug, Clone, Default, serde::Deserialize)]
            #[serde(rename_all = "camelCase", default)]
            pub(in crate::cluster) struct $name { $($(#[$of_field])* pub $field: $type),+ }
        )+
    };
}

types! {
    /// A whole document.
    Workflow { metadata: ObjectMeta, spec: Option<WorkflowSpec> }

    /// The spec of a workflow.
    WorkflowSpec {
        active_deadline_seconds: Option<i64>,
        affinity: Option<Skipped>,
        archive_logs: Option<bool>,
        arguments: Arguments,
        #[serde(rename = "artifactGC")]
        artifact_gc: Option<WorkflowLevelArtifactGC>,
        artifact_repository_ref: Option<ArtifactRepositoryRef>,
        automount_service_account_token: Option<Skipped>,
        dns_config: Option<Skipped>,
        dns_policy: Option<String>,
        entrypoint: String,
        executor: Option<ExecutorConfig>,
        hooks: BTreeMap<String, LifecycleHook>,
        host_aliases: Option<Skipped>,
        host_network: Option<Skipped>,
        image_pull_secrets: Option<Skipped>,
        metrics: Option<Metrics>,
        node_selector: BTreeMap<String, String>,
        on_exit: String,
        parallelism: Option<i64>,
        pod_disruption_budget: Option<Skipped>,
        #[serde(rename = "podGC")]
        pod_gc: Option<PodGC>,
        pod_metadata: Option<Metadata>,
        pod_priority_class_name: String,
        pod_spec_patch: Option<Skipped>,
        priority: Option<Skipped>,
        retry_strategy: Option<RetryStrategy>,
        scheduler_name: String,
        security_context: Option<Skipped>,
        service_account_name: Option<Skipped>,
        shutdown: String,
        suspend: Option<bool>,
        synchronization: Option<Synchronization>,
        template_defaults: Option<Box<Template>>,
        templates: Vec<Template>,
        tolerations: Option<Skipped>,
        ttl_strategy: Option<TTLStrategy>,
        #[serde(rename = "volumeClaimGC")]
        volume_claim_gc: Option<VolumeClaimGC>,
        volume_claim_templates: Option<Skipped>,
        volumes: Option<Skipped>,
        workflow_metadata: Option<WorkflowMetadata>,
        workflow_template_ref: Option<Skipped>,
    }

    /// One kind of step: a pod, or other steps in an order.
    Template {
        active_deadline_seconds: Option<IntOrString>,
        affinity: Option<Skipped>,
        annotations: BTreeMap<String, String>,
        archive_location: Option<ArtifactLocation>,
        automount_service_account_token: Option<Skipped>,
        container: Option<Skipped>,
        container_set: Option<ContainerSetTemplate>,
        daemon: Option<bool>,
        dag: Option<DAGTemplate>,
        data: Option<Skipped>,
        executor: Option<ExecutorConfig>,
        fail_fast: Option<bool>,
        host_aliases: Option<Skipped>,
        http: Option<HTTPRequest>,
        init_containers: Option<Skipped>,
        inputs: Inputs,
        memoize: Option<Memoize>,
        metadata: Metadata,
        metrics: Option<Metrics>,
        name: String,
        node_selector: BTreeMap<String, String>,
        outputs: Outputs,
        parallelism: Option<i64>,
        plugin: Option<Skipped>,
        pod_spec_patch: Option<Skipped>,
        priority_class_name: String,
        resource: Option<Skipped>,
        retry_strategy: Option<RetryStrategy>,
        scheduler_name: String,
        script: Option<Skipped>,
        security_context: Option<Skipped>,
        service_account_name: Option<Skipped>,
        sidecars: Option<Skipped>,
        steps: Option<Vec<Vec<WorkflowStep>>>,
        suspend: Option<SuspendTemplate>,
        synchronization: Option<Synchronization>,
        timeout: String,
        tolerations: Option<Skipped>,
        volumes: Option<Skipped>,
    }

    /// A step in a group whose steps run in parallel.
    WorkflowStep {
        arguments: Arguments,
        continue_on: Option<ContinueOn>,
        hooks: BTreeMap<String, LifecycleHook>,
        inline: Option<Box<Template>>,
        name: String,
        on_exit: String,
        template: String,
        template_ref: Option<Skipped>,
        when: String,
        with_items: Vec<Skipped>,
        with_param: String,
        with_sequence: Option<Sequence>,
    }

    /// Tasks ordered by their dependencies.
    DAGTemplate {
        fail_fast: Option<bool>,
        target: String,
        tasks: Vec<DAGTask>,
    }

    /// A task in a graph.
    DAGTask {
        arguments: Arguments,
        continue_on: Option<ContinueOn>,
        dependencies: Vec<String>,
        depends: String,
        hooks: BTreeMap<String, LifecycleHook>,
        inline: Option<Box<Template>>,
        name: String,
        on_exit: String,
        template: String,
        template_ref: Option<Skipped>,
        when: String,
        with_items: Vec<Skipped>,
        with_param: String,
        with_sequence: Option<Sequence>,
    }

    /// Containers of one pod ordered by their dependencies.
    ContainerSetTemplate {
        containers: Vec<Skipped>,
        retry_strategy: Option<ContainerSetRetryStrategy>,
        volume_mounts: Option<Skipped>,
    }

    /// How the containers of a set are retried.
    ContainerSetRetryStrategy { duration: String, retries: Option<IntOrString> }
    /// A template that waits.
    SuspendTemplate { duration: String }
    /// Which outcomes of a step do not end its template.
    ContinueOn { error: bool, failed: bool }
    /// A template that runs alongside or after a step.
    LifecycleHook { arguments: Arguments, expression: String, template: String, template_ref: Option<Skipped> }
    /// A step that runs once for each number.
    Sequence { count: Option<IntOrString>, end: Option<IntOrString>, format: String, start: Option<IntOrString> }
    /// The arguments of a template.
    Arguments { artifacts: Vec<Artifact>, parameters: Vec<Parameter> }
    /// The inputs of a template.
    Inputs { artifacts: Vec<Artifact>, parameters: Vec<Parameter> }
    /// The outputs of a template.
    Outputs { artifacts: Vec<Artifact>, exit_code: Option<String>, parameters: Vec<Parameter>, result: Option<String> }
    /// Labels and annotations of the pods.
    Metadata { annotations: BTreeMap<String, String>, labels: BTreeMap<String, String> }

    /// A text with a name.
    Parameter {
        default: Option<AnyString>,
        description: Option<AnyString>,
        #[serde(rename = "enum")]
        choices: Option<Vec<AnyString>>,
        global_name: String,
        name: String,
        value: Option<AnyString>,
        value_from: Option<ValueFrom>,
    }

    /// The source of a parameter's value.
    ValueFrom {
        config_map_key_ref: Option<ConfigMapKeySelector>,
        default: Option<AnyString>,
        event: String,
        expression: String,
        jq_filter: String,
        json_path: String,
        parameter: String,
        path: String,
        supplied: Option<Skipped>,
    }

    /// A named file or folder.
    Artifact {
        archive: Option<ArchiveStrategy>,
        archive_logs: Option<bool>,
        #[serde(rename = "artifactGC")]
        artifact_gc: Option<ArtifactGC>,
        artifactory: Option<Skipped>,
        azure: Option<Skipped>,
        deleted: bool,
        from: String,
        from_expression: String,
        gcs: Option<Skipped>,
        git: Option<Skipped>,
        global_name: String,
        hdfs: Option<Skipped>,
        http: Option<Skipped>,
        mode: Option<i32>,
        name: String,
        optional: bool,
        oss: Option<Skipped>,
        path: String,
        raw: Option<Skipped>,
        recurse_mode: bool,
        s3: Option<Skipped>,
        sub_path: String,
    }

    /// Where artifacts are stored.
    ArtifactLocation {
        archive_logs: Option<bool>,
        artifactory: Option<Skipped>,
        azure: Option<Skipped>,
        gcs: Option<Skipped>,
        git: Option<Skipped>,
        hdfs: Option<Skipped>,
        http: Option<Skipped>,
        oss: Option<Skipped>,
        raw: Option<Skipped>,
        s3: Option<Skipped>,
    }

    /// How an artifact is archived.
    ArchiveStrategy { none: Option<Skipped>, tar: Option<Skipped>, zip: Option<Skipped> }
    /// When an artifact is deleted.
    ArtifactGC { pod_metadata: Option<Metadata>, service_account_name: Option<Skipped>, strategy: String }

    /// When the artifacts of a workflow are deleted.
    WorkflowLevelArtifactGC {
        force_finalizer_removal: bool,
        pod_metadata: Option<Metadata>,
        pod_spec_patch: Option<Skipped>,
        service_account_name: Option<Skipped>,
        strategy: String,
    }

    /// Where the artifact repository is described.
    ArtifactRepositoryRef { config_map: String, key: String }
    /// The service account of the executor.
    ExecutorConfig { service_account_name: Option<Skipped> }
    /// When pods are deleted.
    PodGC { delete_delay_duration: String, label_selector: Option<LabelSelector>, strategy: String }
    /// When claims are deleted.
    VolumeClaimGC { strategy: String }

    /// How long a finished workflow is kept, in seconds.
    TTLStrategy {
        seconds_after_completion: Option<i32>,
        seconds_after_failure: Option<i32>,
        seconds_after_success: Option<i32>,
    }

    /// Labels and annotations of the workflow itself.
    WorkflowMetadata {
        annotations: BTreeMap<String, String>,
        labels: BTreeMap<String, String>,
        labels_from: BTreeMap<String, LabelValueFrom>,
    }

    /// A label with a computed value.
    LabelValueFrom { expression: String }

    /// When and how often a template is retried.
    RetryStrategy {
        affinity: Option<RetryAffinity>,
        backoff: Option<Backoff>,
        expression: String,
        limit: Option<IntOrString>,
        retry_policy: String,
    }

    /// The nodes on which it is retried.
    RetryAffinity { node_anti_affinity: Option<Skipped> }
    /// How long to wait before a retry.
    Backoff { cap: String, duration: String, factor: Option<IntOrString>, max_duration: String }

    /// What may not run at the same time.
    Synchronization {
        mutex: Option<Mutex>,
        mutexes: Vec<Mutex>,
        semaphore: Option<SemaphoreRef>,
        semaphores: Vec<SemaphoreRef>,
    }

    /// A lock with one holder.
    Mutex { database: bool, name: String, namespace: String }
    /// A lock with several holders.
    SemaphoreRef { config_map_key_ref: Option<ConfigMapKeySelector>, database: Option<SyncDatabaseRef>, namespace: String }
    /// A lock stored in a database.
    SyncDatabaseRef { key: String }
    /// Outputs that are reused.
    Memoize { cache: Option<Cache>, key: String, max_age: String }
    /// Where they are stored.
    Cache { config_map: Option<ConfigMapKeySelector> }
    /// The metrics.
    Metrics { prometheus: Vec<Prometheus> }

    /// One metric.
    Prometheus {
        counter: Option<Counter>,
        gauge: Option<Gauge>,
        help: String,
        histogram: Option<Histogram>,
        labels: Vec<MetricLabel>,
        name: String,
        when: String,
    }

    /// A counter.
    Counter { value: String }
    /// A gauge.
    Gauge { operation: String, realtime: Option<bool>, value: String }
    /// A histogram.
    Histogram { buckets: Vec<Skipped>, value: String }
    /// A label of a metric.
    MetricLabel { key: String, value: String }

    /// A request that Argo's agent sends.
    HTTPRequest {
        body: String,
        body_from: Option<HTTPBodySource>,
        headers: Vec<HTTPHeader>,
        insecure_skip_verify: bool,
        method: String,
        success_condition: String,
        timeout_seconds: Option<i64>,
        url: String,
    }

    /// The source of a request's body.
    HTTPBodySource { bytes: Option<String> }
    /// A header of a request.
    HTTPHeader { name: String, value: String, value_from: Option<HTTPHeaderSource> }
    /// The source of a header's value.
    HTTPHeaderSource { secret_key_ref: Option<SecretKeySelector> }
}

/// A text that may also be written as a number or a boolean.
#[derive(Debug, Clone)]
pub(in crate::cluster) struct AnyString;

impl<'de> Deserialize<'de> for AnyString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;

        impl Visitor<'_> for Scalar {
            type Value = AnyString;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a number or true or false")
            }

            fn visit_str<E>(self, _: &str) -> Result<AnyString, E> {
                Ok(AnyString)
            }

            fn visit_bool<E>(self, _: bool) -> Result<AnyString, E> {
                Ok(AnyString)
            }

            fn visit_i64<E>(self, _: i64) -> Result<AnyString, E> {
                Ok(AnyString)
            }

            fn visit_f64<E>(self, _: f64) -> Result<AnyString, E> {
                Ok(AnyString)
            }
        }

        deserializer.deserialize_any(Scalar)
    }
}
