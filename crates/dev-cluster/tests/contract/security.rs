//! Pod Security admission: what a namespace's labels let its pods do.

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::arena::{Arena as Place, refused};

async fn label(arena: &Place, mode: &str, level: &str) {
    let patch = json!({"metadata": {"labels": {format!("pod-security.kubernetes.io/{mode}"): level}}});
    let namespaces = Api::<Namespace>::all(arena.client.clone());
    namespaces.patch(&arena.namespace, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
}

/// A pod with these members in its spec and these in its first container.
fn pod(spec: Value, container: Value) -> Pod {
    let mut first = json!({"name": "main", "image": "busybox"});
    first.as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
    let mut whole = json!({"schedulerName": "nobody", "containers": [first]});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": whole})).unwrap()
}

fn context(context: Value) -> Value {
    json!({"securityContext": context})
}

/// A container that asks for nothing.
fn modest() -> Value {
    context(json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}))
}

/// What the server says to each pod: nothing where it takes it.
async fn verdicts(arena: &Place, pods: Vec<Pod>) -> String {
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let mut lines = Vec::new();
    for pod in pods {
        let answer = arena.api::<Pod>().create(&params, &pod).await;
        let verdict = if answer.is_ok() { "taken".to_owned() } else { refused(answer, 403, "Forbidden") };
        lines.push(verdict.replace("pods \"p\" is forbidden: violates PodSecurity ", ""));
    }
    lines.join("\n")
}

contract! {
    async fn a_namespace_without_labels_takes_every_pod(arena: Arena) {
        let pods = vec![pod(json!({"hostNetwork": true}), context(json!({"privileged": true})))];
        assert_eq!(verdicts(&arena, pods).await, "taken");
    }

    async fn baseline_refuses_ways_out_of_the_pod(arena: Arena) {
        label(&arena, "enforce", "baseline").await;
        let none = || json!({});
        let ports = json!({"ports": [{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 81}]});
        let volumes = json!({"volumes": [{"name": "a", "hostPath": {"path": "/"}}, {"name": "b", "hostPath": {"path": "/"}}]});
        let selinux = json!({"seLinuxOptions": {"type": "foo", "user": "u"}});
        let sysctls = json!({"sysctls": [{"name": "kernel.msgmax", "value": "1"}, {"name": "kernel.shm_rmid_forced", "value": "1"}]});
        let mut several = pod(none(), context(json!({"privileged": true})));
        several.spec.as_mut().unwrap().init_containers =
            Some(vec![serde_json::from_value(json!({"name": "init", "image": "busybox", "securityContext": {"privileged": true}})).unwrap()]);
        let verdicts = verdicts(&arena, vec![
            pod(none(), none()),
            pod(none(), context(json!({"privileged": true}))),
            several,
            pod(json!({"hostNetwork": true}), json!({"ports": [{"containerPort": 80}]})),
            pod(json!({"hostPID": true, "hostIPC": true}), none()),
            pod(volumes, none()),
            pod(none(), ports),
            pod(none(), context(json!({"capabilities": {"add": ["NET_ADMIN", "SYS_TIME", "CHOWN"]}}))),
            pod(context(json!({"seccompProfile": {"type": "Unconfined"}})), none()),
            pod(none(), context(json!({"seccompProfile": {"type": "Unconfined"}}))),
            pod(context(selinux.clone()), none()),
            pod(none(), context(selinux)),
            pod(context(sysctls), none()),
            pod(context(json!({"appArmorProfile": {"type": "Unconfined"}})), none()),
            pod(none(), context(json!({"appArmorProfile": {"type": "Unconfined"}}))),
            pod(none(), json!({"livenessProbe": {"httpGet": {"host": "192.0.2.1", "port": 80}}})),
        ]).await;
        insta::assert_snapshot!(verdicts, @r#"
        taken
        "baseline:latest": privileged (container "main" must not set securityContext.privileged=true)
        "baseline:latest": privileged (containers "init", "main" must not set securityContext.privileged=true)
        "baseline:latest": host namespaces (hostNetwork=true), hostPort (container "main" uses hostPort 80)
        "baseline:latest": host namespaces (hostPID=true, hostIPC=true)
        "baseline:latest": hostPath volumes (volumes "a", "b")
        "baseline:latest": hostPort (container "main" uses hostPorts 80, 81)
        "baseline:latest": non-default capabilities (container "main" must not include "NET_ADMIN", "SYS_TIME" in securityContext.capabilities.add)
        "baseline:latest": seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")
        "baseline:latest": seccompProfile (container "main" must not set securityContext.seccompProfile.type to "Unconfined")
        "baseline:latest": seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "foo"; user may not be set)
        "baseline:latest": seLinuxOptions (container "main" set forbidden securityContext.seLinuxOptions: type "foo"; user may not be set)
        "baseline:latest": forbidden sysctls (kernel.msgmax)
        "baseline:latest": forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")
        "baseline:latest": forbidden AppArmor profile (container "main" must not set AppArmor profile type to "Unconfined")
        "baseline:latest": probe or lifecycle host (container "main" uses probe or lifecycle host "192.0.2.1")
        "#);
    }

    async fn restricted_asks_pods_to_give_up_what_they_do_not_need(arena: Arena) {
        label(&arena, "enforce", "restricted").await;
        let none = || json!({});
        let good = || context(json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}));
        let with = |more: Value| {
            let mut spec = good();
            spec["securityContext"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            spec
        };
        let mut volumes = good();
        volumes["volumes"] = json!([
            {"name": "a", "nfs": {"server": "s", "path": "/"}}, {"name": "b", "hostPath": {"path": "/"}}, {"name": "c", "emptyDir": {}},
        ]);
        let adds = |capability: &str| {
            let capabilities = json!({"drop": ["ALL"], "add": [capability]});
            context(json!({"allowPrivilegeEscalation": false, "capabilities": capabilities}))
        };
        let verdicts = verdicts(&arena, vec![
            pod(good(), modest()),
            pod(none(), none()),
            pod(none(), context(json!({"privileged": true}))),
            pod(good(), adds("NET_BIND_SERVICE")),
            pod(good(), adds("CHOWN")),
            pod(volumes, modest()),
            pod(with(json!({"runAsUser": 0})), modest()),
            pod(with(json!({"runAsNonRoot": false})), modest()),
            pod(with(json!({"seccompProfile": {"type": "Unconfined"}})), modest()),
        ]).await;
        insta::assert_snapshot!(verdicts, @r#"
        taken
        "restricted:latest": allowPrivilegeEscalation != false (container "main" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "main" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "main" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "main" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")
        "restricted:latest": privileged (container "main" must not set securityContext.privileged=true), allowPrivilegeEscalation != false (container "main" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "main" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "main" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "main" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")
        taken
        "restricted:latest": unrestricted capabilities (container "main" must not include "CHOWN" in securityContext.capabilities.add)
        "restricted:latest": restricted volume types (volumes "a", "b" use restricted volume types "hostPath", "nfs")
        "restricted:latest": runAsUser=0 (pod must not set runAsUser=0)
        "restricted:latest": runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)
        "restricted:latest": seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")
        "#);
    }

    async fn a_pod_may_be_warned_of_and_taken(arena: Arena) {
        label(&arena, "warn", "restricted").await;
        let warnings = |kind: &str, body: Value| {
            let path = if kind == "pods" { "/api/v1" } else { "/apis/batch/v1" };
            let request = http::Request::post(format!("{path}/namespaces/{}/{kind}?dryRun=All", arena.namespace))
                .header("content-type", "application/json")
                .body(serde_json::to_vec(&body).unwrap().into())
                .unwrap();
            let client = arena.client.clone();
            async move {
                let answer = client.send(request).await.unwrap();
                assert_eq!(answer.status(), 201);
                let texts = answer.headers().get_all("warning").iter().map(|text| text.to_str().unwrap().to_owned());
                texts.collect::<Vec<_>>().join("\n")
            }
        };
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {
            "containers": [{"name": "main", "image": "busybox"}],
        }});
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}],
        }}}});
        insta::assert_snapshot!(warnings("pods", pod).await, @r#"299 - "would violate PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false (container \"main\" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \"main\" must set securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \"main\" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container \"main\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")""#);
        insta::assert_snapshot!(warnings("jobs", job).await, @r#"299 - "would violate PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false (container \"main\" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \"main\" must set securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \"main\" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container \"main\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")""#);
    }
}
