//! Pruning and defaulting: what happens to an object between decoding and validation.

use super::node::Node;
use serde_json::Value;

/// Removes what the schema does not know and collects the paths.
pub(super) struct Pruner<'a> {
    /// The schema of `metadata`, at the root and in embedded resources.
    pub(super) metadata: &'a Node,
    pub(super) removed: Vec<String>,
}

impl Pruner<'_> {
    /// Prunes a resource: `apiVersion`, `kind` and `metadata` are always known.
    pub(super) fn resource(&mut self, value: &mut Value, node: &Node, path: &str) {
        self.value(value, node, path, true);
    }

    fn value(&mut self, value: &mut Value, node: &Node, path: &str, is_resource: bool) {
        match value {
            Value::Object(fields) => {
                let is_resource = is_resource || node.embedded;
                fields.retain(|name, field| {
                    let field_path = join(path, name);
                    if is_resource && name == "metadata" {
                        self.value(field, self.metadata, &field_path, false);
                        return true;
                    }
                    if is_resource && (name == "apiVersion" || name == "kind") {
                        return true;
                    }
                    match node.child(name) {
                        Some(child) => self.value(field, child, &field_path, false),
                        None if node.preserve_unknown => {}
                        None => {
                            self.removed.push(field_path);
                            return false;
                        }
                    }
                    true
                });
            }
            Value::Array(entries) => {
                let anything = Node::anything();
                let unknown = Node::default();
                let items = match &node.items {
                    Some(items) => items.as_ref(),
                    None if node.preserve_unknown => &anything,
                    None => &unknown,
                };
                for (index, entry) in entries.iter_mut().enumerate() {
                    self.value(entry, items, &format!("{path}[{index}]"), false);
                }
            }
            _ => {}
        }
    }
}

/// Fills in defaults, and drops the nulls that mean "absent".
pub(super) fn fill_defaults(value: &mut Value, node: &Node) {
    match value {
        Value::Object(fields) => {
            for (name, property) in &node.properties {
                let Some(default) = &property.default else { continue };
                let missing = fields.get(name).is_none_or(|field| field.is_null() && property.drops_null());
                if missing {
                    fields.insert(name.clone(), default.clone());
                }
            }
            fields.retain(|name, field| {
                let Some(child) = node.child(name) else { return true };
                if field.is_null() && child.drops_null() && (child.kind.is_some() || child.int_or_string) {
                    let Some(default) = &child.default else { return false };
                    *field = default.clone();
                }
                fill_defaults(field, child);
                true
            });
        }
        Value::Array(entries) => {
            let Some(items) = &node.items else { return };
            for entry in entries {
                if let (true, Some(default)) = (entry.is_null() && items.drops_null(), &items.default) {
                    *entry = default.clone();
                }
                fill_defaults(entry, items);
            }
        }
        _ => {}
    }
}

/// Drops the lists and maps that are empty, as a Go server does when it writes an object; an object without its members stays.
pub(super) fn drop_empty(value: &mut Value, node: &Node) {
    match value {
        Value::Object(fields) => fields.retain(|name, field| {
            let Some(child) = node.child(name) else { return true };
            drop_empty(field, child);
            match field {
                Value::Array(entries) => !entries.is_empty(),
                Value::Object(fields) => {
                    !fields.is_empty() || child.additional.is_none() || !child.properties.is_empty()
                }
                _ => true,
            }
        }),
        Value::Array(entries) => {
            let Some(items) = &node.items else { return };
            entries.iter_mut().for_each(|entry| drop_empty(entry, items));
        }
        _ => {}
    }
}

/// `path.name`, or just the name at the root.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
