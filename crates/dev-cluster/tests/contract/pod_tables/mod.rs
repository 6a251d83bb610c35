//! Tables of pods, to be tried one by one.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use serde_json::{Map, Value, json};

use super::arena::Arena;

/// The entries of a table, in their order.
pub fn read(table: &str) -> Map<String, Value> {
    serde_saphyr::from_str(table).expect("a table")
}

/// A plain pod with the `metadata` and `spec` of an entry, and in its container what the entry's `container` has.
pub fn pod(entry: &Value) -> Value {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {
        "containers": [{"name": "main", "image": "busybox"}],
    }});
    for part in ["metadata", "spec"] {
        merge(&mut pod[part], &entry[part]);
    }
    if !entry["container"].is_null() {
        merge(&mut pod["spec"]["containers"][0], &entry["container"]);
    }
    pod
}

/// Puts the members of `more` into `whole`, mappings into mappings.
pub fn merge(whole: &mut Value, more: &Value) {
    for (key, value) in more.as_object().into_iter().flatten() {
        match (&mut whole[key], value) {
            (whole @ Value::Object(_), Value::Object(_)) => merge(whole, value),
            (whole, value) => *whole = value.clone(),
        }
    }
}

/// What a cluster says to the creation of each object under this path: nothing where it takes it.
pub async fn tried(arena: &Arena, requests: Vec<(String, Value)>) -> Vec<Answer> {
    let ask = |(path, body): (String, Value)| {
        let client = arena.client.clone();
        let joint = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{joint}dryRun=All&fieldManager=test");
        async move {
            let request = http::Request::post(path).header("content-type", "application/json");
            let answer = client.send(request.body(body.to_string().into_bytes().into()).unwrap()).await.unwrap();
            let code = answer.status().as_u16();
            let warnings = answer.headers().get_all("warning").iter();
            let warnings = warnings.map(|text| text.to_str().unwrap().to_owned()).collect();
            let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let causes = body["details"]["causes"].as_array().into_iter().flatten();
            let cause =
                |cause: &Value| ["field", "message"].map(|part| cause[part].as_str().unwrap_or_default()).join(": ");
            let causes = causes.map(cause).collect();
            Answer { code, message: body["message"].as_str().unwrap_or_default().to_owned(), causes, warnings }
        }
    };
    futures::stream::iter(requests).map(ask).buffered(16).collect().await
}

/// What the cluster said.
pub struct Answer {
    pub code: u16,
    pub message: String,
    /// What is wrong with the object, in order and each once.
    pub causes: BTreeSet<String>,
    pub warnings: Vec<String>,
}

impl Answer {
    /// The verdict in a line. Values that are objects are shown by each server as its own language writes them, and how
    /// a body of the wrong types is told depends on its decoder.
    pub fn verdict(&self) -> String {
        match self.code {
            201 => "taken".to_owned(),
            400 => "400".to_owned(),
            422 => {
                let structure = regex::Regex::new(r"Invalid value: \{.*?\}: ").unwrap();
                let causes = self.causes.iter().cloned().collect::<Vec<_>>().join("; ");
                format!("422 {}", structure.replace_all(&causes, "Invalid value: {…}: "))
            }
            code => format!("{code} {}", self.message),
        }
    }
}
