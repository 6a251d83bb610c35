//! One fuzzer for all targets: `TARGET=quantities`, then the arguments of libFuzzer. `make fuzz` runs all of them.
#![no_main]

#[path = "../targets/mod.rs"]
mod targets;

use std::sync::LazyLock;

static TARGET: LazyLock<targets::Target> = LazyLock::new(|| {
    let name = std::env::var("TARGET").unwrap_or_default();
    let found = targets::ALL.into_iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("TARGET was {name:?}; it may be {}", targets::names()))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.check)(bytes));
