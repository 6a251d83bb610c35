//! The rules, one by one, against a small schema. `tests/clients/reference.test.mjs` compares them with the reference.

use std::time::Instant;

use super::{TypeSystem, validate};
use crate::graphql::syntax::parse;

const SDL: &str = "
    type Query { dog: Dog pet(id: ID, kind: Kind = CAT, first: Int! = 3): Pet find(where: Where!): [Pet!] one(of: One): Int any(json: JSON): Int list(of: [Int!]): Int ask(for: Ask): Int }
    type Mutation { add(input: Where!): Dog }
    type Subscription { added(first: Int): Pet removed: Pet }
    interface Named { name: String! }
    interface Pet implements Named { name: String! friend: Pet id: ID! }
    type Dog implements Pet & Named { name: String! friend: Pet id: ID! barks(loud: Boolean): Boolean! age: Int tags: [String] }
    type Cat implements Pet & Named { name: String! friend: Pet id: ID! meows: Boolean age: String tags: [String!] barks: Boolean! }
    type Plane { wings: Int }
    union Thing = Dog | Plane
    enum Kind { CAT DOG }
    input Where { name: String kind: Kind! = DOG age: Int! nested: Where ids: [ID!] }
    input One @oneOf { a: Int b: String }
    input Ask { by: One limit: Int }
    scalar JSON
";

fn types() -> TypeSystem {
    TypeSystem::of(&async_graphql::parser::parse_schema(SDL).unwrap())
}

fn told(text: &str) -> Vec<String> {
    let parsed = parse(text).unwrap();
    let errors = validate(&types(), &parsed.document, parsed.faults).err().unwrap_or_default();
    errors.into_iter().map(|error| error.message).collect()
}

#[track_caller]
fn valid(text: &str) {
    assert_eq!(told(text), [""; 0], "{text}");
}

#[track_caller]
fn refused(text: &str, message: &str) {
    assert_eq!(told(text), [message], "{text}");
}

#[test]
fn a_field_that_stands_a_level_too_high_is_told_where_it_belongs() {
    refused("{ ask(for: {b: \"x\"}) }", "Field \"b\" is not defined by type \"Ask\". Did you mean \"by.b\"?");
    refused("{ ask(for: {limits: 1}) }", "Field \"limits\" is not defined by type \"Ask\". Did you mean \"limit\"?");
}

#[test]
fn what_is_valid_passes() {
    for text in [
        "{ __typename dog { name ...F ... on Named { name } } __schema { types { name fields { name } } } __type(name: \"x\") { kind } } fragment F on Pet { id }",
        "query Q($id: ID, $first: Int = 2, $where: Where!) { pet(id: $id, first: $first) { id } find(where: $where) { name } }",
        "query($n: Int!, $s: String!) { find(where: {age: $n, name: \"a\", nested: {age: 1}, ids: 7}) { id } one(of: {b: $s}) }",
        "query($j: Int, $l: [Int!]) { any(json: {a: [$j, {b: X}]}) list(of: $l) again: list(of: 3) }",
        "query($first: Int) { pet(first: $first) { id @include(if: true) @skip(if: false) } }",
        "mutation { add(input: {age: 1}) { id } }",
        "subscription { ...S } fragment S on Subscription { added { id } ... { added { name } } }",
        "{ pet { ... on Dog { age tags } ... on Cat { id } barks: name } }",
        "{ pet { ... on Dog { v: age } } other: pet { ... on Cat { v: age } } }",
    ] {
        valid(text);
    }
}

#[test]
fn fields_and_arguments_are_those_of_the_schema() {
    refused("{ dogs { name } }", "Cannot query field \"dogs\" on type \"Query\". Did you mean \"dog\"?");
    refused(
        "{ pet { meows } }",
        "Cannot query field \"meows\" on type \"Pet\". Did you mean to use an inline fragment on \"Cat\"?",
    );
    refused("{ dog }", "Field \"dog\" of type \"Dog\" must have a selection of subfields.");
    refused("{ dog { name { first } } }", "Field \"name\" of type \"String!\" has no subfields to select.");
    refused("{ pet(ID: 1) { id } }", "Unknown argument \"ID\" on field \"Query.pet\". Did you mean \"id\"?");
    refused("{ pet(id: 1, id: 2) { id } }", "There can be only one argument named \"id\".");
    refused("{ find { id } }", "Argument \"where\" of type \"Where!\" is required on field \"Query.find\".");
    refused("{ dog { name @skip } }", "Argument \"if\" of type \"Boolean!\" is required on directive \"@skip\".");
}

#[test]
fn values_are_of_the_type_that_is_expected() {
    refused("{ pet(first: 1.0) { id } }", "Expected a value of type \"Int!\", found 1.0.");
    refused("{ pet(first: 2147483648) { id } }", "Expected a value of type \"Int!\", found 2147483648.");
    refused("{ pet(first: null) { id } }", "Expected a value of type \"Int!\", found null.");
    refused("{ pet(id: 1.5) { id } }", "Expected a value of type \"ID\", found 1.5.");
    refused("{ pet(kind: \"CAT\") { id } }", "Expected a value of type \"Kind\", found \"CAT\".");
    refused("{ pet(kind: DOOG) { id } }", "Value \"DOOG\" does not exist in enum \"Kind\". Did you mean \"DOG\"?");
    refused("{ find(where: {}) { id } }", "Field \"age\" of type \"Int!\" is required by type \"Where\".");
    refused(
        "{ find(where: {age: 1, nam: \"\"}) { id } }",
        "Field \"nam\" is not defined by type \"Where\". Did you mean \"name\"?",
    );
    refused("{ find(where: 1) { id } }", "Expected a value of type \"Where!\", found 1.");
    refused(
        "{ find(where: {age: 1, nested: {age: \"x\"}}) { id } }",
        "Expected a value of type \"Int!\", found \"x\".",
    );
    refused("{ list(of: [1, null]) }", "Expected a value of type \"Int!\", found null.");
    refused("{ one(of: {a: 1, b: \"x\"}) }", "Exactly one field must be given of type \"One\".");
    refused("{ one(of: {a: null}) }", "Field \"a\" of type \"One\" must not be null.");
    refused("query($n: Int = 1.5) { list(of: [1]) one(of: {a: $n}) }", "Expected a value of type \"Int\", found 1.5.");
    refused("query($w: Where = {age: 1, x: 1}) { any(json: $w) }", "Field \"x\" is not defined by type \"Where\".");
    refused("{ find(where: {age: 1, age: 2}) { id } }", "There can be only one input field named \"age\".");
}

/// The fields of the faults of a document.
fn fields(text: &str) -> Vec<String> {
    let parsed = parse(text).unwrap();
    let errors = validate(&types(), &parsed.document, parsed.faults).err().unwrap_or_default();
    errors.iter().map(|error| super::field_of(error).unwrap_or("-").to_owned()).collect()
}

#[test]
fn every_fault_of_a_value_says_which_field_of_the_input_it_is_in() {
    for (text, field) in [
        ("{ pet(first: 1.0) { id } }", "first"),
        ("{ pet(ID: 1) { id } }", "ID"),
        ("{ find { id } }", "where"),
        ("{ find(where: {}) { id } }", "where.age"),
        ("{ find(where: {age: 1, kind: DOOG}) { id } }", "where.kind"),
        ("{ find(where: {age: 1, nested: {age: 1, nam: 1}}) { id } }", "where.nested.nam"),
        ("{ find(where: {age: 1, ids: [1, 2, {}]}) { id } }", "where.ids.2"),
        ("{ list(of: [1, null]) }", "of.1"),
        ("{ one(of: {a: 1, b: \"x\"}) }", "of"),
        ("{ one(of: {a: null}) }", "of.a"),
        ("query($n: Int = 1.5) { one(of: {a: $n}) }", "of.a"),
        ("query($w: Where! = {age: 1, x: 1}) { find(where: $w) { id } }", "where.x"),
        ("{ pet { idd } }", "-"),
    ] {
        assert_eq!(fields(text), [field], "{text}");
    }
    assert_eq!(fields("{ list(of: [null, null, 1, null]) }"), ["of.0", "of.1", "of.3"]);
}

#[test]
fn variables_are_declared_used_and_fit() {
    refused("{ pet(id: $id) { id } }", "Variable \"$id\" is not defined by the operation.");
    refused("query Q($id: ID) { dog { id } }", "Variable \"$id\" is never used in operation \"Q\".");
    refused("query($id: ID, $id: ID) { pet(id: $id) { id } }", "There can be only one variable named \"$id\".");
    refused(
        "query($d: Dog) { any(json: $d) }",
        "Variable \"$d\" cannot be of type \"Dog\", which is not an input type.",
    );
    refused("query($d: Dogg) { any(json: $d) }", "Unknown type \"Dogg\". Did you mean \"Dog\"?");
    refused(
        "query($w: Where) { find(where: $w) { id } }",
        "Variable \"$w\" of type \"Where\" is used where \"Where!\" is expected.",
    );
    refused(
        "query($l: [Int]) { list(of: $l) }",
        "Variable \"$l\" of type \"[Int]\" is used where \"[Int!]\" is expected.",
    );
    refused("query($n: Int) { list(of: $n) }", "Variable \"$n\" of type \"Int\" is used where \"[Int!]\" is expected.");
    refused(
        "query($a: Int) { one(of: {a: $a}) }",
        "Variable \"$a\" of type \"Int\" must not be nullable here: exactly one field of the input object is given.",
    );
    refused(
        "query A { ...F } query B($id: ID) { ...F } fragment F on Query { pet(id: $id) { id } }",
        "Variable \"$id\" is not defined by operation \"A\".",
    );
    valid("query($w: Where = {age: 1}) { find(where: $w) { id } }");
    valid("query($k: Kind, $n: Int!) { find(where: {kind: $k, age: $n}) { id } }");
}

#[test]
fn fragments_are_known_used_and_can_apply() {
    refused("{ ...F }", "Unknown fragment \"F\".");
    refused("{ dog { id } } fragment F on Dog { id }", "Fragment \"F\" is never used.");
    refused(
        "{ ...F } fragment F on Query { ...G } fragment G on Query { ...F }",
        "Fragment \"F\" cannot contain itself via \"G\".",
    );
    refused(
        "{ dog { ... on Cat { id } } }",
        "This fragment cannot be spread here: an object of type \"Dog\" is never of type \"Cat\".",
    );
    refused(
        "{ dog { ...F } } fragment F on Plane { wings }",
        "Fragment \"F\" cannot be spread here: an object of type \"Dog\" is never of type \"Plane\".",
    );
    refused(
        "{ dog { ... on Kind { id } } }",
        "A fragment cannot be on \"Kind\", which is not an object, an interface or a union.",
    );
    refused("{ dog { ... on Elephant { id } } }", "Unknown type \"Elephant\".");
    let chain: String = (0..2_000).map(|n| format!("fragment F{n} on Query {{ ...F{} }} ", n + 1)).collect();
    let chain = format!("{{ ...F0 }} {chain} fragment F2000 on Query {{ dog {{ id }} }}");
    refused(&chain, "the operation exceeds the limit \"nested selections\": at most 64 are allowed");
}

#[test]
fn directives_are_known_where_they_stand_and_once() {
    refused("{ dog @nope { id } }", "Unknown directive \"@nope\".");
    refused("query @skip(if: true) { dog { id } }", "Directive \"@skip\" cannot be used on a query.");
    refused(
        "query($id: ID @include(if: true)) { pet(id: $id) { id } }",
        "Directive \"@include\" cannot be used on a variable definition.",
    );
    refused("{ dog { id @skip(if: true) @skip(if: true) } }", "Directive \"@skip\" can be used only once here.");
}

#[test]
fn a_subscription_has_one_root_field() {
    refused("subscription { added { id } removed { id } }", "A subscription must select only one top level field.");
    refused(
        "subscription S { a: added { id } ...F } fragment F on Subscription { b: added { id } }",
        "Subscription \"S\" must select only one top level field.",
    );
    refused("subscription { __typename }", "A subscription must not select \"__typename\" as its top level field.");
    refused(
        "subscription($x: Boolean!) { added @include(if: $x) { id } }",
        "A subscription must not use \"@include\" on what it selects at the top level.",
    );
    refused(
        "subscription { ... @skip(if: false) { added { id } } }",
        "A subscription must not use \"@skip\" on what it selects at the top level.",
    );
    refused(
        "subscription { ...F @include(if: true) } fragment F on Subscription { added { id } }",
        "A subscription must not use \"@include\" on what it selects at the top level.",
    );
    valid("subscription($x: Boolean!) { added { id @include(if: $x) } added { name } }");
}

/// The end of the message about fields that cannot be merged.
const HINT: &str = "Use different aliases on the fields to fetch both if this was intentional.";

#[test]
fn fields_of_one_name_can_be_merged() {
    let conflict = |text: &str, message: &str| refused(text, &format!("Fields {message}. {HINT}"));
    conflict("{ dog { name } dog: pet { name } }", r#""dog" conflict because "dog" and "pet" are different fields"#);
    conflict("{ pet(id: 1) { id } pet(id: 2) { id } }", r#""pet" conflict because they have differing arguments"#);
    conflict(
        "query($a: ID, $b: ID) { pet(id: $a) { id } pet(id: $b) { id } }",
        r#""pet" conflict because they have differing arguments"#,
    );
    conflict(
        "{ dog { friend { x: name } friend { x: id } } }",
        r#""dog.friend.x" conflict because "name" and "id" are different fields"#,
    );
    conflict(
        "{ ...A ...B } fragment A on Query { dog { x: name } } fragment B on Query { dog { x: id } }",
        r#""dog.x" conflict because "name" and "id" are different fields"#,
    );
    conflict(
        "{ pet { ... on Dog { x: name } ... on Pet { x: id } } }",
        r#""pet.x" conflict because "name" and "id" are different fields"#,
    );
    conflict(
        "{ pet { ... on Dog { age } ... on Cat { age } } }",
        r#""pet.age" conflict because they return conflicting types "Int" and "String""#,
    );
    conflict(
        "{ pet { ... on Dog { tags } ... on Cat { tags } } }",
        r#""pet.tags" conflict because they return conflicting types "[String]" and "[String!]""#,
    );
    conflict(
        "{ pet { ... on Dog { friend { v: name } } ... on Pet { friend { v: id } } } }",
        r#""pet.friend.v" conflict because "name" and "id" are different fields"#,
    );
}

#[test]
fn fields_that_can_never_be_of_one_object_may_differ() {
    valid("{ pet { ... on Dog { x: id } ... on Cat { x: id } friend { id } } }");
    valid("{ pet { ... on Dog { barks(loud: true) } ... on Cat { barks } } }");
    valid("{ find(where: {age: 1, ids: [1]}) { id } find(where: {ids: [1], age: 1}) { name } }");
}

#[test]
fn a_document_that_repeats_itself_without_end_is_validated_in_time() {
    let since = Instant::now();
    valid(&format!("{{ dog {{ {} }} }}", "name ".repeat(10_000)));
    valid(&format!("{{ {} }}", "dog { friend { friend { id } } } ".repeat(2_000)));
    // Two to the power of thirty paths lead to the last fragment.
    let doubling: String = (0..30)
        .map(|n| format!("fragment F{n} on Pet {{ a: friend {{ ...F{0} }} b: friend {{ ...F{0} }} }} ", n + 1))
        .collect();
    valid(&format!("{{ pet {{ ...F0 }} }} {doubling} fragment F30 on Pet {{ id }}"));
    // Sets of fields that are all different.
    let subsets: String = (0..14)
        .map(|n| format!("fragment F{n} on Pet {{ a: friend {{ ...F{0} x{n}: id }} b: friend {{ ...F{0} y{n}: id }} ab: friend {{ ...F{0} ...G{0} }} }} fragment G{n} on Pet {{ a: friend {{ ...G{0} ...F{0} }} b: friend {{ ...G{0} z{n}: id }} }} ", n + 1))
        .collect();
    let subsets =
        format!("{{ pet {{ ...F0 ...G0 }} }} {subsets} fragment F14 on Pet {{ id }} fragment G14 on Pet {{ name }}");
    let _ = told(&subsets);
    assert!(since.elapsed().as_secs() < 20, "{:?}", since.elapsed());
}
