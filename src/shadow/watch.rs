//! What one statement does to tables that were there before it: locks, rewrites, scans, time, WAL. The
//! server is asked in the statement's own message and transaction, so nothing else comes in between.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::Row;

/// A table, by schema and name.
pub type Table = (String, String);

/// What a statement did to one table that was there before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Treatment {
    /// The strongest lock on it.
    pub lock: Option<Lock>,
    /// Whether its file was written anew.
    pub rewritten: bool,
    /// How often it was read from one end to the other.
    pub scans: i64,
}

/// What a statement cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched {
    /// The tables that it locked.
    pub tables: BTreeMap<Table, Treatment>,
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
pub(super) struct Moment {
    tables: BTreeMap<Table, (Option<Lock>, i64, i64)>,
    at_us: i64,
    wal: i64,
}

impl Moment {
    /// The statement that asks: a row a table of the schemas.
    pub(super) fn question(schemas: &[SchemaName]) -> String {
        let schemas: Vec<String> = schemas.iter().map(|schema| literal(schema.as_str())).collect();
        format!(
            "SELECT n.nspname::text AS schema, c.relname::text AS name, \
             coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)::int8 AS file, \
             coalesce((SELECT s.seq_scan FROM pg_catalog.pg_stat_xact_user_tables s WHERE s.relid = c.oid), 0)::int8 AS scans, \
             (SELECT string_agg(l.mode, ' ') FROM pg_catalog.pg_locks l WHERE l.pid = pg_catalog.pg_backend_pid() \
              AND l.locktype = 'relation' AND l.granted AND l.relation = c.oid) AS modes, \
             (extract(epoch FROM clock_timestamp()) * 1000000)::int8 AS at_us, \
             pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::int8 AS wal \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname IN ({})",
            schemas.join(", ")
        )
    }

    /// Reads the answer.
    pub(super) fn read(rows: &[Row]) -> Result<Self, Failure> {
        let mut moment = Self::default();
        for row in rows {
            let modes = row.optional_text("modes")?.unwrap_or_default();
            let lock = modes.split(' ').filter_map(Lock::parse).max();
            let table = (row.text("schema")?, row.text("name")?);
            moment.tables.insert(table, (lock, row.integer("file")?, row.integer("scans")?));
            (moment.at_us, moment.wal) = (row.integer("at_us")?, row.integer("wal")?);
        }
        Ok(moment)
    }

    /// What happened from `before` until now to the tables that were there before the whole file.
    pub(super) fn since(&self, before: &Self, is_old: impl Fn(&Table) -> bool) -> Watched {
        let mut tables = BTreeMap::new();
        for (table, (lock, file, scans)) in self.tables.iter().filter(|(table, _)| is_old(table)) {
            let Some((lock_before, file_before, scans_before)) = before.tables.get(table) else { continue };
            let treatment = Treatment {
                lock: lock.filter(|lock| lock_before.is_none_or(|before| *lock > before)),
                rewritten: file != file_before,
                scans: scans - scans_before,
            };
            if treatment != Treatment::default() {
                tables.insert(table.clone(), treatment);
            }
        }
        let elapsed = u64::try_from(self.at_us - before.at_us).unwrap_or_default();
        Watched { tables, elapsed: Duration::from_micros(elapsed), wal: self.wal - before.wal }
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

    #[test]
    fn only_what_was_there_and_changed_is_told() {
        let table = |name: &str| ("s".to_owned(), name.to_owned());
        let moment = |tables: &[(&str, Option<Lock>, i64, i64)], at_us| Moment {
            tables: tables
                .iter()
                .map(|(name, lock, file, scans)| (table(name), (*lock, *file, *scans)))
                .collect(),
            at_us,
            wal: at_us,
        };
        let before =
            moment(&[("a", None, 1, 0), ("b", None, 2, 0), ("c", Some(Lock::AccessExclusive), 3, 1)], 100);
        let after = moment(
            &[
                ("a", Some(Lock::AccessExclusive), 9, 1),
                ("b", None, 2, 0),
                ("c", Some(Lock::AccessExclusive), 3, 1),
                ("new", Some(Lock::AccessExclusive), 4, 0),
            ],
            350,
        );
        let watched = after.since(&before, |_| true);
        let expected = Treatment { lock: Some(Lock::AccessExclusive), rewritten: true, scans: 1 };
        assert_eq!(watched.tables, BTreeMap::from([(table("a"), expected)]));
        assert_eq!((watched.elapsed, watched.wal), (Duration::from_micros(250), 250));
    }
}
