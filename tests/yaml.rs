//! Reading YAML compared with the real kubectl: the same scalars and documents become the same JSON.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use platform::cluster::yaml;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

use crate::support::skip::skip;

/// Scalars that are made up, and how many kubectl is asked about at a time.
const SCALARS: usize = 4_000;
const AT_ONCE: usize = 500;

/// What scalars are made of, those characters most that mean something in a number.
const PARTS: [&str; 42] = [
    "0",
    "1",
    "7",
    "8",
    "9",
    "12",
    "0x",
    "0X",
    "0b",
    "0o",
    "0O",
    "_",
    ".",
    "e",
    "E",
    "+",
    "-",
    "e3",
    "e-2",
    "a",
    "F",
    "y",
    "n",
    "yes",
    "No",
    "on",
    "OFF",
    "true",
    "null",
    "~",
    ".inf",
    ".NaN",
    ":",
    "=",
    "<<",
    "1e400",
    "2001-01-01",
    "123456789012345678",
    "9223372036854775807",
    "T",
    "Z",
    ",",
];

fn kubectl() -> Option<PathBuf> {
    let path = Path::new(&std::env::var_os("KUBEBUILDER_ASSETS")?).join("kubectl");
    path.is_file().then_some(path)
}

/// What kubectl makes of a document, or what it says of it.
fn asked(kubectl: &Path, document: &str) -> Result<Value, String> {
    let mut command = Command::new(kubectl);
    command.args(["label", "--local", "-f", "-", "asked=yes", "-o", "json"]).env("HOME", env!("CARGO_TARGET_TMPDIR"));
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kubectl starts");
    child.stdin.take().expect("piped").write_all(document.as_bytes()).expect("kubectl reads");
    let output = child.wait_with_output().expect("kubectl ends");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let mut object: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    Ok(object["list"].take())
}

fn document(scalars: &[String]) -> String {
    let items: String = scalars.iter().map(|scalar| format!("- {scalar}\n")).collect();
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\nlist:\n{items}")
}

fn read(document: &str) -> Result<Value, String> {
    let nodes = yaml::read(document).map_err(|error| error.to_string())?;
    Ok(nodes[0].get("list").expect("a list").to_json())
}

fn same(left: &Value, right: &Value) -> bool {
    // serde_json reads a double to its last digit but one.
    let near = |left: f64, right: f64| (left - right).abs() <= left.abs() * 1e-15;
    left == right || left.as_f64().zip(right.as_f64()).is_some_and(|(left, right)| near(left, right))
}

/// Compares each of these, halving what kubectl refuses until the one that it refuses is found.
fn compare(kubectl: &Path, scalars: &[String], wrong: &mut Vec<String>) {
    match (asked(kubectl, &document(scalars)), read(&document(scalars))) {
        (Ok(theirs), Ok(ours)) => {
            let (theirs, ours) = (theirs.as_array().expect("a list"), ours.as_array().expect("a list"));
            for (scalar, (theirs, ours)) in scalars.iter().zip(theirs.iter().zip(ours)) {
                if !same(theirs, ours) {
                    wrong.push(format!("{scalar}: {theirs} to kubectl, {ours} to us"));
                }
            }
        }
        (Err(_), Err(_)) if scalars.len() == 1 => {}
        (theirs, ours) if scalars.len() == 1 => wrong.push(format!("{}: {theirs:?}, {ours:?}", scalars[0])),
        _ => {
            let (left, right) = scalars.split_at(scalars.len() / 2);
            compare(kubectl, left, wrong);
            compare(kubectl, right, wrong);
        }
    }
}

/// Whether YAML has more to say of it than what kind of scalar it is, and the two parsers may differ.
fn is_one_scalar(text: &str) -> bool {
    !text.starts_with([',', '-', '=', ':']) && !text.ends_with(':') && !matches!(text, ".inf" | "+.inf" | ".NaN" | "<<")
        || text.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
}

#[test]
fn made_up_scalars_mean_what_they_mean_to_kubectl() {
    let Some(kubectl) = kubectl() else { return skip("yaml", "set KUBEBUILDER_ASSETS to a folder with kubectl") };
    let mut random = StdRng::seed_from_u64(7);
    let mut scalars: Vec<String> = (0..SCALARS)
        .map(|_| (0..random.random_range(1..6)).map(|_| PARTS[random.random_range(0..PARTS.len())]).collect())
        .filter(|scalar: &String| is_one_scalar(scalar))
        .collect();
    scalars.sort();
    scalars.dedup();
    assert!(scalars.len() > SCALARS / 2);
    let mut wrong = Vec::new();
    for scalars in scalars.chunks(AT_ONCE) {
        compare(&kubectl, scalars, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
