use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::cluster::yaml;

fn declarations(yaml: &str) -> String {
    match declared(yaml) {
        Ok(parameters) => parameters
            .iter()
            .map(|one| {
                format!("{} {:?} {:?} {}", one.name, one.of_type, one.default, one.description).trim_end().to_owned()
                    + "\n"
            })
            .collect(),
        Err(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
    }
}

#[test]
fn declarations_have_a_type_a_default_and_a_description() {
    let yaml = "# platform: param epochs int 10 How often the data is seen.
#platform: param rate number 1e-3
a: b # platform: param greeting string \"hello, \\\"you\\\"\" With blanks.
# platform: param image string - The image to run.
# platform: param memory quantity 4Gi
# platform: param verbose bool false
# platform: param size enum(small | large) small The size.
# platform: linux/amd64 is no declaration
script: |
  # platform: param not int a comment in a string
";
    insta::assert_snapshot!(declarations(yaml), @r##"
    epochs Int Some("10") How often the data is seen.
    rate Number Some("1e-3")
    greeting String Some("hello, \"you\"") With blanks.
    image String None The image to run.
    memory Quantity Some("4Gi")
    verbose Bool Some("false")
    size Enum(["small", "large"]) Some("small") The size.
    "##);
}

#[test]
fn a_declaration_that_cannot_be_read_is_told_with_its_place() {
    let yaml = "# platform: param
# platform: param 1st string x
# platform: param n integer 3
# platform: param n int
# platform: param n int three
a: b   # platform: param n enum(a|b c
# platform: param n enum(a||b) a
# platform: param n enum(a|a) a
# platform: param n enum(a|b) c
# platform: param n string \"open
# platform: param n string \"a\"b
# platform: param n quantity lots
# platform: param n int 010
";
    insta::assert_snapshot!(declarations(yaml), @r##"
    line 1, column 1: the declaration has no name; write # platform: param NAME TYPE DEFAULT DESCRIPTION
    line 2, column 19: the name "1st" is not valid; it must be 1 to 63 letters, digits, "-" and "_", beginning with a letter or "_"
    line 3, column 21: the type "integer" is not known; it must be string, int, number, bool, quantity or enum(a|b|c)
    line 4, column 24: the default is missing; write - if a value must be given
    line 5, column 25: the default of n was "three"; it must be a whole number such as 3
    line 6, column 28: the enum is not closed; write enum(a|b|c)
    line 7, column 21: a value of the enum is empty; write enum(a|b|c)
    line 8, column 21: the enum has the value "a" twice
    line 9, column 31: the default of n was "c"; it must be one of a, b
    line 10, column 28: the default is not a valid string: it must end with a quote, and be escaped as in JSON
    line 11, column 31: a blank must follow the default
    line 12, column 30: the default of n was "lots"; it must be a quantity such as 500m or 4Gi
    line 13, column 25: the default of n was "010"; it must be a whole number such as 3
    "##);
    let twice = "# platform: param n int 1\n# platform: param n int 2\n";
    insta::assert_snapshot!(declarations(twice), @r##"line 2, column 19: the parameter n is already declared on line 1"##);
    let many: String = (0..60).map(|number| format!("# platform: param p{number} int 1\n")).collect();
    insta::assert_snapshot!(declarations(&many), @r##"line 51, column 19: the file has more than 50 parameters, which is the limit"##);
}

/// The document after the values are put into it, or what is wrong.
fn inserted(yaml: &str, given: &[(&str, &str)]) -> Result<Value, String> {
    let parameters = declared(yaml).unwrap();
    let values = Values::given(&parameters, given)
        .map_err(|refused| refused.iter().map(|(at, what)| format!("{at:?}: {what}\n")).collect::<String>())?;
    let document = yaml::read(yaml).unwrap().remove(0);
    let Insertion { node, problems, .. } = Insertion::of(&document, &values);
    match problems.is_empty() {
        true => Ok(node.to_json()),
        false => Err(problems.iter().map(|problem| format!("{problem}\n")).collect()),
    }
}

const ALL: &str = "# platform: param n int 3
# platform: param rate number 0.5
# platform: param on bool true
# platform: param text string some
# platform: param memory quantity 4Gi
";

#[test]
fn a_scalar_without_quotes_has_the_type_of_the_parameter_and_a_string_stays_one() {
    let yaml = format!("{ALL}a: ${{{{ params.n }}}}\nb: ${{{{params.rate}}}}\nc: ${{{{ params.on }}}}\nd: ${{{{ params.text }}}}\ne: ${{{{ params.memory }}}}
f: \"${{{{ params.n }}}}\"\ng: --n=${{{{ params.n }}}} --on=${{{{ params.on }}}}\nh: [\"${{{{ params.text }}}}\", {{i: '${{{{ params.rate }}}}!'}}]\nj: ${{{{ secrets.mine }}}} {{{{inputs.x}}}}\n");
    let expected = json!({ "a": 3, "b": 0.5, "c": true, "d": "some", "e": "4Gi", "f": "3", "g": "--n=3 --on=true",
        "h": ["some", { "i": "0.5!" }], "j": "${{ secrets.mine }} {{inputs.x}}" });
    assert_eq!(inserted(&yaml, &[]).unwrap(), expected);
    let given = [("n", "-7"), ("text", "yes"), ("on", "false")];
    let changed = inserted(&yaml, &given).unwrap();
    assert_eq!(
        (&changed["a"], &changed["d"], &changed["c"], &changed["g"]),
        (&json!(-7), &json!("yes"), &json!(false), &json!("--n=-7 --on=false"))
    );
}

#[test]
fn aliases_are_filled_wherever_they_are() {
    let yaml = format!("{ALL}a: &x {{t: \"${{{{ params.text }}}}\"}}\nb: *x\nc: {{<<: *x, u: 1}}\n");
    assert_eq!(
        inserted(&yaml, &[]).unwrap(),
        json!({ "a": { "t": "some" }, "b": { "t": "some" }, "c": { "t": "some", "u": 1 } })
    );
}

#[test]
fn a_placeholder_that_cannot_be_filled_is_told_with_its_place_and_path() {
    let yaml = format!(
        "{ALL}kind: ${{{{ params.text }}}}\nspec:\n  a: ${{{{ params.txt }}}}\n  b: [\"${{{{ params. }}}}\", \"${{{{ params.n\"]\n  \"${{{{ params.n }}}}\": 1\n"
    );
    insta::assert_snapshot!(inserted(&yaml, &[]).unwrap_err(), @r##"
    line 6, column 7: kind cannot contain a parameter: a template always is of the same kind
    line 8, column 6: spec.a uses the parameter "txt", which is not declared; the declared parameters are memory, n, on, rate, text
    line 9, column 7: spec.b[0] has a placeholder that cannot be read; it must be ${{ params.NAME }}
    line 9, column 25: spec.b[1] has a placeholder that cannot be read; it must be ${{ params.NAME }}
    line 10, column 3: spec["${{ params.n }}"] has a parameter in its name; parameters can only be used in values
    "##);
    insta::assert_snapshot!(inserted("a: ${{ params.x }}", &[]).unwrap_err(), @r##"line 1, column 4: a uses the parameter "x", which is not declared; declare it with a comment: # platform: param x string - What it means"##);
}

#[test]
fn every_value_that_does_not_fit_is_told() {
    let yaml = format!("{ALL}# platform: param image string -\n# platform: param size enum(s|l) s\n");
    let given = [
        ("n", "3.5"),
        ("rate", "fast"),
        ("on", "yes"),
        ("memory", "lots"),
        ("size", "m"),
        ("nn", "1"),
        ("n", "1"),
        ("text", "\0"),
    ];
    insta::assert_snapshot!(inserted(&yaml, &given).unwrap_err(), @r##"
    Value(0): n was "3.5"; it must be a whole number such as 3
    Value(1): rate was "fast"; it must be a number such as 3 or 0.5
    Value(2): on was "yes"; it must be true or false
    Value(3): memory was "lots"; it must be a quantity such as 500m or 4Gi
    Value(4): size was "m"; it must be one of s, l
    Name(5): there is no parameter "nn"; the parameters are n, rate, on, text, memory, image, size
    Name(6): the parameter n is given twice
    Value(7): text was "\0"; it must be a string without the character U+0000
    Whole: the parameter image is required; it must be a string
    "##);
    insta::assert_snapshot!(inserted("a: b", &[("n", "1")]).unwrap_err(), @r##"Name(0): there is no parameter "n"; none is declared"##);
    let long = "x".repeat(10_001);
    insta::assert_snapshot!(inserted(ALL, &[("text", &long)]).unwrap_err().replace(&long[..80], "…"), @r##"Value(0): text was "…"…; it must be at most 10000 bytes long, not 10001"##);
}

#[test]
fn what_values_add_to_a_document_is_bounded() {
    let yaml = format!("{ALL}list:\n{}", "- ${{ params.text }}\n".repeat(2_000));
    insta::assert_snapshot!(inserted(&yaml, &[("text", &"x".repeat(10_000))]).unwrap_err(), @r##"line 111, column 3: list[104] is beyond the limit: parameters can add at most 1048576 bytes to a document"##);
}

/// A document with the same keys and lists, and a value wherever one is used.
const SHAPE: &str = "# platform: param text string x
plain: ${{ params.text }}
quoted: \"${{ params.text }}\"
inside: [1, \"a ${{ params.text }} b\", {key: 'c${{ params.text }}'}]
block: |
  d ${{ params.text }}
";

proptest! {
    #[test]
    fn no_value_changes_the_structure(value in "\\PC{0,40}|[\\n\"'{}\\[\\]:#&*!|>%@` a-z-]{0,40}") {
        let found = inserted(SHAPE, &[("text", &value)]).unwrap();
        let expected = json!({ "plain": value, "quoted": value,
            "inside": [1, format!("a {value} b"), { "key": format!("c{value}") }], "block": format!("d {value}\n") });
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn what_is_declared_is_read_as_it_was(name in "[a-zA-Z_][a-zA-Z0-9_-]{0,20}", default in "\\PC{0,30}", text in "[a-z .]{0,30}") {
        let yaml = format!("# platform: param {name} string {} {text}\na: b\n", json!(default));
        let expected = (name, Some(default), text.trim().to_owned());
        let found = declared(&yaml).unwrap().remove(0);
        prop_assert_eq!((found.name, found.default, found.description), expected);
    }

    #[test]
    fn no_comment_breaks_the_parser(text in "(platform: param )?\\PC{0,60}") {
        let yaml = format!("# {text}\na: b\n");
        if yaml::read(&yaml).is_ok() {
            for parameter in declared(&yaml).unwrap_or_default() {
                prop_assert!(parameter.default.is_none_or(|value| parameter.of_type.check(&value).is_ok()));
            }
        }
    }

    #[test]
    fn a_number_is_what_kubectl_reads(value in "-?(0|[1-9][0-9]{0,9})(\\.[0-9]{1,5})?") {
        let yaml = format!("# platform: param n number {value}\na: ${{{{ params.n }}}}\nb: {value}\n");
        let found = inserted(&yaml, &[]).unwrap();
        prop_assert_eq!(&found["a"], &found["b"]);
    }
}
