//! Bodies in Kubernetes' protobuf: `kubectl create namespace` and its siblings send nothing else.
//!
//! Only what those commands send is known here; anything else is refused by name, so that nothing is lost in silence.
//! All other clients speak JSON, and every answer is JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// What a body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// How a field is read.
#[derive(Clone, Copy)]
enum Form {
    /// A text; an empty one is none.
    Text,
    /// A number; zero is none.
    Int,
    /// A number whose absence means something else than zero.
    OptionalInt,
    /// A truth; false is none.
    Bool,
    /// A truth whose absence means something else than false.
    OptionalBool,
    /// Bytes, in base64.
    Bytes,
    /// A message.
    Message(&'static [Row]),
    /// A map of texts to values of a form.
    Map(&'static Form),
    /// A quantity.
    Quantity,
    /// A number or a text.
    IntOrText,
    /// What only the server writes: not read.
    Skip,
}

/// A field: its number, its name in JSON, how it is read, and whether it is a list.
struct Row(u64, &'static str, Form, bool);

const fn one(number: u64, name: &'static str, form: Form) -> Row {
    Row(number, name, form, false)
}

const fn many(number: u64, name: &'static str, form: Form) -> Row {
    Row(number, name, form, true)
}

const TEXTS: Form = Form::Map(&Form::Text);
const BYTES: Form = Form::Map(&Form::Bytes);
const META: Form = Form::Message(OBJECT_META);

const OBJECT_META: &[Row] = &[
    one(1, "name", Form::Text),
    one(2, "generateName", Form::Text),
    one(3, "namespace", Form::Text),
    one(4, "selfLink", Form::Skip),
    one(5, "uid", Form::Skip),
    one(6, "resourceVersion", Form::Text),
    one(7, "generation", Form::Skip),
    one(8, "creationTimestamp", Form::Skip),
    one(11, "labels", TEXTS),
    one(12, "annotations", TEXTS),
    many(14, "finalizers", Form::Text),
];
const NAMESPACE: &[Row] = &[one(1, "metadata", META), one(2, "spec", Form::Skip), one(3, "status", Form::Skip)];
const CONFIG_MAP: &[Row] = &[
    one(1, "metadata", META),
    one(2, "data", TEXTS),
    one(3, "binaryData", BYTES),
    one(4, "immutable", Form::OptionalBool),
];
const SECRET: &[Row] = &[
    one(1, "metadata", META),
    one(2, "data", BYTES),
    one(3, "type", Form::Text),
    one(4, "stringData", TEXTS),
    one(5, "immutable", Form::OptionalBool),
];
const SERVICE_ACCOUNT: &[Row] = &[one(1, "metadata", META)];
const PRIORITY_CLASS: &[Row] = &[
    one(1, "metadata", META),
    one(2, "value", Form::OptionalInt),
    one(3, "globalDefault", Form::Bool),
    one(4, "description", Form::Text),
    one(5, "preemptionPolicy", Form::Text),
];
const RESOURCE_QUOTA: &[Row] = &[
    one(1, "metadata", META),
    one(2, "spec", Form::Message(&[one(1, "hard", Form::Map(&Form::Quantity)), many(2, "scopes", Form::Text)])),
    one(3, "status", Form::Skip),
];
const ACCESS_REVIEW: &[Row] = &[
    one(1, "metadata", META),
    one(
        2,
        "spec",
        Form::Message(&[
            one(
                1,
                "resourceAttributes",
                Form::Message(&[
                    one(1, "namespace", Form::Text),
                    one(2, "verb", Form::Text),
                    one(3, "group", Form::Text),
                    one(4, "version", Form::Text),
                    one(5, "resource", Form::Text),
                    one(6, "subresource", Form::Text),
                    one(7, "name", Form::Text),
                ]),
            ),
            one(2, "nonResourceAttributes", Form::Message(&[one(1, "path", Form::Text), one(2, "verb", Form::Text)])),
        ]),
    ),
    one(3, "status", Form::Skip),
];
const CONTAINER: &[Row] = &[
    one(1, "name", Form::Text),
    one(2, "image", Form::Text),
    many(3, "command", Form::Text),
    many(4, "args", Form::Text),
    one(5, "workingDir", Form::Text),
    many(
        6,
        "ports",
        Form::Message(&[
            one(1, "name", Form::Text),
            one(2, "hostPort", Form::Int),
            one(3, "containerPort", Form::Int),
            one(4, "protocol", Form::Text),
            one(5, "hostIP", Form::Text),
        ]),
    ),
    many(7, "env", Form::Message(&[one(1, "name", Form::Text), one(2, "value", Form::Text)])),
    one(
        8,
        "resources",
        Form::Message(&[one(1, "limits", Form::Map(&Form::Quantity)), one(2, "requests", Form::Map(&Form::Quantity))]),
    ),
    one(13, "terminationMessagePath", Form::Text),
    one(14, "imagePullPolicy", Form::Text),
    one(16, "stdin", Form::Bool),
    one(17, "stdinOnce", Form::Bool),
    one(18, "tty", Form::Bool),
    one(20, "terminationMessagePolicy", Form::Text),
];
const POD_SPEC: &[Row] = &[
    many(2, "containers", Form::Message(CONTAINER)),
    one(3, "restartPolicy", Form::Text),
    one(4, "terminationGracePeriodSeconds", Form::OptionalInt),
    one(5, "activeDeadlineSeconds", Form::OptionalInt),
    one(6, "dnsPolicy", Form::Text),
    one(7, "nodeSelector", TEXTS),
    one(8, "serviceAccountName", Form::Text),
    one(9, "serviceAccount", Form::Text),
    one(10, "nodeName", Form::Text),
    one(11, "hostNetwork", Form::Bool),
    one(12, "hostPID", Form::Bool),
    one(13, "hostIPC", Form::Bool),
    one(16, "hostname", Form::Text),
    one(17, "subdomain", Form::Text),
    one(19, "schedulerName", Form::Text),
    one(24, "priorityClassName", Form::Text),
];
const TEMPLATE: Form = Form::Message(&[one(1, "metadata", META), one(2, "spec", Form::Message(POD_SPEC))]);
const SELECTOR: Form = Form::Message(&[one(1, "matchLabels", TEXTS)]);
const DEPLOYMENT: &[Row] = &[
    one(1, "metadata", META),
    one(
        2,
        "spec",
        Form::Message(&[
            one(1, "replicas", Form::OptionalInt),
            one(2, "selector", SELECTOR),
            one(3, "template", TEMPLATE),
            one(4, "strategy", Form::Message(&[one(1, "type", Form::Text)])),
            one(5, "minReadySeconds", Form::Int),
            one(6, "revisionHistoryLimit", Form::OptionalInt),
            one(7, "paused", Form::Bool),
            one(9, "progressDeadlineSeconds", Form::OptionalInt),
        ]),
    ),
    one(3, "status", Form::Skip),
];
const JOB_SPEC: Form = Form::Message(&[
    one(1, "parallelism", Form::OptionalInt),
    one(2, "completions", Form::OptionalInt),
    one(3, "activeDeadlineSeconds", Form::OptionalInt),
    one(4, "selector", SELECTOR),
    one(5, "manualSelector", Form::OptionalBool),
    one(6, "template", TEMPLATE),
    one(7, "backoffLimit", Form::OptionalInt),
    one(8, "ttlSecondsAfterFinished", Form::OptionalInt),
]);
const JOB: &[Row] = &[one(1, "metadata", META), one(2, "spec", JOB_SPEC), one(3, "status", Form::Skip)];
const CRON_JOB: &[Row] = &[
    one(1, "metadata", META),
    one(
        2,
        "spec",
        Form::Message(&[
            one(1, "schedule", Form::Text),
            one(2, "startingDeadlineSeconds", Form::OptionalInt),
            one(3, "concurrencyPolicy", Form::Text),
            one(4, "suspend", Form::OptionalBool),
            one(5, "jobTemplate", Form::Message(&[one(1, "metadata", META), one(2, "spec", JOB_SPEC)])),
        ]),
    ),
    one(3, "status", Form::Skip),
];
const SERVICE: &[Row] = &[
    one(1, "metadata", META),
    one(
        2,
        "spec",
        Form::Message(&[
            many(
                1,
                "ports",
                Form::Message(&[
                    one(1, "name", Form::Text),
                    one(2, "protocol", Form::Text),
                    one(3, "port", Form::Int),
                    one(4, "targetPort", Form::IntOrText),
                    one(5, "nodePort", Form::Int),
                ]),
            ),
            one(2, "selector", TEXTS),
            one(3, "clusterIP", Form::Text),
            one(4, "type", Form::Text),
            one(7, "sessionAffinity", Form::Text),
            one(8, "loadBalancerIP", Form::Text),
            one(10, "externalName", Form::Text),
            one(11, "externalTrafficPolicy", Form::Text),
            one(12, "healthCheckNodePort", Form::Int),
            one(13, "publishNotReadyAddresses", Form::Bool),
        ]),
    ),
    one(3, "status", Form::Skip),
];

fn message_of(api_version: &str, kind: &str) -> Option<&'static [Row]> {
    Some(match (api_version, kind) {
        ("v1", "Namespace") => NAMESPACE,
        ("v1", "ConfigMap") => CONFIG_MAP,
        ("v1", "Secret") => SECRET,
        ("v1", "ServiceAccount") => SERVICE_ACCOUNT,
        ("v1", "ResourceQuota") => RESOURCE_QUOTA,
        ("v1", "Service") => SERVICE,
        ("apps/v1", "Deployment") => DEPLOYMENT,
        ("batch/v1", "Job") => JOB,
        ("batch/v1", "CronJob") => CRON_JOB,
        ("scheduling.k8s.io/v1", "PriorityClass") => PRIORITY_CLASS,
        ("authorization.k8s.io/v1", "SelfSubjectAccessReview") => ACCESS_REVIEW,
        _ => return None,
    })
}

/// Reads a body as the JSON it stands for.
pub fn decode(bytes: &[u8]) -> Result<Value, String> {
    let envelope = bytes.strip_prefix(MAGIC).ok_or("provided data does not appear to be a protobuf message")?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for field in fields(envelope)? {
        match (field.number, field.wire) {
            (1, Wire::Bytes(type_meta)) => {
                for field in fields(type_meta)? {
                    match (field.number, field.wire) {
                        (1, Wire::Bytes(text)) => api_version = String::from_utf8_lossy(text).into_owned(),
                        (2, Wire::Bytes(text)) => kind = String::from_utf8_lossy(text).into_owned(),
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(object)) => raw = object,
            _ => {}
        }
    }
    let rows = message_of(&api_version, &kind)
        .ok_or_else(|| format!("{kind} in version {api_version:?} cannot be read from protobuf here: send JSON"))?;
    let mut value = message(rows, raw, &kind)?;
    value.insert("apiVersion".to_owned(), json!(api_version));
    value.insert("kind".to_owned(), json!(kind));
    Ok(Value::Object(value))
}

fn message(rows: &[Row], bytes: &[u8], path: &str) -> Result<Map<String, Value>, String> {
    let mut object = Map::new();
    for field in fields(bytes)? {
        let Some(Row(_, name, form, list)) = rows.iter().find(|row| row.0 == field.number) else {
            return Err(format!("field {} of {path} cannot be read from protobuf here: send JSON", field.number));
        };
        let path = format!("{path}.{name}");
        if let (Form::Map(form), Wire::Bytes(entry)) = (form, field.wire) {
            let (key, value) = map_entry(**form, entry, &path)?;
            let map = object.entry(*name).or_insert_with(|| Value::Object(Map::new()));
            super::object::object_mut(map).insert(key, value);
            continue;
        }
        let Some(value) = read(*form, field.wire, &path)? else { continue };
        if *list {
            let entries = object.entry(*name).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(entries) = entries {
                entries.push(value);
            }
        } else {
            object.insert((*name).to_owned(), value);
        }
    }
    Ok(object)
}

fn map_entry(form: Form, entry: &[u8], path: &str) -> Result<(String, Value), String> {
    let (mut key, mut value) = (String::new(), Value::from(""));
    for field in fields(entry)? {
        match (field.number, field.wire) {
            (1, Wire::Bytes(text)) => key = String::from_utf8_lossy(text).into_owned(),
            (2, wire) => value = read(form, wire, path)?.unwrap_or_else(|| Value::from("")),
            _ => {}
        }
    }
    Ok((key, value))
}

fn read(form: Form, wire: Wire<'_>, path: &str) -> Result<Option<Value>, String> {
    let value = match (form, wire) {
        (Form::Skip, _) => None,
        (Form::Text, Wire::Bytes(text)) => {
            Some(String::from_utf8_lossy(text)).filter(|t| !t.is_empty()).map(|t| json!(t))
        }
        (Form::Bytes, Wire::Bytes(bytes)) => Some(json!(STANDARD.encode(bytes))),
        (Form::Int, Wire::Number(number)) => Some(number.cast_signed()).filter(|number| *number != 0).map(Value::from),
        (Form::OptionalInt, Wire::Number(number)) => Some(Value::from(number.cast_signed())),
        (Form::Bool, Wire::Number(number)) => Some(number != 0).filter(|truth| *truth).map(Value::from),
        (Form::OptionalBool, Wire::Number(number)) => Some(Value::from(number != 0)),
        (Form::Message(rows), Wire::Bytes(bytes)) => Some(Value::Object(message(rows, bytes, path)?)),
        (Form::Quantity, Wire::Bytes(bytes)) => {
            message(&[one(1, "text", Form::Text)], bytes, path)?.shift_remove("text")
        }
        (Form::IntOrText, Wire::Bytes(bytes)) => {
            let rows = &[one(1, "type", Form::Int), one(2, "int", Form::Int), one(3, "text", Form::Text)];
            let mut parts = message(rows, bytes, path)?;
            parts.shift_remove("text").or_else(|| parts.shift_remove("int"))
        }
        _ => return Err(format!("{path} has another wire type than expected")),
    };
    Ok(value)
}

/// A field on the wire.
struct WireField<'a> {
    number: u64,
    wire: Wire<'a>,
}

#[derive(Clone, Copy)]
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn fields(mut bytes: &[u8]) -> Result<Vec<WireField<'_>>, String> {
    const CUT: &str = "the protobuf message is cut short";
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes).ok_or(CUT)?;
        let wire = match tag & 7 {
            0 => Wire::Number(varint(&mut bytes).ok_or(CUT)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes).ok_or(CUT)?).map_err(|_| CUT)?;
                let (taken, rest) = bytes.split_at_checked(length).ok_or(CUT)?;
                bytes = rest;
                Wire::Bytes(taken)
            }
            other => return Err(format!("protobuf wire type {other} is not used by Kubernetes")),
        };
        fields.push(WireField { number: tag >> 3, wire });
    }
    Ok(fields)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A field of bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).expect("short");
        [&[number << 3 | 2, length], bytes].concat()
    }

    #[test]
    fn a_config_map_is_read_as_its_json() {
        let entry = [field(1, b"key"), field(2, b"text")].concat();
        let object = [field(1, &field(1, b"name")), field(2, &entry)].concat();
        let type_meta = [field(1, b"v1"), field(2, b"ConfigMap")].concat();
        let body = [MAGIC, &field(1, &type_meta), &field(2, &object)].concat();
        let read = decode(&body).expect("readable");
        assert_eq!(
            read,
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "name"}, "data": {"key": "text"}})
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&[MAGIC, &bytes].concat());
            let _ = message(DEPLOYMENT, &bytes, "Deployment");
        }
    }
}
