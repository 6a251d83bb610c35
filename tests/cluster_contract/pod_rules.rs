//! The rules that the platform holds pods to, against the API server's own: what the one admits the other takes.

mod container_rows;
mod odd;
mod rows;

use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use kube::api::PostParams;
use platform::cluster::pod_rules;
use serde_json::{Value, json};

use self::rows::Verdict::{self, Both, Good, Stricter};
use super::arena::Arena as Place;

/// Holds the platform's verdict on each pod against the server's.
async fn compare(arena: &Place, rows: Vec<(Verdict, Value)>) {
    let is_real = arena.cluster.etcd_url().is_some();
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let mut wrong = Vec::new();
    for (expected, mut object) in rows {
        let template: PodTemplateSpec = serde_json::from_value(object.clone()).expect("a template");
        let ours = pod_rules::task_violations(&template, "");
        object
            .as_object_mut()
            .unwrap()
            .entry("metadata")
            .or_insert_with(|| json!({}))
            .as_object_mut()
            .unwrap()
            .insert("name".to_owned(), json!("p"));
        let pod: Pod = serde_json::from_value(object.clone()).expect("a pod");
        let theirs = arena.api::<Pod>().create(&params, &pod).await;
        let refused = match &theirs {
            Ok(_) => None,
            Err(kube::Error::Api(status)) => Some(status.message.clone()),
            Err(error) => panic!("{error}"),
        };
        let found = match (ours.is_empty(), &refused) {
            (true, None) => Good,
            (false, Some(_)) => Both,
            (false, None) => Stricter,
            (true, Some(message)) => {
                wrong.push(format!("admitted, but {message}: {object}"));
                continue;
            }
        };
        // The embedded server may be more lenient than the real one.
        let is_fine = found == expected || (!is_real && (found, expected) == (Stricter, Both));
        if !is_fine {
            let ours: Vec<_> = ours.iter().map(ToString::to_string).collect();
            wrong.push(format!("{found:?} and not {expected:?}: {ours:?}, {refused:?}: {object}"));
        }
    }
    for line in &mut wrong {
        line.truncate(line.char_indices().nth(900).map_or(line.len(), |(index, _)| index));
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

contract! {
    async fn odd_pods_that_the_platform_admits_are_taken(arena: Arena) {
        let (number, seed) = match std::env::var("POD_RULES_SEED").ok().and_then(|seed| seed.parse().ok()) {
            Some(seed) => (20_000, seed),
            None => (1500, 7),
        };
        odd::admitted_are_taken(&arena, odd::changed(number, seed)).await;
    }

    async fn amounts_that_the_platform_admits_are_taken(arena: Arena) {
        compare(&arena, rows::resources()).await;
    }

    async fn containers_that_the_platform_admits_are_taken(arena: Arena) {
        compare(&arena, container_rows::containers()).await;
    }

    async fn probes_that_the_platform_admits_are_taken(arena: Arena) {
        compare(&arena, container_rows::probes()).await;
    }

    async fn volumes_that_the_platform_admits_are_taken(arena: Arena) {
        compare(&arena, container_rows::volumes()).await;
    }

    async fn labels_that_the_platform_admits_are_taken(arena: Arena) {
        compare(&arena, rows::metadata()).await;
    }

    async fn placements_that_the_platform_admits_are_taken(arena: Arena) {
        compare(&arena, rows::placement()).await;
    }

    async fn other_fields_that_the_platform_admits_are_taken(arena: Arena) {
        compare(&arena, rows::fields()).await;
    }
}
