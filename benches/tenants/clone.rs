//! `tenant clone --data` of a tenant with a million rows, compared with a manual copy: create the schema, drop its foreign keys,
//! copy each table with `psql COPY … TO STDOUT | psql COPY … FROM STDIN`, add the keys. The contenders alternate on one server,
//! each after a checkpoint.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::place::Place;

/// The minimum speed of the clone relative to the manual copy.
const LIMIT: f64 = 0.8;
const ROUNDS: usize = 5;
const ROWS: usize = 1_000_000;

/// A million rows: workspaces, and jobs with a foreign key to their workspace.
const FILL: &str = "SET search_path = org_t1; \
    INSERT INTO workspaces (name, description, github_repo_url, settings) \
        SELECT 'workspace ' || n, repeat('what it is for ', 4), 'https://example.org/' || n, jsonb_build_object('n', n) \
        FROM generate_series(1, 250000) n; \
    CREATE TEMP TABLE w AS SELECT id, row_number() OVER () AS n FROM workspaces; CREATE INDEX ON w (n); \
    INSERT INTO pipeline_jobs (workspace_id, job_type, status, started_at, error_message, run_metadata) \
        SELECT w.id, 'full_refresh', CASE WHEN g % 10 = 0 THEN 'pending' ELSE 'completed' END, now(), \
            'message ' || g, jsonb_build_object('rows', g) \
        FROM generate_series(1, 750000) g JOIN w ON w.n = g % 250000 + 1; \
    ANALYZE";

const KEYS: [(&str, &str, &str); 3] = [
    (
        "pipeline_jobs",
        "pipeline_jobs_workspace_id_fkey",
        "FOREIGN KEY (workspace_id) REFERENCES org_hand.workspaces (id)",
    ),
    (
        "data_sources",
        "data_sources_workspace_id_fkey",
        "FOREIGN KEY (workspace_id) REFERENCES org_hand.workspaces (id)",
    ),
    (
        "mappings",
        "mappings_workspace_id_fkey",
        "FOREIGN KEY (workspace_id) REFERENCES org_hand.workspaces (id)",
    ),
];

/// Measures, and returns exceeded limits.
pub(super) fn measure() -> Result<Vec<String>> {
    let place = Place::with_tenants("", 1)?;
    place.sql(FILL)?;
    let (mut by_hand, mut by_clone) = (Vec::new(), Vec::new());
    for _round in 0..ROUNDS {
        place.sql("CHECKPOINT")?;
        by_hand.push(hand(&place)?);
        expect(&place, "org_hand")?;
        forget(&place, "hand")?;
        place.sql("CHECKPOINT")?;
        let (_, took) = place.tenure(&["tenant", "clone", "t1", "copy", "--data"])?;
        by_clone.push(took);
        expect(&place, "org_copy")?;
        forget(&place, "copy")?;
    }
    let (hand, clone) = (median(by_hand), median(by_clone));
    let speed = hand.as_secs_f64() / clone.as_secs_f64();
    println!(
        "clone of {ROWS} rows: {} ms, by hand {} ms (medians of {ROUNDS}): {speed:.2} × its speed; limit {LIMIT:.2}",
        clone.as_millis(),
        hand.as_millis()
    );
    Ok(if speed < LIMIT { vec![format!("clone: {speed:.2} × the speed by hand")] } else { Vec::new() })
}

/// The duration of the manual copy, from the first statement to the last.
fn hand(place: &Place) -> Result<Duration> {
    let began = Instant::now();
    place.tenure(&["tenant", "create", "hand"])?;
    let drops = KEYS.map(|(table, key, _)| format!("ALTER TABLE org_hand.{table} DROP CONSTRAINT {key}"));
    place.sql(&drops.join("; "))?;
    for table in ["workspaces", "pipeline_jobs"] {
        pipe(place, table)?;
    }
    let adds =
        KEYS.map(|(table, key, what)| format!("ALTER TABLE org_hand.{table} ADD CONSTRAINT {key} {what}"));
    place.sql(&adds.join("; "))?;
    Ok(began.elapsed())
}

fn pipe(place: &Place, table: &str) -> Result<()> {
    let psql = |sql: String| {
        let mut command = Command::new("psql");
        command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", place.url(), "-c", &sql]);
        command
    };
    let mut from = psql(format!("COPY org_t1.{table} TO STDOUT")).stdout(Stdio::piped()).spawn()?;
    let rows = from.stdout.take().context("the output of psql")?;
    let status = psql(format!("COPY org_hand.{table} FROM STDIN")).stdin(Stdio::from(rows)).status()?;
    ensure!(from.wait()?.success() && status.success(), "copying {table} by hand");
    Ok(())
}

/// Checks that both copied everything.
fn expect(place: &Place, schema: &str) -> Result<()> {
    let rows = place.sql(&format!(
        "SELECT (SELECT count(*) FROM {schema}.workspaces) + (SELECT count(*) FROM {schema}.pipeline_jobs)"
    ))?;
    let keys = place.sql(&format!(
        "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = '{schema}'::regnamespace"
    ))?;
    ensure!(rows == ROWS.to_string() && keys == "4", "{schema} has {rows} rows and {keys} keys");
    Ok(())
}

fn forget(place: &Place, slug: &str) -> Result<()> {
    let schema = format!("org_{slug}");
    place.sql(&format!(
        "DROP SCHEMA {schema} CASCADE; DELETE FROM datalinx_platform.tenant_version WHERE schema_name = '{schema}'; \
         DELETE FROM datalinx_platform.organizations WHERE slug = '{slug}'"
    ))?;
    Ok(())
}

fn median(mut took: Vec<Duration>) -> Duration {
    took.sort();
    took[took.len() / 2]
}
