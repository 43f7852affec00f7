//! What is asked between the statements of a unit, where somebody wants to know what each of them does. Nothing is
//! asked unless a gauge is there: on a database that matters, none is.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use super::unit::{Part, Unit};
use crate::chain::Migration;
use crate::ident::SchemaName;
use crate::postgres::Row;
use crate::postgres::batch::SqlBatch;
use crate::sql::{ParameterValues, Scope, Statement};

/// The column in which the server says what time it is, in microseconds.
const AT: &str = "tenure_at_us";

/// A statement that asks for it.
const CLOCK: &str =
    "SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::pg_catalog.int8 AS tenure_at_us";

/// Who wants to know.
pub trait StatementObserver: fmt::Debug {
    /// The statement that is asked in the unit's transaction, before its first statement and behind each.
    fn question(&self, schema: &SchemaName) -> String;

    /// A unit is committed, and this was answered meanwhile.
    fn take(&self, unit: &UnitTrace<'_>);

    /// A statement that has no transaction is done. Nothing can be asked beside it.
    fn take_alone(&self, part: &Measured<'_>, statement: &Statement, elapsed: Duration);
}

/// Whose statements were measured.
#[derive(Debug, Clone, Copy)]
pub struct Measured<'a> {
    /// The schema.
    pub schema: &'a SchemaName,
    /// The migration.
    pub migration: &'a Migration,
    /// Which of its statements.
    pub scope: Scope,
}

/// The answers of one unit.
#[derive(Debug)]
pub struct UnitTrace<'a> {
    /// Whose they are.
    pub part: Measured<'a>,
    /// Before the first statement.
    pub before: &'a [Row],
    /// After each statement, in the file's order: when it ended by the server's clock, in microseconds, and the answer.
    pub after: Vec<(i64, &'a [Row])>,
    /// When the unit was committed.
    pub committed_us: i64,
}

impl Unit<'_> {
    fn measured(&self) -> Measured<'_> {
        Measured { schema: self.schema, migration: self.migration, scope: self.scope() }
    }

    /// Adds the file's statements, and what is asked between them.
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

    /// Asks when the unit was committed.
    pub(super) fn push_end(&self, message: &mut SqlBatch) {
        if self.observer.is_some() {
            message.push(CLOCK);
        }
    }

    /// Hands on what was answered: the unit is the statements `range` of `message`, whose answers are `sets`.
    pub(super) fn tell(&self, message: &SqlBatch, range: Range<usize>, sets: &[Vec<Row>]) {
        let Some(observer) = self.observer else { return };
        let is_file = |at: &usize| !message.is_own(*at);
        // What is sent with a statement of the file, to set where it works, counts as part of it.
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

    /// The same of a statement that was sent alone.
    pub(super) fn tell_alone(&self, statement: &Statement, elapsed: Duration) {
        if let Some(observer) = self.observer {
            observer.take_alone(&self.measured(), statement, elapsed);
        }
    }
}
