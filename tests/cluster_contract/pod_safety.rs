//! Pod safety as one table: the platform's verdict beside that of Pod Security admission, in every place of a pod.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{Patch, PatchParams};
use platform::cluster::safety::{Payload, violations_in};
use serde_json::{Map, Value, json};

use super::arena::Arena as Place;
use super::pod_tables::{merge, pod, read, tried};

const TABLE: &str = include_str!("safety.yaml");

/// Whether an entry is allowed: by the level baseline, and by the platform.
fn expected(entry: &Value) -> (bool, bool) {
    let verdict = |name: &str| entry[name].as_str().or(entry["both"].as_str()).expect("a verdict") == "allowed";
    (verdict("baseline"), verdict("ours"))
}

/// The pod of an entry with its container where it says, and with it as an init container that runs along.
fn places(entry: &Value) -> Vec<Value> {
    let whole = pod(entry);
    if entry["container"].is_null() {
        return vec![whole];
    }
    let mut second = whole.clone();
    let mut sidecar = whole["spec"]["containers"][0].clone();
    sidecar["restartPolicy"] = json!("Always");
    second["spec"]["initContainers"] = json!([sidecar]);
    second["spec"]["containers"] = json!([{"name": "other", "image": "busybox"}]);
    vec![whole, second]
}

/// The documents that a pod can stand in, with what they are to the platform.
fn documents(pod: &Value) -> Vec<(&'static str, Payload, Value)> {
    let mut metadata = pod["metadata"].clone();
    metadata.as_object_mut().unwrap().remove("name");
    let template = json!({"metadata": metadata, "spec": pod["spec"]});
    let of = |spec: Value| json!({"metadata": {"name": "x"}, "spec": spec});
    let mut step = json!({"metadata": metadata, "name": "step"});
    merge(&mut step, &pod["spec"]);
    step["container"] = pod["spec"]["containers"][0].clone();
    step.as_object_mut().unwrap().remove("containers");
    vec![
        ("Pod", Payload::Pods, pod.clone()),
        ("Job", Payload::Pods, of(json!({"template": template}))),
        ("CronJob", Payload::Pods, of(json!({"jobTemplate": {"spec": {"template": template}}}))),
        ("Deployment", Payload::Pods, of(json!({"template": template}))),
        ("FlashJob", Payload::Pods, of(json!({"tasks": [{}, template]}))),
        ("Workflow", Payload::Workflow, of(json!({"templates": [{"steps": [[{"inline": step}]]}]}))),
    ]
}

fn entries() -> Map<String, Value> {
    let table = read(TABLE);
    assert!(table.len() > 100);
    table
}

#[test]
fn the_platform_decides_alike_wherever_a_pod_stands() {
    let mut wrong = Vec::new();
    for (name, entry) in entries() {
        let (_, allowed) = expected(&entry);
        for (place, pod) in places(&entry).iter().enumerate() {
            for (kind, payload, document) in documents(pod) {
                // What a workflow fills in is an image then.
                let allowed = allowed || kind == "Workflow" && name == "image of braces";
                let found = violations_in(&document, "", payload);
                if found.is_empty() != allowed {
                    wrong.push(format!("{name}, place {place} of a {kind}: {found:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn label(arena: &Place, mode: &str) {
    let key = format!("pod-security.kubernetes.io/{mode}");
    let patch = json!({"metadata": {"labels": {key.clone(): "baseline", format!("{key}-version"): "latest"}}});
    let namespaces = Api::<Namespace>::all(arena.client.clone());
    namespaces.patch(&arena.namespace, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
}

contract! {
    async fn admission_agrees_with_the_table(arena: Arena) {
        label(&arena, "enforce").await;
        let path = format!("/api/v1/namespaces/{}/pods", arena.namespace);
        let table = entries();
        let pods: Vec<_> =
            table.iter().flat_map(|(name, entry)| places(entry).into_iter().map(move |pod| (name, entry, pod))).collect();
        let answers = tried(&arena, pods.iter().map(|(_, _, pod)| (path.clone(), pod.clone())).collect()).await;
        let mut wrong = Vec::new();
        for ((name, entry, _), answer) in pods.iter().zip(answers) {
            let (allowed, _) = expected(entry);
            let security = answer.code == 403 && answer.message.contains("violates PodSecurity");
            if !(if allowed { answer.code == 201 } else { security }) {
                wrong.push(format!("{name}: {} {}", answer.code, answer.message));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    async fn admission_warns_of_templates_by_the_same_table(arena: Arena) {
        label(&arena, "warn").await;
        let namespace = &arena.namespace;
        let mut asked = Vec::new();
        for (name, entry) in entries() {
            for pod in places(&entry) {
                for (kind, _, mut document) in documents(&pod) {
                    let (group, plural, place) = match kind {
                        "Job" => ("batch/v1", "jobs", "/spec/template"),
                        "CronJob" => ("batch/v1", "cronjobs", "/spec/jobTemplate/spec/template"),
                        "Deployment" => ("apps/v1", "deployments", "/spec/template"),
                        _ => continue,
                    };
                    merge(&mut document, &json!({"apiVersion": group, "kind": kind}));
                    let template = document.pointer_mut(place).unwrap();
                    match kind {
                        "Deployment" => merge(template, &json!({"metadata": {"labels": {"a": "b"}}})),
                        _ => template["spec"]["restartPolicy"] = json!("Never"),
                    }
                    let more = match kind {
                        "CronJob" => json!({"schedule": "@daily"}),
                        "Deployment" => json!({"selector": {"matchLabels": {"a": "b"}}}),
                        _ => json!({}),
                    };
                    merge(&mut document["spec"], &more);
                    let path = format!("/apis/{group}/namespaces/{namespace}/{plural}");
                    asked.push((format!("{name}, {kind}"), expected(&entry).0, path, document));
                }
            }
        }
        let answers = tried(&arena, asked.iter().map(|(_, _, path, body)| (path.clone(), body.clone())).collect()).await;
        let mut wrong = Vec::new();
        for ((name, allowed, ..), answer) in asked.iter().zip(answers) {
            let warned = answer.warnings.iter().any(|text| text.contains("would violate PodSecurity"));
            if answer.code != 201 || warned == *allowed {
                wrong.push(format!("{name}: {} {} {:?}", answer.code, answer.message, answer.warnings));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
