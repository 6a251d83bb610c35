//! The `platform` binary: everything it does is in [`platform::cli`].

use std::process::ExitCode;

/// An operation allocates thousands of small objects on one thread and frees them on another, which is slow in the
/// system allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    platform::cli::run()
}
