//! `tenant audit` of a thousand tenants of the seeds' template, with and without roles.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::place::Place;

const TENANTS: usize = 1_000;
const ROUNDS: usize = 7;
const LIMIT: Duration = Duration::from_secs(3);

/// Measures, and returns exceeded limits.
pub(super) fn measure() -> Result<Vec<String>> {
    let mut missed = Vec::new();
    for (what, settings) in [("without roles", ""), ("with roles", "[tenants]\nroles = true\n")] {
        let place = Place::with_tenants(settings, TENANTS)?;
        let mut times = Vec::with_capacity(ROUNDS);
        for _round in 0..ROUNDS {
            let (text, took) = place.tenure(&["tenant", "audit"])?;
            ensure!(text == format!("{TENANTS} tenants: nothing found\n"), "{text}");
            times.push(took);
        }
        times.sort_unstable();
        let (median, longest) = (times[ROUNDS / 2], times[ROUNDS - 1]);
        println!(
            "audit of {TENANTS} tenants {what}: {} ms (median of {ROUNDS}), {} ms at most; limit {} ms",
            median.as_millis(),
            longest.as_millis(),
            LIMIT.as_millis()
        );
        if median > LIMIT {
            missed.push(format!("audit {what}: {} ms", median.as_millis()));
        }
    }
    Ok(missed)
}
