//! Observes the effect of each statement of a unit with queries between the statements. Only dry runs and shadow runs
//! have an observer.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use super::unit::{Part, Unit};
use crate::chain::Migration;
use crate::ident::SchemaName;
use crate::postgres::Row;
use crate::postgres::batch::SqlBatch;
use crate::sql::{ParameterValues, Scope, Statement};

/// Column with the server's time in microseconds.
const AT: &str = "tenure_at_us";

/// The query for [`AT`].
const CLOCK: &str =
    "SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::pg_catalog.int8 AS tenure_at_us";

/// Receives the observations of units.
pub trait StatementObserver: fmt::Debug {
    /// The query to run in the unit's transaction, before its first statement and after each statement.
    fn question(&self, schema: &SchemaName) -> String;

    /// Receives the results of a committed unit.
    fn take(&self, unit: &UnitTrace<'_>);

    /// Receives the duration of a statement that ran outside of a transaction.
    fn take_non_transactional(&self, part: &Measured<'_>, statement: &Statement, elapsed: Duration);
}

/// The statements that were measured.
#[derive(Debug, Clone, Copy)]
pub struct Measured<'a> {
    /// The schema.
    pub schema: &'a SchemaName,
    /// The migration.
    pub migration: &'a Migration,
    /// The scope of its statements.
    pub scope: Scope,
}

/// The observations of one unit.
#[derive(Debug)]
pub struct UnitTrace<'a> {
    /// The statements observed.
    pub part: Measured<'a>,
    /// The result before the first statement.
    pub before: &'a [Row],
    /// After each statement in order: its end time by the server's clock in microseconds, and the result.
    pub after: Vec<(i64, &'a [Row])>,
    /// Time of the commit, in microseconds.
    pub committed_us: i64,
}

impl Unit<'_> {
    fn measured(&self) -> Measured<'_> {
        Measured { schema: self.schema, migration: self.migration, scope: self.scope() }
    }

    /// Adds the file's statements and the observer's queries.
    pub(super) fn push_statements(&self, message: &mut SqlBatch) {
        let (script, part) = (&self.migration.script, self.migration.part(self.scope()));
        message.expect(script, self.migration.part(self.scope()), self.schema);
        let observer = self.observer.filter(|_| self.migration.has(self.scope()));
        let question = observer.map(|observer| observer.question(self.schema));
        if let Some(question) = &question {
            message.push(question);
        }
        if question.is_none() && self.part != Part::NewTenant {
            return message.push_file(script, part, self.schema);
        }
        for statement in part {
            match self.part {
                Part::NewTenant if !statement.applies_to_new_schema() => continue,
                Part::NewTenant => {
                    message.push_in_transaction(script, statement, self.schema, &ParameterValues::default());
                }
                Part::Tenant | Part::Platform { .. } => {
                    message.push_file(script, std::iter::once(statement), self.schema);
                }
            }
            if let Some(question) = &question {
                message.push(CLOCK);
                message.push(question);
            }
        }
    }

    /// Adds the query for the commit time.
    pub(super) fn push_end(&self, message: &mut SqlBatch) {
        if self.observer.is_some() {
            message.push(CLOCK);
        }
    }

    /// Passes the results to the observer. The unit is the statements `range` of `message`; `sets` are its results.
    pub(super) fn report_observations(&self, message: &SqlBatch, range: Range<usize>, sets: &[Vec<Row>]) {
        let Some(observer) = self.observer else { return };
        let is_file = |at: &usize| !message.is_own(*at);
        // A SET sent with a statement of the file counts as part of it.
        let ends = range.clone().filter(|at| is_file(at) && !(at + 1 < range.end && is_file(&(at + 1))));
        let answer = |at: usize| sets.get(at).map(Vec::as_slice).unwrap_or_default();
        let clock = |at: usize| answer(at).first().and_then(|row| row.integer(AT).ok()).unwrap_or_default();
        let (Some(first), Some(last)) =
            (range.clone().find(is_file).and_then(|at| at.checked_sub(1)), range.end.checked_sub(1))
        else {
            return;
        };
        observer.take(&UnitTrace {
            part: self.measured(),
            before: answer(first),
            after: ends.map(|at| (clock(at + 1), answer(at + 2))).collect(),
            committed_us: clock(last),
        });
    }

    /// Passes the duration of a non-transactional statement to the observer.
    pub(super) fn report_duration(&self, statement: &Statement, elapsed: Duration) {
        if let Some(observer) = self.observer {
            observer.take_non_transactional(&self.measured(), statement, elapsed);
        }
    }
}
