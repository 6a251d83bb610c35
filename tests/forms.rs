//! What is wrong with an input, as a form shows it: over HTTP, every bad field in one answer, each with its path in the
//! input and a sentence.

use serde_json::{Value, json};

use crate::attacks::production::{Answer, Production};

const SUBMIT: &str = "mutation($input: SubmitJobInput!) { submitJob(input: $input) { job { id } } }";
const PREVIEW: &str = "query($input: SubmitJobInput!) { previewJob(input: $input) {
    admitted verdicts { rule outcome problems { field message } } } }";
const JOBS: &str = "query($filter: JobFilter, $order: JobOrder, $first: Int) {
    jobs(filter: $filter, orderBy: $order, first: $first) { totalCount } }";

/// The errors of an answer, one line each: code, path of the field of the answer, field of the input, sentence.
fn told(answer: &Answer) -> String {
    let json = answer.json();
    let line = |error: &Value| {
        let extensions = &error["extensions"];
        let path = error["path"].as_array().map_or("request".to_owned(), |path| {
            path.iter().map(|step| step.to_string().replace('"', "")).collect::<Vec<_>>().join(".")
        });
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        format!("{} {path} {}: {}", text(&extensions["code"]), text(&extensions["field"]), text(&error["message"]))
    };
    let mut lines: Vec<String> = json["errors"].as_array().into_iter().flatten().map(line).collect();
    lines.sort();
    lines.join("\n")
}

/// The rules that failed in a preview, with their problems.
fn failed(answer: &Answer) -> String {
    let json = answer.json();
    let verdicts = json["data"]["previewJob"]["verdicts"].as_array().unwrap_or_else(|| panic!("{}", answer.body));
    let failed = verdicts.iter().filter(|verdict| verdict["outcome"] == "FAILED");
    let lines = failed.flat_map(|verdict| {
        verdict["problems"].as_array().unwrap().iter().map(|problem| {
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            format!("{} {}: {}", text(&verdict["rule"]), text(&problem["field"]), text(&problem["message"]))
        })
    });
    lines.collect::<Vec<_>>().join("\n")
}

async fn ask(query: &str, variables: Value) -> Answer {
    Production::server().await.ask(query, variables).await
}

async fn project() -> Value {
    ask("{ projects { nodes { id } } }", json!({})).await.json()["data"]["projects"]["nodes"][0]["id"].clone()
}

/// A form in which much is wrong.
fn form(project: &Value) -> Value {
    json!({
        "projectId": project, "name": "Train", "priority": 5000,
        "source": { "spec": {
            "image": "", "replicas": 0,
            "env": [{ "name": "A", "value": "" }, { "name": "B", "value": "" }, { "name": "1C", "value": "" }],
            "resources": { "cpu": "lots", "memory": "", "cpuLimit": { "any": 1 }, "gpu": -1 },
        } },
    })
}

#[tokio::test]
async fn what_a_scalar_cannot_read_is_one_bad_field_among_the_others() {
    let answer = ask(SUBMIT, json!({ "input": form(&project().await) })).await;
    assert_eq!((answer.status, &answer.json()["data"]), (200, &json!({ "submitJob": null })));
    insta::assert_snapshot!(told(&answer), @r#"
    BAD_USER_INPUT submitJob input.name: "Train" is not a valid name: lower-case letters, digits and '-' are allowed, and it must begin and end with a letter or a digit (for example my-name or 123-abc)
    BAD_USER_INPUT submitJob input.priority: priority was 5000; it must be between 0 and 1000
    BAD_USER_INPUT submitJob input.source.spec.env.2.name: env.2.name was "1C"; it must be letters, digits, '_', '-' and '.', not beginning with a digit or with ".."
    BAD_USER_INPUT submitJob input.source.spec.image: image was "", which is not an image reference: it is empty; an image such as alpine:3.20 or registry.example.org/team/tool@sha256:… is expected
    BAD_USER_INPUT submitJob input.source.spec.replicas: replicas was 0; it must be between 1 and 256
    BAD_USER_INPUT submitJob input.source.spec.resources.cpu: cpu was "lots", which is not a quantity: it must be a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi
    BAD_USER_INPUT submitJob input.source.spec.resources.cpuLimit: cpuLimit was "{any: 1}", which is not a quantity: it must be a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi
    BAD_USER_INPUT submitJob input.source.spec.resources.gpu: gpu was -1; it must be between 0 and 64 for one task
    BAD_USER_INPUT submitJob input.source.spec.resources.memory: memory was "", which is not a quantity: it must be a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi
    "#);
    let answer = ask(SUBMIT, json!({ "input": form(&json!("vision")) })).await;
    insta::assert_snapshot!(told(&answer), @r#"
    BAD_USER_INPUT submitJob input.name: "Train" is not a valid name: lower-case letters, digits and '-' are allowed, and it must begin and end with a letter or a digit (for example my-name or 123-abc)
    BAD_USER_INPUT submitJob input.priority: priority was 5000; it must be between 0 and 1000
    BAD_USER_INPUT submitJob input.projectId: "vision" is not a project id: it must be "project_" followed by 26 characters of 0-9 a-z without i, l, o, u
    BAD_USER_INPUT submitJob input.source.spec.env.2.name: env.2.name was "1C"; it must be letters, digits, '_', '-' and '.', not beginning with a digit or with ".."
    BAD_USER_INPUT submitJob input.source.spec.image: image was "", which is not an image reference: it is empty; an image such as alpine:3.20 or registry.example.org/team/tool@sha256:… is expected
    BAD_USER_INPUT submitJob input.source.spec.replicas: replicas was 0; it must be between 1 and 256
    BAD_USER_INPUT submitJob input.source.spec.resources.cpu: cpu was "lots", which is not a quantity: it must be a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi
    BAD_USER_INPUT submitJob input.source.spec.resources.cpuLimit: cpuLimit was "{any: 1}", which is not a quantity: it must be a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi
    BAD_USER_INPUT submitJob input.source.spec.resources.gpu: gpu was -1; it must be between 0 and 64 for one task
    BAD_USER_INPUT submitJob input.source.spec.resources.memory: memory was "", which is not a quantity: it must be a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi
    "#);
    let create = "mutation($input: CreateConfigFileInput!) { createConfigFile(input: $input) { commit { id } } }";
    let input = json!({ "projectId": "", "name": "A file", "yaml": "kind: [", "message": null });
    insta::assert_snapshot!(told(&ask(create, json!({ "input": input })).await), @r#"
    BAD_USER_INPUT createConfigFile input.name: "A file" is not a valid name: it must have 1 to 63 lower-case letters and digits, with "-", ".", "_" only between them
    BAD_USER_INPUT createConfigFile input.projectId: "" is not a project id: it must be "project_" followed by 26 characters of 0-9 a-z without i, l, o, u
    BAD_USER_INPUT createConfigFile input.yaml: the YAML cannot be read: line 1, column 7: unclosed bracket '['
    "#);
    let create =
        "mutation { createProject(input: {groupId: \"x\", name: \"A\", description: null}) { project { id } } }";
    insta::assert_snapshot!(told(&ask(create, json!({})).await), @r#"
    BAD_USER_INPUT createProject input.groupId: "x" is not a group id: it must be "group_" followed by 26 characters of 0-9 a-z without i, l, o, u
    BAD_USER_INPUT createProject input.name: "A" is not a valid name: it must have 1 to 63 lower-case letters and digits, with "-" only between them
    "#);
    let cancel = "mutation($r: String) { cancelJob(input: {id: 7, reason: $r}) { job { id } } }";
    insta::assert_snapshot!(told(&ask(cancel, json!({ "r": "x".repeat(501) })).await), @r#"
    BAD_USER_INPUT cancelJob input.id: "7" is not a job id: it must be "job_" followed by 26 characters of 0-9 a-z without i, l, o, u
    BAD_USER_INPUT cancelJob input.reason: reason has 501 characters; at most 500 are allowed
    "#);
    let filter = json!({ "projectId": "p", "groupId": "", "submittedBy": "job_01h455vb4pex5vsknk084sn02q" });
    insta::assert_snapshot!(told(&ask(JOBS, json!({ "filter": filter, "first": -1 })).await), @r#"
    BAD_USER_INPUT jobs filter.groupId: "" is not a group id: it must be "group_" followed by 26 characters of 0-9 a-z without i, l, o, u
    BAD_USER_INPUT jobs filter.projectId: "p" is not a project id: it must be "project_" followed by 26 characters of 0-9 a-z without i, l, o, u
    BAD_USER_INPUT jobs filter.submittedBy: "job_01h455vb4pex5vsknk084sn02q" is not a user id: it must be "user_" followed by 26 characters of 0-9 a-z without i, l, o, u
    BAD_USER_INPUT jobs first: first was -1; it must be between 0 and 100
    "#);
}

#[tokio::test]
async fn a_preview_tells_what_a_scalar_cannot_read_as_a_rule() {
    let answer = ask(PREVIEW, json!({ "input": form(&project().await) })).await;
    insta::assert_snapshot!(failed(&answer), @r#"
    NAME input.name: "Train" is not a valid name: lower-case letters, digits and '-' are allowed, and it must begin and end with a letter or a digit (for example my-name or 123-abc)
    PRIORITY input.priority: priority was 5000; it must be between 0 and 1000
    IMAGE input.source.spec.image: image was "", which is not an image reference: it is empty; an image such as alpine:3.20 or registry.example.org/team/tool@sha256:… is expected
    CONTAINER input.source.spec.env.2.name: env.2.name was "1C"; it must be letters, digits, '_', '-' and '.', not beginning with a digit or with ".."
    RESOURCES input.source.spec.resources.gpu: gpu was -1; it must be between 0 and 64 for one task
    RESOURCES input.source.spec.resources.cpu: cpu was "lots", which is not a quantity: it must be a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi
    RESOURCES input.source.spec.resources.memory: memory was "", which is not a quantity: it must be a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi
    RESOURCES input.source.spec.resources.cpuLimit: cpuLimit was "{any: 1}", which is not a quantity: it must be a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi
    GANG input.source.spec.replicas: replicas was 0; it must be between 1 and 256
    "#);
    let source = json!({ "projectId": project().await, "source": { "commitId": "latest" } });
    insta::assert_snapshot!(failed(&ask(PREVIEW, json!({ "input": source })).await), @r#"SOURCE input.source.commitId: "latest" is not a commit id: it must be "commit_" followed by 26 characters of 0-9 a-z without i, l, o, u"#);
}

#[tokio::test]
async fn it_is_told_alike_however_the_value_comes() {
    let project = project().await;
    let id = project.as_str().unwrap();
    let spec = r#"image: "alpine:3.20", env: [{name: "A", value: ""}, {name: "1B", value: ""}], resources: {cpu: "lots", memory: lots}"#;
    let literal = format!(r#"{{projectId: "{id}", source: {{spec: {{{spec}}}}}}}"#);
    let submit = |arguments: &str| format!("mutation{arguments} {{ job {{ id }} }} }}");
    let inline = told(&ask(&submit(&format!(" {{ submitJob(input: {literal})")), json!({})).await);
    insta::assert_snapshot!(inline, @r#"
    BAD_USER_INPUT submitJob input.source.spec.env.1.name: env.1.name was "1B"; it must be letters, digits, '_', '-' and '.', not beginning with a digit or with ".."
    BAD_USER_INPUT submitJob input.source.spec.resources.cpu: cpu was "lots", which is not a quantity: it must be a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi
    BAD_USER_INPUT submitJob input.source.spec.resources.memory: memory was "lots", which is not a quantity: it must be a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi
    "#);
    let default = submit(&format!("($i: SubmitJobInput! = {literal}) {{ submitJob(input: $i)"));
    assert_eq!(told(&ask(&default, json!({})).await), inline);
    let parts = r#"($p: ID!, $e: String!, $c: Quantity, $m: Quantity) { submitJob(input: {projectId: $p, source: {spec: {
        image: "alpine:3.20", env: [{name: "A", value: ""}, {name: $e, value: ""}], resources: {cpu: $c, memory: $m}}}})"#;
    let given = json!({ "p": project, "e": "1B", "c": "lots", "m": "lots" });
    assert_eq!(told(&ask(&submit(parts), given).await), inline);
}

#[tokio::test]
async fn values_of_a_wrong_type_are_told_together_where_they_are_used() {
    let spec = json!({ "image": "a", "replicas": 99_999_999_999_i64, "retries": "", "minAvailable": 1.5, "comand": "x",
        "resources": { "cpu": "lots" }, "env": [{ "name": "A", "value": "b" }, null, { "name": 3 }] });
    let input = json!({ "projectId": "p", "priority": "high", "source": { "spec": spec } });
    let body = json!({ "query": SUBMIT, "variables": { "input": input } }).to_string();
    let server = Production::server().await;
    let headers = [("authorization", &*server.member()), ("accept", "application/graphql-response+json")];
    let answer = server.post(&body, &headers).await;
    assert_eq!((answer.status, answer.json().get("data")), (400, None));
    insta::assert_snapshot!(told(&answer), @r#"
    BAD_USER_INPUT request input.priority: priority was "high"; it must be a whole number
    BAD_USER_INPUT request input.projectId: projectId was "p", which is not an ID: it must be a prefix, an underscore and 26 characters
    BAD_USER_INPUT request input.source.spec.comand: comand is not a field of JobSpecInput.
    BAD_USER_INPUT request input.source.spec.env.1: env.1 was null; a value is required
    BAD_USER_INPUT request input.source.spec.env.2.name: name was 3; it must be a string
    BAD_USER_INPUT request input.source.spec.env.2.value: value is required (String!)
    BAD_USER_INPUT request input.source.spec.minAvailable: minAvailable was 1.5; it must be a whole number
    BAD_USER_INPUT request input.source.spec.replicas: replicas was 99999999999; it must be a whole number between -2147483648 and 2147483647
    BAD_USER_INPUT request input.source.spec.resources.cpu: cpu was "lots", which is not a quantity: it must be a number, optionally followed by a suffix such as m, k, M, G, Ki, Mi or Gi (500m, 1.5, 10Gi)
    BAD_USER_INPUT request input.source.spec.retries: retries was empty; it must be a whole number
    "#);
    assert!(answer.json()["errors"].as_array().unwrap().iter().all(|error| error["extensions"]["variable"] == "input"));

    // The variable is in the middle of an argument.
    let query = "query($phase: JobPhase!, $first: Int) { jobs(first: $first, filter: {phases: [RUNNING, $phase]}) { totalCount } }";
    insta::assert_snapshot!(told(&ask(query, json!({ "phase": "DONE", "first": "ten" })).await), @r#"
    BAD_USER_INPUT request filter.phases.1: phases.1 was "DONE", which is not a value of JobPhase
    BAD_USER_INPUT request first: first was "ten"; it must be a whole number
    "#);
    insta::assert_snapshot!(told(&ask(query, json!({ "first": true })).await), @"
    BAD_USER_INPUT request filter.phases.1: phases.1 is required (variable $phase: JobPhase!)
    BAD_USER_INPUT request first: first was true; it must be a whole number
    ");
}

#[tokio::test]
async fn literals_of_a_wrong_type_say_which_field_they_are_in() {
    let query = r#"mutation { submitJob(input: {name: 5, source: {spec: {image: "a", replicas: 99999999999, nope: 1,
        env: [{name: "A", value: "b"}, {name: 3}]}}}) { job { id } } }"#;
    insta::assert_snapshot!(told(&ask(query, json!({})).await), @r#"
    GRAPHQL_VALIDATION_FAILED request input.name: Expected a value of type "String", found 5.
    GRAPHQL_VALIDATION_FAILED request input.projectId: Field "projectId" of type "ID!" is required by type "SubmitJobInput".
    GRAPHQL_VALIDATION_FAILED request input.source.spec.env.1.name: Expected a value of type "String!", found 3.
    GRAPHQL_VALIDATION_FAILED request input.source.spec.env.1.value: Field "value" of type "String!" is required by type "EnvVarInput".
    GRAPHQL_VALIDATION_FAILED request input.source.spec.nope: Field "nope" is not defined by type "JobSpecInput".
    GRAPHQL_VALIDATION_FAILED request input.source.spec.replicas: Expected a value of type "Int", found 99999999999.
    "#);
    let query = "query($n: Int = \"x\") { jobs(first: $n, orderBy: {field: NAME}) { totalCount } job { id } }";
    insta::assert_snapshot!(told(&ask(query, json!({})).await), @r#"
    GRAPHQL_VALIDATION_FAILED request first: Expected a value of type "Int", found "x".
    GRAPHQL_VALIDATION_FAILED request id: Argument "id" of type "ID!" is required on field "Query.job".
    GRAPHQL_VALIDATION_FAILED request orderBy.field: Value "NAME" does not exist in enum "JobOrderField".
    "#);
}

#[tokio::test]
async fn a_variable_whose_type_does_not_fit_says_where_it_is_used() {
    let query = r#"mutation($id: String!, $cpu: Int, $spec: JobSpecInput, $name: String) {
        submitJob(input: {projectId: $id, name: $name, source: {spec: $spec}}) { job { id } }
        other: submitJob(input: {projectId: "p", source: {spec: {image: "a", resources: {cpu: $cpu}, env: [{name: $name, value: ""}]}}}) { job { id } } }"#;
    insta::assert_snapshot!(told(&ask(query, json!({})).await), @r#"
    GRAPHQL_VALIDATION_FAILED request input.projectId: Variable "$id" of type "String!" is used where "ID!" is expected.
    GRAPHQL_VALIDATION_FAILED request input.source.spec.env.0.name: Variable "$name" of type "String" is used where "String!" is expected.
    GRAPHQL_VALIDATION_FAILED request input.source.spec.resources.cpu: Variable "$cpu" of type "Int" is used where "Quantity" is expected.
    GRAPHQL_VALIDATION_FAILED request input.source.spec: Variable "$spec" of type "JobSpecInput" must not be nullable here: exactly one field of the input object is given.
    "#);
    let query = "query($n: String, $p: String!) { jobs(first: $n, filter: {phases: [RUNNING, $p]}) { totalCount } }";
    insta::assert_snapshot!(told(&ask(query, json!({})).await), @r#"
    GRAPHQL_VALIDATION_FAILED request filter.phases.1: Variable "$p" of type "String!" is used where "JobPhase!" is expected.
    GRAPHQL_VALIDATION_FAILED request first: Variable "$n" of type "String" is used where "Int" is expected.
    "#);
}

#[tokio::test]
async fn a_feed_cursor_that_is_no_string_is_a_bad_field() {
    let server = Production::server().await;
    let headers = [("authorization", &*server.member()), ("accept", "text/event-stream")];
    let mut lines = Vec::new();
    let literal = |after: &str| {
        format!("subscription {{ jobEvents(after: {after}, filter: {{projectId: \"p\"}}) {{ cursor }} }}")
    };
    let variable = "subscription($a: FeedCursor) { jobEvents(after: $a) { cursor } }";
    for (query, after) in [
        (literal("7"), Value::Null),
        (literal("{any: [true]}"), Value::Null),
        (variable.to_owned(), json!(7)),
        (variable.to_owned(), json!({ "any": [true] })),
    ] {
        let body = json!({ "query": query, "variables": { "a": after } }).to_string();
        let answer = server.post(&body, &headers).await;
        let events = answer.body.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| !data.is_empty());
        for event in events {
            let event: Value = serde_json::from_str(event).unwrap();
            let of_field = |error: &Value| format!("{}: {}", error["extensions"]["field"], error["message"]);
            lines.extend(event["errors"].as_array().into_iter().flatten().map(of_field));
        }
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    "after": "\"7\" is not a cursor of this feed"
    "after": "\"{any: [true]}\" is not a cursor of this feed"
    "after": "\"7\" is not a cursor of this feed"
    "after": "\"{any: [true]}\" is not a cursor of this feed"
    "#);
    let variables = json!({ "a": 7, "n": "x" });
    let query =
        "subscription($a: FeedCursor, $n: [JobPhase!]) { jobEvents(after: $a, filter: {phases: $n}) { cursor } }";
    let answer = server.post(&json!({ "query": query, "variables": variables }).to_string(), &headers).await;
    assert!(answer.body.contains("after was \\\"7\\\"; it must be a string"), "{}", answer.body);
}

#[tokio::test]
async fn exactly_one_source_is_given() {
    let project = project().await;
    let with = |source: Value| json!({ "input": { "projectId": project, "source": source } });
    let both = json!({ "commitId": "commit_01h455vb4pex5vsknk084sn02q", "spec": { "image": "a" } });
    insta::assert_snapshot!(told(&ask(SUBMIT, with(both)).await), @"BAD_USER_INPUT request input.source: source has 2 fields; exactly one field of JobSourceInput must be given");
    insta::assert_snapshot!(told(&ask(SUBMIT, with(json!({}))).await), @"BAD_USER_INPUT request input.source: source has 0 fields; exactly one field of JobSourceInput must be given");
    insta::assert_snapshot!(told(&ask(SUBMIT, with(json!({ "commitId": null }))).await), @"BAD_USER_INPUT request input.source.commitId: commitId was null; a value is required");
    let query = "mutation($p: ID!) { submitJob(input: {projectId: $p, source: {commitId: \"x\", spec: {image: \"a\"}}}) { job { id } } }";
    insta::assert_snapshot!(told(&ask(query, json!({ "p": project })).await), @r#"GRAPHQL_VALIDATION_FAILED request input.source: Exactly one field must be given of type "JobSourceInput"."#);
}

#[tokio::test]
async fn the_fields_that_source_replaces_are_refused_by_name() {
    let project = project().await;
    let with = |fields: Value| {
        let mut input = json!({ "projectId": project });
        input.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({ "input": input })
    };
    let (commit, spec) = (json!("commit_01h455vb4pex5vsknk084sn02q"), json!({ "image": "alpine:3.20" }));
    insta::assert_snapshot!(told(&ask(SUBMIT, with(json!({}))).await), @"BAD_USER_INPUT request input.source: source is required (JobSourceInput!)");
    insta::assert_snapshot!(told(&ask(SUBMIT, with(json!({ "commitId": commit, "source": { "spec": spec } }))).await), @"BAD_USER_INPUT request input.commitId: commitId is not a field of SubmitJobInput.");
    insta::assert_snapshot!(told(&ask(SUBMIT, with(json!({ "spec": spec, "dryRun": true }))).await), @"
    BAD_USER_INPUT request input.dryRun: dryRun is not a field of SubmitJobInput
    BAD_USER_INPUT request input.source: source is required (JobSourceInput!)
    BAD_USER_INPUT request input.spec: spec is not a field of SubmitJobInput.
    ");
}

#[tokio::test]
async fn a_problem_with_yaml_has_its_line_and_column() {
    let places = async |yaml: &str| {
        let create = "mutation($i: CreateConfigFileInput!) { createConfigFile(input: $i) { commit { id } } }";
        let answer = ask(create, json!({ "i": { "projectId": "p", "name": "a", "yaml": yaml } })).await.json();
        let errors = answer["errors"].as_array().unwrap().clone();
        let of_yaml = errors.iter().filter(|error| error["extensions"]["field"] == "input.yaml");
        of_yaml
            .map(|error| format!("{}:{}", error["extensions"]["line"], error["extensions"]["column"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(places("apiVersion: v1\nkind: Pod\n  spec: {}\n").await, ["3:7"]);
    assert_eq!(places("a: [").await.len(), 1);
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: a\n    imagge: b\n    ports: [{containerPort: x}]\n";
    assert_eq!(places(pod).await, ["7:5", "8:29"]);
    // A limit of the whole file has no position.
    assert_eq!(places("").await, ["null:null"]);
}

#[tokio::test]
async fn a_preview_says_where_in_the_yaml_of_a_commit_a_problem_is() {
    // A file that was saved before there was a rule for it.
    let saved = "INSERT INTO config_blobs (sha256, yaml, kinds) VALUES (sha256('placed'), E'apiVersion: v1\\nkind: Pod\\nmetadata: {name: a}\\nspec: {containers: [{name: a, imagge: b}]}\\n', '{Pod}');
        INSERT INTO config_files (id, project_id, name) SELECT gen_random_uuid(), id, 'placed.yaml' FROM projects WHERE name = 'detection';
        INSERT INTO config_commits (id, config_file_id, blob_sha256, message, author_id)
        SELECT gen_random_uuid(), f.id, sha256('placed'), '', u.id FROM config_files f, users u WHERE f.name = 'placed.yaml' AND u.username = 'maya'";
    Production::server().await.execute(saved).await;
    let files =
        "{ configFiles(filter: {names: [\"placed.yaml\"]}) { nodes { project { id } commits { nodes { id } } } } }";
    let file = ask(files, json!({})).await.json()["data"]["configFiles"]["nodes"][0].take();
    let (project, commit) = (&file["project"]["id"], &file["commits"]["nodes"][0]["id"]);
    let preview = "query($input: SubmitJobInput!) { previewJob(input: $input) { verdicts { rule problems { field line column } } } }";
    let input = json!({ "projectId": project, "source": { "commitId": commit } });
    let answer = ask(preview, json!({ "input": input })).await.json();
    let verdicts = answer["data"]["previewJob"]["verdicts"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let of_source = verdicts.iter().find(|verdict| verdict["rule"] == "SOURCE").unwrap();
    assert_eq!(of_source["problems"], json!([{ "field": "input.source.commitId", "line": 4, "column": 31 }]));
}

#[tokio::test]
async fn null_is_the_default_of_what_has_one() {
    let count = async |filter: Value, order: Value| {
        let answer = ask(JOBS, json!({ "filter": filter, "order": order })).await;
        assert_eq!(told(&answer), "");
        answer.json()["data"]["jobs"]["totalCount"].clone()
    };
    let all = count(json!({}), json!({ "field": "SUBMITTED_AT" })).await;
    assert_eq!(count(json!({ "mine": null }), json!({ "field": "SUBMITTED_AT", "direction": null })).await, all);
    assert_eq!(count(Value::Null, Value::Null).await, all);
    for (list, field) in [("groups", "NAME"), ("projects", "NAME"), ("users", "USERNAME"), ("jobs", "SUBMITTED_AT")] {
        let ids = async |direction: &str| {
            let query = format!("{{ {list}(orderBy: {{field: {field}{direction}}}) {{ nodes {{ id }} }} }}");
            let answer = ask(&query, json!({})).await;
            assert_eq!(told(&answer), "");
            answer.json()["data"][list]["nodes"].clone()
        };
        assert_eq!(ids(", direction: null").await, ids("").await);
    }
    let mounts = json!([{ "claim": "c", "path": "/c", "readOnly": null }]);
    let spec = json!({ "image": "alpine:3.20", "mounts": mounts, "replicas": null, "retries": null });
    let input = json!({ "projectId": project().await, "priority": null, "source": { "spec": spec } });
    insta::assert_snapshot!(failed(&ask(PREVIEW, json!({ "input": input })).await), @r#"MOUNTS input.source.spec.mounts.0.claim: storage claim "c" not found"#);
}

#[tokio::test]
async fn a_preview_is_a_query_that_can_be_fetched() {
    let server = Production::server().await;
    let input = json!({ "projectId": project().await, "source": { "spec": { "image": "alpine:3.20" } } });
    let encoded = |query: &str| {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs.append_pair("query", query).append_pair("variables", &json!({ "input": input }).to_string());
        format!("/graphql?{}", pairs.finish())
    };
    let member = server.member();
    let headers = [("authorization", &*member), ("accept", "application/json"), ("x-graphql-csrf", "1")];
    // It asks the cluster, which a link on another page cannot make it do.
    assert_eq!(server.send("GET", &encoded(PREVIEW), &headers[..2], "").await.status, 403);
    let answer = server.send("GET", &encoded(PREVIEW), &headers, "").await;
    assert_eq!((answer.status, failed(&answer)), (200, String::new()));
    assert_eq!(answer.headers["cache-control"], "private, no-store");
    let as_mutation = "mutation($input: SubmitJobInput!) { previewJob(input: $input) { preview { admitted } } }";
    assert_eq!(server.send("GET", &encoded(as_mutation), &headers, "").await.status, 405);

    // Many in one operation are made one after another, and each is paid for.
    let fields: String = (0..10).map(|n| format!("p{n}: previewJob(input: $input) {{ admitted }} ")).collect();
    let query = format!("query($input: SubmitJobInput!) {{ {fields} }}");
    let body = json!({ "query": query, "variables": { "input": input } }).to_string();
    let answer = server.post(&body, &[("authorization", &member), ("graphql-cost", "report")]).await.json();
    assert!((0..10).all(|n| answer["data"][format!("p{n}")]["admitted"] == true), "{answer}");
    assert!(answer["extensions"]["cost"]["actual"].as_u64().unwrap() >= 100, "{answer}");
}
