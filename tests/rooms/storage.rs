//! Storage claims: who may create, see, use and delete them, and what is refused.

use platform::cluster::claims::{ClaimPhase, ClaimState, ObjectKey, Seen};
use platform::storage::model::observed;
use serde_json::{Value, json};

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{World, errors, sql};

/// Who sees what of storage: the ways to it.
pub const ROWS: Rows = Rows {
    setup: "
        INSERT INTO storage_claims (id, project_id, group_id, namespace, name, display_name, created_by, storage_class,
                                    access_mode, size, size_bytes, sent_bytes, capacity_bytes, phase, resize, default_access)
        SELECT '00000000-0000-0000-0000-000000000001'::uuid, projects.id, group_id, namespace, 'data', 'data', users.id, 'standard',
               'READ_WRITE_ONCE', '10Gi', 10737418240, 10737418240, 10737418240, 'BOUND', 'IN_PROGRESS', 'READ'
          FROM projects, users WHERE projects.name = 'detection' AND users.username = 'maya';
        INSERT INTO storage_claims (id, user_id, namespace, name, display_name, created_by, access_mode, size, size_bytes,
                                    sent_bytes, phase, default_access)
        SELECT gen_random_uuid(), id, 'user-' || username, 'home', 'Home', id, 'READ_WRITE_ONCE', '10Gi', 10737418240, 0,
               'SUBMITTED', 'NONE' FROM users;
        INSERT INTO storage_claims (id, group_id, namespace, name, display_name, created_by, access_mode, size, size_bytes,
                                    sent_bytes, phase, default_access)
        SELECT '00000000-0000-0000-0000-000000000002'::uuid, groups.id, 'group-vision', 'sets', 'sets', users.id,
               'READ_WRITE_MANY', '1Gi', 1073741824, 0, 'SUBMITTED', 'READ'
          FROM groups, users WHERE groups.name = 'vision' AND users.username = 'maya';
        INSERT INTO storage_permissions (claim_id, user_id, access)
        SELECT '00000000-0000-0000-0000-000000000001'::uuid, id, 'WRITE' FROM users WHERE username = 'ada';
        INSERT INTO storage_mounts (claim_id, pod_uid, pod, job_id, read_only, since)
        SELECT '00000000-0000-0000-0000-000000000001'::uuid, 'u1', 'train-0', id, false, now() FROM jobs
         WHERE name = 'train-large-batch';
        INSERT INTO events (kind, subject, project, \"group\", person, payload)
        SELECT 'pvc', id, project_id, group_id, user_id, '{\"kind\": \"CREATED\", \"name\": \"data\", \"phase\": \"SUBMITTED\"}'
          FROM storage_claims;",
    operations: &[
        ("pvc", "query($claim: ID!) { pvc(id: $claim) { id } }"),
        ("pvcs", "{ pvcs { nodes { id } } }"),
        ("storageClasses", "{ storageClasses { name } }"),
        (
            "createPvc",
            "mutation($detection: ID!) { createPvc(input: { projectId: $detection, name: \"new\", size: \"1Gi\" }) { pvc { id } } }",
        ),
        ("updatePvc", "mutation($claim: ID!) { updatePvc(input: { id: $claim, displayName: \"new\" }) { pvc { id } } }"),
        ("resizePvc", "mutation($claim: ID!) { resizePvc(input: { id: $claim, size: \"20Gi\" }) { pvc { id } } }"),
        ("deletePvc", "mutation($claim: ID!) { deletePvc(input: { id: $claim, confirmName: \"data\" }) { pvcId } }"),
        (
            "bindPvc",
            "mutation($lent: ID!, $detection: ID!) { bindPvc(input: { id: $lent, projectId: $detection }) { pvc { id } } }",
        ),
        // It is not a share.
        ("unbindPvc", "mutation($claim: ID!) { unbindPvc(input: { id: $claim }) { pvcId } }"),
        (
            "setStoragePermissions",
            "mutation($claim: ID!) { setStoragePermissions(input: { pvcId: $claim, permissions: [{ username: \"ada\", access: READ }] }) { pvc { id } } }",
        ),
        ("initializeUserStorage", "mutation { initializeUserStorage(input: {}) { created } }"),
        // Whoever may not see the claim of the project is told of their own drive.
        ("pvcEvents", "subscription($start: FeedCursor) { pvcEvents(after: $start) { cursor } }"),
    ],
    types: &[
        ("Pvc", By("query($claim: ID!) { pvc(id: $claim) { FIELD } }")),
        ("PvcResize", By("query($claim: ID!) { pvc(id: $claim) { resize { FIELD } } }")),
        ("PvcUsage", Below("pvc")),
        ("PvcMount", By("query($claim: ID!) { pvc(id: $claim) { mounts { FIELD } } }")),
        ("StoragePermission", By("query($claim: ID!) { pvc(id: $claim) { permissions { FIELD } } }")),
        ("PvcConnection", By("{ pvcs { FIELD } }")),
        ("PvcEdge", By("{ pvcs { edges { FIELD } } }")),
        ("PvcEvent", Below("pvcEvents")),
        ("StorageClass", Below("storageClasses")),
        ("CreatePvcPayload", Below("createPvc")),
        ("UpdatePvcPayload", Below("updatePvc")),
        ("ResizePvcPayload", Below("resizePvc")),
        ("DeletePvcPayload", Below("deletePvc")),
        ("BindPvcPayload", Below("bindPvc")),
        ("UnbindPvcPayload", Below("unbindPvc")),
        ("SetStoragePermissionsPayload", Below("setStoragePermissions")),
        ("SetStoragePermissionResult", Below("setStoragePermissions")),
        ("InitializeUserStoragePayload", Below("initializeUserStorage")),
    ],
};

const CREATE: &str = "mutation($input: CreatePvcInput!) { createPvc(input: $input) { pvc {
    id name displayName size phase namespace accessMode defaultAccess adminOnly storageClass managed createdBy { username }
    project { name } group { name } viewerAccess viewerCanDelete } } }";
const RESIZE: &str =
    "mutation($id: ID!, $size: Quantity!) { resizePvc(input: { id: $id, size: $size }) { pvc { size phase } } }";
const DELETE: &str = "mutation($id: ID!, $name: String!, $force: Boolean) {
    deletePvc(input: { id: $id, confirmName: $name, force: $force }) { pvcId } }";
const PERMIT: &str = "mutation($id: ID!, $permissions: [StoragePermissionInput!]!) {
    setStoragePermissions(input: { pvcId: $id, permissions: $permissions }) {
        results { username error permission { access user { username } } } pvc { permissions { access user { username } } } } }";
const PREVIEW: &str =
    "query($input: SubmitJobInput!) { previewJob(input: $input) { verdicts { rule problems { field message } } } }";

async fn named(world: &World, list: &str, name: &str) -> Value {
    let query = format!("{{ found: {list}(filter: {{ names: [\"{name}\"] }}) {{ nodes {{ id }} }} }}");
    world.ask("admin", &query, json!({})).await["data"]["found"]["nodes"][0]["id"].clone()
}

async fn create(world: &World, who: &str, input: Value) -> Value {
    world.ask(who, CREATE, json!({ "input": input })).await
}

/// A claim of the project detection; its ID.
async fn claim(world: &World, name: &str, more: Value) -> Value {
    let mut input = json!({ "projectId": named(world, "projects", "detection").await, "name": name, "size": "10Gi" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = create(world, "maya", input).await;
    assert!(answer["errors"].is_null(), "{answer}");
    answer["data"]["createPvc"]["pvc"]["id"].clone()
}

async fn become_admin_of_vision(world: &World, who: &str) {
    sql(&world.url, &format!("UPDATE group_members SET role = 'ADMIN' FROM users, groups WHERE users.id = user_id AND groups.id = group_id AND username = '{who}' AND groups.name = 'vision'")).await;
}

async fn access(world: &World, who: &str, id: &Value) -> Value {
    let query = "query($id: ID!) { pvc(id: $id) { viewerAccess } }";
    world.ask(who, query, json!({ "id": id })).await["data"]["pvc"]["viewerAccess"].clone()
}

/// The problems of a preview.
fn told(verdicts: &[Value]) -> String {
    let of = |verdict: &Value| {
        let problems = verdict["problems"].as_array().unwrap().clone();
        let rule = verdict["rule"].as_str().unwrap().to_owned();
        problems.into_iter().map(move |problem| {
            format!("{rule} {}: {}\n", problem["field"].as_str().unwrap_or("-"), problem["message"].as_str().unwrap())
        })
    };
    // Nobody asks the cluster here.
    verdicts.iter().filter(|verdict| verdict["rule"] != "CLUSTER").flat_map(of).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_creates_a_claim_of_a_project_and_its_members_see_it() {
    let world = World::new().await;
    let project = named(&world, "projects", "detection").await;
    let answer = create(&world, "maya", json!({ "projectId": project, "name": "data", "size": "1.5Gi", "displayName": "Training data", "storageClass": "fast" })).await;
    let mut pvc = answer["data"]["createPvc"]["pvc"].clone();
    let id = pvc["id"].take();
    assert!(pvc["namespace"].take().as_str().unwrap().starts_with("proj-"));
    insta::assert_snapshot!(pvc, @r#"{"id":null,"name":"data","displayName":"Training data","size":"1.5Gi","phase":"SUBMITTED","namespace":null,"accessMode":"READ_WRITE_ONCE","defaultAccess":"WRITE","adminOnly":false,"storageClass":"fast","managed":true,"createdBy":{"username":"maya"},"project":{"name":"detection"},"group":{"name":"vision"},"viewerAccess":"WRITE","viewerCanDelete":true}"#);
    let query = "query($id: ID!) { pvc(id: $id) { name viewerAccess viewerCanDelete permissions { access } } node(id: $id) { id }
        project(id: $project) { claims { totalCount nodes { name } } deletionPreview { claims } quota { resource limit used reserved } } }";
    let query = query.replace("query($id: ID!)", "query($id: ID!, $project: ID!)");
    let seen = world.ask("ada", &query, json!({ "id": id, "project": project })).await;
    insta::assert_snapshot!(seen["data"]["pvc"], @r#"{"name":"data","viewerAccess":"WRITE","viewerCanDelete":false,"permissions":null}"#);
    insta::assert_snapshot!(seen["data"]["project"], @r#"{"claims":{"totalCount":1,"nodes":[{"name":"data"}]},"deletionPreview":{"claims":1},"quota":[{"resource":"GPU","limit":null,"used":"0","reserved":"0"},{"resource":"CPU","limit":null,"used":"0","reserved":"0"},{"resource":"MEMORY","limit":null,"used":"0","reserved":"0"},{"resource":"JOBS","limit":null,"used":"0","reserved":"0"},{"resource":"STORAGE","limit":null,"used":"0","reserved":"1536Mi"}]}"#);
    let hidden = world.ask("ben", &query, json!({ "id": id, "project": project })).await;
    assert_eq!(hidden["data"], json!({ "pvc": null, "node": null, "project": null }));
    assert_eq!(errors(&hidden).matches("NOT_FOUND").count(), 2, "{hidden}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_created_is_refused_with_each_invalid_field() {
    let world = World::new().await;
    let project = named(&world, "projects", "detection").await;
    let vision = named(&world, "groups", "vision").await;
    let refused = async |who: &str, input: Value| errors(&create(&world, who, input).await);
    insta::assert_snapshot!(refused("maya", json!({ "name": "Data", "size": "10GB", "displayName": "a".repeat(201) })).await, @r#"
    BAD_USER_INPUT input.projectId: a claim belongs to a project or a group: give one of them
    BAD_USER_INPUT input.name: "Data" is not a valid name: it must have 1 to 63 lower-case letters and digits, with "-" only between them
    BAD_USER_INPUT input.displayName: the text has 201 characters; at most 200 are allowed
    BAD_USER_INPUT input.size: size was "10GB"; it must be a number, optionally followed by a suffix such as Mi, Gi, Ti, M, G or T (10Gi, 1.5Ti)
    "#);
    insta::assert_snapshot!(refused("maya", json!({ "projectId": project, "groupId": vision, "name": "data", "size": "0" })).await, @r#"
    BAD_USER_INPUT input.groupId: a claim belongs to a project or a group, not to both
    BAD_USER_INPUT input.size: size was "0"; it must be between 1Mi and 1Pi
    "#);
    for size in ["-1Gi", "10E", "10000000E", "1Ki", ""] {
        let told = refused("maya", json!({ "projectId": project, "name": "data", "size": size })).await;
        assert!(told.starts_with("BAD_USER_INPUT input.size"), "{size}: {told}");
    }
    insta::assert_snapshot!(refused("ada", json!({ "projectId": project, "name": "data", "size": "1Gi" })).await, @"FORBIDDEN input.projectId: only managers and admins of the group can create storage claims of its projects, and only its admins those of the group itself");
    insta::assert_snapshot!(refused("maya", json!({ "groupId": vision, "name": "data", "size": "1Gi" })).await, @"FORBIDDEN input.groupId: only managers and admins of the group can create storage claims of its projects, and only its admins those of the group itself");
    let stranger = refused("ben", json!({ "projectId": project, "name": "data", "size": "1Gi" })).await;
    assert!(stranger.starts_with("NOT_FOUND input.projectId"), "{stranger}");
    claim(&world, "data", json!({})).await;
    insta::assert_snapshot!(refused("maya", json!({ "projectId": project, "name": "data", "size": "1Gi" })).await, @r#"CONFLICT input.name: a claim named "data" already exists here"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_claims_of_a_project_count_against_its_limit() {
    let world = World::new().await;
    let project = named(&world, "projects", "detection").await;
    let set =
        "mutation($id: ID!) { setProjectLimits(input: { projectId: $id, storage: \"25Gi\" }) { project { id } } }";
    world.ask("maya", set, json!({ "id": project })).await;
    let first = claim(&world, "one", json!({})).await;
    claim(&world, "two", json!({})).await;
    let third = create(&world, "maya", json!({ "projectId": project, "name": "three", "size": "10Gi" })).await;
    insta::assert_snapshot!(errors(&third), @"QUOTA_EXCEEDED input.size: the project's limit is 25Gi of storage; its claims have 20Gi and this one requests 10Gi");
    insta::assert_snapshot!(errors(&world.ask("maya", RESIZE, json!({ "id": first, "size": "20Gi" })).await), @"QUOTA_EXCEEDED input.size: the project's limit is 25Gi of storage; its claims have 20Gi and this one requests 10Gi");
    let resized = world.ask("maya", RESIZE, json!({ "id": first, "size": "15Gi" })).await;
    insta::assert_snapshot!(resized["data"], @r#"{"resizePvc":{"pvc":{"size":"15Gi","phase":"SUBMITTED"}}}"#);
    insta::assert_snapshot!(errors(&world.ask("maya", RESIZE, json!({ "id": first, "size": "10Gi" })).await), @"BAD_USER_INPUT input.size: size was 10Gi, but the claim has 15Gi: a volume cannot be made smaller; create a smaller claim and copy the data");
    let both =
        ["a", "b"].map(|name| create(&world, "maya", json!({ "projectId": project, "name": name, "size": "2560Mi" })));
    let [one, other] = futures::future::join_all(both).await.try_into().unwrap();
    let refused = [&one, &other].into_iter().filter(|answer| !answer["errors"].is_null()).count();
    assert_eq!(refused, 2, "nothing is left: {one} {other}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_creates_one_claim() {
    let world = World::new().await;
    let project = named(&world, "projects", "detection").await;
    let input = json!({ "projectId": project, "name": "data", "size": "1Gi", "idempotencyKey": "k1" });
    let (one, other) = (create(&world, "maya", input.clone()).await, create(&world, "maya", input).await);
    assert_eq!(one["data"]["createPvc"]["pvc"]["id"], other["data"]["createPvc"]["pvc"]["id"]);
    let other =
        create(&world, "maya", json!({ "projectId": project, "name": "more", "size": "1Gi", "idempotencyKey": "k1" }))
            .await;
    assert!(errors(&other).starts_with("CONFLICT input.idempotencyKey"), "{other}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permission_goes_before_the_default_and_admins_of_the_group_can_always_write() {
    let world = World::new().await;
    let id = claim(&world, "data", json!({ "defaultAccess": "READ" })).await;
    assert_eq!(access(&world, "ada", &id).await, "READ");
    let permissions = json!([
        { "username": "Ada", "access": "WRITE" }, { "username": "nobody", "access": "READ" },
        { "username": "ben", "access": "READ" }, { "username": "maya", "access": "NONE" },
    ]);
    let set = world.ask("maya", PERMIT, json!({ "id": id, "permissions": permissions })).await;
    insta::assert_snapshot!(set["data"]["setStoragePermissions"]["results"], @r#"[{"username":"Ada","error":null,"permission":{"access":"WRITE","user":{"username":"ada"}}},{"username":"nobody","error":"there is no user \"nobody\"","permission":null},{"username":"ben","error":"\"ben\" is not a member of the group; add them to the group first","permission":null},{"username":"maya","error":null,"permission":{"access":"NONE","user":{"username":"maya"}}}]"#);
    assert_eq!(access(&world, "ada", &id).await, "WRITE");
    assert_eq!(access(&world, "maya", &id).await, "NONE", "a manager is a member like others");
    become_admin_of_vision(&world, "maya").await;
    assert_eq!(access(&world, "maya", &id).await, "WRITE");
    let update = "mutation($id: ID!) { updatePvc(input: { id: $id, adminOnly: true, displayName: \"Only us\" }) { pvc { displayName adminOnly defaultAccess } } }";
    insta::assert_snapshot!(world.ask("maya", update, json!({ "id": id })).await["data"], @r#"{"updatePvc":{"pvc":{"displayName":"Only us","adminOnly":true,"defaultAccess":"READ"}}}"#);
    assert_eq!(access(&world, "ada", &id).await, "WRITE", "by permission");
    world.ask("maya", PERMIT, json!({ "id": id, "permissions": [{ "username": "ada", "access": null }] })).await;
    assert_eq!(access(&world, "ada", &id).await, "NONE", "for admins only");
    insta::assert_snapshot!(errors(&world.ask("ada", PERMIT, json!({ "id": id, "permissions": [{ "username": "ada", "access": "WRITE" }] })).await), @"FORBIDDEN input.pvcId: only those who are responsible for a storage claim can change its permissions");
    let who =
        "query($id: ID!) { whoCan(action: READ_PVC, on: $id) { nodes { user { username } access { reason role } } } }";
    insta::assert_snapshot!(world.ask("admin", who, json!({ "id": id })).await["data"]["whoCan"]["nodes"], @r#"[{"user":{"username":"admin"},"access":{"reason":"PLATFORM_ADMIN","role":null}},{"user":{"username":"maya"},"access":{"reason":"GROUP_ROLE","role":"ADMIN"}}]"#);
    let log = world.ask("admin", "{ auditLog(filter: { actions: [\"setStoragePermissions\"] }) { nodes { actor { username } group { name } detail } } }", json!({})).await;
    insta::assert_snapshot!(log["data"]["auditLog"]["nodes"], @r#"[{"actor":{"username":"maya"},"group":{"name":"vision"},"detail":{"permissions":[{"user":"ada","after":null,"before":"WRITE"}]}},{"actor":{"username":"maya"},"group":{"name":"vision"},"detail":{"permissions":[{"user":"ada","after":"WRITE","before":null},{"user":"maya","after":"NONE","before":null}]}}]"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_mounts_claims_of_its_project_that_the_submitter_may_use() {
    let world = World::new().await;
    let project = named(&world, "projects", "detection").await;
    let id = claim(&world, "data", json!({ "defaultAccess": "READ" })).await;
    let spec = |mounts: Value| json!({ "input": { "projectId": project, "source": { "spec": { "image": "python:3.12", "mounts": mounts } } } });
    let verdict = async |who: &str, mounts: Value| {
        let answer = world.ask(who, PREVIEW, spec(mounts)).await;
        let verdicts =
            answer["data"]["previewJob"]["verdicts"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
        told(&verdicts)
    };
    assert_eq!(verdict("ada", json!([{ "claim": "data", "path": "/data", "readOnly": true }])).await, "");
    assert_eq!(verdict("ada", json!([{ "claim": id, "path": "/data", "readOnly": true }])).await, "");
    insta::assert_snapshot!(verdict("ada", json!([{ "claim": "data", "path": "/data" }])).await, @r#"MOUNTS input.source.spec.mounts.0.readOnly: mounts.0.claim names the claim "data", which you may only read; set readOnly to true"#);
    insta::assert_snapshot!(verdict("ada", json!([{ "claim": "other", "path": "/" }, { "claim": "data", "path": "/a/../b", "readOnly": true }, { "claim": "data", "path": "/c", "readOnly": true }, { "claim": "data", "path": "/c/", "readOnly": true }, { "claim": "data", "path": "/c/d", "readOnly": true }])).await, @r#"
    MOUNTS input.source.spec.mounts.4.path: path was "/c/d", which is inside "/c", where another volume is mounted
    MOUNTS input.source.spec.mounts.0.claim: storage claim "other" not found
    MOUNTS input.source.spec.mounts.0.path: mounts.0.path was "/", which would hide the image's own files
    MOUNTS input.source.spec.mounts.1.path: mounts.1.path was "/a/../b"; it must be an absolute path without ".."
    MOUNTS input.source.spec.mounts.3.path: mounts.3.path was "/c/", which is mounted twice
    "#);
    // Whoever submits a job that mounts it keeps it from being deleted.
    let submit = "mutation($input: SubmitJobInput!) { submitJob(input: $input) { job { id manifest } } }";
    let job = world.ask("ada", submit, spec(json!([{ "claim": id, "path": "/data", "readOnly": true }]))).await;
    let pod = &job["data"]["submitJob"]["job"]["manifest"]["spec"]["tasks"][0]["spec"];
    insta::assert_snapshot!(json!([pod["volumes"], pod["containers"][0]["volumeMounts"]]), @r#"[[{"name":"claim-0","persistentVolumeClaim":{"readOnly":true,"claimName":"data"}}],[{"name":"claim-0","readOnly":true,"mountPath":"/data"}]]"#);
    insta::assert_snapshot!(errors(&world.ask("maya", DELETE, json!({ "id": id, "name": "data" })).await), @"CONFLICT input.id: jobs that have not finished need the claim: python; cancel them first");
    sql(&world.url, "UPDATE jobs SET phase = 'CANCELLED', finished_at = now()").await;
    let deleted = world.ask("maya", DELETE, json!({ "id": id, "name": "data" })).await;
    assert!(deleted["errors"].is_null(), "{deleted}");
    insta::assert_snapshot!(verdict("ada", json!([{ "claim": "data", "path": "/data", "readOnly": true }])).await, @r#"MOUNTS input.source.spec.mounts.0.claim: mounts.0.claim names the claim "data", which is being deleted"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_mounts_a_claim_by_its_name_as_far_as_the_submitter_may() {
    let world = World::new().await;
    let project = named(&world, "projects", "detection").await;
    claim(&world, "data", json!({ "defaultAccess": "READ" })).await;
    let yaml = "apiVersion: v1\nkind: Pod\nmetadata: {name: try}\nspec:\n  containers: [{name: main, image: 'python:3.12', volumeMounts: [{name: d, mountPath: /data}]}]\n  volumes: [{name: d, persistentVolumeClaim: {claimName: NAME}}]\n";
    let failed = async |claim: &str| {
        let create = "mutation($input: CreateConfigFileInput!) { createConfigFile(input: $input) { commit { id } } }";
        let name = format!("{}.yaml", claim.to_lowercase().replace([',', ' ', ':'], "-"));
        let input =
            json!({ "projectId": project, "name": name, "yaml": yaml.replace("NAME", claim), "message": "try" });
        let made = world.ask("maya", create, json!({ "input": input })).await;
        let commit = made["data"]["createConfigFile"]["commit"]["id"].clone();
        let input = json!({ "projectId": project, "source": { "commitId": commit } });
        let answer = world.ask("ada", PREVIEW, json!({ "input": input })).await;
        let verdicts =
            answer["data"]["previewJob"]["verdicts"].as_array().unwrap_or_else(|| panic!("{made} {answer}")).clone();
        told(&verdicts)
    };
    insta::assert_snapshot!(failed("nothing").await, @r#"MOUNTS input.source.commitId: tasks[0].spec.volumes[0] names the claim "nothing", which the project does not have"#);
    insta::assert_snapshot!(failed("data").await, @r#"MOUNTS input.source.commitId: tasks[0].spec.volumes[0] names the claim "data", which you may only read; set readOnly to true"#);
    assert_eq!(failed("data, readOnly: true").await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_pods_mount_is_deleted_by_force_only_and_by_platform_admins() {
    let world = World::new().await;
    let id = claim(&world, "data", json!({})).await;
    sql(&world.url, "INSERT INTO storage_mounts (claim_id, pod_uid, pod, read_only, since) SELECT id, 'u' || n, 'pod-' || n, false, now() + n * interval '1 s' FROM storage_claims, generate_series(1, 7) n").await;
    let delete = async |who: &str, name: &str, force: bool| {
        errors(&world.ask(who, DELETE, json!({ "id": id, "name": name, "force": force })).await)
    };
    insta::assert_snapshot!(delete("maya", "dat", false).await, @r#"BAD_USER_INPUT input.confirmName: "dat" is not the name "data""#);
    insta::assert_snapshot!(delete("maya", "data", false).await, @"CONFLICT input.id: pods mount the claim: pod-1, pod-2, pod-3, pod-4, pod-5 and more; wait until they have ended, or cancel their jobs");
    insta::assert_snapshot!(delete("maya", "data", true).await, @"FORBIDDEN input.force: only platform admins can delete a storage claim that is in use");
    insta::assert_snapshot!(delete("ada", "data", false).await, @"FORBIDDEN input.id: only those who are responsible for a storage claim can delete it");
    assert_eq!(delete("admin", "data", true).await, "");
    assert_eq!(delete("maya", "data", false).await, "", "it is being deleted already");
    insta::assert_snapshot!(errors(&world.ask("maya", RESIZE, json!({ "id": id, "size": "20Gi" })).await), @"CONFLICT input.id: the claim is DELETING, so it cannot be made larger");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_mount_is_marked_when_its_submitter_loses_the_access() {
    let world = World::new().await;
    let project = named(&world, "projects", "detection").await;
    let id = claim(&world, "data", json!({})).await;
    let input = json!({ "projectId": project, "source": { "spec": { "image": "python:3.12", "mounts": [{ "claim": id, "path": "/data" }] } } });
    let submit = "mutation($input: SubmitJobInput!) { submitJob(input: $input) { job { id } } }";
    world.ask("ada", submit, json!({ "input": input })).await;
    sql(
        &world.url,
        "INSERT INTO storage_mounts (claim_id, pod_uid, pod, job_id, read_only, since)
        SELECT claim_id, pod, pod, job_id, pod = 'reads', now() FROM job_claims, unnest(ARRAY['reads', 'writes']) pod
        UNION ALL SELECT claim_id, 'other', 'other', NULL, false, now() FROM job_claims",
    )
    .await;
    let marks = async || {
        let query = "query($id: ID!) { pvc(id: $id) { mounts { pod accessLost } } }";
        let answer = world.ask("maya", query, json!({ "id": id })).await;
        let mounts = answer["data"]["pvc"]["mounts"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
        mounts
            .iter()
            .map(|mount| format!("{} {}", mount["pod"].as_str().unwrap(), mount["accessLost"]))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let permit = async |access: Value| {
        let permissions = json!([{ "username": "ada", "access": access }]);
        let answer = world.ask("maya", PERMIT, json!({ "id": id, "permissions": permissions })).await;
        assert!(answer["errors"].is_null(), "{answer}");
    };
    insta::assert_snapshot!(marks().await, @"other null, reads false, writes false");
    permit(json!("READ")).await;
    insta::assert_snapshot!(marks().await, @"other null, reads false, writes true");
    permit(json!("NONE")).await;
    insta::assert_snapshot!(marks().await, @"other null, reads true, writes true");
    permit(Value::Null).await;
    insta::assert_snapshot!(marks().await, @"other null, reads false, writes false");
    sql(&world.url, "UPDATE users SET disabled_at = now() WHERE username = 'ada'").await;
    insta::assert_snapshot!(marks().await, @"other null, reads true, writes true");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_has_one_drive_that_nobody_else_sees() {
    let world = World::new().await;
    let initialize = "mutation($user: ID) { initializeUserStorage(input: { userId: $user }) { created pvc { id name size user { username } viewerAccess permissions { access } } } }";
    let calls = [world.ask("ada", initialize, json!({})), world.ask("ada", initialize, json!({}))];
    let answers = futures::future::join_all(calls).await;
    let created = answers.iter().filter(|answer| answer["data"]["initializeUserStorage"]["created"] == true).count();
    assert_eq!(created, 1, "{answers:?}");
    let mut pvc = answers[0]["data"]["initializeUserStorage"]["pvc"].clone();
    let id = pvc["id"].take();
    assert_eq!(id, answers[1]["data"]["initializeUserStorage"]["pvc"]["id"]);
    insta::assert_snapshot!(pvc, @r#"{"id":null,"name":"home","size":"10Gi","user":{"username":"ada"},"viewerAccess":"WRITE","permissions":[]}"#);
    let drive = "{ viewer { drive { id } } pvcs { nodes { name } } }";
    assert_eq!(world.ask("ada", drive, json!({})).await["data"]["viewer"]["drive"]["id"], id);
    assert_eq!(
        world.ask("maya", drive, json!({})).await["data"],
        json!({ "viewer": { "drive": null }, "pvcs": { "nodes": [] } })
    );
    let other = "query($id: ID!) { pvc(id: $id) { name } }";
    assert!(errors(&world.ask("maya", other, json!({ "id": id })).await).starts_with("NOT_FOUND"));
    assert_eq!(world.ask("admin", other, json!({ "id": id })).await["data"]["pvc"]["name"], "home");
    let ben = world.ask("ben", "{ viewer { id } }", json!({})).await["data"]["viewer"]["id"].clone();
    assert!(errors(&world.ask("ada", initialize, json!({ "user": ben })).await).starts_with("NOT_FOUND input.userId"));
    let made = world.ask("admin", initialize, json!({ "user": ben })).await;
    assert_eq!(made["data"]["initializeUserStorage"]["pvc"]["user"]["username"], "ben", "{made}");
    insta::assert_snapshot!(errors(&world.ask("ada", PERMIT, json!({ "id": id, "permissions": [{ "username": "maya", "access": "READ" }] })).await), @"CONFLICT input.pvcId: the drive of a user is theirs alone; it cannot be shared");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_are_filtered_and_paged() {
    let world = World::new().await;
    for name in ["train-set", "test-set", "scratch"] {
        claim(&world, name, json!({ "storageClass": if name == "scratch" { "slow" } else { "fast" } })).await;
    }
    become_admin_of_vision(&world, "maya").await;
    let vision = named(&world, "groups", "vision").await;
    let own = create(&world, "maya", json!({ "groupId": vision, "name": "shared", "size": "1Gi" })).await;
    assert!(own["errors"].is_null(), "{own}");
    sql(&world.url, "UPDATE storage_claims SET phase = 'BOUND' WHERE name = 'scratch'; UPDATE storage_claims SET created_by = NULL WHERE name = 'test-set'").await;
    let names = async |who: &str, filter: Value| {
        let query = "query($filter: PvcFilter) { pvcs(filter: $filter) { totalCount nodes { name } } }";
        let answer = world.ask(who, query, json!({ "filter": filter })).await;
        let nodes = answer["data"]["pvcs"]["nodes"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
        assert_eq!(answer["data"]["pvcs"]["totalCount"], nodes.len());
        nodes.iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("ada", json!({})).await, "train-set test-set scratch shared");
    assert_eq!(names("ben", json!({})).await, "");
    assert_eq!(names("admin", json!({ "search": "set" })).await, "train-set test-set");
    assert_eq!(names("ada", json!({ "phases": ["BOUND"] })).await, "scratch");
    assert_eq!(names("ada", json!({ "storageClasses": ["fast"] })).await, "train-set test-set");
    assert_eq!(names("ada", json!({ "managed": false })).await, "test-set");
    assert_eq!(names("ada", json!({ "groupId": vision, "search": "sha" })).await, "shared");
    let pages = "query($id: ID!) { group(id: $id) { claims { nodes { name } } projects { nodes { claims(first: 2, orderBy: { field: CREATED_AT, direction: DESC }) { nodes { name } pageInfo { hasNextPage } } } } } }";
    let pages = world.ask("ada", pages, json!({ "id": vision })).await;
    insta::assert_snapshot!(pages["data"]["group"], @r#"{"claims":{"nodes":[{"name":"shared"}]},"projects":{"nodes":[{"claims":{"nodes":[{"name":"scratch"},{"name":"test-set"}],"pageInfo":{"hasNextPage":true}}},{"claims":{"nodes":[],"pageInfo":{"hasNextPage":false}}}]}}"#);
    let delete = "mutation($id: ID!) { deleteGroup(input: { groupId: $id, confirmName: \"vision\" }) { groupId } }";
    sql(&world.url, "DELETE FROM jobs; DELETE FROM projects").await;
    insta::assert_snapshot!(errors(&world.ask("admin", delete, json!({ "id": vision })).await), @"CONFLICT input.groupId: the group still has storage claims (shared); delete them first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_tells_of_claims_that_the_subscriber_sees_and_names_what_it_does_not_find() {
    let world = World::new().await;
    let id = claim(&world, "data", json!({})).await;
    let start = json!(platform::events::Seq(0).cursor());
    let subscribe = "subscription($after: FeedCursor, $filter: PvcEventFilter) { pvcEvents(after: $after, filter: $filter) { kind phase pvcId pvcName pvc { name } message } }";
    let mut first = world.first_of("ada", subscribe, json!({ "after": start, "filter": { "pvcIds": [id] } })).await;
    assert_eq!(first["data"]["pvcEvents"]["pvcId"].take(), id);
    insta::assert_snapshot!(first["data"]["pvcEvents"], @r#"{"kind":"CREATED","phase":"SUBMITTED","pvcId":null,"pvcName":"data","message":null,"pvc":{"name":"data"}}"#);
    let refused = world.first_of("ben", subscribe, json!({ "filter": { "pvcIds": [id] } })).await;
    assert!(errors(&refused).starts_with("NOT_FOUND filter.pvcIds.0"), "{refused}");
    let refused = world
        .first_of(
            "ada",
            subscribe,
            json!({ "filter": { "pvcIds": ["job_01h455vb4pex5vsknk084sn02q"], "projectId": "x" } }),
        )
        .await;
    insta::assert_snapshot!(errors(&refused), @r#"BAD_USER_INPUT filter.pvcIds.0: "job_01h455vb4pex5vsknk084sn02q" is not a pvc id: it must be "pvc_" followed by 26 characters of 0-9 a-z without i, l, o, u"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_claims_of_a_group_itself_count_against_the_limit_that_a_platform_admin_sets() {
    let world = World::new().await;
    become_admin_of_vision(&world, "maya").await;
    let vision = named(&world, "groups", "vision").await;
    let set = "mutation($id: ID!, $storage: Quantity) { setGroupLimits(input: { groupId: $id, storage: $storage }) { group { storageLimit } } }";
    let limit = async |who: &str, storage: &str| world.ask(who, set, json!({ "id": vision, "storage": storage })).await;
    assert!(errors(&limit("maya", "3Gi").await).starts_with("FORBIDDEN input.groupId"));
    insta::assert_snapshot!(errors(&limit("admin", "3GB").await), @r#"BAD_USER_INPUT input.storage: storage was "3GB"; it must be a size such as 500Gi or 10Ti, at least 0"#);
    assert_eq!(limit("admin", "3Gi").await["data"]["setGroupLimits"]["group"]["storageLimit"], "3Gi");
    // Those of its projects count against the limits of the projects.
    claim(&world, "large", json!({})).await;
    let shared = async |name: &str| {
        errors(&create(&world, "maya", json!({ "groupId": vision, "name": name, "size": "2Gi" })).await)
    };
    assert_eq!(shared("one").await, "");
    insta::assert_snapshot!(shared("two").await, @"QUOTA_EXCEEDED input.size: the group's limit is 3Gi of storage; its claims have 2Gi and this one requests 2Gi");
}

const BIND: &str = "mutation($id: ID!, $project: ID!, $name: String, $readOnly: Boolean) {
    bindPvc(input: { id: $id, projectId: $project, name: $name, readOnly: $readOnly }) {
        pvc { id name accessMode readOnly defaultAccess viewerAccess sharedFrom { name } } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_of_a_group_is_shared_once_with_a_project_by_whoever_may_use_it() {
    let world = World::new().await;
    become_admin_of_vision(&world, "maya").await;
    let (vision, project) = (named(&world, "groups", "vision").await, named(&world, "projects", "detection").await);
    let input = json!({ "groupId": vision, "name": "sets", "size": "1Gi", "accessMode": "READ_WRITE_MANY", "defaultAccess": "READ" });
    let source = create(&world, "maya", input).await["data"]["createPvc"]["pvc"]["id"].clone();
    let bind = async |who: &str, id: &Value, more: Value| {
        let mut variables = json!({ "id": id, "project": project });
        variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.ask(who, BIND, variables).await
    };
    insta::assert_snapshot!(errors(&bind("ada", &source, json!({})).await), @"FORBIDDEN input.projectId: only managers and admins of the group can share storage with its projects");
    assert!(errors(&bind("ben", &source, json!({})).await).starts_with("NOT_FOUND"));
    let mut shared = bind("maya", &source, json!({})).await["data"]["bindPvc"]["pvc"].clone();
    let share = shared["id"].take();
    insta::assert_snapshot!(shared, @r#"{"id":null,"name":"sets","accessMode":"READ_ONLY_MANY","readOnly":true,"defaultAccess":"READ","viewerAccess":"READ","sharedFrom":{"name":"sets"}}"#);
    insta::assert_snapshot!(errors(&bind("maya", &source, json!({ "name": "again" })).await), @r#"CONFLICT input.projectId: the claim is already shared with the project, as "sets""#);
    insta::assert_snapshot!(errors(&bind("maya", &share, json!({ "name": "again" })).await), @"CONFLICT input.id: the claim is a share itself; share the claim that it is a share of");
    let own = claim(&world, "own", json!({})).await;
    insta::assert_snapshot!(errors(&bind("maya", &own, json!({})).await), @"CONFLICT input.id: the claim belongs to a project; only claims of groups and drives can be shared");
    insta::assert_snapshot!(errors(&world.ask("admin", DELETE, json!({ "id": source, "name": "sets", "force": true })).await).replace(project.as_str().unwrap().trim_start_matches("project_"), "X"), @"CONFLICT input.id: the claim is shared with projects, in the namespaces proj-X; unbind it there first");
}

/// A claim as the cluster says it is.
fn bound(namespace: &str, name: &str, capacity: &str, version: i64) -> Seen {
    Seen::Claim(ClaimState {
        key: ObjectKey { namespace: namespace.to_owned(), name: name.to_owned() },
        uid: format!("uid-{name}"),
        version,
        listed: false,
        claim: None,
        phase: ClaimPhase::Bound,
        deleting: false,
        requested: Some(capacity.parse().unwrap()),
        capacity: Some(capacity.parse().unwrap()),
        class: None,
        access_modes: vec!["ReadWriteMany".to_owned()],
        volume_name: Some(format!("volume-{name}")),
        resize: None,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_is_as_large_as_its_source_whatever_the_cluster_says_of_it() {
    let world = World::new().await;
    let (vision, project) = (named(&world, "groups", "vision").await, named(&world, "projects", "detection").await);
    let input = json!({ "groupId": vision, "name": "sets", "size": "1Gi", "accessMode": "READ_WRITE_MANY" });
    let source = create(&world, "admin", input).await["data"]["createPvc"]["pvc"]["id"].clone();
    let variables = json!({ "id": source, "project": project, "name": "our-sets" });
    let share = world.ask("admin", BIND, variables).await["data"]["bindPvc"]["pvc"]["id"].clone();
    sql(&world.url, "UPDATE storage_claims SET object_uid = 'uid-' || name, object_version = 1, phase = 'BOUND', sent_bytes = size_bytes, capacity_bytes = size_bytes").await;
    let namespace = |id: &Value| id.as_str().unwrap().replace("group_", "group-").replace("project_", "proj-");
    let (home, shared_in) = (namespace(&vision), namespace(&project));
    let start = world.ask("admin", "{ eventCursor }", json!({})).await["data"]["eventCursor"].clone();
    let see = async |seen: Seen| {
        let mut conn = world.db.connection().await.unwrap();
        observed::apply(&mut conn, &[seen], chrono::Utc::now()).await.unwrap();
    };
    see(bound(&home, "sets", "2Gi", 2)).await;
    // Kubernetes does not change the claim of a static volume.
    see(bound(&shared_in, "our-sets", "1Gi", 2)).await;
    let query = "{ pvcs(filter: { search: \"sets\" }) { nodes { name size capacity } } }";
    insta::assert_snapshot!(world.ask("admin", query, json!({})).await["data"]["pvcs"]["nodes"], @r#"[{"name":"sets","size":"2Gi","capacity":"2Gi"},{"name":"our-sets","size":"2Gi","capacity":"2Gi"}]"#);
    let told = "subscription($after: FeedCursor, $id: ID!) { pvcEvents(after: $after, filter: { pvcIds: [$id] }) { kind pvcName } }";
    let told = world.first_of("admin", told, json!({ "after": start, "id": share })).await;
    insta::assert_snapshot!(told["data"]["pvcEvents"], @r#"{"kind":"RESIZED","pvcName":"our-sets"}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_drive_is_used_by_its_user_only() {
    let world = World::new().await;
    let project = named(&world, "projects", "detection").await;
    let drive = world.ask("maya", "mutation { initializeUserStorage(input: {}) { pvc { id } } }", json!({})).await;
    let drive = drive["data"]["initializeUserStorage"]["pvc"]["id"].clone();
    let shared = world.ask("maya", BIND, json!({ "id": drive, "project": project, "readOnly": false })).await;
    let share = shared["data"]["bindPvc"]["pvc"]["id"].clone();
    assert_eq!(shared["data"]["bindPvc"]["pvc"]["viewerAccess"], "WRITE", "{shared}");
    // Members see that it is there; not even admins of the group may use it.
    become_admin_of_vision(&world, "ada").await;
    assert_eq!(access(&world, "ada", &share).await, "NONE");
    let grant = json!({ "id": share, "permissions": [{ "username": "ada", "access": "READ" }] });
    insta::assert_snapshot!(errors(&world.ask("ada", PERMIT, grant).await), @"CONFLICT input.pvcId: the drive of a user is theirs alone; it cannot be shared");
    let open = "mutation($id: ID!) { updatePvc(input: { id: $id, defaultAccess: WRITE }) { pvc { id } } }";
    insta::assert_snapshot!(errors(&world.ask("ada", open, json!({ "id": share })).await), @"CONFLICT input.defaultAccess: the drive of a user is theirs alone; it cannot be shared");
    let unbind = "mutation($id: ID!) { unbindPvc(input: { id: $id }) { pvcId } }";
    assert!(world.ask("ada", unbind, json!({ "id": share })).await["errors"].is_null(), "it is their project");
}
