//! Builds and sends the message of a unit and interprets the result.

use std::time::{Duration, Instant};

use super::observer::StatementObserver;
use crate::chain::{Chain, Migration, Version};
use crate::error::{Code, Failure};
use crate::ident::{SchemaName, literal};
use crate::postgres::batch::{HistoryRow, Kind, Run, SessionState, SqlBatch};
use crate::postgres::{Connection, Row, ServerError, error};
use crate::sql::{Scope, Statement};

/// Column with the tenants whose rows a platform unit moved.
const MOVED: &str = "tenure_moved_schema";

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
            Part::NewTenant => statements.any(Statement::differs_at_once),
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
        let platform = self.run.platform.quoted();
        let (from, to) = (self.migration.from(), self.migration.to());
        match self.part {
            Part::Platform { .. } => format!("SELECT {platform}.tenure_advance_platform('{from}', '{to}')"),
            Part::Tenant | Part::NewTenant => {
                format!(
                    "SELECT {platform}.tenure_advance({}, '{from}', '{to}', {})",
                    literal(self.schema.as_str()),
                    self.run.limits.lock_timeout.milliseconds(),
                )
            }
        }
    }

    /// Adds the end of the unit: the tenants' rows, the history row, COMMIT.
    pub(super) fn finish(&self, message: &mut SqlBatch) {
        let left = SessionState::of(self.migration.part(self.scope()));
        if left == SessionState::Possible {
            message.own_role();
        }
        if let Part::Platform { moves_tenants: true, .. } = self.part {
            message.push(&format!(
                "UPDATE {}.tenant_version SET version = '{}', applied_at = clock_timestamp() \
                 WHERE version = '{}' AND status <> 'dropped' RETURNING schema_name AS {MOVED}",
                self.run.platform.quoted(),
                self.migration.to(),
                self.migration.from(),
            ));
        }
        // A step without tenant statements only moves the tenant's row and writes no history.
        if self.scope() == Scope::Platform || self.migration.has(Scope::Tenant) {
            message.history(self.run, &self.history_row(Kind::Migrate));
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
                let hold = format!(
                    "SELECT {}.tenure_hold_still({}, ARRAY['creating', 'pooled'])",
                    self.run.platform.quoted(),
                    literal(self.schema.as_str())
                );
                message.begin_tenant(self.run.limits, &hold);
                message.push(&self.advance());
            }
            Part::Tenant | Part::NewTenant => message.begin_tenant(self.run.limits, &self.advance()),
            Part::Platform { .. } => message.begin(self.run.limits, &self.advance()),
        }
        if let Part::Platform { waits: true, .. } = self.part {
            message.push(&format!(
                "SELECT {}.tenure_expect_tenants_at(ARRAY[{}])",
                self.run.platform.quoted(),
                self.allowed_versions().join(", ")
            ));
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

    pub(crate) async fn send(&self, connection: &mut Connection) -> UnitOutcome {
        let message = self.message();
        let began = Instant::now();
        match connection.send(&message).await {
            Ok(sets) => {
                self.report_observations(&message, 0..message.statements(), &sets);
                UnitOutcome::Done(self.moved(&sets), began.elapsed())
            }
            Err(server_error) => self.interpret(&server_error, &message),
        }
    }

    /// The tenants whose rows the unit also moved.
    pub(super) fn moved(&self, sets: &[Vec<Row>]) -> Vec<String> {
        if !matches!(self.part, Part::Platform { moves_tenants: true, .. }) {
            return Vec::new();
        }
        let moved = sets.iter().flatten().filter_map(|row| row.text(MOVED).ok());
        // Pooled schemas are not tenants.
        moved.filter(|name| SchemaName::existing(name).is_ok_and(|schema| !schema.is_pooled())).collect()
    }

    /// After a lost connection: whether the unit was committed, and by which run. The tenants that a platform unit moved are
    /// those that existed before it.
    pub(crate) async fn committed(
        &self,
        connection: &mut Connection,
    ) -> Result<Option<UnitOutcome>, Failure> {
        let (platform, to) = (self.run.platform.quoted(), self.migration.to());
        let version = match self.part {
            Part::Platform { .. } => {
                format!("SELECT regexp_replace(version, '^v', '') AS version FROM {platform}.schema_version")
            }
            Part::Tenant | Part::NewTenant => format!(
                "SELECT version FROM {platform}.tenant_version WHERE schema_name = {}",
                literal(self.schema.as_str())
            ),
        };
        let ours = format!(
            "FROM {platform}.migration_history WHERE run_id = '{}' AND schema_name = {} AND to_version = '{to}' \
             AND kind = '{}'",
            self.run.id,
            literal(self.schema.as_str()),
            Kind::Migrate.as_str(),
        );
        let sql = format!(
            "{version}; \
             SELECT duration_ms::int8 AS took {ours}; \
             SELECT schema_name AS {MOVED} FROM {platform}.tenant_version \
             WHERE version = '{to}' AND status <> 'dropped' AND created_at < (SELECT min(applied_at) {ours})"
        );
        let sets = connection
            .query_batch(&sql)
            .await
            .map_err(|server_error| server_error.failure("reading the version"))?;
        let [version, ours, _moved] = sets.as_slice() else { return Ok(None) };
        let version = version.first().map(|row| row.text("version")).transpose()?;
        let version = version.and_then(|text| Version::stored(&text).ok());
        if version.is_none_or(|version| version < *to) {
            return Ok(None);
        }
        let Some(ours) = ours.first() else { return Ok(Some(UnitOutcome::DoneByAnother)) };
        let took = u64::try_from(ours.integer("took")?).unwrap_or_default();
        Ok(Some(UnitOutcome::Done(self.moved(&sets), Duration::from_millis(took))))
    }

    /// The versions that tenants may have when this platform step runs: from its FROM on, or from its TO on if the step has
    /// only tenant statements.
    fn allowed_versions(&self) -> Vec<String> {
        let only_settles = !self.migration.has(Scope::Platform) && self.migration.has(Scope::Tenant);
        let bound = if only_settles { self.migration.to() } else { self.migration.from() };
        let first = self.chain.first();
        let all = std::iter::once(&first).chain(self.chain.migrations().iter().map(Migration::to));
        all.filter(|version| *version >= bound).map(|version| format!("'{version}'")).collect()
    }

    /// Converts a server error to the unit's result.
    pub(super) fn interpret(&self, server_error: &ServerError, message: &SqlBatch) -> UnitOutcome {
        match server_error.sqlstate() {
            Some(error::NOT_AT_FROM) => {
                let at = server_error.detail().and_then(|detail| Version::stored(detail).ok());
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
                "the statements before it were committed"
            };
            failure.hint = Some(format!(
                "{before}; correct the data and run the command again (a corrected file needs `tenure migrate repair` if \
                 other schemas have run it)"
            ));
        }
        failure
    }
}
