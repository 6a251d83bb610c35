//! A short run of the fuzz targets: the whole corpus, and a few thousand mutations of it, the same in each run.
//! `make fuzz` searches for new inputs with libFuzzer.

#[path = "../fuzz/targets/mod.rs"]
pub mod targets;

use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use targets::Target;

const MUTATIONS: usize = 3_000;

/// Says which input it was when a target panics.
struct Shown<'i>(&'i str, &'i [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the input of {}: b\"{}\"", self.0, self.1.escape_ascii());
        }
    }
}

/// Runs the target of this name over its corpus and what comes of it.
fn run(name: &str) {
    let target = targets::ALL.into_iter().find(|target| target.name == name).unwrap();
    let corpus = corpus(&target);
    for input in &corpus {
        check(&target, input);
    }
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..MUTATIONS {
        check(&target, &mutated(&corpus, &mut random));
    }
}

fn check(target: &Target, input: &[u8]) {
    let _shown = Shown(target.name, input);
    (target.check)(input);
}

/// The kept inputs of a target.
pub fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no corpus", target.name);
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// A few changes to an input: bytes set, taken out and doubled, and a piece of another input put in.
pub fn mutated(corpus: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let mut input = corpus[random.random_range(0..corpus.len())].clone();
    for _ in 0..random.random_range(1..6) {
        let place = random.random_range(0..=input.len());
        match random.random_range(0..4) {
            0 if place < input.len() => input[place] = random.random(),
            1 if place < input.len() => drop(input.remove(place)),
            2 => input.insert(place, random.random()),
            _ => {
                let other = &corpus[random.random_range(0..corpus.len())];
                let from = random.random_range(0..=other.len());
                let to = random.random_range(from..=other.len().min(from + 40));
                input.splice(place..place, other[from..to].iter().copied());
            }
        }
    }
    input
}

#[test]
fn cursors() {
    run("cursors");
}

#[test]
fn http_body() {
    run("http_body");
}

#[test]
fn ids() {
    run("ids");
}

#[test]
fn images() {
    run("images");
}

#[test]
fn pods() {
    run("pods");
}

#[test]
fn quantities() {
    run("quantities");
}

#[test]
fn websocket() {
    run("websocket");
}

#[test]
fn yaml() {
    run("yaml");
}

#[test]
fn every_target_runs_here() {
    let text = include_str!("fuzz.rs");
    for target in targets::ALL {
        assert!(text.contains(&format!("run(\"{}\")", target.name)), "{} is not run", target.name);
    }
}
