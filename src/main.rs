//! The `platform` binary: everything it does is in the library's [`platform::cli`].

use std::process::ExitCode;

/// An operation allocates thousands of small things on one thread and frees them on another, which the system's
/// allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    platform::cli::run()
}
