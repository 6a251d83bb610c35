//! What a user interface has to know before it offers something, over HTTP as a page asks: limits, quota, queues, and what
//! the viewer may do.

use serde_json::{Value, json};

use crate::attacks::production::Production;

/// What an operation answers a member of the group vision.
async fn data(query: &str) -> Value {
    let answer = Production::server().await.ask(query, json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut json = answer.json();
    assert!(json["errors"].is_null(), "{json}");
    json["data"].take()
}

#[tokio::test]
async fn the_limits_are_those_that_an_operation_is_refused_with() {
    let told = data("{ limits { maxAliases maxDepth maxPageSize maxInputItems maxBodyBytes maxCost } }").await;
    let limit = |name: &str| told["limits"][name].as_u64().unwrap_or_else(|| panic!("{told}"));
    let server = Production::server().await;
    let refused = async |query: String| {
        let answer = server.ask(&query, json!({})).await.json();
        answer["errors"][0]["message"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    };
    let aliases = (0..=limit("maxAliases")).map(|n| format!("a{n}: id ")).collect::<String>();
    let message = refused(format!("{{ viewer {{ {aliases} }} }}")).await;
    assert!(message.contains(&limit("maxAliases").to_string()), "{message}");
    let page = limit("maxPageSize");
    let message = refused(format!("{{ jobs(first: {}) {{ totalCount }} }}", page + 1)).await;
    assert!(message.contains(&format!("at most {page} are allowed")), "{message}");
    let names = vec!["\"x\""; usize::try_from(limit("maxInputItems")).unwrap() + 1].join(", ");
    let message = refused(format!("{{ jobs(filter: {{ names: [{names}] }}) {{ totalCount }} }}")).await;
    assert!(message.contains(&limit("maxInputItems").to_string()), "{message}");
    let depth = usize::try_from(limit("maxDepth")).unwrap();
    let (open, close) = ("head { configFile { ".repeat(depth), "} }".repeat(depth));
    let message = refused(format!("{{ configFile(id: \"x\") {{ {open} id {close} }} }}")).await;
    assert!(message.contains(&depth.to_string()), "{message}");
}

#[tokio::test]
async fn the_quota_of_a_project_says_what_is_left() {
    let set = "INSERT INTO project_quotas (project_id, gpu, memory_bytes) SELECT id, 8, 17179869184 FROM projects WHERE name = 'segmentation'";
    Production::server().await.execute(set).await;
    let query =
        "{ projects(filter: { names: [\"segmentation\"] }) { nodes { quota { resource limit used reserved left } } } }";
    let told = data(query).await;
    let lines = told["projects"]["nodes"][0]["quota"].as_array().unwrap().iter().map(|line| format!("{line}\n"));
    insta::assert_snapshot!(lines.collect::<String>(), @r#"
    {"resource":"GPU","limit":"8","used":"0","reserved":"0","left":"8"}
    {"resource":"CPU","limit":null,"used":"0","reserved":"0","left":null}
    {"resource":"MEMORY","limit":"16Gi","used":"0","reserved":"0","left":"16Gi"}
    {"resource":"JOBS","limit":null,"used":"0","reserved":"0","left":null}
    "#);
}

#[tokio::test]
async fn the_queues_are_listed_highest_priority_first() {
    let told = data("{ queues { name priority preemptible } }").await;
    let lines = told["queues"].as_array().unwrap().iter().map(|queue| format!("{queue}\n"));
    insta::assert_snapshot!(lines.collect::<String>(), @r#"
    {"name":"configfile-interactive","priority":10000,"preemptible":false}
    {"name":"configfile-job","priority":5000,"preemptible":false}
    {"name":"default-batch","priority":100,"preemptible":true}
    "#);
}

#[tokio::test]
async fn what_the_viewer_can_do_is_what_the_server_then_allows() {
    let query = "{
        groups { nodes { name viewerRole viewerCanCreateProject } }
        projects { nodes { id name viewerCanSubmitJob viewerCanCreateConfigFile } }
        configFiles { nodes { name viewerCanUpdate } }
        jobs(filter: { mine: true }) { nodes { id name viewerCanCancel } }
    }";
    let told = data(query).await;
    insta::assert_snapshot!(told["groups"], @r#"{"nodes":[{"name":"vision","viewerRole":"MEMBER","viewerCanCreateProject":false}]}"#);
    let files = told["configFiles"]["nodes"].as_array().unwrap();
    assert!(files.iter().all(|file| file["viewerCanUpdate"] == false), "{told}");
    let project = &told["projects"]["nodes"][0];
    assert_eq!((&project["viewerCanSubmitJob"], &project["viewerCanCreateConfigFile"]), (&json!(true), &json!(false)));
    let job = &told["jobs"]["nodes"][0];
    assert_eq!(job["viewerCanCancel"], false, "it has finished");

    let server = Production::server().await;
    let ask = async |query: &str, input: Value| server.ask(query, json!({ "input": input })).await;
    let create = "mutation($input: CreateConfigFileInput!) { createConfigFile(input: $input) { commit { id } } }";
    let file = json!({ "projectId": project["id"], "name": "a.yaml", "yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n" });
    assert_eq!(ask(create, file).await.codes(), ["FORBIDDEN"]);
    let cancel = "mutation($input: CancelJobInput!) { cancelJob(input: $input) { job { id } } }";
    assert_eq!(ask(cancel, json!({ "id": job["id"] })).await.codes(), ["CONFLICT"]);
    let preview = "query($input: SubmitJobInput!) { previewJob(input: $input) { admitted } }";
    let input = json!({ "projectId": project["id"], "source": { "spec": { "image": "alpine:3.20" } } });
    assert_eq!(ask(preview, input).await.json()["data"]["previewJob"]["admitted"], true);
}
