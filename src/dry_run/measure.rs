//! Aggregates the locks and the duration of each statement over all schemas. Memory grows with the statements; each
//! tenant adds only one number.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::{HeldLock, MeasuredStatement, MeasuredTable};
use crate::chain::Version;
use crate::error::Failure;
use crate::executor::{Measured, SlowTenant, StatementObserver, UnitTrace};
use crate::ident::SchemaName;
use crate::shadow::{Lock, LockSample, Table};
use crate::sql::{NameRole, Scope, Statement};

/// Placeholder for a tenant's schema.
const TENANT: &str = "{org_schema}";

/// Maximum length of a statement's text, in characters.
const MAX_TEXT_CHARS: usize = 200;

/// The observer that measures statements.
#[derive(Debug)]
pub(super) struct Measure {
    platform: SchemaName,
    public: SchemaName,
    // A `RefCell` is sufficient, since all workers run on one thread.
    stats: RefCell<Measurements>,
}

/// The measurements of all committed units so far.
#[derive(Debug, Default)]
struct Measurements {
    /// In the order of a run: by version, platform before tenants, by position in the file.
    statements: BTreeMap<(Version, bool, usize), StatementStats>,
    /// The total duration of each tenant's statements, by schema.
    tenants: HashMap<String, Duration>,
    /// Why some statements could not be measured.
    trouble: Option<String>,
}

/// The measurements of one statement.
#[derive(Debug)]
struct StatementStats {
    file: String,
    line: usize,
    text: String,
    scope: Scope,
    /// Whether it ran outside of a transaction.
    alone: bool,
    /// The number of schemas on which it ran.
    units: usize,
    /// Its total duration.
    total: Duration,
    /// Its longest duration, and the schema with that duration.
    longest: Duration,
    slowest: String,
    tables: BTreeMap<Table, TableStats>,
    /// The lock that an earlier statement of the file took on its table.
    held_since: Option<HeldLock>,
}

/// The worst effects of a statement on a table, over all schemas.
#[derive(Debug, Default)]
struct TableStats {
    /// The strongest new lock.
    lock: Option<Lock>,
    /// The longest time that a lock was held.
    held: Duration,
    /// The number of schemas in which the table was rewritten.
    rewritten: usize,
    /// Whether a sequential scan read it.
    scanned: bool,
}

/// The final measurements.
pub(super) struct Summary {
    pub(super) statements: Vec<MeasuredStatement>,
    pub(super) slowest: Vec<SlowTenant>,
    pub(super) trouble: Option<String>,
}

impl Measure {
    pub(super) fn new(platform: SchemaName) -> Result<Self, Failure> {
        Ok(Self { platform, public: SchemaName::existing("public")?, stats: RefCell::default() })
    }

    /// The final measurements, with `most` of the slowest tenants.
    pub(super) fn summary(&self, most: usize) -> Summary {
        let stats = self.stats.borrow();
        Summary {
            statements: stats.statements.values().map(StatementStats::summary).collect(),
            slowest: SlowTenant::longest(&stats.tenants, most),
            trouble: stats.trouble.clone(),
        }
    }

    /// Adds the observations of one unit.
    fn record(&self, unit: &UnitTrace<'_>) -> Result<(), Failure> {
        let part = &unit.part;
        let first = LockSample::read(unit.before)?;
        let (mut before, mut samples) = (first.clone(), Vec::new());
        for (ended_us, rows) in &unit.after {
            let after = LockSample::read(rows)?;
            let trace = after.since(&before, |table| first.has(table));
            samples.push((before.at_us(), *ended_us, after.at_us(), trace.tables));
            before = after;
        }
        let mut stats = self.stats.borrow_mut();
        let statements = part.migration.part(part.scope);
        let mut holding: HashMap<Table, HeldLock> = HashMap::new();
        for (at, (statement, (began, ended, _, tables))) in statements.zip(&samples).enumerate() {
            let elapsed = micros(ended - began);
            // The time from the start of the statement to COMMIT, without that of the measuring queries in between.
            let asking: i64 = samples[at..].iter().map(|(_, ended, asked, _)| asked - ended).sum();
            let held = micros(unit.committed_us - began - asking);
            let statement_stats = stats.add(part, statement, elapsed);
            for (table, effect) in tables {
                let is_tenants = part.scope == Scope::Tenant && table.0 == part.schema.as_str();
                let schema = if is_tenants { TENANT } else { table.0.as_str() };
                let entry = statement_stats.tables.entry((schema.to_owned(), table.1.clone())).or_default();
                entry.lock = entry.lock.max(effect.lock);
                if effect.lock.is_some() {
                    entry.held = entry.held.max(held);
                }
                entry.rewritten += usize::from(effect.rewritten);
                entry.scanned |= effect.scans > 0;
                if let Some(lock) = effect.lock {
                    let (schema, table_name, line) =
                        (schema.to_owned(), table.1.clone(), statement_stats.line);
                    let held = HeldLock { schema, table: table_name, lock: lock.to_string(), line };
                    holding.insert(table.clone(), held);
                }
            }
            if !tables.values().any(|effect| effect.lock.is_some()) {
                let targets = statement.names.iter().filter(|name| name.role == NameRole::Target);
                let mut keys = targets.map(|name| {
                    let own = name.schema.as_deref().filter(|_| !name.in_tenant_schema());
                    (own.unwrap_or(part.schema.as_str()).to_owned(), name.name.clone())
                });
                let held = keys.find_map(|key| holding.get(&key)).cloned();
                statement_stats.held_since = statement_stats.held_since.take().or(held);
            }
        }
        Ok(())
    }
}

impl StatementObserver for Measure {
    fn question(&self, schema: &SchemaName) -> String {
        // A tenant's statement may lock shared tables.
        let mut schemas = vec![schema.clone(), self.platform.clone(), self.public.clone()];
        schemas.dedup();
        LockSample::query(&schemas)
    }

    fn take(&self, unit: &UnitTrace<'_>) {
        if let Err(failure) = self.record(unit) {
            self.stats.borrow_mut().trouble =
                Some(format!("some statements could not be measured: {failure}"));
        }
    }

    fn take_non_transactional(&self, part: &Measured<'_>, statement: &Statement, elapsed: Duration) {
        self.stats.borrow_mut().add(part, statement, elapsed).alone = true;
    }
}

impl Measurements {
    /// Adds one execution of a statement, and returns the statement's measurements.
    fn add(&mut self, part: &Measured<'_>, statement: &Statement, elapsed: Duration) -> &mut StatementStats {
        let schema = part.schema.as_str();
        if part.scope == Scope::Tenant && !part.schema.is_pooled() {
            *self.tenants.entry(schema.to_owned()).or_default() += elapsed;
        }
        let key = (part.migration.from().clone(), part.scope == Scope::Tenant, statement.range.start);
        let statement_stats = self.statements.entry(key).or_insert_with(|| {
            let source = &part.migration.script.source;
            StatementStats {
                file: source.file.clone(),
                line: source.position(statement.range.start).line,
                text: one_line(&source.text[statement.range.clone()]),
                scope: part.scope,
                alone: false,
                units: 0,
                total: Duration::ZERO,
                longest: Duration::ZERO,
                slowest: schema.to_owned(),
                tables: BTreeMap::new(),
                held_since: None,
            }
        });
        statement_stats.units += 1;
        statement_stats.total += elapsed;
        if elapsed > statement_stats.longest {
            (statement_stats.longest, statement_stats.slowest) = (elapsed, schema.to_owned());
        }
        statement_stats
    }
}

impl StatementStats {
    fn summary(&self) -> MeasuredStatement {
        let mut tables: Vec<_> = self.tables.iter().collect();
        tables.sort_by_key(|(_, table_stats)| Reverse(table_stats.lock));
        let tables = tables.into_iter().map(|((schema, table), table_stats)| MeasuredTable {
            schema: schema.clone(),
            table: table.clone(),
            lock: table_stats.lock.map(|lock| lock.to_string()),
            held_ms: milliseconds(table_stats.held),
            rewritten: table_stats.rewritten,
            scanned: table_stats.scanned,
        });
        MeasuredStatement {
            file: self.file.clone(),
            line: self.line,
            statement: self.text.clone(),
            scope: self.scope,
            units: self.units,
            duration_ms: milliseconds(self.total),
            slowest_ms: milliseconds(self.longest),
            slowest_schema: self.slowest.clone(),
            tables: tables.collect(),
            held_since: self.held_since.clone(),
            alone: self.alone,
        }
    }
}

fn micros(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The text on one line, truncated to [`MAX_TEXT_CHARS`].
fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MAX_TEXT_CHARS {
        return line;
    }
    line.chars().take(MAX_TEXT_CHARS - 1).chain(['…']).collect()
}
