//! What the embedded API server makes of objects and definitions, compared with what kube-apiserver 1.36 answered.

mod definitions;
mod objects;
mod properties;

use super::{CompiledCrd, CompiledVersion};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};
use std::sync::LazyLock;

static WIDGET: LazyLock<CompiledCrd> = LazyLock::new(|| {
    let definition: CustomResourceDefinition = serde_saphyr::from_str(include_str!("widget.yaml")).unwrap();
    CompiledCrd::compile(&definition).unwrap()
});

fn widget() -> &'static CompiledVersion {
    WIDGET.version("v1").unwrap()
}

/// A widget as it comes from a client.
fn object(spec: Value) -> Value {
    json!({"apiVersion": "test.io/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": spec})
}

/// The smallest good spec with more fields.
fn spec(fields: Value) -> Value {
    let mut spec = json!({"count": 1, "mode": "A"});
    spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    spec
}

/// What is said when a widget with this spec is created, a line an error.
fn refusal(spec: Value) -> String {
    let mut object = object(spec);
    widget().prune(&mut object);
    widget().default(&mut object);
    lines(&object, None)
}

/// What is said when a widget's spec is changed.
fn refusal_of_change(before: Value, after: Value) -> String {
    let (mut before, mut after) = (object(before), object(after));
    widget().default(&mut before);
    widget().default(&mut after);
    lines(&after, Some(&before))
}

fn lines(object: &Value, before: Option<&Value>) -> String {
    let errors = widget().validate(object, before);
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
