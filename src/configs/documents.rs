//! The YAML of a config file as the objects in it: parsed within bounds, each of a kind that is allowed.

use async_graphql::Enum;
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use serde_json::{Map, Value};

use crate::cluster::safety::{self, Payload, Violation};
use crate::error::{ApiError, ApiErrors, Problems};
use crate::graphql::names::shown;
use crate::text_enum;

/// Bytes of YAML in a config file at most.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Objects in a config file at most.
pub const MAX_DOCUMENTS: usize = 64;
/// Nodes (keys, values, lists, mappings) in a config file at most, those that aliases stand for counted each time.
const MAX_NODES: usize = 100_000;
/// Aliases in a config file at most.
const MAX_ALIASES: usize = 1000;
/// How deeply lists and mappings may nest.
const MAX_DEPTH: usize = 64;
/// Problems that are told of a file at most.
const MAX_PROBLEMS: usize = 50;

/// What may be in a config file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum ConfigKind {
    /// A pod: can be submitted as a job of one task.
    Pod,
    /// A stable address for pods.
    Service,
    /// Pods that are kept running.
    Deployment,
    /// Settings and small files for pods.
    ConfigMap,
    /// Routes from outside to services.
    Ingress,
    /// A batch job: can be submitted, its parallelism becomes that many tasks.
    Job,
    /// A batch job on a schedule.
    CronJob,
    /// Tasks that start together: can be submitted as it is.
    FlashJob,
    /// A graph of steps that Argo Workflows runs.
    Workflow,
    /// A claim for storage.
    PersistentVolumeClaim,
}

text_enum!(ConfigKind {
    Pod => "Pod",
    Service => "Service",
    Deployment => "Deployment",
    ConfigMap => "ConfigMap",
    Ingress => "Ingress",
    Job => "Job",
    CronJob => "CronJob",
    FlashJob => "FlashJob",
    Workflow => "Workflow",
    PersistentVolumeClaim => "PersistentVolumeClaim",
});

impl ConfigKind {
    /// Which rules of pod safety hold for it.
    const fn payload(self) -> Payload {
        match self {
            Self::Pod | Self::Deployment | Self::Job | Self::CronJob | Self::FlashJob => Payload::Pods,
            Self::Workflow => Payload::Workflow,
            Self::PersistentVolumeClaim => Payload::Claim,
            Self::Service | Self::ConfigMap | Self::Ingress => Payload::Other,
        }
    }

    /// The `apiVersion` that goes with the kind.
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::Pod | Self::Service | Self::ConfigMap | Self::PersistentVolumeClaim => "v1",
            Self::Deployment => "apps/v1",
            Self::Ingress => "networking.k8s.io/v1",
            Self::Job | Self::CronJob => "batch/v1",
            Self::FlashJob => "scheduling.flash-sched.io/v1alpha1",
            Self::Workflow => "argoproj.io/v1alpha1",
        }
    }
}

/// One object of a config file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it is.
    pub kind: ConfigKind,
    /// The object as it stands in the file, keys in their order.
    pub object: Value,
}

/// The objects in `yaml`.
///
/// # Errors
/// `BAD_USER_INPUT` for `field`: with line and column where the YAML does not parse, with the limit and its value where
/// it is too large, and one for each document that is not of an allowed kind and for everything in one that no pod may
/// ask for. Which claims may be mounted depends on who runs the document, and is decided then.
pub fn parse(yaml: &str, field: &'static str) -> Result<Vec<Document>, ApiErrors> {
    if yaml.len() > MAX_BYTES {
        let message = format!("the YAML has {} bytes; it may have {MAX_BYTES}", yaml.len());
        return Err(ApiError::bad_input(field, message).into());
    }
    let options = serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        budget: serde_saphyr::budget! {
            max_documents: MAX_DOCUMENTS + 1,
            max_nodes: MAX_NODES,
            max_depth: MAX_DEPTH,
            max_aliases: MAX_ALIASES,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_NODES },
    };
    let objects: Vec<Value> =
        serde_saphyr::from_multiple_with_options(yaml, options).map_err(|error| unreadable(&error, field))?;
    if objects.is_empty() {
        return Err(ApiError::bad_input(field, "the YAML has no object in it").into());
    }
    if objects.len() > MAX_DOCUMENTS {
        let message = format!("the YAML has more than {MAX_DOCUMENTS} objects, which is the most it may have");
        return Err(ApiError::bad_input(field, message).into());
    }
    let mut problems = Problems::default();
    let mut documents = Vec::with_capacity(objects.len());
    let mut untold = 0;
    for (index, object) in objects.into_iter().enumerate() {
        if let Some(document) = problems.take(document(object, index + 1, field)) {
            for violation in unsafe_parts(&document) {
                if problems.count() < MAX_PROBLEMS {
                    let message = format!("document {}, {}: {violation}", index + 1, title(&document));
                    problems.push(ApiError::bad_input(field, message));
                } else {
                    untold += 1;
                }
            }
            documents.push(document);
        }
    }
    if untold > 0 {
        problems.push(ApiError::bad_input(field, format!("{untold} more problems like these are not shown")));
    }
    problems.finish().map(|()| documents)
}

/// What no pod may ask for. Whatever is not the cluster's report is looked at, wherever it stands.
fn unsafe_parts(document: &Document) -> Vec<Violation> {
    let Value::Object(content) = &document.object else { return Vec::new() };
    let looked_at = content.iter().filter(|(key, _)| key.as_str() != "status");
    let looked_at: Map<String, Value> = looked_at.map(|(key, part)| (key.clone(), part.clone())).collect();
    safety::violations_in(&Value::Object(looked_at), "", document.kind.payload())
}

/// Kind and name, as in `Job/train`.
fn title(document: &Document) -> String {
    let kind = document.kind.as_str();
    match document.object.pointer("/metadata/name").and_then(Value::as_str) {
        Some(name) => format!("{kind}/{}", name.chars().filter(|c| !c.is_control()).take(80).collect::<String>()),
        None => kind.to_owned(),
    }
}

fn unreadable(error: &serde_saphyr::Error, field: &'static str) -> ApiErrors {
    let place =
        error.location().map(|place| format!("line {}, column {}: ", place.line(), place.column())).unwrap_or_default();
    let formatter = serde_saphyr::UserMessageFormatter;
    let message = too_large(error).unwrap_or_else(|| {
        let what = serde_saphyr::MessageFormatter::format_message(&formatter, error);
        if what == RECURSION_LIMIT {
            return too_deep();
        }
        format!("the YAML cannot be read: {place}{what}")
    });
    ApiError::bad_input(field, message).into()
}

/// What the parser says of brackets that nest deeper than it can follow, which it notices before it counts them.
const RECURSION_LIMIT: &str = "recursion limit exceeded";

fn too_deep() -> String {
    format!("the YAML nests more than {MAX_DEPTH} levels deep")
}

/// Which limit the YAML is beyond, with its value.
fn too_large(error: &serde_saphyr::Error) -> Option<String> {
    use serde_saphyr::budget::BudgetBreach;
    let serde_saphyr::Error::Budget { breach, .. } = error else { return None };
    Some(match breach {
        BudgetBreach::Documents { .. } => {
            format!("the YAML has more than {MAX_DOCUMENTS} objects, which is the most it may have")
        }
        BudgetBreach::Nodes { .. } => {
            format!("the YAML has more than {MAX_NODES} values, which is the most it may have")
        }
        BudgetBreach::Depth { .. } => too_deep(),
        BudgetBreach::Aliases { .. } => format!("the YAML has more than {MAX_ALIASES} aliases"),
        _ => return None,
    })
}

fn document(object: Value, number: usize, field: &'static str) -> Result<Document, ApiError> {
    let refused = |message: String| ApiError::bad_input(field, format!("document {number}: {message}"));
    if has_nul(&object) {
        return Err(refused("a text in it has the character U+0000 (NUL), which no text may have".to_owned()));
    }
    let Value::Object(content) = &object else {
        return Err(refused("it is not a mapping with apiVersion and kind".to_owned()));
    };
    let (api_version, kind) = (text(content, "apiVersion"), text(content, "kind"));
    let (Some(api_version), Some(kind)) = (api_version, kind) else {
        return Err(refused("it needs an apiVersion and a kind, each a text".to_owned()));
    };
    let allowed = || ConfigKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
    let kind: ConfigKind = kind
        .parse()
        .map_err(|_| refused(format!("the kind {} is not allowed; these are: {}", shown(kind), allowed())))?;
    if api_version != kind.api_version() {
        return Err(refused(format!(
            "the apiVersion of a {} is {}, not {}",
            kind.as_str(),
            shown(kind.api_version()),
            shown(api_version)
        )));
    }
    Ok(Document { kind, object })
}

/// Whether a text has a U+0000: YAML can write one, PostgreSQL keeps none.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn text<'o>(object: &'o Map<String, Value>, key: &str) -> Option<&'o str> {
    object.get(key)?.as_str()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(yaml: &str) -> String {
        parse(yaml, "input.yaml").unwrap_err().to_string()
    }

    #[test]
    fn a_file_may_have_several_objects() {
        let yaml = "apiVersion: v1\nkind: ConfigMap\n---\n# nothing\n---\napiVersion: batch/v1\nkind: Job\n";
        let kinds: Vec<_> = parse(yaml, "input.yaml").unwrap().iter().map(|document| document.kind).collect();
        assert_eq!(kinds, [ConfigKind::ConfigMap, ConfigKind::Job]);
    }

    #[test]
    fn yaml_that_does_not_parse_is_told_with_line_and_column() {
        let message = refused("apiVersion: v1\nkind: [Pod\nmetadata:\n");
        assert!(message.starts_with("the YAML cannot be read: line "), "{message}");
        assert!(message.contains(", column "), "{message}");
    }

    #[test]
    fn every_object_that_is_not_allowed_is_told() {
        let yaml = "apiVersion: v1\nkind: Secret\n---\napiVersion: v1\nkind: Job\n---\njust text\n---\nkind: Pod\n";
        insta::assert_snapshot!(refused(yaml).replace("; document", ";\ndocument"), @r#"
        document 1: the kind "Secret" is not allowed; these are: Pod, Service, Deployment, ConfigMap, Ingress, Job, CronJob, FlashJob, Workflow, PersistentVolumeClaim;
        document 2: the apiVersion of a Job is "batch/v1", not "v1";
        document 3: it is not a mapping with apiVersion and kind;
        document 4: it needs an apiVersion and a kind, each a text
        "#);
    }

    #[test]
    fn ten_megabytes_and_a_hundred_objects_are_refused_with_the_limit() {
        insta::assert_snapshot!(refused(&"a".repeat(10_000_000)), @"the YAML has 10000000 bytes; it may have 1048576");
        let many = "apiVersion: v1\nkind: Pod\n---\n".repeat(MAX_DOCUMENTS + 1);
        insta::assert_snapshot!(refused(&many), @"the YAML has more than 64 objects, which is the most it may have");
        insta::assert_snapshot!(refused(""), @"the YAML has no object in it");
    }

    #[test]
    fn a_nul_that_yaml_can_write_is_refused_wherever_it_stands() {
        for object in [r#"metadata: {name: "a\0"}"#, r#"metadata: {"a\0": b}"#, r#"spec: {args: ["\x00"]}"#] {
            let message = refused(&format!("apiVersion: v1\nkind: Pod\n{object}\n"));
            assert_eq!(message, "document 1: a text in it has the character U+0000 (NUL), which no text may have");
        }
    }

    #[test]
    fn aliases_that_explode_are_refused() {
        let mut yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
            yaml += &format!("a{level}: &a{level} [{aliases}]\n");
        }
        assert!(refused(&yaml).starts_with("the YAML cannot be read: "));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in ".{0,200}") {
            let _ = parse(&text, "input.yaml");
        }
    }
}

#[cfg(test)]
#[path = "documents/adversarial_tests.rs"]
mod adversarial_tests;
