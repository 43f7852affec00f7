//! The use of tables by one statement: locks, rewrites, scans, time, WAL. The statistics are read in the statement's own batch
//! and transaction, so nothing runs in between.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::Row;

/// A schema and a table.
pub type Table = (String, String);

/// What a statement did to one existing table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableUsage {
    /// The strongest new lock.
    pub lock: Option<Lock>,
    /// Whether the table was rewritten: it has a new file.
    pub rewritten: bool,
    /// The number of sequential scans.
    pub scans: i64,
}

/// The cost of a statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatementTrace {
    /// The tables that it locked, rewrote or scanned.
    pub tables: BTreeMap<Table, TableUsage>,
    /// The time on the server.
    pub elapsed: Duration,
    /// Bytes of WAL, including those of other sessions on the server.
    pub wal: i64,
}

/// The table-level lock modes, from the weakest to the strongest (manual, chapter 13.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are PostgreSQL's")]
pub enum Lock {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

impl Lock {
    const ALL: [Self; 8] = [
        Self::AccessShare,
        Self::RowShare,
        Self::RowExclusive,
        Self::ShareUpdateExclusive,
        Self::Share,
        Self::ShareRowExclusive,
        Self::Exclusive,
        Self::AccessExclusive,
    ];

    /// Parses a mode of `pg_locks`.
    fn parse(mode: &str) -> Option<Self> {
        let word = mode.strip_suffix("Lock")?;
        Self::ALL.into_iter().find(|lock| lock.to_string().replace(' ', "").eq_ignore_ascii_case(word))
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessShare => "ACCESS SHARE",
            Self::RowShare => "ROW SHARE",
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::Exclusive => "EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        })
    }
}

/// The server's statistics at one moment of the transaction.
#[derive(Debug, Clone, Default)]
pub struct LockSample {
    tables: BTreeMap<Table, State>,
    /// The server's clock, in microseconds since 1970.
    at_us: i64,
    /// The position in the WAL, in bytes.
    wal: i64,
}

/// The state of a table.
#[derive(Debug, Clone, Default)]
struct State {
    /// The locks of this session.
    locks: BTreeSet<Lock>,
    /// Its filenode.
    file: i64,
    /// The number of sequential scans.
    scans: i64,
    /// The number of scans of its indexes.
    lookups: i64,
    /// The number of rows inserted, updated and deleted.
    touched: i64,
    /// The number of rows updated and deleted.
    changed: i64,
    /// The root of its partition tree, if it is a partition.
    root: Option<Table>,
}

/// How a statement used the rows of a table that existed before the migration. Use of a partition through its root counts for the
/// root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RowUsage {
    /// Whether a query read it.
    pub(super) reads: bool,
    /// Whether a query wrote to it, even if no row matched.
    pub(super) writes: bool,
    /// Whether it was rewritten or truncated.
    pub(super) rewritten: bool,
    /// The number of rows inserted, updated and deleted.
    pub(super) touched: i64,
    /// The number of rows updated and deleted.
    pub(super) changed: i64,
    /// The root of its partition tree, which contains its rows.
    pub(super) root: Option<Table>,
}

impl LockSample {
    /// The query for a sample: it returns a row for each table and materialized view of the schemas.
    pub fn query(schemas: &[SchemaName]) -> String {
        let schemas: Vec<String> = schemas.iter().map(|schema| literal(schema.as_str())).collect();
        // The join uses an index on `pg_depend` and the functions behind the statistics views: a branch may have many thousands
        // of tables, and this runs often.
        format!(
            "SELECT n.nspname::text AS schema, c.relname::text AS name, \
             coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)::int8 AS file, \
             pg_catalog.pg_stat_get_xact_numscans(c.oid)::int8 AS scans, \
             coalesce((SELECT sum(pg_catalog.pg_stat_get_xact_numscans(i.indexrelid)) FROM pg_catalog.pg_index i \
              WHERE i.indrelid = c.oid), 0)::int8 AS lookups, \
             (pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid) + pg_catalog.pg_stat_get_xact_tuples_updated(c.oid) + \
              pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid))::int8 AS touched, \
             (pg_catalog.pg_stat_get_xact_tuples_updated(c.oid) + pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid))::int8 AS changed, \
             rn.nspname::text AS root_schema, r.relname::text AS root_name, l.modes, \
             (extract(epoch FROM clock_timestamp()) * 1000000)::int8 AS at_us, \
             pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::int8 AS wal \
             FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_depend d ON d.refobjid = n.oid AND d.refobjsubid = 0 \
             AND d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass \
             AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
             JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relnamespace = n.oid \
             LEFT JOIN (SELECT relation, string_agg(mode, ' ') AS modes FROM pg_catalog.pg_locks \
              WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'relation' AND granted GROUP BY relation) l ON l.relation = c.oid \
             LEFT JOIN pg_catalog.pg_class r ON c.relispartition AND r.oid = pg_catalog.pg_partition_root(c.oid) \
             LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace \
             WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname IN ({})",
            schemas.join(", ")
        )
    }

    /// Parses the rows of a sample.
    pub fn read(rows: &[Row]) -> Result<Self, Failure> {
        let mut sample = Self::default();
        for row in rows {
            let modes = row.optional_text("modes")?.unwrap_or_default();
            let state = State {
                locks: modes.split(' ').filter_map(Lock::parse).collect(),
                file: row.integer("file")?,
                scans: row.integer("scans")?,
                lookups: row.integer("lookups")?,
                touched: row.integer("touched")?,
                changed: row.integer("changed")?,
                root: row.optional_text("root_schema")?.zip(row.optional_text("root_name")?),
            };
            sample.tables.insert((row.text("schema")?, row.text("name")?), state);
            (sample.at_us, sample.wal) = (row.integer("at_us")?, row.integer("wal")?);
        }
        Ok(sample)
    }

    /// What happened between `before` and this sample to the tables for which `is_old` is true.
    pub fn since(&self, before: &Self, is_old: impl Fn(&Table) -> bool) -> StatementTrace {
        let mut tables = BTreeMap::new();
        for (table, now, before) in self.pairs(before, is_old) {
            let usage = TableUsage {
                lock: now.locks.last().filter(|lock| before.locks.last() < Some(*lock)).copied(),
                rewritten: now.file != before.file,
                scans: now.scans - before.scans,
            };
            if usage != TableUsage::default() {
                tables.insert(table.clone(), usage);
            }
        }
        let elapsed = u64::try_from(self.at_us - before.at_us).unwrap_or_default();
        StatementTrace { tables, elapsed: Duration::from_micros(elapsed), wal: self.wal - before.wal }
    }

    /// The tables that were used between `before` and this sample. Locks last until the end of the transaction: if an earlier
    /// statement holds the lock, the counts of rows and scans show the use.
    pub(super) fn used_since(
        &self,
        before: &Self,
        is_old: impl Fn(&Table) -> bool,
    ) -> BTreeMap<Table, RowUsage> {
        let mut uses: BTreeMap<Table, RowUsage> = BTreeMap::new();
        for (table, now, before) in self.pairs(before, is_old) {
            let is_new = |lock| now.locks.contains(&lock) && !before.locks.contains(&lock);
            let (touched, changed) = (now.touched - before.touched, now.changed - before.changed);
            let is_used = touched > 0 || now.scans > before.scans || now.lookups > before.lookups;
            let writes =
                is_new(Lock::RowExclusive) || (is_used && before.locks.contains(&Lock::RowExclusive));
            let reads = is_new(Lock::AccessShare) || is_new(Lock::RowShare) || is_used;
            let rewritten = now.file != before.file;
            if writes || reads || rewritten {
                let root = now.root.clone();
                uses.insert(table.clone(), RowUsage { reads, writes, rewritten, touched, changed, root });
            }
        }
        let partitions: Vec<(Table, RowUsage)> = uses
            .iter()
            .filter(|(_, it)| it.root.is_some())
            .map(|(table, it)| (table.clone(), it.clone()))
            .collect();
        // Merge a partition into its root if the statement used the root in the same way.
        for (table, used) in partitions {
            if let Some(root) = used.root.as_ref().and_then(|root| uses.get_mut(root))
                && root.writes >= used.writes
            {
                root.touched += used.touched;
                root.changed += used.changed;
                uses.remove(&table);
            }
        }
        uses
    }

    /// The tables of both samples for which `is_old` is true, each with its state now and before.
    fn pairs<'a>(
        &'a self,
        before: &'a Self,
        is_old: impl Fn(&Table) -> bool,
    ) -> impl Iterator<Item = (&'a Table, &'a State, &'a State)> {
        let old = self.tables.iter().filter(move |(table, _)| is_old(table));
        old.filter_map(|(table, now)| Some((table, now, before.tables.get(table)?)))
    }

    /// The server's clock, in microseconds since 1970.
    pub fn at_us(&self) -> i64 {
        self.at_us
    }

    /// Whether `table` existed at the time of the sample.
    pub fn has(&self, table: &Table) -> bool {
        self.tables.contains_key(table)
    }

    /// The tables of the sample.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_ordered_and_read() {
        assert_eq!(Lock::parse("ShareRowExclusiveLock"), Some(Lock::ShareRowExclusive));
        assert_eq!(Lock::parse("SIReadLock"), None);
        assert!(Lock::ALL.windows(2).all(|pair| pair[0] < pair[1]));
    }

    fn table(name: &str) -> Table {
        ("s".to_owned(), name.to_owned())
    }

    fn sample(tables: &[(&str, State)], at_us: i64) -> LockSample {
        let tables = tables.iter().map(|(name, state)| (table(name), state.clone())).collect();
        LockSample { tables, at_us, wal: at_us }
    }

    fn state(locks: &[Lock], file: i64, scans: i64) -> State {
        State { locks: locks.iter().copied().collect(), file, scans, ..State::default() }
    }

    #[test]
    fn only_changed_tables_that_existed_are_reported() {
        let locked = [Lock::AccessExclusive];
        let before =
            sample(&[("a", state(&[], 1, 0)), ("b", state(&[], 2, 0)), ("c", state(&locked, 3, 1))], 100);
        let after = sample(
            &[
                ("a", state(&locked, 9, 1)),
                ("b", state(&[], 2, 0)),
                ("c", state(&[Lock::Share, Lock::AccessExclusive], 3, 1)),
                ("new", state(&locked, 4, 0)),
            ],
            350,
        );
        let trace = after.since(&before, |_| true);
        let expected = TableUsage { lock: Some(Lock::AccessExclusive), rewritten: true, scans: 1 };
        assert_eq!(trace.tables, BTreeMap::from([(table("a"), expected)]));
        assert_eq!((trace.elapsed, trace.wal), (Duration::from_micros(250), 250));
    }

    #[test]
    fn a_table_is_used_by_queries_and_not_by_definitions() {
        let none = State::default();
        let before = sample(&[("defined", none.clone()), ("read", none.clone()), ("written", none)], 0);
        let after = sample(
            &[
                ("defined", state(&[Lock::AccessExclusive], 0, 0)),
                ("read", state(&[Lock::AccessShare], 0, 0)),
                ("written", state(&[Lock::RowExclusive], 0, 1)),
            ],
            0,
        );
        let uses = after.used_since(&before, |_| true);
        let of = |name| uses.get(&table(name)).map(|it| (it.reads, it.writes, it.touched));
        assert_eq!(of("defined"), None);
        assert_eq!(of("read"), Some((true, false, 0)));
        assert_eq!(of("written"), Some((true, true, 0)));
        // An earlier statement has taken the lock.
        let mut later = after.clone();
        later.tables.get_mut(&table("written")).unwrap().changed = 2;
        later.tables.get_mut(&table("written")).unwrap().touched = 2;
        let uses = later.used_since(&after, |_| true);
        assert_eq!(uses.keys().collect::<Vec<_>>(), [&table("written")]);
        assert!(uses.values().all(|it| it.writes && it.changed == 2));
    }

    #[test]
    fn use_through_the_root_counts_for_the_root() {
        let part =
            |locks: &[Lock], touched| State { touched, root: Some(table("root")), ..state(locks, 0, 0) };
        let before = sample(&[("root", State::default()), ("one", part(&[], 0)), ("two", part(&[], 0))], 0);
        let write = [Lock::RowExclusive];
        let through =
            sample(&[("root", state(&write, 0, 0)), ("one", part(&write, 1)), ("two", part(&write, 0))], 0);
        let uses = through.used_since(&before, |_| true);
        assert_eq!(uses.values().map(|it| (it.writes, it.touched)).collect::<Vec<_>>(), [(true, 1)]);
        let direct =
            sample(&[("root", State::default()), ("one", part(&write, 0)), ("two", part(&[], 0))], 0);
        let uses = direct.used_since(&before, |_| true);
        assert_eq!(uses.keys().collect::<Vec<_>>(), [&table("one")]);
    }
}
