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
use crate::postgres::batch::{BEGIN, OWN_PATH, SqlBatch};
use crate::postgres::catalog::Transaction;
use crate::postgres::{Row, ServerError};
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
            .query_batch(&format!("{BEGIN}; SET LOCAL search_path = {OWN_PATH}; {query}"))
            .await
            .map_err(|server_error| server_error.failure(doing))?;
        let first = LockSample::read(sets.last().map(Vec::as_slice).unwrap_or_default())?;
        let mut snapshot = before.clone();
        // The order of a run: the platform part, then the tenant part.
        let mut statements: Vec<&(Statement, Scope)> = migration.statements.iter().collect();
        statements.sort_by_key(|(_, scope)| *scope != Scope::Platform);
        let last_of_scope = |at: usize| statements.get(at + 1).map(|next| next.1) != Some(statements[at].1);
        for (at, (statement, scope)) in statements.iter().enumerate() {
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
                    SnapshotTiming::AfterEach => {
                        snapshot.refreshed(self.connection, Transaction::Current).await?
                    }
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
            if when == SnapshotTiming::AfterEach && step.has_deferred && last_of_scope(at) {
                let observed =
                    self.at_commit(migration, (statement, *scope, &schemas), &snapshot, &query).await?;
                step.statements.extend(observed);
            }
        }
        if when == SnapshotTiming::AtTheEnd {
            step.has_deferred = self.has_deferred().await?;
            snapshot = snapshot.refreshed(self.connection, Transaction::Current).await?;
        }
        step.reversed = self.reverse(migration, before, &snapshot).await?;
        self.roll_back().await?;
        Ok((None, snapshot))
    }

    /// Whether a trigger may be deferred to COMMIT (manual, SET CONSTRAINTS). Foreign keys are left out: they only check.
    async fn has_deferred(&mut self) -> Result<bool, Failure> {
        let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgdeferrable AND NOT tgisinternal) AS found";
        let sets = self.connection.query_on_own_path(sql).await;
        let sets = sets.map_err(|server_error| server_error.failure("reading the shadow's triggers"))?;
        let found = sets.iter().flatten().next().map(|row| row.get_bool("found")).transpose()?;
        Ok(found == Some(true))
    }

    /// Runs the deferred triggers in a savepoint and rolls back to it. Their effects are attributed to `statement`, the last one of
    /// its scope. A failing trigger is ignored: the step as a whole fails with it later.
    async fn at_commit(
        &mut self,
        migration: &Migration,
        (statement, scope, schemas): (&Statement, Scope, &[SchemaName]),
        before: &DatabaseSnapshot,
        query: &str,
    ) -> Result<Option<ObservedStatement>, Failure> {
        let failure =
            |server_error: ServerError| server_error.failure("running deferred triggers on the shadow");
        let Some(schema) = schemas.last() else { return Ok(None) };
        self.connection.run("SAVEPOINT tenure_commit").await.map_err(failure)?;
        let mut message = SqlBatch::default();
        message.push_own_query(query);
        message.search_path(schema, &self.project.settings.shared_path());
        message.push(&format!(
            "SET LOCAL statement_timeout = {}; SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL statement_timeout = 0",
            limit(self.project.settings.migrate.statement_timeout)
        ));
        message.push_own_query(query);
        let observed = match self.connection.send_in_transaction(&message).await {
            Ok(sets) => {
                let sample = |set: Option<&Vec<Row>>| LockSample::read(set.map_or(&[][..], Vec::as_slice));
                let (start, end) = (sample(sets.get(1))?, sample(sets.last())?);
                let uses = end.used_since(&start, |_| true);
                let now = before.refreshed(self.connection, Transaction::Current).await?;
                let named = beyond::named(migration, schema);
                let mut beyond =
                    self.beyond(Execution { scope, schema, named: &named }, (before, &now), &uses);
                // The deferred events of all tenants run here.
                let others = &schemas[..schemas.len() - 1];
                beyond.retain(|it| {
                    !it.words.first().is_some_and(|word| others.iter().any(|other| other.as_str() == word))
                });
                Some(ObservedStatement {
                    unrepeatable: None,
                    range: statement.range.clone(),
                    scope,
                    beyond,
                    may_hide_effects: may_hide_effects(&uses, before, Some(&now)),
                    trace: end.since(&start, |_| true),
                    changes: before.changes(&now),
                    lost: before.rows.lost(&now.rows),
                    uses,
                })
            }
            Err(server_error) if server_error.sqlstate().is_none() => return Err(failure(server_error)),
            Err(_) => None,
        };
        let cleanup = "ROLLBACK TO SAVEPOINT tenure_commit; RELEASE SAVEPOINT tenure_commit";
        self.connection.run(cleanup).await.map_err(failure)?;
        Ok(observed)
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
        message.push_own_query(query);
        message.search_path(schema, &self.project.settings.shared_path());
        let limit = limit(self.project.settings.migrate.statement_timeout);
        message.push(&format!("SET LOCAL statement_timeout = {limit}"));
        message.push_file(&migration.script, std::iter::once(statement), schema);
        // The file's own timeout does not apply to the queries of this program.
        message.push("SET LOCAL statement_timeout = 0");
        message.push_own_query(query);
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
