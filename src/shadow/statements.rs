//! A step's statements, run one by one in a transaction that is rolled back, and watched.

use std::collections::BTreeMap;
use std::time::Duration;

use super::beyond::{self, Ran};
use super::database_snapshot::DatabaseSnapshot;
use super::repeat;
use super::shadow_run::ShadowRun;
use super::step::{Seen, Step};
use super::watch::{LockSample, Table, Use};
use crate::chain::Migration;
use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::postgres::batch::{BEGIN, SqlBatch};
use crate::postgres::catalog::Transaction;
use crate::settings::StatementTimeout;
use crate::sql::{OWN_TABLES, Scope, Statement};

/// No statement takes longer than this for three rows a table.
const LIMIT: Duration = Duration::from_mins(2);

/// When everything is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    AfterEach,
    AtTheEnd,
}

impl ShadowRun<'_> {
    /// Runs the statements, each of the tenants' for a tenant of each template. The failure is that of a
    /// statement; the look is the last one.
    pub(super) async fn watch(
        &mut self,
        migration: &Migration,
        before: &DatabaseSnapshot,
        when: When,
        step: &mut Step,
    ) -> Result<(Option<Failure>, DatabaseSnapshot), Failure> {
        let doing = "watching a migration on the shadow";
        let path = self.project.settings.shared_path();
        let platform = vec![self.project.settings.platform_schema()];
        let question = LockSample::question(&before.schemas().cloned().collect::<Vec<_>>());
        let sets = self
            .connection
            .query_batch(&format!("{BEGIN}; {question}"))
            .await
            .map_err(|server_error| server_error.failure(doing))?;
        let first = LockSample::read(sets.last().map(Vec::as_slice).unwrap_or_default())?;
        let mut look = before.clone();
        // The order of a run: the platform's part, then the tenant's.
        let mut statements: Vec<&(Statement, Scope)> = migration.statements.iter().collect();
        statements.sort_by_key(|(_, scope)| *scope != Scope::Platform);
        for (statement, scope) in statements {
            let schemas = match scope {
                Scope::Platform => platform.clone(),
                Scope::Tenant => self.tenants.clone(),
            };
            for schema in &schemas {
                let named = beyond::named(migration, schema);
                let ran = Ran { scope: *scope, schema, named: &named };
                let decoyed = match when {
                    When::AfterEach => self.decoyed((migration, statement), ran, &look).await?,
                    When::AtTheEnd => Vec::new(),
                };
                let (start, end) = match self.run(migration, statement, schema, &question).await? {
                    Ok(moments) => moments,
                    Err(failure) => return Ok((Some(failure), look)),
                };
                let now = match when {
                    When::AfterEach => look.again(self.connection, Transaction::Current).await?,
                    When::AtTheEnd => look.clone(),
                };
                let changed = look.of_server(&now);
                if let Some(observer_conn) = self.observer_conn.as_mut().filter(|_| !changed.is_empty()) {
                    look.catch_up(observer_conn).await?;
                    // What only the second look shows was done by others after the first.
                    if let Some(line) = look.of_server(&now).intersection(&changed).next() {
                        let why = format!("it changes what belongs to the server: {line}");
                        self.roll_back().await?;
                        return Ok((Some(of_the_server(migration, statement, &why)), look));
                    }
                }
                let is_old = |table: &Table| first.tables().any(|old| old == table);
                let uses = end.used_since(&start, is_old);
                let unrepeatable =
                    repeat::failing(self.connection, migration, statement, (schema, &path), &now).await?;
                let mut beyond = self.beyond(ran, (&look, &now), &uses);
                beyond.extend(decoyed);
                step.statements.push(Seen {
                    unrepeatable,
                    range: statement.range.clone(),
                    scope: *scope,
                    beyond,
                    blind: is_blind(&uses, &look, (when == When::AfterEach).then_some(&now)),
                    trace: end.since(&start, is_old),
                    changes: look.changes(&now),
                    lost: look.rows.lost(&now.rows),
                    uses,
                });
                look = now;
            }
        }
        if when == When::AtTheEnd {
            look = look.again(self.connection, Transaction::Current).await?;
        }
        step.reversed = self.reverse(migration, before, &look).await?;
        self.roll_back().await?;
        Ok((None, look))
    }

    async fn roll_back(&mut self) -> Result<(), Failure> {
        let rolled_back = self.connection.run("ROLLBACK").await;
        rolled_back.map_err(|server_error| server_error.failure("watching a migration on the shadow"))
    }

    /// Runs one statement for one schema: the moments before and after it, or why it fails.
    async fn run(
        &mut self,
        migration: &Migration,
        statement: &Statement,
        schema: &SchemaName,
        question: &str,
    ) -> Result<Result<(LockSample, LockSample), Failure>, Failure> {
        let mut message = SqlBatch::default();
        message.search_path(schema, &self.project.settings.shared_path());
        message.push(question);
        let limit = limit(self.project.settings.migrate.statement_timeout);
        message.push(&format!("SET LOCAL statement_timeout = {limit}"));
        message.push_file(&migration.script, std::iter::once(statement), schema);
        // One that the file set is not for our questions.
        message.push("SET LOCAL statement_timeout = 0");
        message.push(question);
        match self.connection.send(&message).await {
            Ok(sets) => {
                let moment =
                    |at: usize| LockSample::read(sets.get(at).map(Vec::as_slice).unwrap_or_default());
                Ok(Ok((moment(1)?, moment(sets.len().saturating_sub(1))?)))
            }
            Err(server_error) => {
                let mut failure = server_error.failure(&format!("{} on the shadow", migration.file));
                if failure.sqlstate.is_none() {
                    // A lost connection is no verdict.
                    return Err(failure);
                }
                failure.place =
                    message.place(&server_error).or_else(|| Some(migration.script.place(statement)));
                Ok(Err(failure))
            }
        }
    }
}

/// In milliseconds.
pub(super) fn limit(set: StatementTimeout) -> u128 {
    let most = LIMIT.as_millis();
    match set.milliseconds() {
        0 => most,
        set => set.min(most),
    }
}

/// Whether the statement may have done something to rows that the sample does not show: `now` is what is there after
/// it, where somebody looked.
fn is_blind(uses: &BTreeMap<Table, Use>, before: &DatabaseSnapshot, now: Option<&DatabaseSnapshot>) -> bool {
    uses.iter().any(|(table, used)| {
        let is_own = OWN_TABLES.contains(&table.1.as_str());
        let of = used.root.as_ref().unwrap_or(table);
        let is_shown = |now: &DatabaseSnapshot| before.rows.show_a_change(&now.rows, of);
        // What would be done to rows, if there were some; or was done to none, or left them as they were.
        before.rows.lack(table)
            || (used.writes && (is_own || used.touched == 0))
            || (used.changed > 0 && now.is_some_and(|now| !is_shown(now)))
    }) || now.is_some_and(|now| before.is_left(now))
}

/// What is not run on a server that somebody gave.
pub(super) fn of_the_server(migration: &Migration, statement: &Statement, why: &str) -> Failure {
    let message = format!("{why}, and the shadow's server is not ours: it was not run there for good");
    let mut failure = Failure::new(Code::UnitFailed, message)
        .hint("with --shadow it runs on a server of its own, which is thrown away");
    failure.place = Some(migration.script.place(statement));
    failure
}
