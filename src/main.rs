//! The `platform` binary: everything it does is in the library's [`platform::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    platform::cli::run()
}
