//! The build script: a second `cargo build` in a clone without a built playground has nothing to do.

use std::fs;
use std::path::Path;
use std::process::Command;

/// What cargo says of a build.
fn build(package: &Path) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--offline"])
        .current_dir(package)
        .env("CARGO_TARGET_DIR", package.join("target"))
        .env("CARGO_TERM_COLOR", "never")
        .env_remove("CARGO_TERM_QUIET")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn without_a_playground_the_second_build_does_nothing() {
    // The script in a package that is built in a moment.
    let package = tempfile::tempdir().unwrap();
    let path = package.path();
    fs::write(path.join("Cargo.toml"), "[package]\nname = 'small'\nedition = '2024'\n[workspace]\n").unwrap();
    fs::create_dir_all(path.join("src")).unwrap();
    fs::write(path.join("src/lib.rs"), "").unwrap();
    fs::write(path.join("build.rs"), include_str!("../build.rs")).unwrap();

    assert!(build(path).contains("Compiling small"));
    assert!(!build(path).contains("Compiling"));
    // The page comes later, and the binary must not be without it then.
    fs::write(path.join("playground/dist/index.html"), "<html>").unwrap();
    assert!(build(path).contains("Compiling small"));
    assert!(!build(path).contains("Compiling"));
}
