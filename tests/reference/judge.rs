//! The third opinion: graphql-js, the reference implementation of the specification, if it and node are installed.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

use super::compared::{Outcome, is_same_text};
use super::made::Made;

/// An operation, and what two servers made of it.
pub struct Asked {
    pub made: Made,
    pub ours: Outcome,
    pub theirs: Outcome,
}

/// What graphql-js makes of an operation.
#[derive(Debug, Clone, Deserialize)]
pub struct Verdict {
    /// Why it is not to be executed, if it is not.
    pub refused: Option<String>,
    /// What is to be answered where the fields have the stock server's values and fail where ours did.
    pub data: Value,
}

impl Verdict {
    /// Whether this is what ours did, but for the order of fields.
    pub fn agrees(&self, ours: &Outcome) -> bool {
        match ours {
            Outcome::Refused(_) => self.refused.is_some(),
            Outcome::Executed { data, .. } => self.refused.is_none() && *data == self.data,
        }
    }

    /// Whether this is what ours did, in the same order.
    pub fn agrees_on_order(&self, ours: &Outcome) -> bool {
        match ours {
            Outcome::Refused(_) => true,
            Outcome::Executed { data, .. } => is_same_text(data, &self.data),
        }
    }
}

/// The verdict on each operation; `None` where graphql-js is not installed.
pub fn judge(sdl: &str, operations: &[Asked]) -> Option<Vec<Verdict>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    if !folder.join("node_modules/graphql").exists() {
        return None;
    }
    let operations = operations.iter().map(|Asked { made, ours, theirs }| {
        let (values, failed) = match (ours, theirs) {
            (Outcome::Executed { data, errors }, Outcome::Executed { data: found, .. }) => {
                let failed: Vec<&str> = errors.iter().map(|(path, _)| path.as_str()).collect();
                (with_what_is_empty(found, data), failed)
            }
            _ => (Value::Null, Vec::new()),
        };
        let Made { document, variables } = made;
        json!({ "document": document, "variables": variables, "values": values, "failed": failed })
    });
    let asked = json!({ "sdl": sdl, "operations": operations.collect::<Vec<_>>() }).to_string();
    let mut node = Command::new("node");
    node.arg("judge.mjs").current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = node.spawn().ok()?;
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(asked.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "judge.mjs failed");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// `found` with the objects of `ours` where the stock server has null, though nothing failed: a selection of nothing is null
/// there, and takes with it what other selections of the same field have brought.
fn with_what_is_empty(found: &Value, ours: &Value) -> Value {
    match (found, ours) {
        (Value::Null, Value::Object(_)) => ours.clone(),
        (Value::Object(found), Value::Object(ours)) => {
            let fields = found
                .iter()
                .map(|(name, value)| (name.clone(), with_what_is_empty(value, ours.get(name).unwrap_or(&Value::Null))));
            fields.collect()
        }
        (Value::Array(found), Value::Array(ours)) if found.len() == ours.len() => {
            found.iter().zip(ours).map(|(found, ours)| with_what_is_empty(found, ours)).collect()
        }
        _ => found.clone(),
    }
}
