//! `tenant drop --purge` of a tenant with five thousand tables, each with two keys, an index, a check and a sequence, on a server
//! with as much room for locks as one with default settings has; and that one DROP SCHEMA is more than that server can do.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::place::Place;

const TABLES: usize = 5_000;

/// 64 locks a transaction, 100 connections.
const ROOM: usize = 6_400;

/// How many times as long it may take as one DROP SCHEMA does where there is room for all of its locks. Each portion looks
/// anew for what is left, and a commit is more than a part of one.
const LIMIT: f64 = 4.0;

/// Measures; what missed its limit.
pub(super) fn measure() -> Result<Vec<String>> {
    let place = Place::with_tenants("", 1)?;
    // As many as one transaction has room for.
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
    // This server has more room than usual; what it does here is undone.
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
