//! What the verbs on tenants cost. `cargo bench --bench tenants` measures all of it, `-- NAME` one of it, and
//! fails where a limit is missed.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time, and reads the machine")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what it measured is its result")]

mod audit;
mod clone;
mod dry_run;
mod place;
mod purge;
mod signup;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

/// A measurement: its name, and what it found where it missed its limit.
type Measurement = (&'static str, fn() -> Result<Vec<String>>);

/// All of them.
const MEASUREMENTS: &[Measurement] = &[
    ("pool", signup::pool),
    ("create", signup::create),
    ("clone", clone::measure),
    ("purge", purge::measure),
    ("audit", audit::measure),
    ("dry-run", dry_run::measure),
];

/// What the verbs on tenants cost.
#[derive(Debug, clap::Parser)]
struct Arguments {
    /// Only these
    name: Vec<String>,
    /// Cargo says it to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut missed = Vec::new();
    for (name, measure) in MEASUREMENTS {
        if arguments.name.is_empty() || arguments.name.iter().any(|asked| asked == name) {
            missed.extend(measure()?);
        }
    }
    for line in &missed {
        eprintln!("missed: {line}");
    }
    Ok(if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
