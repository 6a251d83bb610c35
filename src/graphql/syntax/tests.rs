//! What can be parsed and what cannot, and the errors.

use async_graphql::parser::types::{DocumentOperations, OperationDefinition, Selection};
use async_graphql_value::Value;

use super::{Parsed, parse};

fn only(text: &str) -> OperationDefinition {
    match parse(text).unwrap_or_else(|error| panic!("{text}: {}", error.message)).document.operations {
        DocumentOperations::Single(operation) => operation.node,
        DocumentOperations::Multiple(operations) => operations.into_values().next().unwrap().node,
    }
}

/// The value of the only argument of the only field.
fn value(literal: &str) -> Value {
    let operation = only(&format!("{{ f(a: {literal}) }}"));
    let Selection::Field(field) = &operation.selection_set.node.items[0].node else { panic!("{literal}") };
    field.node.arguments[0].1.node.clone()
}

fn told(text: &str) -> String {
    let error = parse(text).err().unwrap_or_else(|| panic!("it parses: {text}"));
    let pos = error.locations[0];
    format!("{}:{} {}", pos.line, pos.column, error.message)
}

#[test]
fn what_the_grammar_allows_is_parsed() {
    for text in [
        "{a}",
        "\u{feff}{ a,b , c }",
        "query{a}",
        "query Q{a}",
        "query query{query:mutation}",
        "query Q($a:Int=1@d,$b:[ [ Int ! ] ! ] !){a(b:$a c:$b)@e(f:1)@g}",
        "{ ...F ... on T { a } ... { b } ...@d{c} ...on on{d} } fragment F on T@d{a}",
        "{ ...onT ...fragment } fragment onT on T { a } fragment fragment on query { true: null }",
        "\"\"\"about it\"\"\" query Q(\"a variable\" $a: Int) { a } \"x\" fragment F on T { a }",
        "# only\r\n{ #comment\ra(b:\"#\")}",
        "{ a(b: [], c: {}, d: [1 2,3], e: {f: {g: ENUM}}) }",
        "subscription S @d { a }",
        "fragment F on T { a }",
        "{ __x _ a1 }",
    ] {
        parse(text).unwrap_or_else(|error| panic!("{text}: {}", error.message));
    }
}

#[test]
fn what_it_does_not_allow_is_refused_with_its_place() {
    insta::assert_snapshot!(told(""), @"1:1 Syntax error: expected an operation or a fragment, found the end of the document");
    insta::assert_snapshot!(told("# nothing\n"), @"2:1 Syntax error: expected an operation or a fragment, found the end of the document");
    insta::assert_snapshot!(told("{"), @r#"1:2 Syntax error: expected a field, a fragment or "}", found the end of the document"#);
    insta::assert_snapshot!(told("{}"), @r#"1:2 Syntax error: expected a field, a fragment or "}", found "}""#);
    insta::assert_snapshot!(told("{ a {} }"), @r#"1:6 Syntax error: expected a field, a fragment or "}", found "}""#);
    insta::assert_snapshot!(told("{ a() }"), @r#"1:5 Syntax error: expected an argument, found ")""#);
    insta::assert_snapshot!(told("query () { a }"), @r#"1:8 Syntax error: expected a variable, found ")""#);
    insta::assert_snapshot!(told("query($a Int) { a }"), @r#"1:10 Syntax error: expected ":", found "Int""#);
    insta::assert_snapshot!(told("query($a: Int = $b) { a }"), @r#"1:17 Syntax error: unexpected variable "$b" in a constant value"#);
    insta::assert_snapshot!(told("queryName { a }"), @r#"1:1 Syntax error: expected an operation or a fragment, found "queryName""#);
    insta::assert_snapshot!(told("{ ...on }"), @r#"1:9 Syntax error: expected a name, found "}""#);
    insta::assert_snapshot!(told("fragment on on T { a }"), @r#"1:10 Syntax error: expected the name of a fragment, found "on""#);
    insta::assert_snapshot!(told("fragment F { a }"), @r#"1:12 Syntax error: expected "on", found "{""#);
    insta::assert_snapshot!(told("{ a(b: 'x') }"), @"1:8 Syntax error: unexpected character '; strings are written in double quotes");
    insta::assert_snapshot!(told("{ é }"), @"1:3 Syntax error: unexpected character U+00E9");
    insta::assert_snapshot!(told("{\n  ä: a ; }"), @"2:3 Syntax error: unexpected character U+00E4");
    insta::assert_snapshot!(told("\"x\" { a }"), @"1:1 Syntax error: a query in short form cannot have a description");
    insta::assert_snapshot!(told("{ a } nonsense"), @r#"1:7 Syntax error: expected an operation or a fragment, found "nonsense""#);
    insta::assert_snapshot!(told("{ a .. b }"), @r#"1:5 Syntax error: unexpected character ".""#);
}

#[test]
fn types_are_no_part_of_what_is_executed() {
    let error = parse("{ a } type T { a: Int }").unwrap_err();
    insta::assert_snapshot!(error.message, @"A document that is executed can only contain operations and fragments, not type definitions.");
    assert_eq!(error.extensions.unwrap().get("code"), Some(&"GRAPHQL_VALIDATION_FAILED".into()));
}

#[test]
fn numbers_are_read_by_their_grammar() {
    let number = |literal| match value(literal) {
        Value::Number(number) => number,
        other => panic!("{literal}: {other}"),
    };
    assert_eq!((number("0").as_i64(), number("-0").as_i64(), number("-12").as_i64()), (Some(0), Some(0), Some(-12)));
    for float in ["1.0", "1e1", "1E+2", "-0.5e-3"] {
        assert!(number(float).is_f64(), "{float}");
    }
    assert!(number("123456789012345678901234567890").as_f64().is_some());
    insta::assert_snapshot!(told("{ a(b: 00) }"), @r#"1:9 Syntax error: invalid number: a number other than 0 cannot start with 0, found "0""#);
    insta::assert_snapshot!(told("{ a(b: 1.) }"), @r#"1:10 Syntax error: invalid number: a digit was expected, found ")""#);
    insta::assert_snapshot!(told("{ a(b: 1c: 2) }"), @r#"1:9 Syntax error: invalid number: a digit, a space or punctuation was expected, found "c""#);
    for wrong in ["01", "-", "+1", ".5", "1.e1", "1e", "1.2.3", "0x1", "1_000", "1e1.0", "--1"] {
        told(&format!("{{ a(b: {wrong}) }}"));
    }
    let Parsed { faults, .. } = parse("{ a(b: 1e999) }").unwrap();
    insta::assert_snapshot!(faults[0].message, @"Expected a number of at most 64 bits, found the number 1e999.");
}

#[test]
fn strings_say_what_their_escapes_say() {
    let text = |literal| match value(literal) {
        Value::String(text) => text,
        other => panic!("{literal}: {other}"),
    };
    assert_eq!(text(r#""""#), "");
    assert_eq!(text(r#""a\"\\\/\b\f\n\r\tz""#), "a\"\\/\u{8}\u{c}\n\r\tz");
    assert_eq!(text(r#""\u00e9 \u{1F600} \u{0000000041} \uD83D\uDE00""#), "é 😀 A 😀");
    assert_eq!(text("\"tab\there 😀\""), "tab\there 😀");
    insta::assert_snapshot!(told(r#"{ a(b: "\x") }"#), @r"1:9 Syntax error: invalid escape \x in a string");
    insta::assert_snapshot!(told(r#"{ a(b: "\uD83D") }"#), @r"1:9 Syntax error: invalid escape \uD83D in a string");
    insta::assert_snapshot!(told("{ a(b: \"x\ny\") }"), @r#"1:10 Syntax error: unterminated string: only a block string (""") can span lines"#);
    insta::assert_snapshot!(told("{ a(b: \"x) }"), @"1:13 Syntax error: unterminated string");
    insta::assert_snapshot!(told("{ a(b: \"\"\"x\"\") }"), @"1:8 Syntax error: unterminated string");
    for wrong in [
        r"\u",
        r"\u12",
        r"\u{",
        r"\u{}",
        r"\u{110000}",
        r"\u{D800}",
        r"\uDE00\uD83D",
        r"\uD83Dx",
        r"\u{1F600",
        r"\uD83D\n",
        r"\é",
    ] {
        told(&format!("{{ a(b: \"{wrong}\") }}"));
    }
}

#[test]
fn block_strings_lose_their_common_indentation() {
    let text = |raw: &str| match value(&format!("\"\"\"{raw}\"\"\"")) {
        Value::String(text) => text,
        other => panic!("{other}"),
    };
    assert_eq!(
        text("\n    Hello,\n      World!\n\n    Yours,\n      GraphQL.\n  "),
        "Hello,\n  World!\n\nYours,\n  GraphQL."
    );
    assert_eq!(text("  first\n   second\r\n  third\rfourth"), "  first\n   second\n  third\nfourth");
    assert_eq!(text("a \\\"\"\" \\n \" \"\" b"), "a \"\"\" \\n \" \"\" b");
    assert_eq!(text(""), "");
    assert_eq!(text(" \n\t\n"), "");
}

#[test]
fn places_are_right_behind_strings_and_line_ends_of_every_kind() {
    insta::assert_snapshot!(told("{ a(b: \"\"\"x\r\n y\n\"\"\") ?"), @r#"3:6 Syntax error: unexpected character "?""#);
    insta::assert_snapshot!(told("{\r a\r\n b(c: \"😀é\") ?"), @r#"3:13 Syntax error: unexpected character "?""#);
}

#[test]
fn what_the_tree_has_no_room_for_is_noted() {
    let faults = |text| parse(text).unwrap().faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>();
    assert_eq!(faults("{ a(b: {c: 1, d: {c: 1}}) }"), [""; 0]);
    assert_eq!(faults("{ a(b: {c: 1, d: 2, c: 1}) }"), ["There can be only one input field named \"c\"."]);
    assert_eq!(faults("query($v: I = {l: [{c: 1, c: 2}]}) { a }"), ["There can be only one input field named \"c\"."]);
    assert_eq!(faults("{ a @d(x: {c: 1, c: 2}) }"), ["There can be only one input field named \"c\"."]);
    assert_eq!(faults("query A { a } query A { b }"), ["There can be only one operation named \"A\"."]);
    assert_eq!(faults("{ a } { b }").len(), 2);
    assert_eq!(faults("{ a } query A { b }"), ["An anonymous operation must be the only operation of its document."]);
    assert_eq!(faults("fragment F on T { a } fragment F on T { a }"), ["There can be only one fragment named \"F\"."]);
}

proptest::proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in "[ -~é\n\"{}()$:@!.\\\\]{0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn any_string_that_is_escaped_is_read_as_it_was(text in proptest::prelude::any::<String>()) {
        let literal = serde_json::to_string(&text).unwrap();
        proptest::prop_assert_eq!(value(&literal), Value::String(text));
    }
}
