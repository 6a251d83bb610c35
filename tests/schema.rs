//! `schema.graphql` is what the server serves.

use futures::StreamExt;
use platform::error::Code;
use platform::graphql::limits::CostTable;
use platform::schema;

#[test]
fn the_committed_schema_is_the_printed_one() {
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql")).unwrap();
    let printed = schema::sdl();
    if committed != printed {
        let diff = similar::TextDiff::from_lines(&committed, &printed);
        let shown = diff.unified_diff().context_radius(2).header("schema.graphql", "platform schema").to_string();
        panic!("schema.graphql has drifted; regenerate it with `make schema`:\n{shown}");
    }
}

#[test]
fn every_list_of_objects_says_how_long_it_may_be() {
    let costs = CostTable::read(&schema::sdl()).unwrap();
    assert_eq!(costs.unsized_lists(), Vec::<String>::new());
}

fn introspect(query: &str) -> serde_json::Value {
    let registry = schema::build(|builder| builder);
    let mut answers = registry.execute_stream(query.into());
    serde_json::to_value(futures::executor::block_on(answers.next()).unwrap().data).unwrap()
}

#[test]
fn everything_is_described() {
    let json = introspect(
        "{ __schema { types { name description fields { name description args { name description } }
           inputFields { name description } enumValues { name description } } } }",
    );
    let mut bare = Vec::new();
    for kind in json["__schema"]["types"].as_array().unwrap() {
        let name = kind["name"].as_str().unwrap();
        // Introspection's own types, and the one that the library makes without a description.
        if name.starts_with("__") || name == "ID" {
            continue;
        }
        let mut look = |path: String, thing: &serde_json::Value| {
            if thing["description"].as_str().is_none_or(|text| text.trim().is_empty()) {
                bare.push(path);
            }
        };
        look(name.to_owned(), kind);
        for part in ["fields", "inputFields", "enumValues"] {
            for field in kind[part].as_array().into_iter().flatten() {
                let path = format!("{name}.{}", field["name"].as_str().unwrap());
                for argument in field["args"].as_array().into_iter().flatten() {
                    look(format!("{path}({})", argument["name"].as_str().unwrap()), argument);
                }
                look(path, field);
            }
        }
    }
    assert!(bare.is_empty(), "without a description: {bare:#?}");
}

#[test]
fn every_scalar_of_ours_names_its_specification() {
    let json = introspect("{ __schema { types { name kind specifiedByURL } } }");
    let bare: Vec<_> = json["__schema"]["types"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|kind| kind["kind"] == "SCALAR" && kind["specifiedByURL"].is_null())
        .map(|kind| kind["name"].as_str().unwrap())
        .collect();
    assert_eq!(bare, ["Boolean", "Float", "ID", "Int", "String"]);
}

/// A client can handle what it can foresee: each mutation has a paragraph "Fails with CODE for ..., CODE when ...".
#[test]
fn every_mutation_says_with_which_codes_it_fails() {
    let json = introspect("{ __schema { mutationType { fields { name description } } } }");
    let code = regex::Regex::new(r"\b[A-Z]+(_[A-Z]+)*\b").unwrap();
    let mut silent = Vec::new();
    for mutation in json["__schema"]["mutationType"]["fields"].as_array().unwrap() {
        let described = mutation["description"].as_str().unwrap();
        let failures = described.split("\n\n").find_map(|paragraph| paragraph.strip_prefix("Fails with "));
        let known = |found: regex::Match<'_>| Code::ALL.iter().any(|code| code.as_str() == found.as_str());
        if !failures.is_some_and(|text| code.find_iter(text).any(known)) {
            silent.push(mutation["name"].as_str().unwrap());
        }
    }
    assert!(silent.is_empty(), "mutations without a paragraph \"Fails with CODE ...\": {silent:?}");
}
