//! `schema.graphql` is what the server serves.

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
fn everything_is_described() {
    let registry = schema::build(|builder| builder);
    let answer = futures::executor::block_on(registry.execute(
        "{ __schema { types { name description fields { name description args { name description } }
           inputFields { name description } enumValues { name description } } } }",
    ));
    let json = serde_json::to_value(answer.data).unwrap();
    let mut bare = Vec::new();
    for kind in json["__schema"]["types"].as_array().unwrap() {
        let name = kind["name"].as_str().unwrap();
        // Introspection's own types, and two that the library makes without a description.
        if name.starts_with("__") || name == "ID" || name.ends_with("Connection") {
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
