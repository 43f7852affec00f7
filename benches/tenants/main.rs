//! Measures the verbs on tenants. `cargo bench --bench tenants` runs all measurements, `-- NAME` one of them. Fails if a limit is
//! exceeded.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock and the machine")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the measurements are its result")]

mod audit;
mod clone;
mod dry_run;
mod place;
mod purge;
mod signup;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

/// A measurement: its name, and a function that returns exceeded limits.
type Measurement = (&'static str, fn() -> Result<Vec<String>>);

/// All measurements.
const MEASUREMENTS: &[Measurement] = &[
    ("pool", signup::pool),
    ("create", signup::create),
    ("clone", clone::measure),
    ("purge", purge::measure),
    ("audit", audit::measure),
    ("dry-run", dry_run::measure),
];

/// Measure the verbs on tenants
#[derive(Debug, clap::Parser)]
struct Arguments {
    /// Run only these measurements
    name: Vec<String>,
    /// Ignored; Cargo passes it to every benchmark
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
