//! From bytes to a document with a pod in it: a plain pod, some entries of the contract suite's tables merged into it, and a
//! few of its values made odd.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::choices::{Choices, NUMBERS, TEXTS, odd};
use super::types::Type;

/// What pods are put together of: those that are taken, those that break a rule, and those that are not safe.
pub static TABLES: LazyLock<[Vec<Value>; 3]> = LazyLock::new(|| {
    [
        include_str!("../../../crates/dev-cluster/tests/contract/pod_tables/valid.yaml"),
        include_str!("../../../tests/cluster_contract/safety.yaml"),
        include_str!("../../../crates/dev-cluster/tests/contract/pod_tables/invalid.yaml"),
    ]
    .map(|table| {
        let entries: Map<String, Value> = serde_saphyr::from_str(table).expect("a table");
        entries.into_iter().map(|(_, entry)| entry).collect()
    })
});

/// A Pod, a Job or a FlashJob.
pub fn document(choices: &mut Choices<'_>) -> Value {
    let kind = choices.below(3);
    let mut pod = pod(choices);
    let template = |pod: &Value| json!({"metadata": pod["metadata"], "spec": pod["spec"]});
    match kind {
        0 => {
            if let Some(metadata) = pod["metadata"].as_object_mut() {
                metadata.insert("name".to_owned(), json!("p"));
            }
            pod
        }
        1 => {
            let tasks = 1 + choices.below(3);
            let mut spec = json!({"parallelism": tasks, "template": template(&pod)});
            merge(&mut spec, &job(tasks, choices));
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": spec})
        }
        _ => {
            let mut tasks = vec![template(&pod)];
            for _ in 0..choices.next() % 3 {
                let again = choices.next().is_multiple_of(2);
                tasks.push(if again { tasks[0].clone() } else { template(&self::pod(choices)) });
            }
            let spec = json!({"minAvailable": 1 + choices.next() % tasks.len(), "tasks": tasks});
            json!({"apiVersion": "scheduling.flash-sched.io/v1alpha1", "kind": "FlashJob", "metadata": {"name": "f"}, "spec": spec})
        }
    }
}

/// Fields of a Job beside its template.
fn job(tasks: usize, choices: &mut Choices<'_>) -> Value {
    match choices.below(6) {
        1 => json!({"completions": tasks, "completionMode": "Indexed"}),
        2 => json!({"activeDeadlineSeconds": choices.of(&NUMBERS), "ttlSecondsAfterFinished": choices.of(&NUMBERS)}),
        3 => json!({"backoffLimit": choices.of(&NUMBERS)}),
        _ => json!({}),
    }
}

fn pod(choices: &mut Choices<'_>) -> Value {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {
        "containers": [{"name": "main", "image": "busybox"}],
    }});
    for _ in 0..choices.next() % 5 {
        // Most of what people write is right.
        let table = match choices.next() % 16 {
            0..=10 => 0,
            11..=14 => 1,
            _ => 2,
        };
        let entry = choices.of(&TABLES[table]);
        let place = ["containers", "containers", "initContainers"][choices.next() % 3];
        for part in ["metadata", "spec"] {
            merge(&mut pod[part], &entry[part]);
        }
        if place == "initContainers" && pod["spec"][place].is_null() {
            pod["spec"][place] = json!([{"name": "init", "image": "busybox"}]);
        }
        if let Some(container) = pod["spec"][place].get_mut(0) {
            merge(container, &entry["container"]);
        }
    }
    for _ in 0..(choices.next() % 8).saturating_sub(4) {
        let steps = choices.next();
        let (part, name) = match choices.below(8) {
            7 => ("metadata", "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"),
            _ => ("spec", "io.k8s.api.core.v1.PodSpec"),
        };
        alter(&mut pod[part], Type::named(name), steps, choices);
    }
    pod
}

/// Puts the members of `more` into `whole`: mappings into mappings, and lists behind lists.
fn merge(whole: &mut Value, more: &Value) {
    let (Value::Object(whole), Value::Object(more)) = (whole, more) else { return };
    for (key, value) in more {
        match (whole.get_mut(key), value) {
            (Some(old @ Value::Object(_)), Value::Object(_)) => merge(old, value),
            (Some(Value::Array(old)), Value::Array(new)) if key != "containers" => old.extend(new.iter().cloned()),
            _ => {
                whole.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Makes a value of this type odd somewhere within, or gives it one more field.
fn alter(value: &mut Value, kind: Type, steps: usize, choices: &mut Choices<'_>) {
    let here = steps == 0 || choices.next().is_multiple_of(4);
    match value {
        Value::Object(members) if !here && !members.is_empty() => {
            let which = choices.next() % members.len();
            if let Some((name, member)) = members.iter_mut().nth(which) {
                alter(member, kind.field(name), steps - 1, choices);
            }
        }
        Value::Array(items) if !here && !items.is_empty() => {
            let which = choices.next() % items.len();
            if choices.next().is_multiple_of(4) {
                let again = items[which].clone();
                items.push(again);
            } else {
                alter(&mut items[which], kind.item(), steps - 1, choices);
            }
        }
        Value::Object(members) if choices.next() % 8 != 7 => {
            let more = kind.some_field(0, choices);
            let (name, member) = more.unwrap_or_else(|| ((*choices.of(&TEXTS)).to_owned(), odd(choices)));
            members.insert(name, member);
        }
        _ => *value = odd(choices),
    }
}
