//! The trace of each statement as JSON.

use super::step::Step;
use crate::chain::Migration;
use crate::verify::{StatementEffect, TableEffect};

impl Step {
    /// The traced statements of this step, which is the step of `migration`.
    pub fn effects(&self, migration: &Migration) -> Vec<StatementEffect> {
        let source = &migration.script.source;
        let statements = self.statements.iter().map(|seen| StatementEffect {
            file: source.file.clone(),
            line: source.position(seen.range.start).line,
            scope: seen.scope,
            tables: seen
                .trace
                .tables
                .iter()
                .map(|((schema, table), usage)| TableEffect {
                    schema: schema.clone(),
                    table: table.clone(),
                    lock: usage.lock.map(|lock| lock.to_string()),
                    rewritten: usage.rewritten,
                    scanned: usage.scans > 0,
                })
                .collect(),
            duration_ms: seen.trace.elapsed.as_secs_f64() * 1e3,
            wal_bytes: seen.trace.wal,
        });
        statements.collect()
    }
}
