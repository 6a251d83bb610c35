//! What a draft may mount: by name and by ID, in a spec and in a template.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Value, json};

use super::*;
use crate::error::Problems;
use crate::jobs::draft::Door;
use crate::jobs::input::{JobOverridesInput, MountInput};

const SOURCE: &str = "input.source.commitId";

fn claim(number: u128, name: &str, access: StorageAccess) -> Mountable {
    Mountable { id: PvcId::from_uuid(uuid::Uuid::from_u128(number)), name: name.to_owned(), access, obstacle: None }
}

fn known() -> Vec<Mountable> {
    vec![
        claim(1, "data", StorageAccess::Write),
        claim(2, "sets", StorageAccess::Read),
        claim(3, "secret", StorageAccess::None),
        Mountable { obstacle: Some("is being deleted"), ..claim(4, "old", StorageAccess::Write) },
    ]
}

fn of_template(volumes: Value) -> Draft {
    let mounts: Vec<Value> = volumes
        .as_array()
        .unwrap()
        .iter()
        .map(|volume| json!({ "name": volume["name"], "mountPath": format!("/{}", volume["name"]) }))
        .collect();
    let spec =
        json!({ "containers": [{ "name": "a", "image": "alpine:3.20", "volumeMounts": mounts }], "volumes": volumes });
    let template = PodTemplateSpec { metadata: None, spec: Some(serde_json::from_value(spec).unwrap()) };
    Draft { tasks: TaskGroup::of_tasks([template]), ..Draft::default() }
}

fn overridden(mounts: &[(&str, &str, bool)]) -> (Draft, String) {
    let mut draft = of_template(json!([]));
    let mount = |(claim, path, read_only): &(&str, &str, bool)| MountInput {
        claim: (*claim).to_owned(),
        path: (*path).to_owned(),
        read_only: Some(*read_only),
    };
    let mounts = Some(mounts.iter().map(mount).collect());
    let mut problems = Problems::default();
    crate::jobs::draft::changes::apply(
        &mut draft,
        JobOverridesInput { mounts, ..JobOverridesInput::default() },
        Door::Overrides,
        &mut problems,
    );
    let told = problems.finish().err().map(|errors| errors.0.iter().map(line).collect());
    (draft, told.unwrap_or_default())
}

fn line(error: &ApiError) -> String {
    format!("{} {}: {}\n", error.code.as_str(), error.field.as_deref().unwrap_or("-"), error.message)
}

fn told(draft: &mut Draft) -> String {
    resolve(draft, SOURCE, &known()).1.iter().map(|(_, error)| line(error)).collect()
}

#[test]
fn a_template_mounts_claims_that_the_caller_may_use() {
    let mut draft = of_template(json!([
        { "name": "a", "persistentVolumeClaim": { "claimName": "data" } },
        { "name": "b", "persistentVolumeClaim": { "claimName": "sets", "readOnly": true } },
        { "name": "c", "emptyDir": {} },
    ]));
    let (mounts, problems) = resolve(&mut draft, SOURCE, &known());
    assert!(problems.is_empty());
    assert_eq!(mounts.values().copied().collect::<Vec<_>>(), [false, true]);
    let container = &draft.tasks[0].template.spec.as_ref().unwrap().containers[0];
    let read_only: Vec<_> = container.volume_mounts.iter().flatten().map(|mount| mount.read_only).collect();
    assert_eq!(read_only, [None, Some(true), None], "read-only down to the mount");
}

#[test]
fn what_a_template_may_not_mount_is_told_with_its_path() {
    let mut draft = of_template(json!([
        { "name": "a", "persistentVolumeClaim": { "claimName": "nothing" } },
        { "name": "b", "persistentVolumeClaim": { "claimName": "secret" } },
        { "name": "c", "persistentVolumeClaim": { "claimName": "sets" } },
        { "name": "d", "persistentVolumeClaim": { "claimName": "old" } },
    ]));
    insta::assert_snapshot!(told(&mut draft), @r#"
    BAD_USER_INPUT input.source.commitId: tasks[0].spec.volumes[0] names the claim "nothing", which the project does not have
    BAD_USER_INPUT input.source.commitId: tasks[0].spec.volumes[1] names the claim "secret", to which you have no access; its keepers can grant it
    BAD_USER_INPUT input.source.commitId: tasks[0].spec.volumes[2] names the claim "sets", which you may only read; set readOnly to true
    BAD_USER_INPUT input.source.commitId: tasks[0].spec.volumes[3] names the claim "old", which is being deleted
    "#);
}

#[test]
fn an_override_names_a_claim_by_its_name_or_its_id_and_a_problem_is_told_at_its_field() {
    let id = known()[0].id.to_text();
    let (mut draft, problems) = overridden(&[(&id, "/data", false), ("sets", "/sets", true)]);
    assert_eq!(problems, "");
    assert_eq!(named(&draft).len(), 2);
    assert_eq!(told(&mut draft), "");
    assert_eq!(named(&draft), BTreeSet::from(["data".to_owned(), "sets".to_owned()]));
    let (mut draft, _) =
        overridden(&[("nothing", "/a", false), ("secret", "/b", true), ("sets", "/c", false), ("old", "/d", false)]);
    insta::assert_snapshot!(told(&mut draft), @r#"
    NOT_FOUND input.overrides.mounts.0.claim: storage claim "nothing" not found
    FORBIDDEN input.overrides.mounts.1.claim: mounts.1.claim names the claim "secret", to which you have no access; its keepers can grant it
    FORBIDDEN input.overrides.mounts.2.readOnly: mounts.2.claim names the claim "sets", which you may only read; set readOnly to true
    CONFLICT input.overrides.mounts.3.claim: mounts.3.claim names the claim "old", which is being deleted
    "#);
}

#[test]
fn a_mount_inside_another_one_is_refused() {
    let (_, problems) =
        overridden(&[("data", "/data", false), ("sets", "/data/sets/", true), ("sets", "/database", true)]);
    insta::assert_snapshot!(problems, @r#"BAD_USER_INPUT input.overrides.mounts.1.path: path was "/data/sets/", which is inside "/data", where another volume is mounted"#);
}
