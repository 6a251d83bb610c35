//! What the server says it serves: in one document, or group by group.

use std::collections::BTreeSet;

use kube::Discovery;
use kube::discovery::{ApiCapabilities, ApiResource, Scope};

/// Kinds that the platform lives on, with whether they are in a namespace.
const NEEDED: [(&str, &str, bool); 8] = [
    ("", "namespaces", false),
    ("", "pods", true),
    ("", "persistentvolumeclaims", true),
    ("batch", "jobs", true),
    ("scheduling.k8s.io", "priorityclasses", false),
    ("apiextensions.k8s.io", "customresourcedefinitions", false),
    ("scheduling.flash-sched.io", "flashjobs", true),
    ("scheduling.flash-sched.io", "clusterresourcequeues", false),
];

fn served(discovery: &Discovery) -> BTreeSet<(String, String, bool)> {
    let named = |(resource, can): (ApiResource, ApiCapabilities)| {
        (resource.group, resource.plural, can.scope == Scope::Namespaced)
    };
    discovery.groups().flat_map(|group| group.recommended_resources()).map(named).collect()
}

contract! {
    async fn one_document_tells_what_the_groups_tell(arena: Arena) {
        let by_group = served(&Discovery::new(arena.client.clone()).run().await.unwrap());
        let aggregated = served(&Discovery::new(arena.client.clone()).run_aggregated().await.unwrap());
        for (group, plural, namespaced) in NEEDED {
            assert!(aggregated.contains(&(group.to_owned(), plural.to_owned(), namespaced)), "{group}/{plural}");
        }
        // Groups of other tests' definitions may come and go between the two.
        let ours = |all: &BTreeSet<(String, String, bool)>| {
            all.iter().filter(|(group, ..)| NEEDED.iter().any(|(needed, ..)| needed == group)).cloned().collect::<Vec<_>>()
        };
        assert_eq!(ours(&aggregated), ours(&by_group));
    }
}
