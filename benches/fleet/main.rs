//! How fast Tenure is, against the loop that a capable person would write by hand and against other
//! migrators: everything in one run, on one private server, as ratios. `cargo bench --bench fleet` prints
//! the table and fails where a limit is missed; with `-- --bless` it writes `benches/RESULTS.md` too.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time, and reads the machine")]
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

/// How fast Tenure is: every row measured in one run, as ratios.
#[derive(Debug, clap::Parser)]
struct Arguments {
    /// A tenth of the tenants and fewer rounds, to try the benchmark; no limit is judged
    #[arg(long)]
    quick: bool,
    /// Write benches/RESULTS.md
    #[arg(long)]
    bless: bool,
    /// Only this row, which may be said again
    #[arg(long, value_name = "NUMBER")]
    row: Vec<u32>,
    /// Cargo says it to every benchmark
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
