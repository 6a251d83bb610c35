//! What cannot be tried here, told aloud and to `scripts/test`, which reads it from the file in `TEST_SKIPS_FILE`.
// Two test programs have this, and each needs one half of it.
#![allow(dead_code)]

use std::io::Write as _;

/// Says that the test does not run, and what lets it run. It returns after that, so it passes for Rust's harness;
/// `scripts/test` counts each of these lines as one test that was skipped.
pub fn skip(test: &str, what_to_do: &str) {
    // `eprintln!` is captured when a test passes, and a skipped one passes: this line must be seen.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {what_to_do}");
    note(&format!("{test}: {what_to_do}"));
}

/// Says that the test goes on without a part of it, and counts as passed.
pub fn skip_part(what_to_do: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED in part: {what_to_do}");
    note(&format!("in part: {what_to_do}"));
}

fn note(line: &str) {
    let Some(path) = std::env::var_os("TEST_SKIPS_FILE") else { return };
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| writeln!(file, "{line}")).expect("the skip is noted");
}
