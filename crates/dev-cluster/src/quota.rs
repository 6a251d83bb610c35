//! What a ResourceQuota counts: of one object, and whether it counts it at all. The API server charges by it, the quota
//! controller adds up by it.

use std::collections::BTreeMap;

use serde_json::Value;

use cluster_resources::Quantity;

/// Amounts by the names that quotas use: `requests.cpu`, `pods`, `count/jobs.batch`.
pub type Amounts = BTreeMap<String, Quantity>;

/// The core kinds that have a name of their own in quotas beside `count/`.
const COUNTED: [&str; 5] = ["configmaps", "persistentvolumeclaims", "resourcequotas", "secrets", "services"];
/// What pods ask for under a plain name too: `cpu` is `requests.cpu`.
const STANDARD: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// Reads amounts by name; what is no quantity is left out.
pub fn amounts(value: Option<&Value>) -> Amounts {
    let members = value.and_then(Value::as_object).into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), Quantity::of_json(value)?))).collect()
}

/// Adds amounts by name.
pub fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let entry = sum.entry(name.clone()).or_insert_with(Quantity::zero);
        *entry = &*entry + amount;
    }
}

/// Everything that quotas may count of an object of a resource.
pub fn usage(group: &str, plural: &str, object: &Value) -> Amounts {
    let name = if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") };
    let mut used = Amounts::from([(format!("count/{name}"), Quantity::of_units(1))]);
    if group.is_empty() && COUNTED.contains(&plural) {
        used.insert(plural.to_owned(), Quantity::of_units(1));
    }
    match (group, plural) {
        ("", "pods") if !is_over(object) => pod(object, &mut used),
        ("", "persistentvolumeclaims") => claim(object, &mut used),
        ("", "services") => {
            let kind = object.pointer("/spec/type").and_then(Value::as_str).unwrap_or_default();
            let ports = object.pointer("/spec/ports").and_then(Value::as_array).map_or(0, Vec::len);
            let ports = Quantity::of_units(i64::try_from(ports).unwrap_or(i64::MAX));
            match kind {
                "LoadBalancer" => {
                    used.insert("services.loadbalancers".to_owned(), Quantity::of_units(1));
                    used.insert("services.nodeports".to_owned(), ports);
                }
                "NodePort" => {
                    used.insert("services.nodeports".to_owned(), ports);
                }
                _ => {}
            }
        }
        _ => {}
    }
    used
}

/// Whether a pod has ended: it uses nothing any more, but is still an object.
fn is_over(pod: &Value) -> bool {
    matches!(pod.pointer("/status/phase").and_then(Value::as_str), Some("Succeeded" | "Failed"))
}

fn claim(claim: &Value, used: &mut Amounts) {
    let storage =
        claim.pointer("/spec/resources/requests/storage").and_then(Quantity::of_json).unwrap_or_else(Quantity::zero);
    used.insert("requests.storage".to_owned(), storage.clone());
    if let Some(class) = claim.pointer("/spec/storageClassName").and_then(Value::as_str) {
        let of_class = format!("{class}.storageclass.storage.k8s.io");
        used.insert(format!("{of_class}/requests.storage"), storage);
        used.insert(format!("{of_class}/persistentvolumeclaims"), Quantity::of_units(1));
    }
}

fn pod(pod: &Value, used: &mut Amounts) {
    used.insert("pods".to_owned(), Quantity::of_units(1));
    for (resource, amount) in of_containers(pod, "requests") {
        if STANDARD.contains(&resource.as_str()) {
            used.insert(resource.clone(), amount.clone());
        }
        used.insert(format!("requests.{resource}"), amount);
    }
    for (resource, amount) in of_containers(pod, "limits") {
        if STANDARD.contains(&resource.as_str()) {
            used.insert(format!("limits.{resource}"), amount);
        }
    }
}

/// The containers and sidecars together, or more for an init container that needs more while it runs. What the pod as a whole
/// asks for takes the place of that.
fn of_containers(pod: &Value, part: &str) -> Amounts {
    let list = |list: &str| pod.pointer(&format!("/spec/{list}")).and_then(Value::as_array).into_iter().flatten();
    let of = |container: &Value| amounts(container.pointer(&format!("/resources/{part}")));
    let (mut sidecars, mut at_start) = (Amounts::new(), Amounts::new());
    for container in list("initContainers") {
        let mut beside = sidecars.clone();
        add(&mut beside, &of(container));
        raise(&mut at_start, &beside);
        if container.get("restartPolicy").and_then(Value::as_str) == Some("Always") {
            sidecars = beside;
        }
    }
    let mut sum = sidecars;
    for container in list("containers") {
        add(&mut sum, &of(container));
    }
    raise(&mut sum, &at_start);
    sum.extend(amounts(pod.pointer(&format!("/spec/resources/{part}"))));
    sum
}

/// The greater amount of each.
fn raise(sum: &mut Amounts, others: &Amounts) {
    for (resource, amount) in others {
        let entry = sum.entry(resource.clone()).or_insert_with(Quantity::zero);
        if amount > entry {
            entry.clone_from(amount);
        }
    }
}

/// What the containers of a pod must say where a quota counts it, as the real plugin words it: `requests.cpu for: a,b`.
/// A pod that says it for all of them together, even in part, need not say it for each.
pub fn unspecified(pod: &Value, hard: &Amounts) -> Option<String> {
    let of_pod = |part: &str| pod.pointer(&format!("/spec/resources/{part}")).and_then(Value::as_object);
    if ["requests", "limits"].into_iter().any(|part| of_pod(part).is_some_and(|list| !list.is_empty())) {
        return None;
    }
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let lists = ["initContainers", "containers"].into_iter();
    let containers = lists.filter_map(|list| pod.pointer(&format!("/spec/{list}"))?.as_array()).flatten();
    for container in containers {
        for name in hard.keys() {
            let (part, resource) = name.split_once('.').unwrap_or(("requests", name));
            let said = || container.pointer(&format!("/resources/{part}/{resource}")).is_some();
            if STANDARD.contains(&resource) && matches!(part, "requests" | "limits") && !said() {
                let container = container.get("name").and_then(Value::as_str).unwrap_or_default();
                missing.entry(name).or_default().push(container);
            }
        }
    }
    let texts: Vec<_> = missing.iter().map(|(name, who)| format!("{name} for: {}", who.join(","))).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

/// Whether a quota's scopes let it count an object. Only pods have scopes.
pub fn counts(quota: &Value, group: &str, plural: &str, object: &Value) -> bool {
    let is_pod = group.is_empty() && plural == "pods";
    let scopes = quota.pointer("/spec/scopes").and_then(Value::as_array).into_iter().flatten();
    let expressions =
        quota.pointer("/spec/scopeSelector/matchExpressions").and_then(Value::as_array).into_iter().flatten();
    let selected = expressions.map(|expression| {
        let text = |field: &str| expression.get(field).and_then(Value::as_str).unwrap_or_default();
        let values = expression.get("values").and_then(Value::as_array).into_iter().flatten();
        is_pod
            && in_scope(
                text("scopeName"),
                text("operator"),
                &values.filter_map(Value::as_str).collect::<Vec<_>>(),
                object,
            )
    });
    scopes
        .map(|scope| is_pod && in_scope(scope.as_str().unwrap_or_default(), "Exists", &[], object))
        .chain(selected)
        .all(|in_it| in_it)
}

fn in_scope(scope: &str, operator: &str, values: &[&str], pod: &Value) -> bool {
    let best_effort = pod.pointer("/status/qosClass").and_then(Value::as_str) == Some("BestEffort");
    let terminating = pod.pointer("/spec/activeDeadlineSeconds").is_some_and(Value::is_i64);
    let class = pod.pointer("/spec/priorityClassName").and_then(Value::as_str).unwrap_or_default();
    match (scope, operator) {
        ("BestEffort", _) => best_effort,
        ("NotBestEffort", _) => !best_effort,
        ("Terminating", _) => terminating,
        ("NotTerminating", _) => !terminating,
        ("PriorityClass", "In") => values.contains(&class),
        ("PriorityClass", "NotIn") => !values.contains(&class),
        ("PriorityClass", "DoesNotExist") => class.is_empty(),
        ("PriorityClass", _) => !class.is_empty(),
        // Nobody here has affinity across namespaces.
        _ => false,
    }
}
