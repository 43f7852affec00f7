//! One unit: its message built, sent, and its answer understood.

use std::time::{Duration, Instant};

use super::observer::StatementObserver;
use crate::chain::{Chain, Migration, Version};
use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::postgres::batch::{HistoryRow, Kind, Run, SessionState, SqlBatch};
use crate::postgres::metadata::version_rows::{self, MOVED};
use crate::postgres::metadata::{TenantState, checks};
use crate::postgres::{Connection, Row, ServerError, error};
use crate::sql::{Scope, Statement};

/// How a unit ended.
#[derive(Debug)]
pub(super) enum Answer {
    /// Done; the tenants whose rows it moved besides, and how long it took.
    Done(Vec<String>, Duration),
    /// Another runner had done it.
    DoneByAnother,
    /// The platform must wait: tenants are behind.
    Waits(Failure),
    /// Rolled back.
    Failed(Failure),
}

/// What one unit does, to whom.
pub(super) struct Unit<'a> {
    pub(super) run: &'a Run,
    pub(super) chain: &'a Chain,
    pub(super) migration: &'a Migration,
    pub(super) schema: &'a SchemaName,
    pub(super) part: Part,
    /// The accepted findings of the file, as JSON.
    pub(super) allowed: &'a str,
    /// Who wants to know what each statement does.
    pub(super) observer: Option<&'a dyn StatementObserver>,
}

/// Which part of the migration a unit runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The platform's statements.
    Platform {
        /// Whether the tenants' rows move too.
        moves_tenants: bool,
        /// Whether tenants that are behind make it wait.
        waits: bool,
    },
    /// A tenant's statements.
    Tenant,
    /// The same in a schema that is being made. Nobody uses it yet, so indexes are built without `CONCURRENTLY`, in
    /// the unit's transaction.
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

/// Whether the statements of that part are sent alone, outside of a transaction.
pub(super) fn runs_alone(migration: &Migration, part: Part) -> bool {
    let mut statements = migration.part(part.scope());
    !migration.transactional
        && match part {
            Part::NewTenant => statements.any(Statement::differs_at_once),
            Part::Tenant | Part::Platform { .. } => statements.next().is_some(),
        }
}

impl Unit<'_> {
    /// The scope of the statements that it runs.
    pub(super) fn scope(&self) -> Scope {
        self.part.scope()
    }

    /// The statement that takes and moves the version row.
    pub(super) fn advance(&self) -> String {
        let (platform, from, to) = (&self.run.platform, self.migration.from(), self.migration.to());
        match self.part {
            Part::Platform { .. } => version_rows::advance_platform(platform, from, to),
            Part::Tenant | Part::NewTenant => version_rows::advance(platform, self.schema, from, to),
        }
    }

    /// Adds what follows the file's statements: the tenants' rows, the history, the end.
    pub(super) fn finish(&self, message: &mut SqlBatch) {
        let left = SessionState::of(self.migration.part(self.scope()));
        if left == SessionState::Possible {
            message.own_role();
        }
        if let Part::Platform { moves_tenants: true, .. } = self.part {
            let (from, to) = (self.migration.from(), self.migration.to());
            message.push(&version_rows::advance_all(&self.run.platform, from, to));
        }
        // A step that has nothing for tenants only moves a tenant's row.
        if self.scope() == Scope::Platform || self.migration.has(Scope::Tenant) {
            message.history(self.run, &self.history_row(Kind::Migrate));
        }
        message.commit(left);
    }

    /// The unit's row of the history.
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

    /// Begins the unit's transaction, moves the version row, and makes sure that nobody is behind.
    pub(super) fn open(&self, message: &mut SqlBatch) {
        match self.part {
            Part::NewTenant if !self.migration.transactional && !runs_alone(self.migration, self.part) => {
                // Another runner may be at the same step, with each statement sent alone.
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

    /// The whole unit as one message.
    pub(super) fn message(&self) -> SqlBatch {
        let mut message = SqlBatch::default();
        self.open(&mut message);
        message.search_path(self.schema, &self.run.path);
        self.push_statements(&mut message);
        self.finish(&mut message);
        self.push_end(&mut message);
        message
    }

    /// Sends the unit.
    pub(super) async fn send(&self, connection: &mut Connection) -> Answer {
        let message = self.message();
        let began = Instant::now();
        match connection.send(&message).await {
            Ok(sets) => {
                self.tell(&message, 0..message.statements(), &sets);
                Answer::Done(self.moved(sets.iter().flatten()), began.elapsed())
            }
            Err(server_error) => self.explain(&server_error, &message),
        }
    }

    /// The tenants whose rows the unit moved besides: the only rows whose one column has that name.
    pub(super) fn moved<'r>(&self, rows: impl Iterator<Item = &'r Row>) -> Vec<String> {
        if !matches!(self.part, Part::Platform { moves_tenants: true, .. }) {
            return Vec::new();
        }
        let moved = rows.filter_map(|row| row.text(MOVED).ok());
        // Schemas that were made in advance are nobody's.
        moved.filter(|name| SchemaName::existing(name).is_ok_and(|schema| !schema.is_pooled())).collect()
    }

    /// Whether the unit, whose answer was lost, was committed, and by whom. The tenants whose rows the platform's moved are
    /// those that are there and were before it.
    pub(super) async fn committed(&self, connection: &mut Connection) -> Result<Option<Answer>, Failure> {
        let unit = self.history_row(Kind::Migrate);
        let found = version_rows::committed(connection, self.run, &unit).await?;
        let version = found.version.and_then(|text| Version::stored(&text).ok());
        if version.is_none_or(|version| version < *unit.to) {
            return Ok(None);
        }
        let Some(took) = found.took else { return Ok(Some(Answer::DoneByAnother)) };
        let took = u64::try_from(took).unwrap_or_default();
        Ok(Some(Answer::Done(self.moved(found.moved.iter()), Duration::from_millis(took))))
    }

    /// The versions that tenants may have when this platform step runs: those of the chain from its FROM on; from its TO on
    /// where only tenants have work in it.
    fn allowed_versions(&self) -> Vec<Version> {
        let only_settles = !self.migration.has(Scope::Platform) && self.migration.has(Scope::Tenant);
        let bound = if only_settles { self.migration.to() } else { self.migration.from() };
        let first = self.chain.first();
        let all = std::iter::once(&first).chain(self.chain.migrations().iter().map(Migration::to));
        all.filter(|version| *version >= bound).cloned().collect()
    }

    /// What a refusal means for this unit.
    pub(super) fn explain(&self, server_error: &ServerError, message: &SqlBatch) -> Answer {
        match server_error.sqlstate() {
            Some(error::NOT_AT_FROM) => {
                let at = server_error.detail().and_then(|detail| Version::stored(detail).ok());
                // A version that the chain does not have is nobody's work.
                let at = at.filter(|at| self.chain.position(at).is_some());
                if at.as_ref().is_some_and(|at| at >= self.migration.to()) {
                    return Answer::DoneByAnother;
                }
                Answer::Failed(self.failure(server_error, message))
            }
            Some(error::TENANTS_BEHIND) => Answer::Waits(self.failure(server_error, message)),
            _ => Answer::Failed(self.failure(server_error, message)),
        }
    }

    fn failure(&self, server_error: &ServerError, message: &SqlBatch) -> Failure {
        let mut failure = server_error.failure(&format!("{} on {}", self.migration.file, self.schema));
        if failure.code == Code::StatementFailed {
            failure.code = Code::UnitFailed;
        }
        failure.place = message.place(server_error);
        failure.schema = Some(self.schema.as_str().to_owned());
        if failure.hint.is_none() {
            let before = if self.migration.transactional {
                "the unit was rolled back"
            } else {
                "the statements before it stand"
            };
            failure.hint = Some(format!(
                "{before}; mend the data and run the command again (a mended file needs `tenure migrate repair` where \
                 other schemas have run it)"
            ));
        }
        failure
    }
}
