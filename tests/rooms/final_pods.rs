//! The final pods of a job, from a commit and with overrides: checked as a whole, reported under the rule and the field.

use serde_json::{Value, json};

use super::{World, errors, sql};

const CREATE: &str = "mutation($input: CreateConfigFileInput!) { createConfigFile(input: $input) { commit { id } } }";
const PREVIEW: &str = "mutation($input: SubmitJobInput!) { previewJob(input: $input) {
    preview { admitted verdicts { rule outcome problems { field message } } manifests quota { resource requested } } } }";
const GOOD: &str =
    "apiVersion: v1\nkind: Pod\nmetadata: {name: one}\nspec: {containers: [{name: a, image: \"alpine:3.20\"}]}\n";

/// The preview of a job of this YAML with these overrides.
///
/// The file is made with a good pod and then gets the YAML: as one that was saved before there was a rule for it.
async fn preview(world: &World, yaml: &str, overrides: Value) -> Value {
    let projects = "{ projects(filter: { names: [\"detection\"] }) { nodes { id } } }";
    let project = world.ask("admin", projects, json!({})).await["data"]["projects"]["nodes"][0]["id"].clone();
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let unique = format!("{GOOD}# {number}\n");
    let file = json!({ "projectId": project, "name": format!("f{number}.yaml"), "yaml": unique });
    let made = world.ask("maya", CREATE, json!({ "input": file })).await;
    let commit =
        made["data"]["createConfigFile"]["commit"]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    sql(
        &world.url,
        &format!("UPDATE config_blobs SET yaml = $yaml${yaml}$yaml$ WHERE yaml LIKE '%# {number}' || chr(10)"),
    )
    .await;
    let input = json!({ "projectId": project, "source": { "commitId": commit }, "overrides": overrides });
    let answer = world.ask("maya", PREVIEW, json!({ "input": input })).await;
    assert_eq!(errors(&answer), "");
    answer["data"]["previewJob"]["preview"].clone()
}

/// The rules that failed, each with its problems.
fn failed(preview: &Value) -> String {
    let mut lines = String::new();
    let verdicts = preview["verdicts"].as_array().unwrap_or_else(|| panic!("{preview}"));
    // The cluster is away.
    for verdict in verdicts.iter().filter(|verdict| verdict["rule"] != "CLUSTER") {
        for problem in verdict["problems"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            lines +=
                &format!("{} {}: {}\n", text(&verdict["rule"]), text(&problem["field"]), text(&problem["message"]));
        }
    }
    assert_eq!(preview["admitted"], lines.is_empty());
    lines
}

fn pod(container: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: one}}\nspec: {{containers: [{{name: a, image: \"alpine:3.20\", {container}}}]}}\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amounts_of_a_commit_are_quantities_within_their_limits() {
    let world = World::new().await;
    let told =
        async |resources: &str| failed(&preview(&world, &pod(&format!("resources: {resources}")), json!(null)).await);
    insta::assert_snapshot!(told("{limits: {memory: 512MB}}").await, @r#"RESOURCES input.source.commitId: tasks[0].spec.containers[0].resources.limits.memory was "512MB", which is not a quantity: it must be a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi"#);
    insta::assert_snapshot!(told("{requests: {cpu: 2}, limits: {cpu: 1}}").await, @"RESOURCES input.source.commitId: tasks[0].spec.containers[0].resources.limits.cpu was 1; it may not be less than the request, which is 2");
    insta::assert_snapshot!(told("{limits: {nvidia.com/gpu: \"-8\"}}").await, @r#"RESOURCES input.source.commitId: tasks[0].spec.containers[0].resources.limits["nvidia.com/gpu"] was -8; it may not be negative"#);
    insta::assert_snapshot!(told("{limits: {example.com/npu: 1}}").await, @r#"RESOURCES input.source.commitId: tasks[0].spec.containers[0].resources.limits["example.com/npu"] is not a resource that this platform counts; an administrator can add it to GPU_RESOURCES"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_cluster_would_refuse_is_refused_under_its_rule() {
    let world = World::new().await;
    let yaml = "apiVersion: v1
kind: Pod
metadata: {name: one, labels: {team: a b}}
spec:
  volumes: [{name: v, emptyDir: {}}]
  containers:
  - {name: a, image: \"alpine:3.20\", workingDir: relative, ports: [{containerPort: 70000}],
     env: [{name: PLATFORM_X, value: x}, {name: A, value: x}, {name: A, value: z}]}
  - {name: a, image: \"{{image}}\", volumeMounts: [{name: w, mountPath: rel}, {name: v, mountPath: \"\"}]}
";
    insta::assert_snapshot!(failed(&preview(&world, yaml, json!(null)).await), @r#"
    IMAGE input.source.commitId: tasks[0].spec.containers[1].image was "{{image}}", which is not an image reference: the part "{{image}}" of the name must be lower-case letters and digits, separated by one '.', one or two '_', or any number of '-'
    CONTAINER input.source.commitId: tasks[0].spec.containers[0].workingDir was "relative"; it must be an absolute path without ".."
    CONTAINER input.source.commitId: tasks[0].spec.containers[0].env[0].name was "PLATFORM_X"; names that begin with PLATFORM_ are the platform's own
    CONTAINER input.source.commitId: tasks[0].spec.containers[0].env[2].name was "A", which is given twice
    MOUNTS input.source.commitId: tasks[0].spec.containers[1].volumeMounts[0].name was "w", which is not a volume of the pod
    MOUNTS input.source.commitId: tasks[0].spec.containers[1].volumeMounts[0].mountPath was "rel"; it must be an absolute path without ".."
    MOUNTS input.source.commitId: tasks[0].spec.containers[1].volumeMounts[1].mountPath is required
    POD input.source.commitId: tasks[0].metadata.labels.team was "a b"; it must be empty, or at most 63 letters, digits, '-', '_' and '.' with a letter or a digit at both ends
    POD input.source.commitId: tasks[0].spec.containers[0].ports[0].containerPort was 70000; it must be between 1 and 65535
    POD input.source.commitId: tasks[0].spec.containers[1].name was "a", which is given twice
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_counts_as_a_gpu_and_for_a_pod_as_a_whole_is_asked_of_the_quota() {
    let world = World::new().await;
    let asked = async |yaml: &str| {
        let preview = preview(&world, yaml, json!(null)).await;
        assert_eq!(failed(&preview), "");
        let requested = |line: &Value| line["requested"].as_str().unwrap().to_owned();
        preview["quota"].as_array().unwrap().iter().map(requested).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(asked(&pod("resources: {limits: {nvidia.com/mig-1g.5gb: 8}}")).await, "2 100m 128Mi 1");
    assert_eq!(asked(&pod("resources: {limits: {nvidia.com/gpu.shared: 2, amd.com/gpu: 1}}")).await, "3 100m 128Mi 1");
    let whole =
        GOOD.replace("spec: {", "spec: {resources: {requests: {cpu: \"64\", memory: 1Ti}, limits: {cpu: \"65\"}}, ");
    assert_eq!(asked(&whole).await, "0 64 1Ti 1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overrides_change_what_they_name_and_nothing_else() {
    let world = World::new().await;
    let yaml = pod(
        "env: [{name: A, value: \"1\"}, {name: B, value: \"$(A)\"}], resources: {limits: {nvidia.com/gpu: 8, memory: 16Gi}}",
    );
    let overrides =
        json!({ "resources": { "cpu": "2" }, "env": [{ "name": "C", "value": "3" }, { "name": "A", "value": "2" }] });
    let shown = preview(&world, &yaml, overrides).await;
    assert_eq!(failed(&shown), "");
    let container = &shown["manifests"][0]["spec"]["tasks"][0]["spec"]["containers"][0];
    assert_eq!(
        container["resources"],
        json!({ "limits": { "nvidia.com/gpu": "8", "memory": "16Gi" }, "requests": { "cpu": "2" } })
    );
    let env = json!([{ "name": "A", "value": "2" }, { "name": "B", "value": "$(A)" }, { "name": "C", "value": "3" }]);
    assert_eq!(container["env"], env);
    let overrides = json!({ "image": "a b", "env": [{ "name": "B", "value": "" }, { "name": "1", "value": "" }], "resources": { "memory": "32Gi" } });
    insta::assert_snapshot!(failed(&preview(&world, &yaml, overrides).await), @r#"
    IMAGE input.overrides.image: image was "a b", which is not an image reference: the part "a b" of the name must be lower-case letters and digits, separated by one '.', one or two '_', or any number of '-'
    CONTAINER input.overrides.env.1.name: env.1.name was "1"; it must be letters, digits, '_', '-' and '.', not beginning with a digit or with ".."
    RESOURCES input.overrides.resources.memory: tasks[0].spec.containers[0].resources.limits.memory was 16Gi; it may not be less than the request, which is 32Gi
    "#);
}
