//! `migrate up --branch local`, compared with the sum of its parts: the copy and the migration.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::place::Place;

const TENANTS: usize = 10;
const ROUNDS: usize = 7;
/// The limit for the rest: the shadow run, the snapshots, and the queries between statements.
const LIMIT: Duration = Duration::from_millis(1_500);

/// A typical release: changes to the platform and the tenants, and a table with a foreign key to a shared one.
const PENDING: &str = "-- Migration: v1.0.4 to v1.0.5\n-- Description: what is measured\n-- Scope: tenant\n\
    ALTER TABLE workspaces ADD COLUMN note text;\n\
    CREATE TABLE {org_schema}.notes (id uuid PRIMARY KEY, author uuid REFERENCES datalinx_platform.users (id));\n\
    CREATE INDEX notes_author ON notes (author);\n";

/// Measures, and returns exceeded limits.
pub(super) fn measure() -> Result<Vec<String>> {
    let place = Place::with_tenants("", TENANTS)?;
    place.file("migrations/v1.0.4_to_v1.0.5_measured.sql", PENDING)?;
    let (mut copies, mut plain, mut whole_runs) = (Vec::new(), Vec::new(), Vec::new());
    let source = place.sql("SELECT current_database()")?;
    // PostgreSQL before version 15 has only this strategy.
    let has_ways = place.sql("SELECT current_setting('server_version_num')::int >= 150000")? == "t";
    let strategy = if has_ways { "STRATEGY FILE_COPY" } else { "" };
    for round in 0..ROUNDS {
        let copy = format!("copy_{round}");
        // The server's own time, with the same copy strategy.
        let began = Instant::now();
        place.sql_on("postgres", &format!("CREATE DATABASE {copy} TEMPLATE \"{source}\" {strategy}"))?;
        copies.push(began.elapsed());
        let (_, took) = place.tenure_on(&copy, &["migrate", "up"])?;
        plain.push(took);
        place.sql_on("postgres", &format!("DROP DATABASE {copy}"))?;
        let (_, took) = place.tenure(&["migrate", "up", "--branch", "local"])?;
        whole_runs.push(took);
    }
    let (copy, plain, whole) = (median(copies)?, median(plain)?, median(whole_runs)?);
    let over = whole.saturating_sub(copy + plain);
    println!(
        "dry run of {TENANTS} tenants: {} ms (median of {ROUNDS}); copy {} ms + migration {} ms, {:.1} times as long, {} ms over them; limit {} ms over",
        whole.as_millis(),
        copy.as_millis(),
        plain.as_millis(),
        whole.as_secs_f64() / (copy + plain).as_secs_f64(),
        over.as_millis(),
        LIMIT.as_millis()
    );
    Ok(if over > LIMIT { vec![format!("dry run: {} ms over", over.as_millis())] } else { Vec::new() })
}

fn median(mut times: Vec<Duration>) -> Result<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied().context("nothing was measured")
}
