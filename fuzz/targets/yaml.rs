//! Config files: what is read is within the limits, of the allowed kinds, and the same when it is written and read again.

use platform::configs::documents::{MAX_BYTES, MAX_DOCUMENTS, parse};

pub fn check(bytes: &[u8]) {
    let yaml = super::text(bytes);
    let documents = match parse(&yaml, "input.yaml") {
        Ok(documents) => documents,
        Err(refused) => {
            assert!(refused.0.iter().all(|error| error.field.as_deref() == Some("input.yaml")));
            assert!(!refused.0.is_empty());
            return;
        }
    };
    assert!(yaml.len() <= MAX_BYTES && (1..=MAX_DOCUMENTS).contains(&documents.len()));
    for document in &documents {
        assert_eq!(document.object["kind"], document.kind.as_str());
        assert_eq!(document.object["apiVersion"], document.kind.api_version());
    }
    // JSON is YAML.
    let written: String = documents.iter().map(|document| format!("---\n{}\n", document.object)).collect();
    if written.len() <= MAX_BYTES {
        let again = parse(&written, "input.yaml").unwrap_or_else(|error| panic!("{error}: {written}"));
        assert_eq!(again, documents);
    }
}
