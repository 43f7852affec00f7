//! The exit code, and who hands out memory.

use std::process::ExitCode;

/// Trees of SQL are many small pieces, made and dropped by several threads: a quarter of the work of
/// `verify` with the system's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tenure::cli::main(std::env::args_os())
}
