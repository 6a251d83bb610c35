//! Selectors and paging.

use std::collections::BTreeSet;

use cluster_resources::crd::FlashJob;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::ResourceExt;
use kube::api::{ListParams, PostParams, VersionMatch};
use serde_json::json;

use super::arena::{Arena as Place, note, refused};

async fn notes(arena: &Place, count: usize) {
    for number in 0..count {
        let mut object = note(&format!("n{number}"), "x");
        object.metadata.labels = Some(
            [
                ("parity".to_owned(), if number % 2 == 0 { "even" } else { "odd" }.to_owned()),
                ("number".to_owned(), number.to_string()),
            ]
            .into(),
        );
        arena.api::<ConfigMap>().create(&PostParams::default(), &object).await.unwrap();
    }
}

async fn names(arena: &Place, params: ListParams) -> BTreeSet<String> {
    let list = arena.api::<ConfigMap>().list(&params).await.unwrap();
    list.iter().map(ResourceExt::name_any).filter(|name| name != "kube-root-ca.crt").collect()
}

contract! {
    async fn labels_select(arena: Arena) {
        notes(&arena, 4).await;
        for (selector, expected) in [
            ("parity=even", vec!["n0", "n2"]),
            ("parity!=even", vec!["n1", "n3"]),
            ("number in (1,2)", vec!["n1", "n2"]),
            ("parity=odd,number notin (1)", vec!["n3"]),
            ("!parity", vec![]),
        ] {
            let expected: BTreeSet<_> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(names(&arena, ListParams::default().labels(selector)).await, expected, "{selector}");
        }
    }

    async fn fields_select_by_name(arena: Arena) {
        notes(&arena, 2).await;
        let found = names(&arena, ListParams::default().fields("metadata.name=n1")).await;
        assert_eq!(found, ["n1".to_owned()].into());
    }

    async fn fields_of_pods_select(arena: Arena) {
        let pod = |name: &str| json!({"metadata": {"name": name}, "spec": {
            "schedulerName": "nobody", "containers": [{"name": "main", "image": "busybox"}],
        }});
        arena.create::<Pod>(pod("a")).await;
        let api = arena.api::<Pod>();
        assert_eq!(api.list(&ListParams::default().fields("status.phase=Pending")).await.unwrap().items.len(), 1);
        assert_eq!(api.list(&ListParams::default().fields("status.phase!=Pending")).await.unwrap().items.len(), 0);
        assert_eq!(api.list(&ListParams::default().fields("spec.nodeName=gpu-1")).await.unwrap().items.len(), 0);
    }

    async fn a_selector_that_does_not_parse_is_a_bad_request(arena: Arena) {
        let api = arena.api::<ConfigMap>();
        refused(api.list(&ListParams::default().labels("a in (")).await, 400, "BadRequest");
        refused(api.list(&ListParams::default().fields("data.text=x")).await, 400, "BadRequest");
    }

    async fn pages_add_up_to_the_list_as_it_was(arena: Arena) {
        notes(&arena, 5).await;
        let api = arena.api::<ConfigMap>();
        let first = api.list(&ListParams::default().labels("number").limit(2)).await.unwrap();
        assert_eq!(first.items.len(), 2);
        // Made after the first page, so it is on none.
        let mut late = note("n05", "late");
        late.metadata.labels = Some([("number".to_owned(), "05".to_owned())].into());
        api.create(&PostParams::default(), &late).await.unwrap();

        let mut seen: Vec<_> = first.iter().map(ResourceExt::name_any).collect();
        let mut token = first.metadata.continue_.clone();
        while let Some(next) = token.filter(|token| !token.is_empty()) {
            let params = ListParams::default().labels("number").limit(2).continue_token(&next);
            let page = api.list(&params).await.unwrap();
            assert_eq!(page.metadata.resource_version, first.metadata.resource_version);
            seen.extend(page.iter().map(ResourceExt::name_any));
            token = page.metadata.continue_.clone();
        }
        assert_eq!(seen, ["n0", "n1", "n2", "n3", "n4"]);
    }

    async fn a_list_of_a_forgotten_version_is_expired(arena: Arena) {
        notes(&arena, 1).await;
        let arena = arena.compact().await;
        let params = ListParams::default().at("1").matching(VersionMatch::Exact);
        refused(arena.api::<FlashJob>().list(&params).await, 410, "Expired");
    }
}
