//! Makes sure that the folder of the built playground is there, so that the binary builds without npm: it then serves a
//! page that says how to build the real one.

use std::fs::{self, File};
use std::time::SystemTime;

const DIST: &str = "playground/dist";

fn main() -> std::io::Result<()> {
    if !fs::exists(DIST)? {
        fs::create_dir_all(DIST)?;
        // Cargo compares it with the time at which this script began: were it newer, the next build would be a whole one.
        File::open(DIST)?.set_modified(SystemTime::UNIX_EPOCH)?;
    }
    println!("cargo::rerun-if-changed={DIST}");
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
