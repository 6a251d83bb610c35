//! Creating, replacing, patching and applying objects.

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::arena::{note, refused};

contract! {
    async fn create_answers_the_object_with_the_servers_fields(arena: Arena) {
        let made = arena.api::<ConfigMap>().create(&PostParams::default(), &note("a", "1")).await.unwrap();
        assert!(made.uid().is_some() && made.resource_version().is_some() && made.creation_timestamp().is_some());
        assert_eq!(made.data.unwrap()["text"], "1");
    }

    async fn a_second_create_is_already_exists(arena: Arena) {
        let api = arena.api::<ConfigMap>();
        api.create(&PostParams::default(), &note("a", "1")).await.unwrap();
        let message = refused(api.create(&PostParams::default(), &note("a", "2")).await, 409, "AlreadyExists");
        assert_eq!(message, r#"configmaps "a" already exists"#);
    }

    async fn a_generated_name_begins_with_its_prefix(arena: Arena) {
        let mut object = note("unused", "1");
        object.metadata.name = None;
        object.metadata.generate_name = Some("gen-".to_owned());
        let api = arena.api::<ConfigMap>();
        let (one, two) = (
            api.create(&PostParams::default(), &object).await.unwrap().name_any(),
            api.create(&PostParams::default(), &object).await.unwrap().name_any(),
        );
        assert!(one.starts_with("gen-") && one.len() == "gen-".len() + 5, "{one}");
        assert_ne!(one, two);
    }

    async fn a_bad_name_is_invalid(arena: Arena) {
        let message = refused(
            arena.api::<ConfigMap>().create(&PostParams::default(), &note("Not_A_Name", "1")).await,
            422,
            "Invalid",
        );
        assert!(message.starts_with(r#"ConfigMap "Not_A_Name" is invalid: metadata.name: Invalid value"#), "{message}");
    }

    async fn an_object_in_a_namespace_that_is_not_there_is_not_found(arena: Arena) {
        let api = kube::Api::<ConfigMap>::namespaced(arena.client.clone(), "no-such-namespace");
        let message = refused(api.create(&PostParams::default(), &note("a", "1")).await, 404, "NotFound");
        assert_eq!(message, r#"namespaces "no-such-namespace" not found"#);
    }

    async fn a_dry_run_changes_nothing(arena: Arena) {
        let api = arena.api::<ConfigMap>();
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let made = api.create(&params, &note("a", "1")).await.unwrap();
        assert!(made.uid().is_some());
        assert!(api.get_opt("a").await.unwrap().is_none());
    }

    async fn replacing_an_older_version_is_a_conflict(arena: Arena) {
        let api = arena.api::<ConfigMap>();
        let first = api.create(&PostParams::default(), &note("a", "1")).await.unwrap();
        let mut second = first.clone();
        second.data = note("a", "2").data;
        api.replace("a", &PostParams::default(), &second).await.unwrap();
        let message = refused(api.replace("a", &PostParams::default(), &second).await, 409, "Conflict");
        assert!(message.contains("the object has been modified"), "{message}");
    }

    async fn a_patch_with_an_older_version_is_a_conflict(arena: Arena) {
        let api = arena.api::<ConfigMap>();
        let first = api.create(&PostParams::default(), &note("a", "1")).await.unwrap();
        let patch = json!({"metadata": {"resourceVersion": first.resource_version()}, "data": {"text": "2"}});
        api.patch("a", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
        refused(api.patch("a", &PatchParams::default(), &Patch::Merge(&patch)).await, 409, "Conflict");
    }

    async fn a_write_that_changes_nothing_keeps_the_version(arena: Arena) {
        let api = arena.api::<ConfigMap>();
        let first = api.create(&PostParams::default(), &note("a", "1")).await.unwrap();
        let patch = json!({"data": {"text": "1"}});
        let second = api.patch("a", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
        assert_eq!(first.resource_version(), second.resource_version());
    }

    async fn a_merge_patch_sets_and_removes(arena: Arena) {
        let api = arena.api::<ConfigMap>();
        api.create(&PostParams::default(), &note("a", "1")).await.unwrap();
        let patch = json!({"data": {"text": null, "more": "2"}});
        let patched = api.patch("a", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
        assert_eq!(patched.data.unwrap(), [("more".to_owned(), "2".to_owned())].into());
    }

    async fn a_json_patch_tests_before_it_writes(arena: Arena) {
        let api = arena.api::<ConfigMap>();
        api.create(&PostParams::default(), &note("a", "1")).await.unwrap();
        let patch = |expected: &str| {
            let operations = json!([
                {"op": "test", "path": "/data/text", "value": expected},
                {"op": "replace", "path": "/data/text", "value": "2"},
            ]);
            Patch::Json::<()>(serde_json::from_value(operations).unwrap())
        };
        let params = PatchParams::default();
        refused(api.patch("a", &params, &patch("9")).await, 422, "Invalid");
        let patched = api.patch("a", &params, &patch("1")).await.unwrap();
        assert_eq!(patched.data.unwrap()["text"], "2");
    }

    async fn a_strategic_patch_merges_lists_by_their_key(arena: Arena) {
        let api = arena.api::<Service>();
        arena.create::<Service>(json!({
            "metadata": {"name": "a"},
            "spec": {"ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}]},
        })).await;
        let patch = json!({"spec": {"ports": [{"port": 80, "targetPort": 8080}]}});
        let patched = api.patch("a", &PatchParams::default(), &Patch::Strategic(&patch)).await.unwrap();
        let ports = patched.spec.unwrap().ports.unwrap();
        let names: Vec<_> = ports.iter().map(|port| port.name.as_deref().unwrap()).collect();
        assert_eq!(names, ["http", "https"]);
    }

    async fn apply_owns_its_fields_and_removes_what_it_lets_go(arena: Arena) {
        let api = arena.api::<ConfigMap>();
        let apply = |data: serde_json::Value| json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data,
        });
        let alice = PatchParams::apply("alice");
        api.patch("a", &alice, &Patch::Apply(apply(json!({"x": "1", "y": "1"})))).await.unwrap();
        api.patch("a", &PatchParams::apply("bob"), &Patch::Apply(apply(json!({"z": "1"})))).await.unwrap();
        let left = api.patch("a", &alice, &Patch::Apply(apply(json!({"x": "2"})))).await.unwrap();
        let expected = [("x".to_owned(), "2".to_owned()), ("z".to_owned(), "1".to_owned())];
        assert_eq!(left.data.unwrap(), expected.into());
    }

    async fn apply_refuses_another_managers_field_unless_forced(arena: Arena) {
        let api = arena.api::<ConfigMap>();
        let object = |value: &str| json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": value},
        });
        api.patch("a", &PatchParams::apply("alice"), &Patch::Apply(object("1"))).await.unwrap();
        let bob = PatchParams::apply("bob");
        let message = refused(api.patch("a", &bob, &Patch::Apply(object("2"))).await, 409, "Conflict");
        assert!(message.contains(r#"conflict with "alice""#) && message.contains(".data.x"), "{message}");
        let forced = api.patch("a", &bob.force(), &Patch::Apply(object("2"))).await.unwrap();
        assert_eq!(forced.data.unwrap()["x"], "2");
    }

    async fn status_is_written_through_its_own_door_only(arena: Arena) {
        let api = arena.api::<Pod>();
        // No scheduler of ours takes it, so nobody else writes its status.
        let pod = json!({"metadata": {"name": "a"}, "spec": {
            "schedulerName": "nobody", "containers": [{"name": "main", "image": "busybox"}],
        }});
        arena.create::<Pod>(pod).await;
        let patch = json!({"metadata": {"labels": {"a": "b"}}, "status": {"message": "hello"}});
        let plain = api.patch("a", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
        assert_eq!(plain.labels()["a"], "b");
        assert_eq!(plain.status.unwrap().message, None);
        let status = api.patch_status("a", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
        assert_eq!(status.status.unwrap().message.as_deref(), Some("hello"));
    }
}
