//! Compares the speed of Tenure with a loop that an engineer would write by hand and with other migrators, in one run on one
//! private server, as ratios. `cargo bench --bench fleet` prints the table and fails if a limit is exceeded; with `-- --bless` it
//! also writes `benches/RESULTS.md`.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock and the machine")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the table is its result")]

mod direct;
mod fleet;
mod measure;
mod memory;
mod proxy;
mod results;
mod rivals;
mod rows;
mod server;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use results::Results;
use rows::Bench;

/// Measure the speed of Tenure against other programs, as ratios of one run
#[derive(Debug, clap::Parser)]
struct Arguments {
    /// Use a tenth of the tenants and fewer rounds, without limits, to try the benchmark
    #[arg(long)]
    quick: bool,
    /// Write benches/RESULTS.md
    #[arg(long)]
    bless: bool,
    /// Measure only this row; repeatable
    #[arg(long, value_name = "NUMBER")]
    row: Vec<u32>,
    /// Ignored; Cargo passes it to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let is_whole = !arguments.quick && arguments.row.is_empty();
    let bench = Bench::prepare(arguments.quick)?;
    let mut results = Results::of(&bench)?;
    results.print_head();
    for (numbers, measure) in rows::ROWS {
        if arguments.row.is_empty() || numbers.iter().any(|number| arguments.row.contains(number)) {
            results.add(measure(&bench)?);
        }
    }
    if arguments.bless {
        if is_whole {
            results.write()?;
        } else {
            eprintln!("not written: RESULTS.md is a whole run's");
        }
    }
    let missed = results.missed();
    if missed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("missed: row {}", missed.join(", row "));
    Ok(ExitCode::FAILURE)
}
