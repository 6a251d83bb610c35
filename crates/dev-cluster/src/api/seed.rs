//! What every cluster has from the start: its namespaces, the system's priority classes.

use super::catalog::ResourceKind;
use super::cluster::{Cluster, Writer};
use super::definitions;
use super::request::Options;
use super::write::{Body, Write, create};
use chrono::Utc;
use serde_json::{Value, json};
use std::sync::Arc;

/// Creates what is missing of it.
pub fn plant(cluster: &Cluster) {
    let turn = cluster.writer();
    serve_definitions(cluster, &turn);
    for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
        plant_one(cluster, &turn, "", "namespaces", json!({"metadata": {"name": name}}));
    }
    for (name, value) in [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)] {
        let class = json!({"metadata": {"name": name}, "value": value});
        plant_one(cluster, &turn, "scheduling.k8s.io", "priorityclasses", class);
    }
}

/// Serves what definitions from a file define.
fn serve_definitions(cluster: &Cluster, turn: &Writer<'_>) {
    let Some(kind) = cluster.catalog().builtin_kind("apiextensions.k8s.io", "customresourcedefinitions") else {
        return;
    };
    let options = Options::default();
    let write = own_write(cluster, turn, &kind, &options);
    for (_, definition) in cluster.store.list(&kind.collection(), None).objects {
        definitions::serve(&write, &definition);
    }
}

fn own_write<'a>(
    cluster: &'a Cluster,
    turn: &'a Writer<'a>,
    kind: &'a Arc<ResourceKind>,
    options: &'a Options,
) -> Write<'a> {
    Write {
        cluster,
        turn,
        kind,
        namespace: None,
        subresource: None,
        options,
        manager: "kube-apiserver".to_owned(),
        now: Utc::now(),
        warnings: Vec::new(),
    }
}

fn plant_one(cluster: &Cluster, turn: &Writer<'_>, group: &str, plural: &str, value: Value) {
    let Some(kind) = cluster.catalog().builtin_kind(group, plural) else { return };
    let options = Options::default();
    let mut write = own_write(cluster, turn, &kind, &options);
    let body = Body { bytes: value.to_string().into(), media_type: "application/json".to_owned() };
    if let Err(error) = create(&mut write, &body) {
        tracing::debug!(%error, "an initial object is there already");
    }
}
