//! Pods that nobody thought of: what the platform admits, the cluster takes, the FlashJob and each of its pods.
//!
//! A few hundred with every run; `FUZZ_SECONDS` searches longer (`make fuzz FUZZ=pods`) and keeps what breaks the rule in
//! `fuzz/broken`.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::Api;
use kube::api::{Patch, PatchParams};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::arena::Arena as Place;
use super::pod_tables::tried;
use crate::fuzz::targets::pods::{QUEUE, flash_job, pods, shown};
use crate::fuzz::{corpus, mutated, targets};

/// Inputs of one round: their pods are tried side by side.
const ROUND: usize = 200;

/// The FlashJob of an input and its pods, where they would be made.
fn requests(namespace: &str, input: &[u8]) -> Vec<(String, Value)> {
    let Some(mut job) = flash_job(input) else { return Vec::new() };
    job["metadata"]["namespace"] = json!(namespace);
    let pods = pods(&job).into_iter().map(|pod| (format!("/api/v1/namespaces/{namespace}/pods"), pod));
    let pods: Vec<_> = pods.collect();
    let path = format!("/apis/scheduling.flash-sched.io/v1alpha1/namespaces/{namespace}/flashjobs");
    std::iter::once((path, job)).chain(pods).collect()
}

/// Tries a round of inputs, but for objects that were tried before; answers how many objects that were, and what was
/// refused.
async fn round(arena: &Place, inputs: &[Vec<u8>], known: &mut HashSet<[u8; 32]>) -> (usize, Vec<String>) {
    let (mut owners, mut asked) = (Vec::new(), Vec::new());
    for input in inputs {
        for (path, object) in requests(&arena.namespace, input) {
            if known.insert(Sha256::digest(object.to_string()).into()) {
                owners.push(input);
                asked.push((path, object));
            }
        }
    }
    let count = asked.len();
    let mut broken = Vec::new();
    for (input, answer) in owners.into_iter().zip(tried(arena, asked).await) {
        if answer.code != 201 {
            keep(input);
            broken.push(format!("{} {}\n{}", answer.code, answer.message, shown(input)));
        }
    }
    (count, broken)
}

fn keep(input: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/broken");
    let digest = Sha256::digest(input);
    let name: String = digest.iter().take(10).map(|byte| format!("{byte:02x}")).collect();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("pods-{name}")), input).unwrap();
}

contract! {
    async fn what_the_platform_admits_the_cluster_takes(arena: Arena) {
        let class: PriorityClass = serde_json::from_value(json!({
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": QUEUE}, "value": 100,
        })).unwrap();
        let classes = Api::<PriorityClass>::all(arena.client.clone());
        classes.patch(QUEUE, &PatchParams::apply("fuzzing").force(), &Patch::Apply(&class)).await.unwrap();

        let target = targets::ALL.into_iter().find(|target| target.name == "pods").unwrap();
        let corpus = corpus(&target);
        let seconds = std::env::var("FUZZ_SECONDS").ok().map(|seconds| seconds.parse().expect("seconds"));
        let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let seed = if until.is_some() { rand::random() } else { 1 };
        let mut random = StdRng::seed_from_u64(seed);
        let mut known = HashSet::new();
        let (mut count, mut broken) = round(&arena, &corpus, &mut known).await;
        loop {
            let inputs: Vec<Vec<u8>> = (0..ROUND).map(|_| {
                // What is kept is short: long inputs make larger pods.
                if random.random_range(0..4) != 0 {
                    (0..random.random_range(8..160)).map(|_| random.random()).collect()
                } else {
                    mutated(&corpus, &mut random)
                }
            }).collect();
            let (more, refused) = round(&arena, &inputs, &mut known).await;
            count += more;
            broken.extend(refused);
            if until.is_none_or(|until| Instant::now() > until) || broken.len() > 20 {
                break;
            }
        }
        if until.is_some() {
            println!("{count} objects were tried");
        }
        assert!(broken.is_empty(), "{} of {count} objects were refused:\n{}", broken.len(), broken.join("\n\n"));
    }
}
