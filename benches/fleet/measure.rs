//! Measures contenders in turns, so that other load on the machine affects all of them. The order alternates between rounds, each
//! turn follows a checkpoint, and the results are medians.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::server::Server;

/// A contender: runs once per round and returns the time of its work.
pub(super) type Contender<'a> = &'a mut dyn FnMut() -> Result<Duration>;

/// The times of one contender.
#[derive(Debug, Clone, Default)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    /// The median, in seconds.
    pub(super) fn median(&self) -> f64 {
        median(self.0.iter().map(Duration::as_secs_f64).collect())
    }

    /// The time relative to another contender: the median of the rounds' ratios, since the turns of one round are close in time.
    pub(super) fn over(&self, other: &Self) -> f64 {
        let ratio = |(ours, theirs): (&Duration, &Duration)| ours.as_secs_f64() / theirs.as_secs_f64();
        median(self.0.iter().zip(&other.0).map(ratio).collect())
    }

    /// The median, the minimum and the maximum: `0.53 s (0.51–0.60)`.
    pub(super) fn shown(&self) -> String {
        let seconds = |time: Option<&Duration>| time.map_or(f64::NAN, Duration::as_secs_f64);
        let (low, high) = (seconds(self.0.iter().min()), seconds(self.0.iter().max()));
        if high < 1.0 {
            format!("{:.0} ms ({:.0}–{:.0})", self.median() * 1e3, low * 1e3, high * 1e3)
        } else {
            format!("{:.2} s ({low:.2}–{high:.2})", self.median())
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Whether the first round, with cold caches, is discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Warm {
    /// The first round is discarded.
    Up,
    /// Each turn starts with new data.
    Not,
}

/// Runs `rounds` turns per contender. Returns their times in the given order.
pub(super) fn rotate<const N: usize>(
    server: &Server,
    rounds: usize,
    warm: Warm,
    contenders: [Contender<'_>; N],
) -> Result<[Times; N]> {
    let mut times = std::array::from_fn(|_| Times::default());
    let skipped = usize::from(warm == Warm::Up);
    for round in 0..rounds + skipped {
        let forward = 0..N;
        let order: Vec<usize> = if round % 2 == 0 { forward.collect() } else { forward.rev().collect() };
        for index in order {
            server.settle()?;
            let time = contenders[index]()?;
            if round >= skipped {
                times[index].0.push(time);
            }
        }
    }
    Ok(times)
}

/// Runs a command and returns its duration.
pub(super) fn succeed(command: &mut Command) -> Result<Duration> {
    let began = Instant::now();
    let output = command.output()?;
    let elapsed = began.elapsed();
    must_have_succeeded(command, &output)?;
    Ok(elapsed)
}

/// Fails with the command's output if it failed.
pub(super) fn must_have_succeeded(command: &Command, output: &Output) -> Result<()> {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(
        output.status.success(),
        "{}: {}\n{}{}",
        command.get_program().display(),
        output.status,
        said(&output.stdout),
        said(&output.stderr)
    );
    Ok(())
}
