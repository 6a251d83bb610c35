//! Pods that nobody writes: rows mixed with each other, with odd values here and there.

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use kube::api::PostParams;
use platform::cluster::pod_rules;
use serde_json::{Value, json};

use super::super::arena::Arena as Place;
use super::{container_rows, rows};

/// Numbers that are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % most.max(1)
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Values that are odd in one place or another.
fn odd() -> Vec<Value> {
    let texts = [
        "",
        "a",
        "A",
        "a b",
        "a.b",
        "a/b",
        "..",
        "../a",
        "/",
        "/a",
        "/a/",
        "a:b",
        "ä",
        "1",
        "-1",
        "0",
        "500m",
        "1Gi",
        "1GiB",
        "64",
        "Always",
        "Never",
        "Exists",
        "In",
        "None",
        "True",
        "metadata.name",
        "limits.cpu",
        "example.com/a",
        "A_b",
        "a=b",
        "-a",
        "a-",
        "a\nb",
        " ",
        "localhost/a",
        "1.2.3.4",
        "::ffff:1.2.3.4",
        "SIGTERM",
        "UDP",
    ];
    let numbers = [-1, 0, 1, 2, 30, 420, 511, 512, 65535, 65536, 2_147_483_647, 2_147_483_648_i64];
    let mut all: Vec<Value> = texts.into_iter().map(Value::from).chain(numbers.map(Value::from)).collect();
    all.extend([json!(null), json!(true), json!([]), json!({}), json!("x".repeat(64)), json!("x".repeat(254))]);
    all
}

/// The places of all values below this one.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
            found.push(at.clone());
            places(value, &at, found);
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| {
            found.push(format!("{at}/{index}"));
            places(value, &format!("{at}/{index}"), found);
        }),
        _ => {}
    }
}

/// Adds the members of another pod to those of this one.
fn mix(pod: &mut Value, other: &Value) {
    match (pod, other) {
        (Value::Object(fields), Value::Object(others)) => {
            for (key, other) in others {
                match fields.get_mut(key) {
                    Some(value) => mix(value, other),
                    None => drop(fields.insert(key.clone(), other.clone())),
                }
            }
        }
        (Value::Array(items), Value::Array(others)) => {
            for (index, other) in others.iter().enumerate() {
                match items.get_mut(index) {
                    Some(item) => mix(item, other),
                    None => items.push(other.clone()),
                }
            }
        }
        _ => {}
    }
}

/// Rows that are mixed with each other and changed here and there.
pub fn changed(number: usize, seed: u64) -> Vec<Value> {
    let rows: Vec<Value> = [
        rows::resources(),
        container_rows::containers(),
        container_rows::probes(),
        container_rows::volumes(),
        rows::metadata(),
        rows::placement(),
        rows::fields(),
    ]
    .into_iter()
    .flatten()
    // A long text is what it is alone.
    .map(|(_, row)| row)
    .filter(|row| row.to_string().len() < 2000)
    .collect();
    let (odd, mut dice) = (odd(), Dice(seed | 1));
    let mut all = Vec::new();
    while all.len() < number {
        let mut pod = dice.of(&rows).clone();
        if dice.below(2) == 0 {
            mix(&mut pod, dice.of(&rows));
        }
        for _ in 0..dice.below(3) {
            let mut found = Vec::new();
            places(&pod, "", &mut found);
            let place = dice.of(&found).clone();
            if let Some(value) = pod.pointer_mut(&place) {
                *value = dice.of(&odd).clone();
            }
        }
        if serde_json::from_value::<Pod>(named(pod.clone())).is_ok() {
            all.push(pod);
        }
    }
    all
}

fn named(mut pod: Value) -> Value {
    let metadata = pod.as_object_mut().unwrap().entry("metadata").or_insert_with(|| json!({}));
    match metadata {
        Value::Object(fields) => drop(fields.insert("name".to_owned(), json!("p"))),
        other => *other = json!({ "name": "p" }),
    }
    pod
}

/// Whatever the platform admits of these, the server takes.
pub async fn admitted_are_taken(arena: &Place, pods: Vec<Value>) {
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let (params, api) = (&params, &arena.api::<Pod>());
    let admitted = pods.into_iter().map(named).filter_map(|object| {
        let mut template: PodTemplateSpec = serde_json::from_value(object.clone()).expect("a template");
        let ours = pod_rules::task_violations(&template, "");
        let pod = template.spec.take()?;
        let images = pod.containers.iter().chain(pod.init_containers.iter().flatten());
        // What is refused elsewhere: pod safety, and the images that are missing.
        let safe = platform::cluster::safety::violations(&object["spec"], "").is_empty();
        let complete = images.clone().all(|container| container.image.is_some());
        (ours.is_empty() && safe && complete).then_some(object)
    });
    let answers = futures::stream::iter(admitted).map(async |object| {
        let pod: Pod = serde_json::from_value(object.clone()).expect("a pod");
        api.create(params, &pod).await.err().map(|error| format!("{error}: {object}"))
    });
    let answers: Vec<Option<String>> = answers.buffer_unordered(16).collect().await;
    let count = answers.len();
    let wrong: Vec<String> = answers.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{} of {count} admitted pods are refused\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 100, "only {count} pods were admitted");
}
