//! Who sees the cluster and what is left in it, over a cluster that is away. `tests/orphans.rs` is about what is left.

use serde_json::json;

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{World, errors};

/// Who sees what of the cluster: the ways to it.
pub const ROWS: Rows = Rows {
    setup: "",
    operations: &[
        ("cluster", "{ cluster { __typename } }"),
        ("removeOrphans", "mutation { removeOrphans(input: { orphans: [{ uid: \"none\" }] }) { results { uid } } }"),
    ],
    types: &[
        ("Cluster", By("{ cluster { FIELD } }")),
        ("OrphanList", By("{ cluster { orphans { FIELD } } }")),
        ("Orphan", By("{ cluster { orphans { nodes { FIELD } } } }")),
        ("RemoveOrphansPayload", Below("removeOrphans")),
        ("RemoveOrphanResult", Below("removeOrphans")),
    ],
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_cluster_is_away_its_fields_say_so_and_all_others_answer() {
    let world = World::new().await;
    let query = "{ cluster { version orphans { totalCount } } groups { totalCount } }";
    let answer = world.ask("admin", query, json!({})).await;
    assert_eq!(
        answer["data"],
        json!({ "cluster": { "version": null, "orphans": null }, "groups": { "totalCount": 2 } })
    );
    let told: Vec<_> = answer["errors"].as_array().unwrap().iter().map(|error| &error["extensions"]["code"]).collect();
    assert_eq!(json!(told), json!(["CLUSTER_UNAVAILABLE", "CLUSTER_UNAVAILABLE"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_to_a_hundred_orphans_are_removed_at_a_time() {
    let world = World::new().await;
    let remove = "mutation($o: [OrphanInput!]!) { removeOrphans(input: { orphans: $o }) { results { uid } } }";
    let answer = world.ask("admin", remove, json!({ "o": [] })).await;
    insta::assert_snapshot!(errors(&answer), @"BAD_USER_INPUT input.orphans: 0 orphans were given; it must be 1 to 100");
    let many: Vec<_> = (0..101).map(|n| json!({ "uid": n.to_string() })).collect();
    let answer = world.ask("admin", remove, json!({ "o": many })).await;
    insta::assert_snapshot!(errors(&answer), @"BAD_USER_INPUT input.orphans: 101 orphans were given; it must be 1 to 100");
}
