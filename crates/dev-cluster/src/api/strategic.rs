//! Strategic merge patch: a merge patch that knows by which key the entries of a list are the same.

use super::schema::CompiledVersion;
use serde_json::{Map, Value};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ORDER: &str = "$setElementOrder/";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";

/// Lists of plain values that merge as sets.
const MERGED_SETS: [&str; 2] = ["finalizers", "podCIDRs"];

/// Applies a patch.
pub fn merge(schema: Option<&CompiledVersion>, target: &mut Value, patch: Value) -> Result<(), String> {
    let Value::Object(patch) = patch else { return Err("a strategic merge patch is an object".to_owned()) };
    Merger { schema, path: Vec::new() }.merge_into(target, patch)
}

struct Merger<'a> {
    schema: Option<&'a CompiledVersion>,
    /// The names of the fields walked through, `*` for a step into a list.
    path: Vec<String>,
}

impl Merger<'_> {
    fn merge_into(&mut self, target: &mut Value, mut patch: Map<String, Value>) -> Result<(), String> {
        match patch.shift_remove(DIRECTIVE).as_ref().and_then(Value::as_str) {
            Some("replace") => {
                *target = Value::Object(patch);
                return Ok(());
            }
            Some("delete") => {
                *target = Value::Object(Map::new());
                return Ok(());
            }
            Some("merge") | None => {}
            Some(other) => return Err(format!("Wrong value for $patch: {other}")),
        }
        let target = super::object::object_mut(target);
        if let Some(Value::Array(retained)) = patch.shift_remove(RETAIN_KEYS) {
            target.retain(|name, _| retained.iter().any(|key| key == name));
        }
        let orders: Vec<(String, Value)> = take_prefixed(&mut patch, SET_ORDER);
        for (field, removed) in take_prefixed(&mut patch, DELETE_FROM) {
            let removed = removed.as_array().cloned().unwrap_or_default();
            if let Some(list) = target.get_mut(&field).and_then(Value::as_array_mut) {
                list.retain(|entry| !removed.contains(entry));
            }
        }
        for (field, value) in patch {
            self.path.push(field.clone());
            self.merge_field(target, field, value)?;
            self.path.pop();
        }
        for (field, order) in orders {
            self.path.push(field.clone());
            let key = self.merge_key();
            self.path.pop();
            if let (Some(list), Some(order)) = (target.get_mut(&field).and_then(Value::as_array_mut), order.as_array())
            {
                sort(list, order, key.as_deref());
            }
        }
        Ok(())
    }

    fn merge_field(&mut self, target: &mut Map<String, Value>, field: String, value: Value) -> Result<(), String> {
        match value {
            Value::Null => {
                target.shift_remove(&field);
            }
            Value::Object(patch) => {
                let deleted = patch.get(DIRECTIVE).and_then(Value::as_str) == Some("delete");
                if deleted {
                    target.shift_remove(&field);
                } else {
                    self.merge_into(target.entry(field).or_insert(Value::Null), patch)?;
                }
            }
            Value::Array(entries) => {
                let list = target.entry(field.clone()).or_insert_with(|| Value::Array(Vec::new()));
                match (self.merge_key(), list) {
                    (Some(key), Value::Array(list)) => self.merge_list(list, entries, &key)?,
                    (None, Value::Array(list)) if MERGED_SETS.contains(&field.as_str()) => {
                        for entry in entries {
                            if !list.contains(&entry) {
                                list.push(entry);
                            }
                        }
                    }
                    (_, list) => *list = Value::Array(entries),
                }
            }
            scalar => {
                target.insert(field, scalar);
            }
        }
        Ok(())
    }

    fn merge_list(&mut self, list: &mut Vec<Value>, entries: Vec<Value>, key: &str) -> Result<(), String> {
        let directive = |entry: &Value| entry.get(DIRECTIVE).and_then(Value::as_str).map(str::to_owned);
        if entries.iter().any(|entry| directive(entry).as_deref() == Some("replace")) {
            list.clear();
        }
        self.path.push("*".to_owned());
        for entry in entries {
            let id = entry.get(key).cloned();
            match directive(&entry).as_deref() {
                Some("replace") if entry.as_object().is_some_and(|entry| entry.len() == 1) => continue,
                Some("delete") => {
                    list.retain(|existing| existing.get(key) != id.as_ref());
                    continue;
                }
                _ => {}
            }
            let Some(id) = id else {
                return Err(format!("map: {entry} does not contain declared merge key: {key}"));
            };
            let Value::Object(patch) = entry else { continue };
            match list.iter_mut().find(|existing| existing.get(key) == Some(&id)) {
                Some(existing) => self.merge_into(existing, patch)?,
                None => {
                    let mut new = Value::Object(Map::new());
                    self.merge_into(&mut new, patch)?;
                    list.push(new);
                }
            }
        }
        self.path.pop();
        Ok(())
    }

    fn merge_key(&self) -> Option<String> {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["metadata", "ownerReferences"] => Some("uid".to_owned()),
            path => self.schema?.patch_merge_key(path).map(|key| key.to_string()),
        }
    }
}

fn take_prefixed(patch: &mut Map<String, Value>, prefix: &str) -> Vec<(String, Value)> {
    let names: Vec<String> = patch.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
    let taken =
        names.into_iter().filter_map(|name| Some((name[prefix.len()..].to_owned(), patch.shift_remove(&name)?)));
    taken.collect()
}

/// Puts the named entries into the given order; those it does not name follow in theirs.
fn sort(list: &mut [Value], order: &[Value], key: Option<&str>) {
    let id = |value: &Value| key.map_or_else(|| Some(value.clone()), |key| value.get(key).cloned());
    let wanted: Vec<Option<Value>> = order.iter().map(id).collect();
    list.sort_by_key(|entry| {
        let entry = id(entry);
        wanted.iter().position(|wanted| *wanted == entry).unwrap_or(usize::MAX)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::openapi::builtin_schema;
    use serde_json::json;

    fn patched(patch: Value) -> Value {
        let schema = builtin_schema("", "v1", "Pod").expect("the schema of pods");
        let mut pod = json!({
            "metadata": {"labels": {"a": "1"}, "finalizers": ["x"]},
            "spec": {"containers": [{"name": "a", "image": "one", "args": ["1"]}, {"name": "b", "image": "two"}], "tolerations": [{"key": "k"}]},
        });
        merge(Some(&schema), &mut pod, patch).expect("a patch");
        pod
    }

    #[test]
    fn containers_merge_by_name_and_other_lists_are_replaced() {
        let pod =
            patched(json!({"spec": {"containers": [{"name": "a", "image": "new", "args": ["2"]}], "tolerations": []}}));
        assert_eq!(pod["spec"]["containers"][0], json!({"name": "a", "image": "new", "args": ["2"]}));
        assert_eq!(pod["spec"]["containers"][1]["image"], "two");
        assert_eq!(pod["spec"]["tolerations"], json!([]));
    }

    #[test]
    fn directives_delete_replace_and_order() {
        let pod = patched(json!({"spec": {
            "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}],
            "containers": [{"name": "c"}, {"name": "a", "$patch": "delete"}],
        }}));
        let names: Vec<&Value> =
            pod["spec"]["containers"].as_array().into_iter().flatten().map(|c| &c["name"]).collect();
        assert_eq!(names, ["c", "b"]);
        let pod = patched(json!({"metadata": {"labels": {"$patch": "replace", "b": "2"}}}));
        assert_eq!(pod["metadata"]["labels"], json!({"b": "2"}));
    }

    #[test]
    fn finalizers_merge_as_a_set() {
        let pod = patched(json!({"metadata": {"finalizers": ["y", "x"]}}));
        assert_eq!(pod["metadata"]["finalizers"], json!(["x", "y"]));
        let pod = patched(json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}}));
        assert_eq!(pod["metadata"]["finalizers"], json!([]));
    }
}
