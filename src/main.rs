//! The exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    tenure::cli::main(std::env::args_os())
}
