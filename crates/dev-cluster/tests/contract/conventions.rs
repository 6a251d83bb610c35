//! The conventions of the Kubernetes API beneath any client: codes, reasons and words of what is refused, and what a typed
//! server makes of what it is sent.

use std::fmt::Write;

use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::arena::{Arena as Place, PATIENCE};

const MERGE: &str = "application/merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// What came back: the code, the headers that matter, the object.
struct Answer {
    code: u16,
    warnings: Vec<String>,
    body: Value,
}

impl Answer {
    /// `422 Invalid: MESSAGE`, or the code alone.
    fn line(&self) -> String {
        let text = |field: &str| self.body[field].as_str().unwrap_or_default();
        match text("message") {
            "" => self.code.to_string(),
            message => format!("{} {}: {message}", self.code, text("reason")),
        }
    }
}

async fn send(arena: &Place, method: Method, path: &str, media_type: &str, body: Vec<u8>) -> Answer {
    let request = Request::builder().method(method).uri(path).header("content-type", media_type);
    answer(arena, request.body(body.into()).unwrap()).await
}

async fn answer(arena: &Place, request: Request<kube::client::Body>) -> Answer {
    let answer = arena.client.send(request).await.unwrap();
    let warnings = answer.headers().get_all("warning").iter().map(|text| text.to_str().unwrap().to_owned()).collect();
    let code = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    Answer { code, warnings, body: serde_json::from_slice(&bytes).unwrap_or_default() }
}

/// The path of a core resource in the test's namespace.
fn core(arena: &Place, rest: &str) -> String {
    format!("/api/v1/namespaces/{}/{rest}", arena.namespace)
}

fn flash_jobs(arena: &Place, rest: &str) -> String {
    format!("/apis/scheduling.flash-sched.io/v1alpha1/namespaces/{}/flashjobs{rest}", arena.namespace)
}

fn note(more: Value) -> Value {
    let mut note = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "b"}});
    json_patch_merge(&mut note, more);
    note
}

fn json_patch_merge(target: &mut Value, more: Value) {
    match (target, more) {
        (Value::Object(target), Value::Object(more)) => {
            for (name, value) in more {
                json_patch_merge(target.entry(name).or_insert(Value::Null), value);
            }
        }
        (target, more) => *target = more,
    }
}

fn pod(spec: Value) -> Value {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {
        "schedulerName": "nobody", "containers": [{"name": "main", "image": "busybox"}],
    }});
    json_patch_merge(&mut pod["spec"], spec);
    pod
}

fn flash_job(more: Value) -> Value {
    let mut job = json!({
        "apiVersion": "scheduling.flash-sched.io/v1alpha1", "kind": "FlashJob", "metadata": {"name": "a"},
        "spec": {"minAvailable": 1, "tasks": [{"spec": {"containers": [{"name": "main", "image": "busybox"}]}}]},
    });
    json_patch_merge(&mut job, more);
    job
}

/// Creates each and answers a line for each.
async fn creates(arena: &Place, path: &str, objects: Vec<Value>) -> String {
    let mut lines = String::new();
    for object in objects {
        let answer = send(arena, Method::POST, path, "application/json", object.to_string().into_bytes()).await;
        writeln!(lines, "{}", answer.line()).unwrap();
    }
    lines
}

contract! {
    async fn options_that_do_not_exist_are_invalid(arena: Arena) {
        let mut lines = String::new();
        let body = note(json!({})).to_string();
        let manager = format!("fieldManager={}", "x".repeat(129));
        for (method, query) in [
            (Method::POST, "dryRun=Some"),
            (Method::POST, "fieldValidation=Nope"),
            (Method::POST, manager.as_str()),
            (Method::GET, "resourceVersion=1&resourceVersionMatch=Nope"),
            (Method::GET, "limit=-1"),
            (Method::GET, "nobody-knows=this"),
        ] {
            let path = core(&arena, &format!("configmaps?{query}"));
            writeln!(lines, "{}", send(&arena, method, &path, "application/json", body.clone().into()).await.line()).unwrap();
        }
        let both = json!({"propagationPolicy": "Orphan", "orphanDependents": true}).to_string();
        for (query, body) in [("?propagationPolicy=Nope", ""), ("", both.as_str())] {
            let path = core(&arena, &format!("configmaps/a{query}"));
            writeln!(lines, "{}", send(&arena, Method::DELETE, &path, "application/json", body.into()).await.line()).unwrap();
        }
        insta::assert_snapshot!(lines, @r#"
        422 Invalid: CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"
        422 Invalid: CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Nope": supported values: "", "Ignore", "Strict", "Warn"
        422 Invalid: CreateOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes
        422 Invalid: ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Unsupported value: "Nope": supported values: "Exact", "NotOlderThan", ""
        200
        200
        422 Invalid: DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Nope": supported values: "Foreground", "Background", "Orphan", "nil"
        422 Invalid: DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set
        "#);
    }

    async fn a_verb_that_a_path_does_not_have_is_not_allowed_or_not_found(arena: Arena) {
        let mut lines = String::new();
        for (method, path) in [
            (Method::PUT, core(&arena, "configmaps")),
            (Method::POST, core(&arena, "configmaps/a")),
            (Method::POST, "/api/v1/configmaps".to_owned()),
            (Method::GET, "/api/v1/configmaps/a".to_owned()),
            (Method::GET, core(&arena, "configmaps/a/nope")),
            (Method::GET, core(&arena, "nopes")),
            (Method::GET, core(&arena, "nodes")),
            (Method::DELETE, "/api/v1/namespaces".to_owned()),
            (Method::GET, flash_jobs(&arena, "/a/scale")),
        ] {
            writeln!(lines, "{}", send(&arena, method, &path, "application/json", note(json!({})).to_string().into()).await.line()).unwrap();
        }
        insta::assert_snapshot!(lines, @r#"
        405 MethodNotAllowed: the server does not allow this method on the requested resource
        405 MethodNotAllowed: the server does not allow this method on the requested resource
        405 MethodNotAllowed: the server does not allow this method on the requested resource
        404 NotFound: the server could not find the requested resource
        404 NotFound: the server could not find the requested resource
        404 NotFound: the server could not find the requested resource
        404 NotFound: the server could not find the requested resource
        405 MethodNotAllowed: the server does not allow this method on the requested resource
        404 NotFound: flashjobs.scheduling.flash-sched.io "a" not found
        "#);
    }

    async fn a_format_that_nobody_speaks_is_not_acceptable(arena: Arena) {
        creates(&arena, &core(&arena, "configmaps"), vec![note(json!({}))]).await;
        creates(&arena, &flash_jobs(&arena, ""), vec![flash_job(json!({}))]).await;
        let (notes, jobs) = (core(&arena, "configmaps/a"), flash_jobs(&arena, "/a"));
        for (path, accept, code) in [
            (&notes, "image/png", 406),
            (&jobs, "application/vnd.kubernetes.protobuf", 406),
            (&notes, "image/png, */*", 200),
            (&jobs, "application/vnd.kubernetes.protobuf, application/json", 200),
        ] {
            let request = Request::get(path).header("accept", accept).body(Vec::new().into()).unwrap();
            assert_eq!(answer(&arena, request).await.code, code, "{path} {accept}");
        }
    }

    async fn metadata_that_means_nothing_is_refused_by_field(arena: Arena) {
        let lines = creates(&arena, &core(&arena, "configmaps"), vec![
            note(json!({"metadata": {"finalizers": ["nope"]}})),
            note(json!({"metadata": {"labels": {"l": "x".repeat(64)}}})),
            note(json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod"}]}})),
            note(json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Event", "name": "a", "uid": "b"}]}})),
            note(json!({"metadata": {"namespace": "other"}})),
            note(json!({"kind": "Secret", "data": {"a": ""}})),
        ]).await;
        let lines = lines.lines().map(|line| line.split(": the request is for").next().unwrap()).collect::<Vec<_>>();
        insta::assert_snapshot!(lines[..5].join("\n"), @r#"
        422 Invalid: ConfigMap "a" is invalid: metadata.finalizers[0]: Invalid value: "nope": name is neither a standard finalizer name nor is it fully qualified
        422 Invalid: ConfigMap "a" is invalid: metadata.labels: Invalid value: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx": must be no more than 63 bytes
        422 Invalid: ConfigMap "a" is invalid: [metadata.ownerReferences.name: Invalid value: "": must not be empty, metadata.ownerReferences.uid: Invalid value: "": must not be empty]
        422 Invalid: ConfigMap "a" is invalid: metadata.ownerReferences: Invalid value: {"apiVersion":"v1","kind":"Event","name":"a","uid":"b"}: /v1, Kind=Event is disallowed from being an owner
        400 BadRequest: the namespace of the provided object does not match the namespace sent on the request
        "#);
        assert!(lines[5].starts_with("400 BadRequest"), "{}", lines[5]);
    }

    async fn a_custom_object_of_another_kind_is_refused(arena: Arena) {
        let lines = creates(&arena, &flash_jobs(&arena, ""), vec![
            flash_job(json!({"kind": "Nope"})),
            flash_job(json!({"apiVersion": "a/v1"})),
        ]).await;
        insta::assert_snapshot!(lines, @r#"
        422 Invalid: Nope.scheduling.flash-sched.io "a" is invalid: kind: Invalid value: "Nope": must be FlashJob
        400 BadRequest: the API version in the data (a/v1) does not match the expected API version (scheduling.flash-sched.io/v1alpha1)
        "#);
    }

    async fn pods_that_cannot_be_are_refused_by_field(arena: Arena) {
        let container = |more: Value| {
            let mut container = json!({"name": "main", "image": "busybox"});
            json_patch_merge(&mut container, more);
            pod(json!({"containers": [container]}))
        };
        let lines = creates(&arena, &core(&arena, "pods"), vec![
            container(json!({"resources": {"limits": {"cpu": "x"}}})),
            container(json!({"resources": {"limits": {"nvidia.com/gpu": "500m"}}})),
            container(json!({"ports": [{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}]})),
            pod(json!({"hostname": "A_"})),
            pod(json!({"tolerations": [{"key": "a", "operator": "No"}]})),
        ]).await;
        insta::assert_snapshot!(lines, @r#"
        400 BadRequest: Pod in version "v1" cannot be handled as a Pod: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'
        422 Invalid: Pod "a" is invalid: [spec.containers[0].resources.limits[nvidia.com/gpu]: Invalid value: "500m": must be an integer, spec.containers[0].resources.requests[nvidia.com/gpu]: Invalid value: "500m": must be an integer]
        422 Invalid: Pod "a" is invalid: spec.containers[0].ports[1].name: Duplicate value: "a"
        422 Invalid: Pod "a" is invalid: spec.hostname: Invalid value: "A_": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        422 Invalid: Pod "a" is invalid: spec.tolerations[0].operator: Unsupported value: "No": supported values: "Equal", "Exists"
        "#);
    }

    async fn quotas_namespaces_and_claims_that_mean_nothing_are_refused(arena: Arena) {
        // A real server reads a map in no order, so what is wrong is told one by one.
        let quota = |hard: Value| json!({
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "a"}, "spec": {"hard": hard},
        });
        let quotas = vec![quota(json!({"nope": "1"})), quota(json!({"pods": "-1"}))];
        let mut lines = creates(&arena, &core(&arena, "resourcequotas"), quotas).await;
        lines += &creates(&arena, &core(&arena, "persistentvolumeclaims"), vec![json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "a"},
            "spec": {"accessModes": ["No"], "resources": {"requests": {"storage": "0"}}},
        })]).await;
        lines += &creates(&arena, "/api/v1/namespaces", vec![json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "psa-nonsense", "labels": {
                "pod-security.kubernetes.io/enforce": "nope", "pod-security.kubernetes.io/warn-version": "nope",
            }},
        })]).await;
        insta::assert_snapshot!(lines, @r#"
        422 Invalid: ResourceQuota "a" is invalid: [spec.hard[nope]: Invalid value: "nope": must be a standard resource type or fully qualified, spec.hard[nope]: Invalid value: "nope": must be a standard resource for quota]
        422 Invalid: ResourceQuota "a" is invalid: spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0
        422 Invalid: PersistentVolumeClaim "a" is invalid: [spec.accessModes: Unsupported value: "No": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod", spec.resources[storage]: Invalid value: "0": must be greater than zero]
        422 Invalid: Namespace "psa-nonsense" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "nope": must be one of privileged, baseline, restricted, metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "nope": must be "latest" or "v1.x"]
        "#);
    }

    async fn a_patch_that_breaks_its_object_is_invalid(arena: Arena) {
        let path = core(&arena, "configmaps/a");
        creates(&arena, &core(&arena, "configmaps"), vec![note(json!({}))]).await;
        let mut lines = String::new();
        for (query, media_type, patch) in [
            ("", MERGE, json!({"data": {"a": 1}})),
            ("", MERGE, json!({"kind": "Secret"})),
            ("?fieldValidation=Strict", MERGE, json!({"nope": 1})),
            ("", JSON_PATCH, json!([{"op": "nope", "path": "/data"}])),
            ("", JSON_PATCH, json!([{"op": "remove", "path": "/data/nope"}])),
            ("", JSON_PATCH, json!({"a": 1})),
            ("?force=true", MERGE, json!({})),
        ] {
            let answer = send(&arena, Method::PATCH, &format!("{path}{query}"), media_type, patch.to_string().into()).await;
            let text = |field: &str| answer.body[field].as_str().unwrap_or_default().to_owned();
            let field = &answer.body["details"]["causes"][0]["field"];
            writeln!(lines, "{} {} {field}", answer.code, text("reason")).unwrap();
        }
        insta::assert_snapshot!(lines, @r#"
        422 Invalid "patch"
        422 Invalid "patch"
        422 Invalid "patch"
        422 Invalid null
        422 Invalid null
        400 BadRequest null
        422 Invalid "force"
        "#);
    }

    async fn an_unknown_field_is_warned_of_refused_or_ignored_and_never_applied(arena: Arena) {
        let path = core(&arena, "configmaps");
        let body = note(json!({"nope": 1})).to_string();
        let mut lines = String::new();
        for query in ["?dryRun=All", "?dryRun=All&fieldValidation=Strict", "?dryRun=All&fieldValidation=Ignore"] {
            let answer = send(&arena, Method::POST, &format!("{path}{query}"), "application/json", body.clone().into()).await;
            writeln!(lines, "{} {:?}", answer.line(), answer.warnings).unwrap();
        }
        for path in [format!("{path}/a?fieldManager=me"), flash_jobs(&arena, "/a?fieldManager=me")] {
            let body = if path.contains("flashjobs") { flash_job(json!({"spec": {"nope": 1}})) } else { note(json!({"nope": 1})) };
            writeln!(lines, "{}", send(&arena, Method::PATCH, &path, APPLY, body.to_string().into()).await.line()).unwrap();
        }
        insta::assert_snapshot!(lines.replace(&arena.namespace, "NAMESPACE"), @r#"
        201 ["299 - \"unknown field \\\"nope\\\"\""]
        400 BadRequest: ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "nope" []
        201 []
        500 : failed to create typed patch object (/a; /v1, Kind=ConfigMap): .nope: field not declared in schema
        500 : failed to create typed patch object (/a; scheduling.flash-sched.io/v1alpha1, Kind=FlashJob): .spec.nope: field not declared in schema
        "#);
    }

    async fn what_is_written_is_shown_as_a_typed_server_writes_it(arena: Arena) {
        let object = pod(json!({
            "nodeSelector": {}, "tolerations": [], "hostNetwork": true,
            "containers": [{"name": "main", "image": "busybox", "env": [], "ports": [{"containerPort": 80}],
                "resources": {"requests": {"cpu": 0.5, "memory": "1024Mi"}, "limits": {"cpu": "1000m", "nvidia.com/gpu": 1}}}],
        }));
        let path = core(&arena, "pods?dryRun=All");
        let answer = send(&arena, Method::POST, &path, "application/json", object.to_string().into()).await;
        let spec = &answer.body["spec"];
        assert!(spec.get("nodeSelector").is_none(), "{spec}");
        let resources = json!({
            "limits": {"cpu": "1", "nvidia.com/gpu": "1"}, "requests": {"cpu": "500m", "memory": "1Gi", "nvidia.com/gpu": "1"},
        });
        assert_eq!(spec["containers"][0]["resources"], resources);
        let ports = json!([{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]);
        assert_eq!(spec["containers"][0]["ports"], ports);
        assert!(spec["containers"][0].get("env").is_none(), "{spec}");
    }

    async fn defaults_of_a_limit_range_are_told_and_counted(arena: Arena) {
        creates(&arena, &core(&arena, "limitranges"), vec![json!({
            "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "a"},
            "spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "500m", "memory": "1Gi"}}]},
        })]).await;
        let path = core(&arena, "pods?dryRun=All");
        // A kube-apiserver may take a moment to see a new limit range.
        let made = async {
            loop {
                let answer = send(&arena, Method::POST, &path, "application/json", pod(json!({})).to_string().into()).await;
                if answer.body["metadata"].get("annotations").is_some() {
                    break answer.body;
                }
                tokio::task::yield_now().await;
            }
        };
        let made = tokio::time::timeout(PATIENCE, made).await.expect("the limit range is seen");
        insta::assert_snapshot!(made["metadata"]["annotations"]["kubernetes.io/limit-ranger"], @r#""LimitRanger plugin set: cpu, memory request for container main; cpu limit for container main""#);
        assert_eq!(made["status"]["qosClass"], "Burstable");
    }

    async fn a_container_that_does_not_run_cannot_be_stepped_into(arena: Arena) {
        let exec = |pod: &str| core(&arena, &format!("pods/{pod}/exec?command=ls&stdout=true&container=main"));
        let missing = send(&arena, Method::POST, &exec("nope"), "application/json", Vec::new()).await;
        assert_eq!(missing.line(), r#"404 NotFound: pods "nope" not found"#);
    }
}
