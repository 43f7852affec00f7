//! Builds and sends the message of a unit and interprets the result.

use std::time::{Duration, Instant};

use super::observer::StatementObserver;
use crate::chain::{Chain, Migration, Version};
use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::postgres::batch::{HistoryRow, Kind, Run, SessionState, SqlBatch};
use crate::postgres::metadata::version_rows::{self, MOVED};
use crate::postgres::metadata::{TenantState, checks, platform_fingerprint};
use crate::postgres::{Connection, Row, ServerError, error};
use crate::sql::{Scope, Statement};

/// `undefined_table` (manual, appendix A).
const UNDEFINED_TABLE: &str = "42P01";

/// A role or another object does not exist.
const UNDEFINED_OBJECT: &str = "42704";

/// The result of a unit.
#[derive(Debug)]
pub(crate) enum UnitOutcome {
    /// Committed; the tenants whose rows it also moved, and its duration.
    Done(Vec<String>, Duration),
    /// Another run had committed it.
    DoneByAnother,
    /// The platform must wait for tenants that are behind.
    Waits(Failure),
    /// Failed and rolled back.
    Failed(Failure),
}

/// A unit: one step on one schema.
pub(crate) struct Unit<'a> {
    pub(crate) run: &'a Run,
    pub(crate) chain: &'a Chain,
    pub(crate) migration: &'a Migration,
    pub(crate) schema: &'a SchemaName,
    pub(crate) part: Part,
    /// The accepted findings of the file, as JSON.
    pub(crate) allowed: &'a str,
    /// The observer of the statements, if any.
    pub(crate) observer: Option<&'a dyn StatementObserver>,
}

/// The part of the migration that a unit runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The platform's statements.
    Platform {
        /// Whether the unit also moves the tenants' version rows.
        moves_tenants: bool,
        /// Whether the unit waits for tenants that are behind.
        waits: bool,
        /// Whether it records the schema's fingerprint, as the last platform unit of a run.
        records_fingerprint: bool,
    },
    /// A tenant's statements.
    Tenant,
    /// A tenant's statements in a schema that is being created. It is not in use, so indexes are built without
    /// `CONCURRENTLY` in the unit's transaction.
    NewTenant,
}

impl Part {
    /// The scope of the statements.
    pub(super) fn scope(self) -> Scope {
        match self {
            Self::Platform { .. } => Scope::Platform,
            Self::Tenant | Self::NewTenant => Scope::Tenant,
        }
    }
}

/// Whether the part's statements run outside of a transaction.
pub(super) fn is_non_transactional(migration: &Migration, part: Part) -> bool {
    let mut statements = migration.part(part.scope());
    !migration.transactional
        && match part {
            Part::NewTenant => statements.any(Statement::differs_without_concurrently),
            Part::Tenant | Part::Platform { .. } => statements.next().is_some(),
        }
}

impl Unit<'_> {
    /// The scope of its statements.
    pub(crate) fn scope(&self) -> Scope {
        self.part.scope()
    }

    /// The statement that locks and moves the version row.
    pub(super) fn advance(&self) -> String {
        let (platform, from, to) = (&self.run.platform, self.migration.from(), self.migration.to());
        match self.part {
            Part::Platform { .. } => version_rows::advance_platform(platform, from, to),
            Part::Tenant | Part::NewTenant => version_rows::advance(platform, self.schema, from, to),
        }
    }

    /// Adds the end of the unit: the tenants' rows, the history row, COMMIT.
    pub(super) fn finish(&self, message: &mut SqlBatch) {
        let left = SessionState::of(self.migration.part(self.scope()));
        if left == SessionState::Possible {
            message.reset_role();
        }
        if let Part::Platform { moves_tenants: true, .. } = self.part {
            let (from, to) = (self.migration.from(), self.migration.to());
            message.push(&version_rows::advance_all(&self.run.platform, from, to));
        }
        // A step without tenant statements only moves the tenant's row and writes no history.
        if self.scope() == Scope::Platform || self.migration.has(Scope::Tenant) {
            message.history(self.run, &self.history_row(Kind::MIGRATE));
        }
        if let Part::Platform { records_fingerprint: true, .. } = self.part {
            message.push(&platform_fingerprint::record(self.run));
        }
        message.commit(left);
    }

    /// The unit's history row.
    pub(super) fn history_row(&self, kind: Kind) -> HistoryRow<'_> {
        HistoryRow {
            schema: self.schema,
            from: self.migration.from(),
            to: self.migration.to(),
            name: &self.migration.file,
            checksum: Some(&self.migration.checksum),
            kind,
            allowed: self.allowed,
        }
    }

    /// Adds the start of the unit: BEGIN, the move of the version row, the check that no tenant is behind.
    pub(super) fn open(&self, message: &mut SqlBatch) {
        match self.part {
            Part::NewTenant
                if !self.migration.transactional && !is_non_transactional(self.migration, self.part) =>
            {
                // Another run may execute the same step without a transaction.
                let states = [TenantState::Creating, TenantState::Pooled];
                let hold = version_rows::hold_still(&self.run.platform, self.schema, &states);
                message.begin_each(self.run.limits, &[hold, self.advance()]);
            }
            Part::Platform { .. } | Part::Tenant | Part::NewTenant => {
                message.begin(self.run.limits, &self.advance());
            }
        }
        if let Part::Platform { waits: true, .. } = self.part {
            let versions = self.allowed_versions();
            message.push(&checks::expect_tenants_at(&self.run.platform, &versions));
        }
    }

    /// The unit as one message.
    pub(super) fn message(&self) -> SqlBatch {
        let mut message = SqlBatch::default();
        self.open(&mut message);
        message.search_path(self.schema, &self.run.path);
        self.push_statements(&mut message);
        self.finish(&mut message);
        self.push_end(&mut message);
        message
    }

    /// Sends the unit, and `after` in the same message, which the server runs only if the unit is committed. Also returns whether it
    /// ran that.
    pub(crate) async fn send(
        &self,
        connection: &mut Connection,
        after: Option<&SqlBatch>,
    ) -> (UnitOutcome, bool) {
        let mut message = self.message();
        let own = message.statements();
        if let Some(after) = after {
            message.append(after);
        }
        let began = Instant::now();
        let (sets, is_complete) = match connection.send(&message).await {
            Ok(sets) => (sets, true),
            Err(server_error) if server_error.completed >= own => (server_error.sets, false),
            Err(server_error) => return (self.interpret(&server_error, &message), false),
        };
        self.report_observations(&message, 0..own, &sets);
        (UnitOutcome::Done(self.moved(sets.iter().flatten()), began.elapsed()), is_complete)
    }

    /// The tenants whose rows the unit also moved: the only rows with that column.
    pub(crate) fn moved<'r>(&self, rows: impl Iterator<Item = &'r Row>) -> Vec<String> {
        if !matches!(self.part, Part::Platform { moves_tenants: true, .. }) {
            return Vec::new();
        }
        let moved = rows.filter_map(|row| row.text(MOVED).ok());
        // Pooled schemas are not tenants.
        moved.filter(|name| SchemaName::existing(name).is_ok_and(|schema| !schema.is_pooled())).collect()
    }

    /// After a lost connection: whether the unit was committed, and by which run. The tenants that a platform unit moved are
    /// those that existed before it.
    pub(crate) async fn committed(
        &self,
        connection: &mut Connection,
    ) -> Result<Option<UnitOutcome>, Failure> {
        let unit = self.history_row(Kind::MIGRATE);
        let found = version_rows::committed(connection, self.run, &unit).await?;
        let version = found.version.and_then(|text| Version::stored(&text).ok());
        if version.is_none_or(|version| version < *unit.to) {
            return Ok(None);
        }
        let Some(took) = found.took else { return Ok(Some(UnitOutcome::DoneByAnother)) };
        let took = u64::try_from(took).unwrap_or_default();
        Ok(Some(UnitOutcome::Done(self.moved(found.moved.iter()), Duration::from_millis(took))))
    }

    /// The versions that tenants may have when this platform step runs: from its FROM on, or from its TO on if the step has
    /// only tenant statements.
    fn allowed_versions(&self) -> Vec<Version> {
        let only_settles = !self.migration.has(Scope::Platform) && self.migration.has(Scope::Tenant);
        let bound = if only_settles { self.migration.to() } else { self.migration.from() };
        let first = self.chain.first();
        let all = std::iter::once(&first).chain(self.chain.migrations().iter().map(Migration::to));
        all.filter(|version| *version >= bound).cloned().collect()
    }

    /// Converts a server error to the unit's result.
    pub(super) fn interpret(&self, server_error: &ServerError, message: &SqlBatch) -> UnitOutcome {
        match server_error.sqlstate() {
            Some(error::NOT_AT_FROM) => {
                let at = server_error.detail().and_then(|detail| Version::stored(&detail).ok());
                // A version outside of the chain was not set by another run.
                let at = at.filter(|at| self.chain.position(at).is_some());
                if at.as_ref().is_some_and(|at| at >= self.migration.to()) {
                    return UnitOutcome::DoneByAnother;
                }
                UnitOutcome::Failed(self.failure(server_error, message))
            }
            Some(error::TENANTS_BEHIND) => UnitOutcome::Waits(self.failure(server_error, message)),
            _ => UnitOutcome::Failed(self.failure(server_error, message)),
        }
    }

    /// The table of the platform that a tenant's statement names without its schema; `message` contains the name in quotes.
    fn platform_table(&self, message: &str) -> Option<&str> {
        if self.scope() == Scope::Platform {
            return None;
        }
        let (_, text) = message.split_once(": ")?;
        let words: Vec<&str> =
            text.split(|letter: char| !(letter.is_alphanumeric() || letter == '_')).collect();
        let statements = self.chain.migrations().iter().flat_map(|migration| migration.part(Scope::Platform));
        let mut created =
            statements.flat_map(|statement| &statement.names).filter(|name| name.is_new_table());
        created.find(|name| words.contains(&name.name.as_str())).map(|name| name.name.as_str())
    }

    fn failure(&self, server_error: &ServerError, message: &SqlBatch) -> Failure {
        let mut failure = server_error.failure(&format!("{} on {}", self.migration.file, self.schema));
        if failure.code == Code::StatementFailed {
            failure.code = Code::UnitFailed;
        }
        failure.place = message.place(server_error);
        failure.schema = Some(self.schema.as_str().to_owned());
        if server_error.sqlstate() == Some(UNDEFINED_TABLE)
            && let Some(name) = self.platform_table(&failure.message)
        {
            let platform = &self.run.platform;
            failure.hint = Some(format!("{name} is a table of the platform: write {platform}.{name}"));
        }
        if server_error.sqlstate() == Some(UNDEFINED_OBJECT)
            && self.migration.script.first_with_role().is_some()
            && self.scope() == Scope::Tenant
        {
            failure.hint = Some("`tenure tenant grant` makes the missing roles of tenants".to_owned());
        }
        if failure.hint.is_none() {
            let before = if self.migration.transactional {
                "the unit was rolled back"
            } else {
                "the statements before it were committed"
            };
            let class =
                failure.sqlstate.as_deref().and_then(|sqlstate| sqlstate.get(..2)).unwrap_or_default();
            let cause = match (class, self.scope()) {
                // Cardinality, data, constraints.
                ("21" | "22" | "23" | "44", _) => "the data",
                // Names, types and syntax; dependent objects.
                ("2B" | "2F" | "42", Scope::Platform) => "the file",
                ("2B" | "2F" | "42", Scope::Tenant) => {
                    "the file, or this schema if `tenure drift` shows that it differs from the others,"
                }
                _ => "the cause",
            };
            failure.hint = Some(format!(
                "{before}; correct {cause} and run the command again (a corrected file needs `tenure migrate repair` if \
                 other schemas have run it)"
            ));
        }
        failure
    }
}
