//! What one statement does to tables that were there before it: locks, rewrites, scans, time, WAL. The
//! server is asked in the statement's own message and transaction, so nothing else comes in between.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::Row;

/// A table, by schema and name.
pub type Table = (String, String);

/// What a statement did to one table that was there before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableUsage {
    /// The strongest lock on it.
    pub lock: Option<Lock>,
    /// Whether its file was written anew.
    pub rewritten: bool,
    /// How often it was read from one end to the other.
    pub scans: i64,
}

/// What a statement cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatementTrace {
    /// The tables that it locked.
    pub tables: BTreeMap<Table, TableUsage>,
    /// On the server.
    pub elapsed: Duration,
    /// Bytes of write-ahead log; others on the same server may have added to it.
    pub wal: i64,
}

/// The lock modes of tables, from the weakest to the strongest (manual, chapter 13.3.1).
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

    /// The mode as `pg_locks` writes it.
    fn parse(mode: &str) -> Option<Self> {
        let word = mode.strip_suffix("Lock")?;
        Self::ALL.into_iter().find(|lock| format!("{lock:?}") == word)
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

/// What the server said at one moment of the transaction.
#[derive(Debug, Clone, Default)]
pub struct LockSample {
    tables: BTreeMap<Table, State>,
    at_us: i64,
    wal: i64,
}

/// How a table was then.
#[derive(Debug, Clone, Default)]
struct State {
    /// The locks of this session.
    locks: BTreeSet<Lock>,
    /// The number of its file.
    file: i64,
    /// How often it was read from one end to the other.
    scans: i64,
    /// How often an index of it was read.
    lookups: i64,
    /// Rows put in, changed and taken away.
    touched: i64,
    /// Rows changed and taken away.
    changed: i64,
    /// The table that it is a partition of, in the end.
    root: Option<Table>,
}

/// How a statement used the rows of one table that was there before the whole file. What is done to a partition by way of
/// its root is done to the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Use {
    /// Whether it was read, as a query reads.
    pub(super) reads: bool,
    /// Whether it was written to, as a query writes, be it in vain.
    pub(super) writes: bool,
    /// Whether its file was written anew, or emptied.
    pub(super) rewritten: bool,
    /// Rows put in, changed and taken away.
    pub(super) touched: i64,
    /// Rows changed and taken away.
    pub(super) changed: i64,
    /// Whose rows show it.
    pub(super) root: Option<Table>,
}

impl LockSample {
    /// The statement that asks: a row a table of the schemas.
    pub fn question(schemas: &[SchemaName]) -> String {
        let schemas: Vec<String> = schemas.iter().map(|schema| literal(schema.as_str())).collect();
        // Tables are found by what depends on their schema, which has an index, and their numbers by the functions that
        // the statistics' view is made of: a branch may have many thousands of tables, and this is asked again and again.
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

    /// Reads the answer.
    pub fn read(rows: &[Row]) -> Result<Self, Failure> {
        let mut moment = Self::default();
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
            moment.tables.insert((row.text("schema")?, row.text("name")?), state);
            (moment.at_us, moment.wal) = (row.integer("at_us")?, row.integer("wal")?);
        }
        Ok(moment)
    }

    /// What happened from `before` until now to the tables that were there before the whole file.
    pub fn since(&self, before: &Self, is_old: impl Fn(&Table) -> bool) -> StatementTrace {
        let mut tables = BTreeMap::new();
        for (table, now, before) in self.pairs(before, is_old) {
            let treatment = TableUsage {
                lock: now.locks.last().filter(|lock| before.locks.last() < Some(*lock)).copied(),
                rewritten: now.file != before.file,
                scans: now.scans - before.scans,
            };
            if treatment != TableUsage::default() {
                tables.insert(table.clone(), treatment);
            }
        }
        let elapsed = u64::try_from(self.at_us - before.at_us).unwrap_or_default();
        StatementTrace { tables, elapsed: Duration::from_micros(elapsed), wal: self.wal - before.wal }
    }

    /// How these tables were used meanwhile, those that were. A lock is kept until the end of the transaction, so where
    /// an earlier statement took it, that rows were touched or looked for says that this one used the table.
    pub(super) fn used_since(&self, before: &Self, is_old: impl Fn(&Table) -> bool) -> BTreeMap<Table, Use> {
        let mut uses: BTreeMap<Table, Use> = BTreeMap::new();
        for (table, now, before) in self.pairs(before, is_old) {
            let is_new = |lock| now.locks.contains(&lock) && !before.locks.contains(&lock);
            let (touched, changed) = (now.touched - before.touched, now.changed - before.changed);
            let busy = touched > 0 || now.scans > before.scans || now.lookups > before.lookups;
            let writes = is_new(Lock::RowExclusive) || (busy && before.locks.contains(&Lock::RowExclusive));
            let reads = is_new(Lock::AccessShare) || is_new(Lock::RowShare) || busy;
            let rewritten = now.file != before.file;
            if writes || reads || rewritten {
                let root = now.root.clone();
                uses.insert(table.clone(), Use { reads, writes, rewritten, touched, changed, root });
            }
        }
        let partitions: Vec<(Table, Use)> = uses
            .iter()
            .filter(|(_, it)| it.root.is_some())
            .map(|(table, it)| (table.clone(), it.clone()))
            .collect();
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

    fn pairs<'a>(
        &'a self,
        before: &'a Self,
        is_old: impl Fn(&Table) -> bool,
    ) -> impl Iterator<Item = (&'a Table, &'a State, &'a State)> {
        let old = self.tables.iter().filter(move |(table, _)| is_old(table));
        old.filter_map(|(table, now)| Some((table, now, before.tables.get(table)?)))
    }

    /// When it was, by the server's clock, in microseconds.
    pub fn at_us(&self) -> i64 {
        self.at_us
    }

    /// Whether there was this table.
    pub fn has(&self, table: &Table) -> bool {
        self.tables.contains_key(table)
    }

    /// The tables that there are.
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

    fn moment(tables: &[(&str, State)], at_us: i64) -> LockSample {
        let tables = tables.iter().map(|(name, state)| (table(name), state.clone())).collect();
        LockSample { tables, at_us, wal: at_us }
    }

    fn state(locks: &[Lock], file: i64, scans: i64) -> State {
        State { locks: locks.iter().copied().collect(), file, scans, ..State::default() }
    }

    #[test]
    fn only_what_was_there_and_changed_is_told() {
        let locked = [Lock::AccessExclusive];
        let before =
            moment(&[("a", state(&[], 1, 0)), ("b", state(&[], 2, 0)), ("c", state(&locked, 3, 1))], 100);
        let after = moment(
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
        let before = moment(&[("defined", none.clone()), ("read", none.clone()), ("written", none)], 0);
        let after = moment(
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
        // The lock was there already.
        let mut later = after.clone();
        later.tables.get_mut(&table("written")).unwrap().changed = 2;
        later.tables.get_mut(&table("written")).unwrap().touched = 2;
        let uses = later.used_since(&after, |_| true);
        assert_eq!(uses.keys().collect::<Vec<_>>(), [&table("written")]);
        assert!(uses.values().all(|it| it.writes && it.changed == 2));
    }

    #[test]
    fn what_is_done_by_way_of_the_root_is_done_to_the_root() {
        let part =
            |locks: &[Lock], touched| State { touched, root: Some(table("root")), ..state(locks, 0, 0) };
        let before = moment(&[("root", State::default()), ("one", part(&[], 0)), ("two", part(&[], 0))], 0);
        let write = [Lock::RowExclusive];
        let through =
            moment(&[("root", state(&write, 0, 0)), ("one", part(&write, 1)), ("two", part(&write, 0))], 0);
        let uses = through.used_since(&before, |_| true);
        assert_eq!(uses.values().map(|it| (it.writes, it.touched)).collect::<Vec<_>>(), [(true, 1)]);
        let direct =
            moment(&[("root", State::default()), ("one", part(&write, 0)), ("two", part(&[], 0))], 0);
        let uses = direct.used_since(&before, |_| true);
        assert_eq!(uses.keys().collect::<Vec<_>>(), [&table("one")]);
    }
}
