//! The paths of the OpenAPI documents. kubectl looks in them for one thing: which query parameters the `PATCH` of a kind
//! takes (`fieldValidation`, `dryRun`), and in which patch types.

use super::ServedResource;
use super::builtin::{CATALOGUE, REFERENCE_ROOT};
use serde_json::{Map, Value, json};

const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";

/// What a request does, as `x-kubernetes-action` names it.
#[derive(Clone, Copy)]
enum Action {
    Get,
    List,
    Post,
    Put,
    Patch,
    Delete,
    DeleteCollection,
}

impl Action {
    fn method(self) -> &'static str {
        match self {
            Action::Get | Action::List => "get",
            Action::Post => "post",
            Action::Put => "put",
            Action::Patch => "patch",
            Action::Delete | Action::DeleteCollection => "delete",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Action::List => "list",
            Action::DeleteCollection => "deletecollection",
            other => other.method(),
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Action::Get => "read",
            Action::List => "list",
            Action::Post => "create",
            Action::Put => "replace",
            Action::Patch => "patch",
            Action::Delete => "delete",
            Action::DeleteCollection => "deletecollection",
        }
    }

    fn query(self) -> &'static [&'static str] {
        match self {
            Action::Get => &[],
            Action::List | Action::DeleteCollection => &[
                "allowWatchBookmarks",
                "continue",
                "fieldSelector",
                "labelSelector",
                "limit",
                "resourceVersion",
                "resourceVersionMatch",
                "sendInitialEvents",
                "timeoutSeconds",
                "watch",
            ],
            Action::Post | Action::Put => &["dryRun", "fieldManager", "fieldValidation"],
            Action::Patch => &["dryRun", "fieldManager", "fieldValidation", "force"],
            Action::Delete => &["dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"],
        }
    }
}

/// Adds a resource's paths to a v3 document.
pub(super) fn add(paths: &mut Map<String, Value>, resource: &ServedResource, definition: &str) {
    let collection = collection_path(resource);
    let object = format!("{collection}/{{name}}");
    let mut put = |path: String, actions: &[Action]| {
        let mut item = Map::new();
        for action in actions {
            item.insert(action.method().to_owned(), operation(*action, resource, definition, &path));
        }
        item.insert("parameters".to_owned(), Value::Array(path_parameters(&path)));
        paths.insert(path, Value::Object(item));
    };
    if resource.namespaced {
        put(format!("/{}/{}", resource.root(), resource.plural), &[Action::List]);
    }
    for subresource in &resource.subresources {
        let actions: &[Action] =
            if subresource == "log" { &[Action::Get] } else { &[Action::Get, Action::Put, Action::Patch] };
        put(format!("{object}/{subresource}"), actions);
    }
    put(collection, &[Action::List, Action::Post, Action::DeleteCollection]);
    put(object, &[Action::Get, Action::Put, Action::Patch, Action::Delete]);
}

/// Adds a resource's paths to a v2 document: the same methods, with less said.
pub(super) fn add_v2(paths: &mut Map<String, Value>, resource: &ServedResource, definition: &str) {
    let collection = collection_path(resource);
    let object = format!("{collection}/{{name}}");
    let of_collection = [Action::List, Action::Post, Action::DeleteCollection];
    let of_object = [Action::Get, Action::Put, Action::Patch, Action::Delete];
    for (path, actions) in [(collection, of_collection.as_slice()), (object, of_object.as_slice())] {
        let mut item = Map::new();
        for action in actions {
            let query = action.query().iter().map(|name| json!({"name": name, "in": "query", "type": "string"}));
            let schema = json!({"$ref": format!("#/definitions/{definition}")});
            let described = json!({
                "operationId": operation_id(*action, resource, &path),
                "parameters": query.collect::<Vec<_>>(),
                "responses": {"200": {"description": "OK", "schema": schema}},
                "x-kubernetes-action": action.word(),
                "x-kubernetes-group-version-kind": kind_of(resource),
            });
            item.insert(action.method().to_owned(), described);
        }
        paths.insert(path, Value::Object(item));
    }
}

fn collection_path(resource: &ServedResource) -> String {
    let scope = if resource.namespaced { "namespaces/{namespace}/" } else { "" };
    format!("/{}/{scope}{}", resource.root(), resource.plural)
}

fn kind_of(resource: &ServedResource) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": resource.kind})
}

fn operation_id(action: Action, resource: &ServedResource, path: &str) -> String {
    let capitalized = |text: &str| {
        let mut chars = text.chars();
        chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
    };
    let group = match resource.group.split('.').next() {
        Some("") | None => "Core".to_owned(),
        Some(first) => capitalized(first),
    };
    let scope = if path.contains("{namespace}") { "Namespaced" } else { "" };
    let subresource = path.split("{name}/").nth(1).map(capitalized).unwrap_or_default();
    format!("{}{group}{}{scope}{}{subresource}", action.verb(), capitalized(&resource.version), resource.kind)
}

fn operation(action: Action, resource: &ServedResource, definition: &str, path: &str) -> Value {
    let answer = match action {
        Action::List => format!("{definition}List"),
        Action::Delete | Action::DeleteCollection => STATUS.to_owned(),
        Action::Get | Action::Post | Action::Put | Action::Patch => definition.to_owned(),
    };
    let mut operation = json!({
        "description": format!("{} {}", action.verb(), resource.kind),
        "operationId": operation_id(action, resource, path),
        "parameters": action.query().iter().map(|name| query_parameter(name)).collect::<Vec<_>>(),
        "responses": {
            "200": {"description": "OK", "content": content(&["application/json"], &answer)},
            "401": {"description": "Unauthorized"},
        },
        "x-kubernetes-action": action.word(),
        "x-kubernetes-group-version-kind": kind_of(resource),
    });
    let body = match action {
        Action::Get | Action::List => None,
        Action::Post | Action::Put => Some(content(&["application/json", "application/yaml"], definition)),
        Action::Patch => Some(content(patch_types(resource), PATCH)),
        Action::Delete | Action::DeleteCollection => Some(content(&["application/json"], DELETE_OPTIONS)),
    };
    if let Some(body) = body {
        operation["requestBody"] = json!({"content": body});
    }
    operation
}

/// Strategic merge patch is for built-in kinds: a definition has no merge keys.
fn patch_types(resource: &ServedResource) -> &'static [&'static str] {
    let key = (resource.group.clone(), resource.version.clone(), resource.kind.clone());
    let all = &[
        "application/apply-patch+yaml",
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
    ];
    if CATALOGUE.kinds.contains_key(&key) { all } else { &all[..3] }
}

fn content(types: &[&str], definition: &str) -> Value {
    let schema = json!({"schema": {"$ref": format!("{REFERENCE_ROOT}{definition}")}});
    types.iter().map(|content_type| ((*content_type).to_owned(), schema.clone())).collect::<Map<_, _>>().into()
}

fn query_parameter(name: &str) -> Value {
    let kind = match name {
        "watch" | "force" | "allowWatchBookmarks" | "sendInitialEvents" | "orphanDependents" => "boolean",
        "limit" | "timeoutSeconds" | "gracePeriodSeconds" => "integer",
        _ => "string",
    };
    json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}})
}

fn path_parameters(path: &str) -> Vec<Value> {
    ["name", "namespace"]
        .into_iter()
        .filter(|name| path.contains(&format!("{{{name}}}")))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "uniqueItems": true}}))
        .collect()
}
