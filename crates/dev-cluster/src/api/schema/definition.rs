//! What the API server refuses in a custom resource definition outside its schemas: names, scope, versions, columns.

use super::{FieldError, Reason};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion,
};
use serde_json::Value;

const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];

/// Checks everything but the schemas.
pub(super) fn check(definition: &CustomResourceDefinition, errors: &mut Vec<FieldError>) {
    let spec = &definition.spec;
    let mut invalid = |path: &str, value: &str, detail: &str| {
        errors.push(FieldError::showing(path, Reason::Invalid, &Value::from(value), detail));
    };
    let name = definition.metadata.name.as_deref().unwrap_or_default();
    if name != format!("{}.{}", spec.names.plural, spec.group) {
        invalid("metadata.name", name, r#"must be spec.names.plural+"."+spec.group"#);
    }
    if !spec.group.contains('.') {
        invalid("spec.group", &spec.group, "should be a domain with at least one dot");
    }
    if !is_label(&spec.names.plural) {
        let detail = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
                      character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for \
                      validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
        invalid("spec.names.plural", &spec.names.plural, detail);
    }
    if spec.names.list_kind.as_deref() == Some(spec.names.kind.as_str()) {
        invalid("spec.names.listKind", &spec.names.kind, "kind and listKind may not be the same");
    }
    check_approval(definition, errors);
    if spec.names.kind.is_empty() {
        errors.push(FieldError::new("spec.names.kind", Reason::Required, ""));
    }
    if !matches!(spec.scope.as_str(), "Cluster" | "Namespaced") {
        let detail = r#"supported values: "Cluster", "Namespaced""#;
        errors.push(FieldError::showing("spec.scope", Reason::NotSupported, &Value::from(spec.scope.as_str()), detail));
    }
    check_versions(&spec.versions, errors);
}

/// The groups of Kubernetes itself are for what it has approved.
fn check_approval(definition: &CustomResourceDefinition, errors: &mut Vec<FieldError>) {
    const APPROVED: &str = "api-approved.kubernetes.io";
    let is_within = |domain: &str| definition.spec.group.strip_suffix(domain).is_some_and(|group| group.ends_with('.'));
    let is_approved = definition.metadata.annotations.iter().flatten().any(|(name, _)| name == APPROVED);
    if (is_within("k8s.io") || is_within("kubernetes.io")) && !is_approved {
        let detail = format!(
            "protected groups must have approval annotation {APPROVED:?}, see https://github.com/kubernetes/enhancements/pull/1111"
        );
        errors.push(FieldError::new(format!("metadata.annotations[{APPROVED}]"), Reason::Required, detail));
    }
}

fn check_versions(versions: &[CustomResourceDefinitionVersion], errors: &mut Vec<FieldError>) {
    let names: Vec<&str> = versions.iter().map(|version| version.name.as_str()).collect();
    let mut refuse = |detail: &str| {
        errors.push(FieldError {
            path: "spec.versions".to_owned(),
            reason: Reason::Invalid,
            shown: Some(Value::from(names.clone()).to_string()),
            detail: detail.to_owned(),
        });
    };
    if versions.iter().filter(|version| version.storage).count() != 1 {
        refuse("must have exactly one version marked as storage version");
    }
    let is_repeated = |(index, name): (usize, &&str)| names[..index].contains(name);
    if names.iter().enumerate().any(is_repeated) {
        refuse("must contain unique version names");
    }
    for version in versions {
        for (index, column) in version.additional_printer_columns.iter().flatten().enumerate() {
            // The API server speaks of the columns as they stand when all versions share them.
            let path = format!("spec.additionalPrinterColumns[{index}]");
            if !COLUMN_TYPES.contains(&column.type_.as_str()) {
                let detail = format!("must be one of {}", COLUMN_TYPES.join(","));
                let shown = Value::from(column.type_.as_str());
                errors.push(FieldError::showing(format!("{path}.type"), Reason::Invalid, &shown, detail));
            }
            if !column.json_path.starts_with('.') {
                let shown = Value::from(column.json_path.as_str());
                let detail = "must be a simple json path starting with .";
                errors.push(FieldError::showing(format!("{path}.JSONPath"), Reason::Invalid, &shown, detail));
            }
        }
    }
}

fn is_label(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
