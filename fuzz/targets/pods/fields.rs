//! The fields that a client sends beside a config or in place of one: a job spec, and what is changed for one run.

use serde_json::{Map, Value, json};

use super::choices::{Choices, TEXTS};

const IMAGES: [&str; 8] =
    ["busybox", "python:3.12", "registry.example:5000/team/train:v1", "a@sha256:0", "A b", "a:", "/a", "localhost/a"];
const NAMES: [&str; 9] = ["A", "B", "PATH", "1A", "a.b-c", "a=b", "PLATFORM_X", "JOB_COMPLETION_INDEX", "ä"];
const PATHS: [&str; 8] = ["/work", "/", "work", "/a/../b", "/a b", "//", "/a:b", "/ä"];
const AMOUNTS: [&str; 20] = [
    "1",
    "2",
    "500m",
    "1500m",
    "64Mi",
    "1Gi",
    "1.5Gi",
    "1n",
    "100u",
    "1e3",
    "1E3",
    "1e-9",
    "0.0000000001",
    ".5",
    "+1",
    "0",
    "100m",
    "7Ei",
    "8Ei",
    "9223372036854775807",
];
const COUNTS: [i64; 9] = [1, 2, 3, 0, -1, 256, 257, 2_147_483_647, 2_147_483_648];
const MEMBERS: [&str; 11] = [
    "command",
    "args",
    "workingDir",
    "env",
    "resources",
    "replicas",
    "minAvailable",
    "activeDeadlineSeconds",
    "ttlSecondsAfterFinished",
    "retries",
    "mounts",
];

/// A job spec.
pub fn spec(choices: &mut Choices<'_>) -> Value {
    let mut spec = members(choices);
    spec.insert("image".to_owned(), json!(text(&IMAGES, choices)));
    Value::Object(spec)
}

/// What is changed for one run, if anything.
pub fn overrides(choices: &mut Choices<'_>) -> Option<Value> {
    if choices.below(3) == 0 {
        return None;
    }
    let mut changes = members(choices);
    if choices.below(3) == 1 {
        changes.insert("image".to_owned(), json!(text(&IMAGES, choices)));
    }
    Some(Value::Object(changes))
}

fn members(choices: &mut Choices<'_>) -> Map<String, Value> {
    let mut members = Map::new();
    for _ in 0..choices.below(6) {
        let member = *choices.of(&MEMBERS);
        let value = match member {
            "command" | "args" => json!(texts(choices)),
            "workingDir" => json!(text(&PATHS, choices)),
            "env" => list(choices, |choices| json!({"name": text(&NAMES, choices), "value": *choices.of(&TEXTS)})),
            "resources" => resources(choices),
            // Nobody has a claim: a mount is refused, and is seldom.
            "mounts" if choices.below(8) != 0 => json!([]),
            "mounts" => json!([{"claim": "c", "path": text(&PATHS, choices)}]),
            _ => json!(choices.of(&COUNTS)),
        };
        members.insert(member.to_owned(), value);
    }
    members
}

fn resources(choices: &mut Choices<'_>) -> Value {
    let mut amounts = Map::new();
    for _ in 0..choices.below(5) {
        let name = *choices.of(&["cpu", "memory", "gpu", "cpuLimit", "memoryLimit"]);
        let amount = match name {
            "gpu" => json!(choices.of(&[1, 0, 8, 64, 65, -1])),
            _ => json!(text(&AMOUNTS, choices)),
        };
        amounts.insert(name.to_owned(), amount);
    }
    Value::Object(amounts)
}

fn texts(choices: &mut Choices<'_>) -> Value {
    list(choices, |choices| json!(*choices.of(&TEXTS)))
}

fn list(choices: &mut Choices<'_>, item: impl Fn(&mut Choices<'_>) -> Value) -> Value {
    (0..choices.below(4)).map(|_| item(choices)).collect()
}

/// A text that may stand here, and now and then any.
fn text(usual: &[&'static str], choices: &mut Choices<'_>) -> &'static str {
    let any = choices.below(8) == 7;
    choices.of::<&str>(if any { &TEXTS } else { usual })
}
