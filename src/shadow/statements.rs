//! Runs the statements of a step one by one in a transaction that is rolled back, and observes each.

use std::collections::BTreeMap;
use std::time::Duration;

use super::beyond::{self, Execution};
use super::database_snapshot::DatabaseSnapshot;
use super::repeat;
use super::shadow_run::ShadowRun;
use super::step::{ObservedStatement, Step};
use super::watch::{LockSample, RowUsage, Table};
use crate::chain::Migration;
use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::postgres::batch::{BEGIN, SqlBatch};
use crate::postgres::catalog::Asked;
use crate::settings::StatementTimeout;
use crate::sql::{OWN_TABLES, Scope, Statement};

/// The highest statement timeout on the shadow; its tables have three rows.
const LIMIT: Duration = Duration::from_mins(2);

/// When a snapshot is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SnapshotTiming {
    AfterEach,
    AtTheEnd,
}

impl ShadowRun<'_> {
    /// Runs the statements, those of the tenant part for a tenant of each template. Returns the failure of a statement, if any,
    /// and the last snapshot.
    pub(super) async fn watch(
        &mut self,
        migration: &Migration,
        before: &DatabaseSnapshot,
        when: SnapshotTiming,
        step: &mut Step,
    ) -> Result<(Option<Failure>, DatabaseSnapshot), Failure> {
        let doing = "watching a migration on the shadow";
        let path = self.project.settings.shared_path();
        let platform = vec![self.project.settings.platform_schema()];
        let query = LockSample::query(&before.schemas().cloned().collect::<Vec<_>>());
        let sets = self
            .connection
            .query_batch(&format!("{BEGIN}; {query}"))
            .await
            .map_err(|server_error| server_error.failure(doing))?;
        let first = LockSample::read(sets.last().map(Vec::as_slice).unwrap_or_default())?;
        let mut snapshot = before.clone();
        // The order of a run: the platform part, then the tenant part.
        let mut statements: Vec<&(Statement, Scope)> = migration.statements.iter().collect();
        statements.sort_by_key(|(_, scope)| *scope != Scope::Platform);
        for (statement, scope) in statements {
            let schemas = match scope {
                Scope::Platform => platform.clone(),
                Scope::Tenant => self.tenants.clone(),
            };
            for schema in &schemas {
                let named = beyond::named(migration, schema);
                let execution = Execution { scope: *scope, schema, named: &named };
                let decoy_effects = match when {
                    SnapshotTiming::AfterEach => {
                        self.probe_with_decoys((migration, statement), execution, &snapshot).await?
                    }
                    SnapshotTiming::AtTheEnd => Vec::new(),
                };
                let (start, end) = match self.run(migration, statement, schema, &query).await? {
                    Ok(samples) => samples,
                    Err(failure) => return Ok((Some(failure), snapshot)),
                };
                let now = match when {
                    SnapshotTiming::AfterEach => snapshot.refreshed(self.connection, Asked::Within).await?,
                    SnapshotTiming::AtTheEnd => snapshot.clone(),
                };
                let changed = snapshot.server_changes(&now);
                if let Some(observer_conn) = self.observer_conn.as_mut().filter(|_| !changed.is_empty()) {
                    snapshot.refresh_server_lines(observer_conn).await?;
                    // A change that only the second read shows was made by another session after the first.
                    if let Some(line) = snapshot.server_changes(&now).intersection(&changed).next() {
                        let why = format!("it changes the server: {line}");
                        self.roll_back().await?;
                        return Ok((Some(server_change_failure(migration, statement, &why)), snapshot));
                    }
                }
                let is_old = |table: &Table| first.tables().any(|old| old == table);
                let uses = end.used_since(&start, is_old);
                let unrepeatable =
                    repeat::repeat_failure(self.connection, migration, statement, (schema, &path), &now)
                        .await?;
                let mut beyond = self.beyond(execution, (&snapshot, &now), &uses);
                beyond.extend(decoy_effects);
                step.statements.push(ObservedStatement {
                    unrepeatable,
                    range: statement.range.clone(),
                    scope: *scope,
                    beyond,
                    may_hide_effects: may_hide_effects(
                        &uses,
                        &snapshot,
                        (when == SnapshotTiming::AfterEach).then_some(&now),
                    ),
                    trace: end.since(&start, is_old),
                    changes: snapshot.changes(&now),
                    lost: snapshot.rows.lost(&now.rows),
                    uses,
                });
                snapshot = now;
            }
        }
        if when == SnapshotTiming::AtTheEnd {
            snapshot = snapshot.refreshed(self.connection, Asked::Within).await?;
        }
        step.reversed = self.reverse(migration, before, &snapshot).await?;
        self.roll_back().await?;
        Ok((None, snapshot))
    }

    async fn roll_back(&mut self) -> Result<(), Failure> {
        let rolled_back = self.connection.run("ROLLBACK").await;
        rolled_back.map_err(|server_error| server_error.failure("watching a migration on the shadow"))
    }

    /// Runs one statement for one schema. Returns the samples before and after it, or why it failed.
    async fn run(
        &mut self,
        migration: &Migration,
        statement: &Statement,
        schema: &SchemaName,
        query: &str,
    ) -> Result<Result<(LockSample, LockSample), Failure>, Failure> {
        let mut message = SqlBatch::default();
        message.search_path(schema, &self.project.settings.shared_path());
        message.push(query);
        let limit = limit(self.project.settings.migrate.statement_timeout);
        message.push(&format!("SET LOCAL statement_timeout = {limit}"));
        message.push_file(&migration.script, std::iter::once(statement), schema);
        // The file's own timeout does not apply to the queries of this program.
        message.push("SET LOCAL statement_timeout = 0");
        message.push(query);
        match self.connection.send(&message).await {
            Ok(sets) => {
                let sample =
                    |at: usize| LockSample::read(sets.get(at).map(Vec::as_slice).unwrap_or_default());
                Ok(Ok((sample(1)?, sample(sets.len().saturating_sub(1))?)))
            }
            Err(server_error) => {
                let mut failure = server_error.failure(&format!("{} on the shadow", migration.file));
                if failure.sqlstate.is_none() {
                    // A lost connection is not a result.
                    return Err(failure);
                }
                failure.place =
                    message.place(&server_error).or_else(|| Some(migration.script.place(statement)));
                Ok(Err(failure))
            }
        }
    }
}

/// The statement timeout on the shadow, in milliseconds.
pub(super) fn limit(set: StatementTimeout) -> u128 {
    let most = LIMIT.as_millis();
    match set.milliseconds() {
        0 => most,
        set => set.min(most),
    }
}

/// Whether the statement may have effects on rows that the sample does not show. `now` is the snapshot after it, if one was
/// taken.
fn may_hide_effects(
    uses: &BTreeMap<Table, RowUsage>,
    before: &DatabaseSnapshot,
    now: Option<&DatabaseSnapshot>,
) -> bool {
    uses.iter().any(|(table, used)| {
        let is_own = OWN_TABLES.contains(&table.1.as_str());
        let of = used.root.as_ref().unwrap_or(table);
        let is_shown = |now: &DatabaseSnapshot| before.rows.show_change(&now.rows, of);
        // The table is empty, no row matched, or the values did not change: other rows may be affected.
        before.rows.has_no_rows(table)
            || (used.writes && (is_own || used.touched == 0))
            || (used.changed > 0 && now.is_some_and(|now| !is_shown(now)))
    }) || now.is_some_and(|now| before.differs_outside(now))
}

/// The failure for a statement that may not run on a server that is not ours.
pub(super) fn server_change_failure(migration: &Migration, statement: &Statement, why: &str) -> Failure {
    let message = format!("{why}, and the shadow's server is not ours: nothing was committed there");
    let mut failure =
        Failure::new(Code::UnitFailed, message).hint("use --shadow to run it on a throwaway server");
    failure.place = Some(migration.script.place(statement));
    failure
}
