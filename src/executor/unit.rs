//! One unit: its message built, sent, and its answer understood.

use std::time::{Duration, Instant};

use super::observer::StatementObserver;
use crate::chain::{Chain, Migration, Version};
use crate::error::{Code, Failure};
use crate::ident::{SchemaName, literal};
use crate::postgres::batch::{HistoryRow, Kind, Run, SessionState, SqlBatch};
use crate::postgres::{Connection, Row, ServerError, error};
use crate::sql::{Scope, Statement};

/// The column of the tenants' rows that a platform unit moved.
const MOVED: &str = "tenure_moved_schema";

/// How a unit ended.
#[derive(Debug)]
pub(crate) enum Answer {
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
pub(crate) struct Unit<'a> {
    pub(crate) run: &'a Run,
    pub(crate) chain: &'a Chain,
    pub(crate) migration: &'a Migration,
    pub(crate) schema: &'a SchemaName,
    pub(crate) part: Part,
    /// The accepted findings of the file, as JSON.
    pub(crate) allowed: &'a str,
    /// Who wants to know what each statement does.
    pub(crate) observer: Option<&'a dyn StatementObserver>,
}

/// Which part of the migration a unit runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
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
    pub(crate) fn scope(&self) -> Scope {
        self.part.scope()
    }

    /// The statement that takes and moves the version row.
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

    /// Adds what follows the file's statements: the tenants' rows, the history, the end.
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
        // A step that has nothing for tenants only moves a tenant's row.
        if self.scope() == Scope::Platform || self.migration.has(Scope::Tenant) {
            message.history(self.run, &self.history_row(Kind::MIGRATE));
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
    pub(crate) async fn send(&self, connection: &mut Connection) -> Answer {
        let message = self.message();
        let began = Instant::now();
        match connection.send(&message).await {
            Ok(sets) => {
                self.tell(&message, 0..message.statements(), &sets);
                Answer::Done(self.moved(&sets), began.elapsed())
            }
            Err(server_error) => self.explain(&server_error, &message),
        }
    }

    /// The tenants whose rows the unit moved besides: the only rows whose one column has that name.
    pub(super) fn moved(&self, sets: &[Vec<Row>]) -> Vec<String> {
        if !matches!(self.part, Part::Platform { moves_tenants: true, .. }) {
            return Vec::new();
        }
        let moved = sets.iter().flatten().filter_map(|row| row.text(MOVED).ok());
        // Schemas that were made in advance are nobody's.
        moved.filter(|name| SchemaName::existing(name).is_ok_and(|schema| !schema.is_pooled())).collect()
    }

    /// Whether the unit, whose answer was lost, was committed, and by whom. The tenants whose rows the platform's moved are
    /// those that are there and were before it.
    pub(crate) async fn committed(&self, connection: &mut Connection) -> Result<Option<Answer>, Failure> {
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
            Kind::MIGRATE.as_str(),
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
        let Some(ours) = ours.first() else { return Ok(Some(Answer::DoneByAnother)) };
        let took = u64::try_from(ours.integer("took")?).unwrap_or_default();
        Ok(Some(Answer::Done(self.moved(&sets), Duration::from_millis(took))))
    }

    /// The versions that tenants may have when this platform step runs: those of the chain from its FROM on; from its TO on
    /// where only tenants have work in it.
    fn allowed_versions(&self) -> Vec<String> {
        let only_settles = !self.migration.has(Scope::Platform) && self.migration.has(Scope::Tenant);
        let bound = if only_settles { self.migration.to() } else { self.migration.from() };
        let first = self.chain.first();
        let all = std::iter::once(&first).chain(self.chain.migrations().iter().map(Migration::to));
        all.filter(|version| *version >= bound).map(|version| format!("'{version}'")).collect()
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
