//! Sets of fields, in the form of `fieldsV1`: what a manager manages of an object.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A set of fields as a tree. A step is named as `fieldsV1` names it: `f:spec`, `k:{"name":"a"}`, `v:"x"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// Whether the field itself is in the set.
    pub member: bool,
    /// What is in the set beneath it.
    pub children: BTreeMap<String, FieldSet>,
}

impl FieldSet {
    /// The set of one field, without what is beneath it.
    pub fn leaf() -> FieldSet {
        FieldSet { member: true, children: BTreeMap::new() }
    }

    /// Reads `fieldsV1`.
    pub fn parse(value: &Value) -> FieldSet {
        let mut set = FieldSet::default();
        for (step, beneath) in value.as_object().into_iter().flatten() {
            if step == "." {
                set.member = true;
                continue;
            }
            let mut child = FieldSet::parse(beneath);
            child.member |= child.children.is_empty();
            set.children.insert(step.clone(), child);
        }
        set
    }

    /// Writes `fieldsV1`.
    pub fn to_value(&self) -> Value {
        let mut fields = Map::new();
        if self.member && !self.children.is_empty() {
            fields.insert(".".to_owned(), Value::Object(Map::new()));
        }
        fields.extend(self.children.iter().map(|(step, child)| (step.clone(), child.to_value())));
        Value::Object(fields)
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }

    /// Adds a child, unless it is empty.
    pub fn insert(&mut self, step: String, child: FieldSet) {
        if !child.is_empty() {
            self.children.insert(step, child);
        }
    }

    /// Takes a path out of the set with everything beneath it.
    pub fn remove(&mut self, path: &[&str]) {
        match path {
            [] => {}
            [last] => {
                self.children.remove(*last);
            }
            [first, rest @ ..] => {
                if let Some(child) = self.children.get_mut(*first) {
                    child.remove(rest);
                    if child.is_empty() {
                        self.children.remove(*first);
                    }
                }
            }
        }
    }

    /// What is in either.
    pub fn union(&self, other: &FieldSet) -> FieldSet {
        let mut all = self.clone();
        all.member |= other.member;
        for (step, child) in &other.children {
            let merged = all.children.get(step).map_or_else(|| child.clone(), |own| own.union(child));
            all.children.insert(step.clone(), merged);
        }
        all
    }

    /// What is in both.
    pub fn intersection(&self, other: &FieldSet) -> FieldSet {
        let mut both = FieldSet { member: self.member && other.member, children: BTreeMap::new() };
        for (step, child) in &self.children {
            if let Some(theirs) = other.children.get(step) {
                both.insert(step.clone(), child.intersection(theirs));
            }
        }
        both
    }

    /// What is in this one only.
    pub fn difference(&self, other: &FieldSet) -> FieldSet {
        let mut rest = FieldSet { member: self.member && !other.member, children: BTreeMap::new() };
        for (step, child) in &self.children {
            let left = other.children.get(step).map_or_else(|| child.clone(), |theirs| child.difference(theirs));
            rest.insert(step.clone(), left);
        }
        rest
    }

    /// The members' paths as messages write them: `.spec.containers[name="a"].image`.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect("", &mut paths);
        paths
    }

    fn collect(&self, path: &str, paths: &mut Vec<String>) {
        if self.member {
            paths.push(path.to_owned());
        }
        for (step, child) in &self.children {
            child.collect(&format!("{path}{}", shown(step)), paths);
        }
    }
}

fn shown(step: &str) -> String {
    if let Some(field) = step.strip_prefix("f:") {
        return format!(".{field}");
    }
    if let Some(value) = step.strip_prefix("v:") {
        return format!("[={value}]");
    }
    let keys: Option<Map<String, Value>> = step.strip_prefix("k:").and_then(|keys| serde_json::from_str(keys).ok());
    let keys = keys.unwrap_or_default();
    format!("[{}]", keys.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn sets() -> impl Strategy<Value = FieldSet> {
        let leaf = Just(FieldSet::leaf());
        leaf.prop_recursive(3, 24, 4, |inner| {
            (any::<bool>(), proptest::collection::btree_map("f:[a-c]", inner, 1..4))
                .prop_map(|(member, children)| FieldSet { member, children })
        })
    }

    proptest! {
        #[test]
        fn a_set_is_read_as_it_was_written(mut set in sets()) {
            set.member &= !set.children.is_empty();
            prop_assert_eq!(FieldSet::parse(&set.to_value()), set);
        }

        #[test]
        fn what_is_taken_away_and_what_is_shared_make_the_whole(a in sets(), b in sets()) {
            prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a);
        }
    }

    #[test]
    fn paths_are_written_as_in_messages() {
        let set =
            FieldSet::parse(&json!({"f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:image": {}}}}}));
        assert_eq!(set.paths(), [".spec.containers[name=\"a\"]", ".spec.containers[name=\"a\"].image"]);
    }
}
