//! What containers and pods ask for and may use.

use super::super::check::{
    duplicate, forbidden, invalid, label_name, list, required, some, subdomain, text, unsupported,
};
use super::super::metadata::qualified_name;
use super::is_sidecar;
use crate::api::schema::{FieldError, Reason};
use cluster_resources::Quantity;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

/// Resources without a domain that containers know.
const OF_CONTAINERS: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// The other names without a domain that mean something: to quotas and to claims.
const STANDARD: [&str; 21] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "services",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "replicationcontrollers",
    "resourcequotas",
    "services.nodeports",
    "services.loadbalancers",
    "requests.hugepages-",
];

static EMPTY: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

fn part<'a>(resources: &'a Value, name: &str) -> &'a Map<String, Value> {
    resources.get(name).and_then(Value::as_object).unwrap_or(&EMPTY)
}

fn is_hugepages(resource: &str) -> bool {
    resource.starts_with("hugepages-")
}

fn is_native(resource: &str) -> bool {
    !resource.contains('/') || resource.contains("kubernetes.io/")
}

/// The rules of the resources of a container.
pub fn of_container(spec: &Value, container: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let Some(resources) = some(container, "resources") else { return };
    let path = format!("{path}.resources");
    amounts(resources, &path, false, errors);
    used_claims(spec, resources, &path, errors);
}

/// The devices that are used must be claimed by the pod.
fn used_claims(spec: &Value, resources: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let names: Vec<&str> = list(spec, "resourceClaims").map(|(_, claim)| text(claim, "name")).collect();
    let mut seen = HashSet::new();
    for (index, claim) in list(resources, "claims") {
        let (name, at) = (text(claim, "name"), format!("{path}.claims[{index}]"));
        let key = (name, text(claim, "request"));
        if name.is_empty() {
            required(errors, at, "");
        } else if !seen.insert(key) {
            duplicate(errors, at, name);
        } else if !names.contains(&name) {
            let which = if names.is_empty() { " which is empty".to_owned() } else { format!(": {}", names.join(", ")) };
            let detail = format!("must be one of the names in pod.spec.resourceClaims{which}");
            errors.push(FieldError::showing(at, Reason::NotFound, &json!(name), detail));
        }
    }
}

/// The rules of the resources of a pod: its containers share them.
pub fn of_pod(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let Some(resources) = some(spec, "resources") else { return };
    let path = format!("{path}.resources");
    if some(resources, "claims").is_some() {
        forbidden(errors, format!("{path}.claims"), "claims may not be set for Resources at pod-level");
    }
    used_claims(spec, resources, &path, errors);
    amounts(resources, &path, true, errors);
    let requests = part(resources, "requests");
    for (resource, least) in together(spec) {
        let Some(asked) =
            requests.get(&resource).filter(|asked| Quantity::of_json(asked).is_some_and(|asked| asked < least))
        else {
            continue;
        };
        let detail = format!("must be greater than or equal to aggregate container requests of {}", least.canonical());
        invalid(errors, format!("{path}.requests[{resource}]"), asked, detail);
    }
    for (resource, most) in part(resources, "limits") {
        let all = list(spec, "containers").map(|(index, entry)| ("containers", index, entry));
        let init = list(spec, "initContainers").map(|(index, entry)| ("initContainers", index, entry));
        for (kind, index, container) in all.chain(init) {
            let limit = container.get("resources").and_then(|resources| part(resources, "limits").get(resource));
            let Some(limit) = limit.filter(|limit| Quantity::of_json(limit) > Quantity::of_json(most)) else {
                continue;
            };
            let detail = format!("must be less than or equal to pod limits of {}", shown(most));
            invalid(errors, format!("{path}.{kind}[{index}][{resource}].limits"), limit, detail);
        }
    }
}

/// What the containers of a pod ask for together, at the most.
pub fn together(spec: &Value) -> BTreeMap<String, Quantity> {
    type Amounts = BTreeMap<String, Quantity>;
    let of = |container: &Value| -> Amounts {
        let requests = container.get("resources").map(|resources| part(resources, "requests"));
        let all =
            requests.into_iter().flatten().filter_map(|(name, asked)| Some((name.clone(), Quantity::of_json(asked)?)));
        all.collect()
    };
    let add = |sum: &mut Amounts, more: &Amounts| {
        for (name, amount) in more {
            let sum = sum.entry(name.clone()).or_insert_with(Quantity::zero);
            *sum = &*sum + amount;
        }
    };
    let (mut beside, mut largest) = (Amounts::new(), Amounts::new());
    for (_, container) in list(spec, "initContainers") {
        let mut now = beside.clone();
        add(&mut now, &of(container));
        raise(&mut largest, &now);
        if is_sidecar(container) {
            beside = now;
        }
    }
    list(spec, "containers").for_each(|(_, container)| add(&mut beside, &of(container)));
    raise(&mut largest, &beside);
    largest
}

/// The greater amount of each.
fn raise(largest: &mut BTreeMap<String, Quantity>, others: &BTreeMap<String, Quantity>) {
    for (name, amount) in others {
        let most = largest.entry(name.clone()).or_insert_with(Quantity::zero);
        if amount > most {
            most.clone_from(amount);
        }
    }
}

/// A quantity as it is shown in a sentence.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Names must be known, amounts not negative, and what is asked for must fit what is allowed.
fn amounts(resources: &Value, path: &str, of_pod: bool, errors: &mut Vec<FieldError>) {
    let (limits, requests) = (part(resources, "limits"), part(resources, "requests"));
    let mut with_hugepages = false;
    for (list, name) in [(limits, "limits"), (requests, "requests")] {
        for (resource, value) in list {
            let at = format!("{path}.{name}[{resource}]");
            with_hugepages |= is_hugepages(resource);
            if of_pod {
                if !matches!(resource.as_str(), "cpu" | "memory") && !is_hugepages(resource) {
                    unsupported(errors, &at, resource, &["cpu", "hugepages-", "memory"]);
                }
            } else {
                self::name(resource, &at, errors);
            }
            let Some(amount) = Quantity::of_json(value) else { continue };
            if amount.is_negative() {
                invalid(errors, &at, value, "must be greater than or equal to 0");
            }
            if !is_native(resource) && !amount.is_whole() {
                invalid(errors, &at, value, "must be an integer");
            }
            let size = is_hugepages(resource).then(|| resource["hugepages-".len()..].parse().ok());
            if size.is_some_and(|size| {
                size.is_none_or(|size: Quantity| !size.is_positive() || !amount.is_multiple_of(&size))
            }) {
                let detail = format!("{} is not positive integer multiple of {resource}", shown(value));
                invalid(errors, &at, value, detail);
            }
        }
    }
    let mut without_limit = false;
    for (resource, request) in requests {
        let (Some(asked), limit) = (Quantity::of_json(request), limits.get(resource)) else { continue };
        let fixed = !is_native(resource) || is_hugepages(resource);
        let at = format!("{path}.requests");
        let which = |limit: &Value| format!("{resource} limit of {}", shown(limit));
        match limit.and_then(|limit| Some((limit, Quantity::of_json(limit)?))) {
            Some((limit, allowed)) if fixed && asked != allowed => {
                invalid(errors, at, request, format!("must be equal to {}", which(limit)));
            }
            Some((limit, allowed)) if asked > allowed => {
                invalid(errors, at, request, format!("must be less than or equal to {}", which(limit)));
            }
            None => without_limit |= fixed,
            Some(_) => {}
        }
    }
    if without_limit {
        required(errors, format!("{path}.limits"), "Limit must be set for non overcommitable resources");
    }
    let has = |resource: &str| limits.contains_key(resource) || requests.contains_key(resource);
    if with_hugepages && !has("cpu") && !has("memory") {
        forbidden(errors, path, "HugePages require cpu or memory");
    }
}

fn name(resource: &str, path: &str, errors: &mut Vec<FieldError>) {
    let before = errors.len();
    qualified_name(resource, path, errors);
    let is_name = errors.len() == before;
    if !resource.contains('/') {
        if is_name && !STANDARD.contains(&resource) && !is_hugepages(resource) {
            invalid(errors, path, &json!(resource), "must be a standard resource type or fully qualified");
        }
        if !OF_CONTAINERS.contains(&resource) && !is_hugepages(resource) {
            invalid(errors, path, &json!(resource), "must be a standard resource for containers");
        }
    } else if !is_native(resource) && (resource.starts_with("requests.") || !is_name) {
        invalid(errors, path, &json!(resource), "doesn't follow extended resource name standard");
    }
}

/// The claims for devices that a pod's containers may use.
pub fn claims(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let mut names = HashSet::new();
    for (index, claim) in list(spec, "resourceClaims") {
        let at = format!("{path}.resourceClaims[{index}]");
        let name = text(claim, "name");
        label_name(name, &format!("{at}.name"), errors);
        if !name.is_empty() && !names.insert(name) {
            duplicate(errors, format!("{at}.name"), name);
        }
        let given: Vec<_> = ["resourceClaimName", "resourceClaimTemplateName"]
            .into_iter()
            .filter(|f| some(claim, f).is_some())
            .collect();
        match given.len() {
            0 => {
                let detail = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`";
                invalid(errors, &at, claim, detail);
            }
            1 => {}
            _ => {
                let detail = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified";
                invalid(errors, &at, claim, detail);
            }
        }
        given.iter().for_each(|field| subdomain(text(claim, field), &format!("{at}.{field}"), errors));
    }
}
