//! Which values a variable accepts. `tests/clients/reference.test.mjs` compares it with the reference implementation.

use async_graphql::parser::types::DocumentOperations;
use serde_json::{Value as Json, json};

use super::*;
use crate::graphql::syntax::parse;

const SDL: &str = "
    type Query { a: Int b: Float c: ID }
    enum Kind { CAT DOG }
    input Where { name: String kind: Kind! = DOG age: Int! nested: Where ids: [ID!] }
    input One @oneOf { a: Int b: String }
    input Ask { by: One! limit: Int }
    scalar Quantity
";

/// The values of the variables as JSON, or the problems: paths and messages.
fn coerced(declared: &str, given: Json) -> Result<Json, Vec<String>> {
    let types = TypeSystem::of(&async_graphql::parser::parse_schema(SDL).unwrap());
    let parsed = parse(&format!("query({declared}) {{ a }}")).unwrap();
    let DocumentOperations::Single(operation) = parsed.document.operations else {
        let DocumentOperations::Multiple(operations) = parsed.document.operations else { unreachable!() };
        panic!("{operations:?}")
    };
    let declared = &operation.node.variable_definitions;
    let coerced = coerce(&types, declared, Variables::from_json(given), |variable| format!("in.{variable}"));
    coerced.map(|values| serde_json::to_value(values).unwrap()).map_err(|ApiErrors(errors)| {
        errors.iter().map(|error| format!("{}: {}", error.field.as_deref().unwrap_or("-"), error.message)).collect()
    })
}

#[track_caller]
fn takes(ty: &str, given: Json, value: Json) {
    assert_eq!(coerced(&format!("$v: {ty}"), json!({ "v": given })), Ok(json!({ "v": value })));
}

#[track_caller]
fn refuses(ty: &str, given: Json) -> String {
    coerced(&format!("$v: {ty}"), json!({ "v": given })).unwrap_err().join("\n")
}

#[test]
fn a_field_that_stands_a_level_too_high_is_told_where_it_belongs() {
    insta::assert_snapshot!(refuses("Ask", json!({ "b": "x" })), @r#"
    in.v.by: by is required (One!)
    in.v.b: b is not a field of Ask. Did you mean "by.b"?
    "#);
    insta::assert_snapshot!(refuses("Ask", json!({ "by": { "a": 1 }, "limits": 1 })), @r#"in.v.limits: limits is not a field of Ask. Did you mean "limit"?"#);
}

#[test]
fn an_int_is_a_whole_number_however_it_is_written() {
    for (given, value) in [("1.0", 1), ("1e1", 10), ("-0.0", 0), ("2147483647.0", i32::MAX), ("-2147483648", i32::MIN)]
    {
        takes("Int", serde_json::from_str(given).unwrap(), json!(value));
    }
    insta::assert_snapshot!(refuses("Int", json!(1.5)), @"in.v: v was 1.5; it must be a whole number");
    insta::assert_snapshot!(refuses("Int", json!(2_147_483_648_i64)), @"in.v: v was 2147483648; it must be a whole number between -2147483648 and 2147483647");
    insta::assert_snapshot!(refuses("Int", json!("1")), @r#"in.v: v was "1"; it must be a whole number"#);
    for wrong in [json!(1e10), json!(true), json!([1]), json!({}), json!(u64::MAX), json!(1e300)] {
        refuses("Int", wrong);
    }
}

#[test]
fn the_other_scalars_take_what_the_specification_says() {
    takes("Float", json!(1), json!(1));
    takes("Float", json!(1.5), json!(1.5));
    takes("ID", json!("x"), json!("x"));
    takes("ID", json!(7), json!("7"));
    takes("ID", json!(7.0), json!("7"));
    takes("ID", json!(u64::MAX), json!(u64::MAX.to_string()));
    takes("String", json!("7"), json!("7"));
    takes("Boolean", json!(false), json!(false));
    takes("Kind", json!("CAT"), json!("CAT"));
    for given in [json!(1), json!("500m"), json!(true), json!([1]), json!({"a": 1})] {
        takes("Quantity", given.clone(), given);
    }
    for (ty, wrong) in [
        ("Float", json!("1")),
        ("ID", json!(1.5)),
        ("ID", json!(true)),
        ("ID", json!([1])),
        ("String", json!(7)),
        ("String", json!(true)),
        ("Boolean", json!(0)),
        ("Boolean", json!("true")),
        ("Kind", json!(1)),
        ("Kind", json!(["CAT"])),
    ] {
        refuses(ty, wrong);
    }
    insta::assert_snapshot!(refuses("Kind", json!("CATT")), @r#"in.v: v was "CATT", which is not a value of Kind. Did you mean "CAT"?"#);
}

#[test]
fn one_thing_is_a_list_of_it() {
    takes("[Int]", json!(1), json!([1]));
    takes("[[Int]]", json!(1), json!([[1]]));
    takes("[[Int]]", json!([1, null, [2, null]]), json!([[1], null, [2, null]]));
    takes("[Int]", json!(null), json!(null));
    takes("[Where!]", json!({"age": 1.0}), json!([{"age": 1}]));
    insta::assert_snapshot!(refuses("[Int!]", json!([1, null, 2.5])), @"
    in.v.1: v.1 was null; a value is required
    in.v.2: v.2 was 2.5; it must be a whole number
    ");
}

#[test]
fn input_objects_have_the_fields_that_they_are_declared_to_have() {
    takes(
        "Where",
        json!({"age": 1e1, "nested": {"age": 2.0, "ids": 7}}),
        json!({"age": 10, "nested": {"age": 2, "ids": ["7"]}}),
    );
    insta::assert_snapshot!(refuses("Where", json!({"nested": {"age": 1, "nam": "x"}, "kind": null})), @r#"
    in.v.kind: kind was null; a value is required
    in.v.age: age is required (Int!)
    in.v.nested.nam: nam is not a field of Where. Did you mean "name"?
    "#);
    insta::assert_snapshot!(refuses("Where", json!("x")), @r#"in.v: v was "x"; it must be an object (Where)"#);
    takes("One", json!({"b": "x"}), json!({"b": "x"}));
    for wrong in [json!({}), json!({"a": 1, "b": "x"}), json!({"a": null}), json!({"a": 1, "b": null})] {
        refuses("One", wrong);
    }
}

#[test]
fn what_is_left_out_is_the_default_or_nothing() {
    let declared = "$a: Int = 3, $b: Int, $c: [Int] = 4, $d: Int = null";
    assert_eq!(coerced(declared, json!({"more": 1})), Ok(json!({"a": 3, "c": [4], "d": null})));
    assert_eq!(
        coerced(declared, json!({"a": null, "b": null})),
        Ok(json!({"a": null, "b": null, "c": [4], "d": null}))
    );
    insta::assert_snapshot!(coerced("$a: Int!, $b: Int! = 1", json!({"b": null})).unwrap_err().join("\n"), @"
    in.a: a is required (variable $a: Int!)
    in.b: b was null; a value is required
    ");
}

#[test]
fn what_a_scalar_does_not_take_is_told_together_with_what_does_not_match_its_type() {
    let both = json!({ "age": "", "ids": ["job_01h455vb4pex5vsknk084sn02q", "nope"] });
    insta::assert_snapshot!(refuses("Where", both), @r#"
    in.v.age: age was empty; it must be a whole number
    in.v.ids.1: ids.1 was "nope", which is not an ID: it must be a prefix, an underscore and 26 characters
    "#);
    insta::assert_snapshot!(coerced("$q: [Quantity], $n: Int!", json!({ "q": ["500m", "lots", 2] })).unwrap_err().join("\n"), @r#"
    in.q.1: q.1 was "lots", which is not a quantity: it must be a number, optionally followed by a suffix such as m, k, M, G, Ki, Mi or Gi (500m, 1.5, 10Gi)
    in.n: n is required (variable $n: Int!)
    "#);
    takes("[ID]", json!(["nope"]), json!(["nope"]));
}

#[test]
fn however_much_is_wrong_a_bounded_number_of_problems_is_told() {
    let told = coerced("$v: [Int!]", json!({ "v": vec![Json::Null; 10_000] })).unwrap_err();
    assert_eq!(told.len(), PROBLEMS_TOLD);
    let long = refuses("Int", json!("x".repeat(1_000_000)));
    assert!(long.len() < 300, "{long}");
}
