//! A ConfigMap: its keys and its size.

use k8s_openapi::api::core::v1::ConfigMap;

use crate::cluster::pod_rules::names::CONFIG_KEY;
use crate::cluster::pod_rules::report::{At, Report, quoted};

/// Maximum size of all values together, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

pub(super) fn check(map: &ConfigMap, at: &At<'_>, report: &mut Report) {
    let mut bytes = 0_usize;
    let key = |key: &str, at: &At<'_>, report: &mut Report| {
        if !(CONFIG_KEY.fits)(key) {
            report.say(at, format!("has the key {}; it must be {}", quoted(key), CONFIG_KEY.allowed));
        }
    };
    let (data, binary) = (at.field("data"), at.field("binaryData"));
    for (name, value) in map.data.iter().flatten() {
        key(name, &data, report);
        bytes = bytes.saturating_add(value.len());
    }
    for (name, value) in map.binary_data.iter().flatten() {
        key(name, &binary, report);
        bytes = bytes.saturating_add(value.0.len());
        if map.data.as_ref().is_some_and(|data| data.contains_key(name)) {
            report.say(&binary.key(name), "is also a key of data; a key may be in only one of the two");
        }
    }
    if bytes > MAX_BYTES {
        report.say(&data, format!("has {bytes} bytes together with binaryData; at most {MAX_BYTES} are allowed"));
    }
}
