//! The definitions in `k8s/crds/` are those that `platform crds` prints.

use platform::cluster::crd::{definitions, file_name, to_yaml};
use std::path::Path;

/// Set this to write the files anew: `UPDATE_CRDS=1 cargo test --test it crds`.
const UPDATE: &str = "UPDATE_CRDS";

#[test]
fn the_committed_definitions_are_those_of_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("k8s/crds");
    for definition in definitions() {
        let path = folder.join(file_name(&definition));
        let printed = to_yaml(&definition).unwrap();
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(&path, &printed).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        let diff = similar::TextDiff::from_lines(&committed, &printed);
        assert!(
            committed == printed,
            "{} is not what the types say; `{UPDATE}=1 cargo test --test it crds` writes it anew:\n{}",
            path.display(),
            diff.unified_diff().context_radius(2).header("committed", "types"),
        );
    }
}

#[test]
fn a_definition_fits_into_the_annotation_of_a_client_side_apply() {
    const LIMIT: usize = 262_144;
    for definition in definitions() {
        let size = serde_json::to_string(&definition).unwrap().len();
        assert!(size < LIMIT / 2, "{} is {size} bytes as JSON", file_name(&definition));
    }
}

/// What the embedded API server says of jobs: the same as kube-apiserver 1.36 said of them.
#[cfg(feature = "embedded")]
mod flash_jobs {
    use dev_cluster::api::schema::CompiledCrd;
    use insta::assert_snapshot;
    use platform::cluster::crd::definitions;
    use serde_json::{Value, json};

    fn job(min_available: i32, tasks: Value) -> Value {
        json!({
            "apiVersion": "scheduling.flash-sched.io/v1alpha1", "kind": "FlashJob", "metadata": {"name": "a"},
            "spec": {"minAvailable": min_available, "tasks": tasks},
        })
    }

    fn task(image: &str) -> Value {
        json!({
            "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
            "spec": {
                "restartPolicy": "Never",
                "containers": [{
                    "name": "m", "image": image, "ports": [{"containerPort": 80}],
                    "resources": {"requests": {"cpu": "1", "nvidia.com/gpu": 1}, "limits": {"memory": "1Gi"}},
                    "livenessProbe": {"httpGet": {"port": "http"}},
                }],
                "volumes": [{"name": "v", "emptyDir": {}}],
            },
        })
    }

    fn said_of(new: &Value, old: Option<&Value>) -> String {
        let compiled = CompiledCrd::compile(&definitions()[0]).unwrap();
        let version = compiled.version("v1alpha1").unwrap();
        let mut new = new.clone();
        let mut lines: Vec<String> =
            version.prune(&mut new).iter().map(|field| format!("unknown field {field:?}")).collect();
        version.default(&mut new);
        lines.extend(version.validate(&new, old).iter().map(ToString::to_string));
        lines.join("\n")
    }

    #[test]
    fn both_definitions_are_legal() {
        for definition in definitions() {
            assert!(CompiledCrd::compile(&definition).is_ok());
        }
    }

    #[test]
    fn a_good_job_passes_with_every_field_of_its_pods() {
        assert_eq!(said_of(&job(1, json!([task("i"), task("i")])), None), "");
    }

    #[test]
    fn a_job_has_a_task() {
        assert_snapshot!(said_of(&job(1, json!([])), None), @r"
        spec.tasks: Invalid value: 0: spec.tasks in body should have at least 1 items
        spec.minAvailable: Invalid value: minAvailable must not be greater than the number of tasks
        ");
    }

    #[test]
    fn the_gang_is_between_one_and_all_tasks() {
        assert_snapshot!(said_of(&job(0, json!([task("i")])), None), @"spec.minAvailable: Invalid value: 0: spec.minAvailable in body should be greater than or equal to 1");
        assert_snapshot!(said_of(&job(2, json!([task("i")])), None), @"spec.minAvailable: Invalid value: minAvailable must not be greater than the number of tasks");
    }

    #[test]
    fn a_misspelt_field_of_a_pod_is_found() {
        let misspelt = json!([{"spec": {"contaners": []}}]);
        assert_snapshot!(said_of(&job(1, misspelt), None), @r#"
        unknown field "spec.tasks[0].spec.contaners"
        spec.tasks[0].spec.containers: Required value
        <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation
        "#);
    }

    #[test]
    fn tasks_and_gang_do_not_change() {
        let before = job(1, json!([task("i"), task("i")]));
        assert_eq!(said_of(&before, Some(&before)), "");
        assert_snapshot!(said_of(&job(1, json!([task("i"), task("other")])), Some(&before)), @"spec.tasks: Forbidden: tasks are immutable");
        assert_snapshot!(said_of(&job(2, json!([task("i"), task("i")])), Some(&before)), @"spec.minAvailable: Forbidden: minAvailable is immutable");
    }
}
