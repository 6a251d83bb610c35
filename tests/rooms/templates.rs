//! Job templates: which versions of config files they are, what they say of themselves, and jobs with values for their
//! parameters.

use serde_json::{Value, json};

use super::permissions::Reached::By;
use super::permissions::Rows;
use super::{World, errors, sql};

/// Who sees what of templates: the ways to it.
pub const ROWS: Rows = Rows {
    setup: r#"
        INSERT INTO config_blobs (sha256, yaml, kinds) VALUES (sha256('sweep'),
            E'# platform: param epochs int 3 How often.\napiVersion: v1\nkind: Pod\nspec: {containers: [{name: main, image: "alpine:3.20"}]}', '{Pod}');
        INSERT INTO config_files (id, project_id, name)
            SELECT '00000000-0000-0000-0000-000000005eeb', id, 'sweep.yaml' FROM projects WHERE name = 'detection';
        INSERT INTO config_commits (id, config_file_id, blob_sha256, message, author_id)
            SELECT '00000000-0000-0000-0000-000000005eec', '00000000-0000-0000-0000-000000005eeb', sha256('sweep'), '', id
              FROM users WHERE username = 'maya';
        UPDATE jobs SET parameters = '{"epochs": "3"}' WHERE name = 'train-resnet';"#,
    operations: &[
        ("jobTemplate", "query($template: ID!) { jobTemplate(id: $template) { id } }"),
        ("jobTemplates", "{ jobTemplates { nodes { id } } }"),
    ],
    types: &[
        ("JobTemplate", By("query($template: ID!) { jobTemplate(id: $template) { FIELD } }")),
        ("JobTemplateConnection", By("{ jobTemplates(filter: { search: \"sweep\" }) { FIELD } }")),
        ("JobTemplateEdge", By("{ jobTemplates(filter: { search: \"sweep\" }) { edges { FIELD } } }")),
        ("TemplateParameter", By("{ jobTemplates(filter: { search: \"sweep\" }) { nodes { parameters { FIELD } } } }")),
        ("JobParameter", By("query($ended: ID!) { job(id: $ended) { parameters { FIELD } } }")),
    ],
};

/// The project detection.
struct Detection {
    world: World,
    project: Value,
}

const TRAIN: &str = r#"# platform: param image string - The image to run.
# platform: param epochs int 10 How often the data is seen.
# platform: param tasks int 2
# platform: param memory quantity 1Gi
# platform: param size enum(small|large) small The size of the model.
apiVersion: batch/v1
kind: Job
metadata: {name: train}
spec:
  parallelism: ${{ params.tasks }}
  template:
    spec:
      containers:
      - name: main
        image: ${{ params.image }}
        args: ["--epochs=${{ params.epochs }}", "${{ params.size }}"]
        resources: {limits: {memory: "${{ params.memory }}", nvidia.com/gpu: "1"}}
"#;
const POD: &str =
    "apiVersion: v1\nkind: Pod\nmetadata: {name: one}\nspec: {containers: [{name: main, image: \"alpine:3.20\"}]}\n";
const SETTINGS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n";
const WORKFLOW: &str = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: hello-}
spec:
  entrypoint: main
  arguments:
    parameters:
    - {name: message, value: hello, description: What is said.}
    - {name: level, value: low, enum: [low, high]}
  templates:
  - name: main
    container: {image: \"busybox:1.36\", command: [echo, \"{{workflow.parameters.message}}\"]}
";

impl Detection {
    async fn new() -> Self {
        let world = World::new().await;
        let query = "{ projects(filter: { names: [\"detection\"] }) { nodes { id } } }";
        let project = world.ask("maya", query, json!({})).await["data"]["projects"]["nodes"][0]["id"].clone();
        Self { world, project }
    }

    async fn create(&self, name: &str, yaml: &str) -> Value {
        let create =
            "mutation($i: CreateConfigFileInput!) { createConfigFile(input: $i) { configFile { id } commit { id } } }";
        let input = json!({ "projectId": self.project, "name": name, "yaml": yaml });
        self.world.ask("maya", create, json!({ "i": input })).await
    }

    /// The ID of the template that a new config file with this YAML is.
    async fn template(&self, name: &str, yaml: &str) -> Value {
        let made = self.create(name, yaml).await;
        let commit = made["data"]["createConfigFile"]["commit"]["id"].as_str();
        json!(commit.unwrap_or_else(|| panic!("{made}")).replace("commit_", "template_"))
    }

    async fn update(&self, made: &Value, yaml: &str) -> Value {
        let made = &made["data"]["createConfigFile"];
        let update = "mutation($i: UpdateConfigFileInput!) { updateConfigFile(input: $i) { commit { id } } }";
        let input = json!({ "id": made["configFile"]["id"], "parentId": made["commit"]["id"], "yaml": yaml });
        self.world.ask("maya", update, json!({ "i": input })).await
    }

    /// The names of the templates that a filter selects.
    async fn listed(&self, who: &str, filter: Value) -> Vec<String> {
        let query =
            "query($f: JobTemplateFilter) { jobTemplates(filter: $f) { totalCount nodes { name kind isLatest } } }";
        let answer = self.world.ask(who, query, json!({ "f": filter })).await;
        let nodes = answer["data"]["jobTemplates"]["nodes"].as_array().unwrap_or_else(|| panic!("{answer}"));
        assert_eq!(answer["data"]["jobTemplates"]["totalCount"], nodes.len(), "{answer}");
        let one = |node: &Value| {
            let latest = if node["isLatest"] == true { "" } else { " (old)" };
            format!("{} {}{latest}", node["name"].as_str().unwrap(), node["kind"].as_str().unwrap())
        };
        nodes.iter().map(one).collect()
    }

    async fn preview(&self, source: Value, parameters: Value) -> Value {
        let query = "query($i: SubmitJobInput!) { previewJob(input: $i) { admitted manifests verdicts { rule problems { field message line } } } }";
        let input = json!({ "projectId": self.project, "source": source, "parameters": parameters });
        let answer = self.world.ask("ada", query, json!({ "i": input })).await;
        assert!(answer["errors"].is_null(), "{answer}");
        answer["data"]["previewJob"].clone()
    }

    async fn submit(&self, who: &str, source: Value, fields: Value) -> Value {
        let submit = "mutation($i: SubmitJobInput!) { submitJob(input: $i) { job { id name commit { id } template { id } parameters { name value } manifest } } }";
        let mut input = json!({ "projectId": self.project, "source": source });
        input.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.world.ask(who, submit, json!({ "i": input })).await
    }

    /// What is wrong with a submit.
    async fn refused(&self, template: &Value, parameters: Value) -> String {
        let answer = self.submit("ada", json!({ "templateId": template }), json!({ "parameters": parameters })).await;
        errors(&answer)
    }
}

fn named(values: &[(&str, &str)]) -> Value {
    values.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_versions_that_contain_something_to_run_are_templates_newest_first() {
    let of = Detection::new().await;
    of.create("settings.yaml", SETTINGS).await;
    let pod = of.create("pod.yaml", POD).await;
    of.create("hello.yaml", WORKFLOW).await;
    of.update(&pod, &format!("{POD}---\n{SETTINGS}")).await;
    let in_detection = json!({ "projectId": of.project });
    insta::assert_debug_snapshot!(of.listed("ada", in_detection.clone()).await, @r#"
    [
        "pod.yaml JOB",
        "hello.yaml WORKFLOW",
        "pod.yaml JOB (old)",
        "evaluate.yaml JOB",
        "train.yaml JOB",
    ]
    "#);
    let filter = |more: Value| {
        let mut filter = in_detection.clone();
        filter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        filter
    };
    assert_eq!(of.listed("ada", filter(json!({ "kind": "WORKFLOW" }))).await, ["hello.yaml WORKFLOW"]);
    assert_eq!(of.listed("ada", filter(json!({ "search": "pod" }))).await, ["pod.yaml JOB", "pod.yaml JOB (old)"]);
    assert_eq!(of.listed("ada", filter(json!({ "search": "pod", "onlyLatest": true }))).await, ["pod.yaml JOB"]);
    let file = json!({ "configFileId": pod["data"]["createConfigFile"]["configFile"]["id"] });
    assert_eq!(of.listed("ada", file.clone()).await.len(), 2);
    assert_eq!(of.listed("ben", file).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_without_anything_to_run_ends_what_was_the_latest_template() {
    let of = Detection::new().await;
    let pod = of.create("pod.yaml", POD).await;
    of.update(&pod, SETTINGS).await;
    assert_eq!(of.listed("ada", json!({ "search": "pod" })).await, ["pod.yaml JOB (old)"]);
    let delete = "mutation($id: ID!) { deleteConfigFile(input: { id: $id }) { configFileId } }";
    let file = &pod["data"]["createConfigFile"]["configFile"]["id"];
    of.world.ask("maya", delete, json!({ "id": file })).await;
    assert_eq!(of.listed("ada", json!({ "search": "pod" })).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_paged_in_both_directions() {
    let of = Detection::new().await;
    for number in 0..5 {
        of.create(&format!("page-{number}.yaml"), &POD.replace("one", &format!("n{number}"))).await;
    }
    let query = "query($first: Int, $after: String, $last: Int, $before: String) {
        jobTemplates(filter: { search: \"page\" }, first: $first, after: $after, last: $last, before: $before) {
            nodes { name } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let page = async |variables: Value| {
        let answer = of.world.ask("ada", query, variables).await;
        let list = answer["data"]["jobTemplates"].clone();
        let names: Vec<_> = list["nodes"]
            .as_array()
            .unwrap_or_else(|| panic!("{answer}"))
            .iter()
            .map(|node| node["name"].clone())
            .collect();
        (names, list["pageInfo"].clone())
    };
    let (first, info) = page(json!({ "first": 2 })).await;
    assert_eq!((first, &info["hasNextPage"]), (vec![json!("page-4.yaml"), json!("page-3.yaml")], &json!(true)));
    let (second, info) = page(json!({ "first": 2, "after": info["endCursor"] })).await;
    assert_eq!(second, ["page-2.yaml", "page-1.yaml"]);
    let (back, _) = page(json!({ "last": 2, "before": info["startCursor"] })).await;
    assert_eq!(back, ["page-4.yaml", "page-3.yaml"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_tells_its_parameters_and_what_it_runs() {
    let of = Detection::new().await;
    let query = "query($id: ID!) { jobTemplate(id: $id) { name kind images gpus replicas overridableFields lastUsedAt project { name }
        configFile { name } commit { kinds } parameters { name type default description required allowedValues } } }";
    let asked = async |template: Value| {
        let answer = of.world.ask("ada", query, json!({ "id": template })).await;
        assert!(answer["errors"].is_null(), "{answer}");
        let mut template = answer["data"]["jobTemplate"].clone();
        let parameters = template["parameters"].take();
        let lines = parameters.as_array().unwrap().iter().map(|parameter| format!("\n{parameter}"));
        format!("{template}{}", lines.collect::<String>())
    };
    insta::assert_snapshot!(asked(of.template("train-2.yaml", TRAIN).await).await, @r#"
    {"name":"train-2.yaml","kind":"JOB","images":["${{ params.image }}"],"gpus":2,"replicas":2,"overridableFields":["IMAGE","COMMAND","ARGS","WORKING_DIR","ENV","RESOURCES","MOUNTS","REPLICAS","MIN_AVAILABLE","ACTIVE_DEADLINE_SECONDS","TTL_SECONDS_AFTER_FINISHED","RETRIES"],"lastUsedAt":null,"project":{"name":"detection"},"configFile":{"name":"train-2.yaml"},"commit":{"kinds":["JOB"]},"parameters":null}
    {"name":"image","type":"STRING","default":null,"description":"The image to run.","required":true,"allowedValues":null}
    {"name":"epochs","type":"INT","default":"10","description":"How often the data is seen.","required":false,"allowedValues":null}
    {"name":"tasks","type":"INT","default":"2","description":"","required":false,"allowedValues":null}
    {"name":"memory","type":"QUANTITY","default":"1Gi","description":"","required":false,"allowedValues":null}
    {"name":"size","type":"ENUM","default":"small","description":"The size of the model.","required":false,"allowedValues":["small","large"]}
    "#);
    insta::assert_snapshot!(asked(of.template("hello.yaml", WORKFLOW).await).await, @r#"
    {"name":"hello.yaml","kind":"WORKFLOW","images":["busybox:1.36"],"gpus":null,"replicas":null,"overridableFields":[],"lastUsedAt":null,"project":{"name":"detection"},"configFile":{"name":"hello.yaml"},"commit":{"kinds":["WORKFLOW"]},"parameters":null}
    {"name":"message","type":"STRING","default":"hello","description":"What is said.","required":false,"allowedValues":null}
    {"name":"level","type":"ENUM","default":"low","description":"","required":false,"allowedValues":["low","high"]}
    "#);
    let two = format!("{POD}---\n{}", POD.replace("one", "two").replace("alpine", "debian"));
    let two = asked(of.template("two.yaml", &two).await).await;
    let expected = r#""images":["alpine:3.20","debian:3.20"],"gpus":null,"replicas":null,"overridableFields":[]"#;
    assert!(two.contains(expected), "{two}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_runs_with_the_values_that_are_given_and_the_defaults_of_the_others() {
    let of = Detection::new().await;
    let template = of.template("train-2.yaml", TRAIN).await;
    let given = named(&[("image", "python:3.12"), ("epochs", "3"), ("size", "large")]);
    let answer = of
        .submit(
            "ada",
            json!({ "templateId": template }),
            json!({ "parameters": given, "overrides": { "env": [{ "name": "A", "value": "b" }] } }),
        )
        .await;
    let job = &answer["data"]["submitJob"]["job"];
    assert_eq!(job["template"]["id"], template, "{answer}");
    let all = named(&[("epochs", "3"), ("image", "python:3.12"), ("memory", "1Gi"), ("size", "large"), ("tasks", "2")]);
    assert_eq!(job["parameters"], all);
    let tasks = job["manifest"]["spec"]["tasks"].as_array().unwrap();
    let container = &tasks[0]["spec"]["containers"][0];
    assert_eq!((tasks.len(), &container["image"]), (2, &json!("python:3.12")));
    assert_eq!(container["args"], json!(["--epochs=3", "large"]));
    assert_eq!(container["env"], json!([{ "name": "A", "value": "b" }]));
    assert_eq!(container["resources"]["limits"]["memory"], "1Gi");

    let used = "query($id: ID!) { jobTemplate(id: $id) { lastUsedAt } }";
    let last = async |who: &str| {
        of.world.ask(who, used, json!({ "id": template })).await["data"]["jobTemplate"]["lastUsedAt"].clone()
    };
    assert!(last("ada").await.is_string() && last("maya").await.is_null());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_is_submitted_with_parameters_like_a_template() {
    let of = Detection::new().await;
    let template = of.template("train-2.yaml", TRAIN).await;
    let commit = template.as_str().unwrap().replace("template_", "commit_");
    let given = named(&[("image", "python:3.12"), ("tasks", "5")]);
    let preview = of.preview(json!({ "commitId": commit }), given).await;
    assert_eq!(preview["manifests"][0]["spec"]["tasks"].as_array().map(Vec::len), Some(5), "{preview}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_value_that_is_missing_unknown_or_of_another_type_is_reported_at_its_field() {
    let of = Detection::new().await;
    let template = of.template("train-2.yaml", TRAIN).await;
    let given =
        named(&[("epoch", "3"), ("epochs", "three"), ("memory", "lots"), ("size", "medium"), ("size", "small")]);
    insta::assert_snapshot!(of.refused(&template, given).await.replace("BAD_USER", "\nBAD_USER"), @r#"

    BAD_USER_INPUT input.parameters.0.name: there is no parameter "epoch"; the parameters are image, epochs, tasks, memory, size

    BAD_USER_INPUT input.parameters.1.value: epochs was "three"; it must be a whole number such as 3

    BAD_USER_INPUT input.parameters.2.value: memory was "lots"; it must be a quantity such as 500m or 4Gi

    BAD_USER_INPUT input.parameters.3.value: size was "medium"; it must be one of small, large

    BAD_USER_INPUT input.parameters.4.name: the parameter size is given twice

    BAD_USER_INPUT input.parameters: the parameter image is required; it must be a string
    "#);
    let spec = json!({ "spec": { "image": "python:3.12" } });
    let answer = of.submit("ada", spec, json!({ "parameters": named(&[("a", "b")]) })).await;
    insta::assert_snapshot!(errors(&answer), @"BAD_USER_INPUT input.parameters: a spec has no parameters");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_never_changes_the_structure_of_the_yaml() {
    let of = Detection::new().await;
    let template = of.template("train-2.yaml", TRAIN.replace("size enum(small|large)", "size string").as_str()).await;
    for value in [
        "a\n        securityContext: {privileged: true}",
        "}",
        "*alias",
        "\"]\n- x",
        "# no",
        "${{ params.image }}",
        "{{workflow.name}}",
    ] {
        let given = named(&[("image", "python:3.12"), ("size", value)]);
        let preview = of.preview(json!({ "templateId": template }), given).await;
        let container = &preview["manifests"][0]["spec"]["tasks"][0]["spec"]["containers"][0];
        assert_eq!(container["args"][1], value, "{preview}");
        assert_eq!(container["securityContext"], Value::Null, "{preview}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_are_checked_with_the_values_that_are_given() {
    let of = Detection::new().await;
    let yaml = "# platform: param privileged bool false
# platform: param host string \"\"
apiVersion: v1
kind: Pod
metadata: {name: one, labels: {host: \"${{ params.host }}\"}}
spec:
  containers:
  - name: main
    image: alpine:3.20
    securityContext:
      privileged: ${{ params.privileged }}
";
    let template = of.template("unsafe.yaml", yaml).await;
    insta::assert_snapshot!(of.refused(&template, named(&[("privileged", "true"), ("host", "a b")])).await.replace("BAD_USER", "\nBAD_USER"), @r#"

    BAD_USER_INPUT input.source.templateId: document 1, Pod/one: line 5, column 32: metadata.labels.host was "a b"; it must be empty, or at most 63 letters, digits, '-', '_' and '.' with a letter or a digit at both ends

    BAD_USER_INPUT input.source.templateId: document 1, Pod/one: line 11, column 7: spec.containers[0].securityContext.privileged was true; it must be false: a container may not act as its node
    "#);
    let tasks = of.template("train-2.yaml", TRAIN).await;
    let given = named(&[("image", "No Image"), ("tasks", "1000")]);
    insta::assert_snapshot!(of.refused(&tasks, given).await.replace("BAD_USER", "\nBAD_USER"), @r#"

    BAD_USER_INPUT input.source.templateId: document 1, Job/train: line 10, column 3: spec.parallelism was 1000; it must be between 1 and 256

    BAD_USER_INPUT input.source.templateId: document 1, Job/train: line 15, column 9: spec.template.spec.containers[0].image was "No Image", which is not an image reference: the name "No Image" must be lower case
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_that_are_declared_or_used_wrongly_are_reported_when_the_file_is_saved() {
    let of = Detection::new().await;
    let told = async |yaml: &str| errors(&of.create("wrong.yaml", yaml).await).replace("BAD_USER", "\nBAD_USER");
    insta::assert_snapshot!(told(&format!("# platform: param n integer 3\n# platform: param m int x\n{POD}")).await, @r#"

    BAD_USER_INPUT input.yaml: line 1, column 21: the type "integer" is not known; it must be string, int, number, bool, quantity or enum(a|b|c)

    BAD_USER_INPUT input.yaml: line 2, column 25: the default of m was "x"; it must be a whole number such as 3
    "#);
    insta::assert_snapshot!(told(&format!("# platform: param tag string v1\n{}", POD.replace("alpine:3.20", "a:${{ params.tags }}"))).await, @r#"

    BAD_USER_INPUT input.yaml: document 1, Pod/one: line 5, column 41: spec.containers[0].image uses the parameter "tags", which is not declared; the declared parameters are tag
    "#);
    let unsafe_default = format!("# platform: param on bool true\n{POD}").replace(
        "spec: {containers: [{name: main, image: \"alpine:3.20\"}]}",
        "spec:\n  hostNetwork: ${{ params.on }}\n  containers: [{name: main, image: \"alpine:3.20\"}]",
    );
    insta::assert_snapshot!(told(&unsafe_default).await, @r#"

    BAD_USER_INPUT input.yaml: document 1, Pod/one: line 6, column 3: spec.hostNetwork was true; it must be false: a pod may not share its node's namespaces
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_submit_job_does_not_run_is_told_with_what_to_use_instead() {
    let of = Detection::new().await;
    let pod = "{metadata: {labels: {a: b}}, spec: {containers: [{name: main, image: \"alpine:3.20\"}]}}";
    let batch = pod.replace("image", "resources: {}, image").replace("spec: {", "spec: {restartPolicy: Never, ");
    let kinds = [
        ("cron-job", format!("apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: a}}\nspec: {{schedule: \"0 3 * * *\", jobTemplate: {{spec: {{template: {batch}}}}}}}")),
        ("deployment", format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a}}\nspec: {{selector: {{matchLabels: {{a: b}}}}, template: {pod}}}")),
        ("service", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]}".to_owned()),
        ("config-map", SETTINGS.to_owned()),
        ("claim", "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}".to_owned()),
        ("workflow", WORKFLOW.to_owned()),
    ];
    let mut told = String::new();
    for (name, yaml) in kinds {
        let template = of.template(&format!("{name}.yaml"), &yaml).await;
        told.push_str(&format!("\n{}", of.refused(&template, json!([])).await));
    }
    insta::assert_snapshot!(told, @r"

    BAD_USER_INPUT input.source.templateId: the config contains no Pod, Job or FlashJob to run; a CronJob is a schedule: save the Job of its spec.jobTemplate in a config file of its own, and submit it whenever it is due, for example from a script with an API token
    BAD_USER_INPUT input.source.templateId: the config contains no Pod, Job or FlashJob to run; a Deployment keeps its pods running, and a job ends: for work that ends, put its spec.template into a Job whose parallelism is the number of replicas
    BAD_USER_INPUT input.source.templateId: the config contains no Pod, Job or FlashJob to run; a Service or an Ingress leads to pods and has none of its own: submit the Job, Pod or FlashJob with the pods that it leads to
    BAD_USER_INPUT input.source.templateId: the config contains no Pod, Job or FlashJob to run; a ConfigMap is read by pods and has none of its own: submit the Job, Pod or FlashJob that uses it
    BAD_USER_INPUT input.source.templateId: the config contains no Pod, Job or FlashJob to run; a PersistentVolumeClaim has no pods: create a storage claim with createPvc, and mount it with overrides.mounts
    BAD_USER_INPUT input.source.templateId: the config contains a Workflow; submitJob runs a Pod, Job or FlashJob, and no Workflow yet
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_of_another_project_or_group_is_not_submitted() {
    let of = Detection::new().await;
    let template = of.template("train-2.yaml", TRAIN).await;
    let query = "{ projects(filter: { names: [\"segmentation\"] }) { nodes { id } } }";
    let other = of.world.ask("maya", query, json!({})).await["data"]["projects"]["nodes"][0]["id"].clone();
    let elsewhere = Detection { project: other, world: of.world };
    insta::assert_snapshot!(elsewhere.refused(&template, json!([])).await, @"BAD_USER_INPUT input.source.templateId: the job template belongs to another project");
    let node = "query($id: ID!) { node(id: $id) { id } }";
    let seen =
        async |who: &str| elsewhere.world.ask(who, node, json!({ "id": template })).await["data"]["node"]["id"].clone();
    assert_eq!((seen("ada").await, seen("ben").await), (template.clone(), Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_config_files_are_listed_along_an_index() {
    let of = Detection::new().await;
    let many = "INSERT INTO config_files (id, project_id, name)
            SELECT gen_random_uuid(), projects.id, 'many-' || n FROM projects, generate_series(1, 10000) n WHERE name = 'detection';
        INSERT INTO config_blobs (sha256, yaml, kinds) VALUES (sha256('many'), 'x', '{Pod}');
        INSERT INTO config_commits (id, config_file_id, blob_sha256, message, author_id)
            SELECT gen_random_uuid(), config_files.id, sha256('many'), '', users.id FROM config_files, users
             WHERE name LIKE 'many-%' AND username = 'maya';
        ANALYZE";
    sql(&of.world.url, many).await;
    let query = "query($p: ID!) { jobTemplates(first: 100, filter: { projectId: $p, onlyLatest: true }) { nodes { name kind parameters { name } images } } }";
    let started = std::time::Instant::now();
    let answer = of.world.ask("ada", query, json!({ "p": of.project })).await;
    assert_eq!(answer["data"]["jobTemplates"]["nodes"].as_array().map(Vec::len), Some(100), "{answer}");
    assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
    let few = "{ jobTemplates(first: 2) { nodes { name project { name } lastUsedAt images } } }";
    let more = few.replace("first: 2", "first: 50");
    let caller = of.world.caller("ada").await;
    let (few, more) = (of.world.statements(caller.clone(), few).await, of.world.statements(caller, &more).await);
    assert_eq!(few, more);
}
