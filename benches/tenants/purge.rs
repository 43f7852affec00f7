//! `tenant drop --purge` of a tenant with five thousand tables, each with two keys, an index, a check and a sequence, on a server
//! with the default size of the lock table. Also checks that a single DROP SCHEMA fails on that server.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::place::Place;

const TABLES: usize = 5_000;

/// 64 locks per transaction, 100 connections.
const ROOM: usize = 6_400;

/// The maximum duration relative to one DROP SCHEMA on a server with enough locks. Each batch searches for the remaining objects
/// and has its own commit.
const LIMIT: f64 = 4.0;

/// Measures, and returns exceeded limits.
pub(super) fn measure() -> Result<Vec<String>> {
    let place = Place::with_tenants("", 1)?;
    // The number of tables that fit into one transaction.
    for from in (1..=TABLES).step_by(250) {
        place.sql(&format!(
            "SET search_path = org_t1; DO $$ BEGIN FOR n IN {from}..{} LOOP \
             EXECUTE format('CREATE TABLE table_%s (id bigserial PRIMARY KEY, above bigint REFERENCES table_%s, \
                 maker uuid REFERENCES datalinx_platform.users, name text CHECK (name <> ''''))', n, greatest(n - 1, 1)); \
             EXECUTE format('CREATE INDEX ON table_%s (above)', n); END LOOP; END $$",
            from + 249
        ))?;
    }
    place.tenure(&["tenant", "drop", "t1", "--confirm", "t1"])?;
    let drop_schema = "DO $$ BEGIN EXECUTE (SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace WHERE nspname LIKE 'dropped%'); END $$";
    // This server has a larger lock table; the transaction is rolled back.
    let began = Instant::now();
    place.sql(&format!("BEGIN; SET LOCAL client_min_messages = error; {drop_schema}; ROLLBACK"))?;
    let by_hand = began.elapsed();
    let crowd = place.crowd(ROOM)?;
    let refused = place.sql(drop_schema).err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(refused.contains("out of shared memory"), "one DROP SCHEMA had room enough: {refused}");
    let words = ["tenant", "drop", "--purge", "t1", "--now", "--confirm", "t1", "--format", "json"];
    let (text, took) = place.tenure(&words)?;
    let document: serde_json::Value = serde_json::from_str(&text)?;
    let purged = &document["purged"][0];
    drop(crowd);
    let left = place.sql("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'dropped%'")?;
    ensure!(left == "0", "{text}");
    let ratio = took.as_secs_f64() / by_hand.as_secs_f64();
    println!(
        "purge of {TABLES} tables with room for {ROOM} locks: {} ms in {} transactions; one DROP SCHEMA is refused there, and takes \
         {} ms where there is room: {ratio:.1} times; limit {LIMIT:.1}",
        took.as_millis(),
        purged["transactions"],
        by_hand.as_millis(),
    );
    Ok(if ratio > LIMIT { vec![format!("purge: {ratio:.1} times one DROP SCHEMA")] } else { Vec::new() })
}
