//! Config files: what is accepted is within the limits, of the allowed kinds, and the same after being written as JSON
//! and parsed again.

use platform::cluster::yaml::{self, Node};
use platform::config::GpuResources;
use platform::configs::documents::{MAX_BYTES, MAX_DOCUMENTS, parse};

pub fn check(bytes: &[u8]) {
    let yaml = super::text(bytes);
    if let Ok(nodes) = yaml::read(&yaml) {
        reads_as_json(&nodes);
    }
    let documents = match parse(&yaml, "input.yaml", &GpuResources::default()) {
        Ok(documents) => documents,
        Err(refused) => {
            assert!(refused.0.iter().all(|error| error.field.as_deref() == Some("input.yaml")));
            assert!(!refused.0.is_empty());
            return;
        }
    };
    assert!(yaml.len() <= MAX_BYTES && (1..=MAX_DOCUMENTS).contains(&documents.len()));
    for document in &documents {
        assert_eq!(document.object()["kind"], document.kind.as_str());
    }
}

/// JSON is YAML: what is written as JSON is read as it was.
fn reads_as_json(nodes: &[Node]) {
    let written: String = nodes.iter().map(|node| format!("---\n{}\n", node.to_json())).collect();
    if written.len() <= MAX_BYTES {
        let again = yaml::read(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
        let json = |nodes: &[Node]| nodes.iter().map(Node::to_json).collect::<Vec<_>>();
        assert_eq!(json(&again), json(nodes));
    }
}
