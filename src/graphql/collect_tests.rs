//! The selections that the executor is given.

use serde_json::{Value as Json, json};

use super::*;
use crate::graphql::limits::{CostTable, Document, Prepared};

const SDL: &str = "
    type Query { dog(id: ID, first: Int! = 3): Dog pet: Pet find(where: Where): Int }
    type Mutation { add(name: String): Dog }
    type Subscription { added(first: Int): Dog }
    interface Pet { name: String friend: Pet }
    type Dog implements Pet { name: String friend: Pet age: Int }
    type Cat implements Pet { name: String friend: Pet }
    input Where { name: String ids: [ID] nested: Where }
";

/// The executed selection, in short form.
fn executed(query: &str, variables: Json) -> String {
    let table = CostTable::read(SDL).unwrap();
    let document = Document::parse(query.into(), &table).unwrap();
    let prepared = Prepared::choose(document.into(), None).unwrap_or_else(|problem| panic!("{query}: {problem:?}"));
    let variables = prepared.coerce(Variables::from_json(variables)).unwrap();
    let document = prepared.executable(&variables);
    let (_, operation) = document.operations.iter().next().unwrap();
    written(&operation.node.selection_set.node)
}

fn written(set: &SelectionSet) -> String {
    let item = |selection: &Positioned<Selection>| match &selection.node {
        Selection::Field(Positioned { node: field, .. }) => {
            let alias = field.alias.as_ref().map(|alias| format!("{}:", alias.node)).unwrap_or_default();
            let arguments: Vec<_> = field
                .arguments
                .iter()
                .map(|(name, value)| format!("{name}:{value}", name = name.node, value = value.node))
                .collect();
            let arguments = if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(",")) };
            let below = if field.selection_set.node.items.is_empty() {
                String::new()
            } else {
                written(&field.selection_set.node)
            };
            format!("{alias}{}{arguments}{}{below}", field.name.node, "@".repeat(field.directives.len()))
        }
        Selection::InlineFragment(Positioned { node: fragment, .. }) => {
            let condition = fragment.type_condition.as_ref().map(|condition| condition.node.on.node.to_string());
            format!("...{}{}", condition.unwrap_or_default(), written(&fragment.selection_set.node))
        }
        Selection::FragmentSpread(spread) => format!("...{}", spread.node.fragment_name.node),
    };
    format!("{{{}}}", set.items.iter().map(item).collect::<Vec<_>>().join(" "))
}

#[test]
fn a_mutation_that_is_selected_twice_is_executed_once() {
    let query = "mutation { add(name: \"a\") { name } b: add { name } ...F } fragment F on Mutation { add(name: \"a\") { friend { name } age } }";
    assert_eq!(executed(query, json!({})), r#"{add(name:"a"){name friend{name} age} b:add{name}}"#);
}

#[test]
fn the_root_field_of_a_subscription_is_found_in_fragments() {
    let query = "subscription($n: Int) { ...F ... { added(first: $n) { age } } } fragment F on Subscription { ... on Subscription { added(first: $n) { name } } }";
    assert_eq!(executed(query, json!({})), "{added{name age}}");
    assert_eq!(executed(query, json!({"n": 2})), "{added(first:$n){name age}}");
    assert_eq!(executed("subscription { added { ...F } } fragment F on Dog { name }", json!({})), "{added{name}}");
}

#[test]
fn what_is_selected_conditionally_is_there_when_it_holds() {
    let query = "query($x: Boolean!, $y: Boolean = false) { dog { name @include(if: $x) } dog @skip(if: $x) { age } ... @include(if: $y) { dog { friend { name } } } }";
    assert_eq!(executed(query, json!({"x": true})), "{dog{name}}");
    assert_eq!(executed(query, json!({"x": false, "y": true})), "{dog{age friend{name}}}");
    assert_eq!(executed("{ dog { name name @skip(if: true) @include(if: true) } }", json!({})), "{dog{name}}");
}

#[test]
fn a_fragment_on_a_narrower_type_stays_one() {
    let query = "{ pet { name ... on Dog { age } ...F ... on Pet { friend { name } } } } fragment F on Dog { friend { friend { name } } age }";
    assert_eq!(executed(query, json!({})), "{pet{name friend{name} ...Dog{age friend{friend{name}}}}}");
    // Within an object, the narrower fragments are those that apply.
    assert_eq!(
        executed("{ dog { ... on Pet { ... on Dog { age } ... on Cat { name } } age } }", json!({})),
        "{dog{age}}"
    );
}

#[test]
fn what_was_left_out_is_not_given() {
    let query = "query($id: ID, $n: Int, $w: String, $i: ID) { dog(id: $id, first: $n) { age } find(where: {name: $w, ids: [$i, 1], nested: {name: $w}}) }";
    assert_eq!(executed(query, json!({})), "{dog{age} find(where:{ids: [null, 1], nested: {}})}");
    assert_eq!(executed(query, json!({"id": null})), "{dog(id:$id){age} find(where:{ids: [null, 1], nested: {}})}");
}

#[test]
fn a_thing_of_which_nothing_is_selected_is_there_all_the_same() {
    let query = "query($x: Boolean!) { dog { ...F @skip(if: $x) } } fragment F on Dog { age }";
    assert_eq!(executed(query, json!({"x": true})), "{dog{__nothing:__typename}}");
    assert_eq!(executed(query, json!({"x": false})), "{dog{age}}");
    assert_eq!(executed("{ dog @skip(if: true) { age } }", json!({})), "{__nothing:__typename}");
    assert_eq!(executed("{ pet { ... on Dog { age } } }", json!({})), "{pet{__nothing:__typename ...Dog{age}}}");
}

#[test]
fn a_document_without_all_that_is_executed_as_it_is_written() {
    let query = "query($x: Boolean!) { dog { name ...F @skip(if: $x) } } fragment F on Dog { age }";
    assert_eq!(executed(query, json!({"x": true})), "{dog{name ...F}}");
}

#[test]
fn what_fragments_come_to_is_bounded() {
    let doubling: String = (0..15)
        .map(|n| format!("fragment F{n} on Pet {{ a: friend {{ ...F{0} }} b: friend {{ ...F{0} }} }} ", n + 1))
        .collect();
    let query = format!("{{ pet {{ ...F0 name name }} }} {doubling} fragment F15 on Pet {{ name }}");
    let length = executed(&query, json!({})).len();
    assert!(length < 1_000_000, "{length}");
}
