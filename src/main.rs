//! The exit code, the allocator, and the protection of this process's memory.

use std::process::ExitCode;

/// Trees of SQL are many small pieces, made and dropped by several threads: a quarter of the work of
/// `verify` with the system's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    protect_memory();
    tenure::cli::main(std::env::args_os())
}

/// Keeps other processes of the same user from reading the secrets in this process's memory and environment, such as code that a
/// server runs (`man 2 PR_SET_DUMPABLE`). Programs that it starts are not affected.
#[cfg(target_os = "linux")]
fn protect_memory() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    // A kernel that refuses this protects what it protects without it.
    let _refused = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

#[cfg(not(target_os = "linux"))]
fn protect_memory() {}
