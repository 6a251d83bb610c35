//! What holds of any object: pruning and defaulting twice is as good as once, and neither ends in a panic.

use super::{object, widget};
use proptest::prelude::*;
use serde_json::{Value, json};

const NAMES: &[&str] = &[
    "count", "max", "mode", "ports", "port", "proto", "tags", "labels", "free", "known", "embedded", "metadata", "typo",
];

fn any_json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..12).prop_map(Value::from),
        "[a-zA-Z]{0,6}".prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(NAMES), inner, 0..6)
                .prop_map(|fields| fields.into_iter().map(|(name, field)| (name.to_owned(), field)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn pruning_is_idempotent(spec in any_json()) {
        let mut once = object(spec);
        widget().prune(&mut once);
        let mut twice = once.clone();
        prop_assert!(widget().prune(&mut twice).is_empty());
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn defaulting_is_idempotent(spec in any_json()) {
        let mut once = object(spec);
        widget().default(&mut once);
        let mut twice = once.clone();
        widget().default(&mut twice);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn pruning_leaves_nothing_that_validation_does_not_know(spec in any_json()) {
        let mut widget_object = object(spec);
        widget().prune(&mut widget_object);
        widget().default(&mut widget_object);
        let errors = widget().validate(&widget_object, None);
        prop_assert!(errors.iter().all(|error| !error.path.contains("typo") || error.path.contains("free") || error.path.contains("labels") || error.path.contains("embedded")));
    }

    #[test]
    fn an_unchanged_object_is_never_refused_by_its_schema(spec in any_json()) {
        let mut widget_object = object(spec);
        widget().default(&mut widget_object);
        let before = json!(widget_object);
        let errors = widget().validate(&widget_object, Some(&before));
        let only_duplicates = errors.iter().all(|error| error.reason == crate::api::schema::Reason::Duplicate);
        prop_assert!(only_duplicates, "{errors:?}");
    }
}
