//! `tenant drop --purge` of a tenant with five thousand tables, each with two keys, an index, a check and a sequence, on a server
//! with as much room for locks as one with default settings has; and that one DROP SCHEMA is more than that server can do.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::place::Place;

const TABLES: usize = 5_000;

/// 64 locks a transaction, 100 connections.
const ROOM: usize = 6_400;

/// Most of it is the server's: files are deleted, and every catalog is written.
const LIMIT: Duration = Duration::from_mins(2);

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
    let crowd = place.crowd(ROOM)?;
    let at_once = place.sql(
        "DO $$ BEGIN EXECUTE (SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace WHERE nspname LIKE 'dropped%'); END $$",
    );
    let at_once = at_once.err().map(|error| error.to_string().lines().next().unwrap_or_default().to_owned());
    ensure!(at_once.is_some(), "one DROP SCHEMA was enough: the server has more room than by default");
    let words = ["tenant", "drop", "--purge", "t1", "--now", "--confirm", "t1", "--format", "json"];
    let (text, took) = place.tenure(&words)?;
    let document: serde_json::Value = serde_json::from_str(&text)?;
    let purged = &document["purged"][0];
    drop(crowd);
    let left = place.sql("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'dropped%'")?;
    ensure!(left == "0", "{text}");
    println!(
        "purge of {TABLES} tables: {} ms in {} transactions, {} objects; limit {} ms (room for {ROOM} locks; \
         DROP SCHEMA at once: {})",
        took.as_millis(),
        purged["transactions"],
        purged["objects"],
        LIMIT.as_millis(),
        at_once.unwrap_or_default(),
    );
    Ok(if took > LIMIT { vec![format!("purge: {} ms", took.as_millis())] } else { Vec::new() })
}
