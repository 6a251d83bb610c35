//! Discovery: which groups, versions and resources are served, in the old form (a document a group version) and the
//! aggregated one (all in one document).

use super::catalog::{Catalog, ResourceKind};
use super::openapi::ServedResource;
use serde_json::{Map, Value, json};

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// Resources that exist to be posted to: group, plural, kind, namespaced.
const VIRTUAL: [(&str, &str, &str, bool); 4] = [
    ("authorization.k8s.io", "localsubjectaccessreviews", "LocalSubjectAccessReview", true),
    ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview", false),
    ("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview", false),
    ("authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview", false),
];

/// `/api`
pub fn core_versions(address: &str) -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    })
}

/// `/apis`
pub fn groups(catalog: &Catalog) -> Value {
    let groups: Vec<Value> = all_groups(catalog).iter().filter(|(name, _)| !name.is_empty()).map(group_value).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`; `None` where nothing is served under that name.
pub fn group(catalog: &Catalog, name: &str) -> Option<Value> {
    let found = all_groups(catalog).into_iter().find(|(group, _)| group == name && !group.is_empty())?;
    let mut value = group_value(&found);
    value["kind"] = json!("APIGroup");
    value["apiVersion"] = json!("v1");
    Some(value)
}

fn all_groups(catalog: &Catalog) -> Vec<(String, Vec<String>)> {
    let mut groups = catalog.groups();
    let builtin = groups.iter().position(|(name, _)| name.contains('.') && !name.ends_with(".k8s.io"));
    groups.insert(builtin.unwrap_or(groups.len()), ("authorization.k8s.io".to_owned(), vec!["v1".to_owned()]));
    groups
}

/// `/`
pub fn paths(catalog: &Catalog) -> Value {
    let mut paths: Vec<String> =
        ["/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]
            .map(str::to_owned)
            .into();
    for (group, versions) in all_groups(catalog) {
        let root = if group.is_empty() { "/api".to_owned() } else { format!("/apis/{group}") };
        paths.extend(versions.iter().map(|version| format!("{root}/{version}")));
        paths.push(root);
    }
    paths.sort_unstable();
    paths.dedup();
    json!({"paths": paths})
}

fn group_value((name, versions): &(String, Vec<String>)) -> Value {
    let entry = |version: &String| json!({"groupVersion": format!("{name}/{version}"), "version": version});
    json!({
        "name": name,
        "versions": versions.iter().map(entry).collect::<Vec<_>>(),
        "preferredVersion": versions.first().map(entry),
    })
}

/// `/api/v1` or `/apis/GROUP/VERSION`; `None` where nothing is served under that name.
pub fn resources(catalog: &Catalog, group: &str, version: &str) -> Option<Value> {
    let mut list = Vec::new();
    for kind in catalog.in_group_version(group, version) {
        list.push(resource(kind));
        list.extend(kind.subresources.iter().map(|subresource| subresource_value(kind, subresource)));
    }
    for (_, plural, kind, namespaced) in VIRTUAL.iter().filter(|(g, ..)| *g == group && version == "v1") {
        list.push(json!({
            "name": plural, "singularName": kind.to_lowercase(), "namespaced": namespaced, "kind": kind, "verbs": ["create"],
        }));
    }
    if list.is_empty() {
        return None;
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Some(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list}))
}

fn verbs(kind: &ResourceKind) -> Vec<&'static str> {
    let all = VERBS.iter().copied();
    all.filter(|verb| *verb != "deletecollection" || !kind.is_core("namespaces")).collect()
}

fn resource(kind: &ResourceKind) -> Value {
    let mut value = Map::new();
    value.insert("name".to_owned(), json!(kind.plural));
    value.insert("singularName".to_owned(), json!(kind.singular));
    value.insert("namespaced".to_owned(), json!(kind.namespaced));
    value.insert("kind".to_owned(), json!(kind.kind));
    value.insert("verbs".to_owned(), json!(verbs(kind)));
    if !kind.short_names.is_empty() {
        value.insert("shortNames".to_owned(), json!(kind.short_names));
    }
    if !kind.categories.is_empty() {
        value.insert("categories".to_owned(), json!(kind.categories));
    }
    Value::Object(value)
}

/// What a subresource takes and gives: group, version, kind and verbs.
fn subresource_kind(kind: &ResourceKind, name: &str) -> (String, String, String, Vec<&'static str>) {
    let own = |verbs| (kind.group.clone(), kind.version.clone(), kind.kind.clone(), verbs);
    let of = |group: &str, kind: &str, verbs| (group.to_owned(), "v1".to_owned(), kind.to_owned(), verbs);
    match name {
        "scale" => of("autoscaling", "Scale", vec!["get", "patch", "update"]),
        "binding" => of("", "Binding", vec!["create"]),
        "eviction" => of("policy", "Eviction", vec!["create"]),
        "log" => own(vec!["get"]),
        "finalize" => own(vec!["update"]),
        _ => own(vec!["get", "patch", "update"]),
    }
}

fn subresource_value(kind: &ResourceKind, name: &str) -> Value {
    let (group, version, kind_name, verbs) = subresource_kind(kind, name);
    let mut value = json!({
        "name": format!("{}/{name}", kind.plural), "singularName": "", "namespaced": kind.namespaced,
        "kind": kind_name, "verbs": verbs,
    });
    if group != kind.group {
        value["group"] = json!(group);
        value["version"] = json!(version);
    }
    value
}

/// The aggregated document: of the core group, or of all others.
pub fn aggregated(catalog: &Catalog, core: bool) -> Value {
    let groups = all_groups(catalog).into_iter().filter(|(name, _)| name.is_empty() == core);
    let items: Vec<Value> = groups
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|version| {
                    let mut resources: Vec<Value> =
                        catalog.in_group_version(&group, version).map(|kind| aggregated_resource(kind)).collect();
                    resources.extend(VIRTUAL.iter().filter(|(g, ..)| *g == group).map(aggregated_virtual));
                    json!({"version": version, "resources": resources, "freshness": "Current"})
                })
                .collect();
            let metadata = if core { json!({}) } else { json!({"name": group}) };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items,
    })
}

fn scope(namespaced: bool) -> &'static str {
    if namespaced { "Namespaced" } else { "Cluster" }
}

fn aggregated_virtual((group, plural, kind, namespaced): &(&str, &str, &str, bool)) -> Value {
    json!({
        "resource": plural, "responseKind": {"group": group, "version": "v1", "kind": kind},
        "scope": scope(*namespaced), "singularResource": kind.to_lowercase(), "verbs": ["create"],
    })
}

fn aggregated_resource(kind: &ResourceKind) -> Value {
    let mut value = json!({
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": scope(kind.namespaced),
        "singularResource": kind.singular,
        "verbs": verbs(kind),
    });
    if !kind.short_names.is_empty() {
        value["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        value["categories"] = json!(kind.categories);
    }
    if !kind.subresources.is_empty() {
        let subresources = kind.subresources.iter().map(|name| {
            let (group, version, kind, verbs) = subresource_kind(kind, name);
            json!({
                "subresource": name,
                "responseKind": {"group": group, "version": version, "kind": kind},
                "verbs": verbs,
            })
        });
        value["subresources"] = subresources.collect();
    }
    value
}

/// The resources as the OpenAPI documents want them.
pub fn served(catalog: &Catalog) -> Vec<ServedResource> {
    let served = catalog.iter().map(|kind| ServedResource {
        group: kind.group.clone(),
        version: kind.version.clone(),
        kind: kind.kind.clone(),
        plural: kind.plural.clone(),
        namespaced: kind.namespaced,
        subresources: kind.subresources.clone(),
    });
    served.collect()
}

/// `/version`
pub fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35", "gitVersion": concat!("v1.36.3+dev-cluster.", env!("CARGO_PKG_VERSION")),
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "",
        "platform": format!("{}/{}", std::env::consts::OS, if cfg!(target_arch = "x86_64") { "amd64" } else { std::env::consts::ARCH }),
    })
}
