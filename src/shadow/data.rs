//! The rows of the sample tables and the values of sequences, and what a step does to them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::watch::Table;
use crate::error::{Code, Failure};
use crate::ident::{Identifier, SchemaName, literal};
use crate::postgres::{Connection, Row};
use crate::sql::{OWN_SEQUENCE, OWN_TABLES};

/// Of a larger table, only the number of rows and a checksum of each column are compared. The sample has three rows a table; more
/// come from a migration.
const ROWS: usize = 2_000;

/// A row, by column name.
pub(super) type Record = Map<String, Value>;

/// The rows of tables, and the state of sequences.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    tables: BTreeMap<Table, Rc<Rowset>>,
    /// Partitions without rows. The rows of the others are read through the root.
    empty_partitions: BTreeSet<Table>,
    sequences: BTreeMap<Table, Sequence>,
    /// The identity and the shape of each table whose rows cannot change otherwise without being counted.
    states: BTreeMap<Table, String>,
    times: Times,
}

/// Earlier rows, and whether the rows of a table may have changed since although this transaction did not write to it.
pub(super) type KnownRows<'a> = (&'a Rows, &'a dyn Fn(&Table) -> bool);

/// The identity and the shape of a table: a rewrite changes the first, a column or the labels of an enum the second. Empty for a
/// parent and for a table with a virtual column, whose values can change without a write.
const STATE: &str = "CASE WHEN c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = c.oid) THEN \
    (SELECT concat_ws(' ', c.oid, c.relfilenode, md5(string_agg(concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod, \
        a.attisdropped), ',' ORDER BY a.attnum)), types.hash) \
     FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 HAVING NOT bool_or(a.attgenerated = 'v')) \
    END AS state, pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid) + pg_catalog.pg_stat_get_xact_tuples_updated(c.oid) \
    + pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid) > 0 AS is_written";

/// A hash of all types whose change shows in unchanged rows: enums and composite types.
const TYPES: &str = "(SELECT concat_ws(' ', (SELECT md5(string_agg(enumlabel, ',' ORDER BY oid)) FROM pg_catalog.pg_enum), \
    (SELECT md5(string_agg(concat_ws(' ', t.attrelid, t.attnum, t.attname, t.atttypid), ',' ORDER BY t.attrelid, t.attnum)) \
     FROM pg_catalog.pg_attribute t JOIN pg_catalog.pg_class k ON k.oid = t.attrelid AND k.relkind = 'c')) AS hash) types";

/// The beginning of the transaction that read the rows and the moment of the reading, as JSON texts, with and without a time zone.
#[derive(Debug, Clone, Default, PartialEq)]
struct Times {
    began: [String; 2],
    read: [String; 2],
}

impl Times {
    const QUERY: &str = "SELECT to_jsonb(now()) #>> '{}' AS began, to_jsonb(localtimestamp) #>> '{}' AS local_began, \
        to_jsonb(clock_timestamp()) #>> '{}' AS read, to_jsonb(clock_timestamp()::timestamp) #>> '{}' AS local_read; ";

    fn of(row: &Row) -> Result<Self, Failure> {
        Ok(Self {
            began: [row.text("began")?, row.text("local_began")?],
            read: [row.text("read")?, row.text("local_read")?],
        })
    }

    /// Whether `text` is a time from the beginning of the transaction of `self` until the reading of `after`.
    fn contain(&self, after: &Self, text: &str) -> bool {
        let mut both = self.began.iter().zip(&after.read);
        both.any(|(from, to)| !from.is_empty() && from.as_str() <= text && text <= to.as_str())
    }
}

/// The rows of one table.
#[derive(Debug, Clone, Default, PartialEq)]
struct Rowset {
    /// At most [`ROWS`] of them.
    read: Vec<Record>,
    /// The number of rows.
    count: usize,
    /// A checksum of each column, if not all rows were read.
    sums: Record,
}

/// The state of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sequence {
    last: i64,
    is_called: bool,
    /// Whether its increment is positive.
    rises: bool,
}

/// A loss in one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataChange {
    /// The table, or the sequence.
    pub table: Table,
    /// The loss.
    pub what: DataLoss,
}

/// How existing rows or sequence values were changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataLoss {
    /// Rows are missing.
    RowsMissing,
    /// A column has other values.
    ValuesChanged {
        /// The column.
        column: String,
    },
    /// Each column has the same values, but in other rows.
    ValuesMoved,
    /// A sequence will return values that it returned before.
    SequenceReset,
}

impl Rows {
    /// Whether `table` exists and has no rows.
    pub(super) fn has_no_rows(&self, table: &Table) -> bool {
        self.empty_partitions.contains(table) || self.tables.get(table).is_some_and(|rows| rows.count == 0)
    }

    /// Whether the rows of `table` were compared and differ in `after`.
    pub(super) fn show_change(&self, after: &Self, table: &Table) -> bool {
        match (self.tables.get(table), after.tables.get(table)) {
            (Some(before), Some(now)) => before != now,
            // Dropped or moved: the snapshot shows that.
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// The names of the tables of a schema that have rows.
    pub(super) fn filled(&self, schema: &SchemaName) -> impl Iterator<Item = &str> {
        let filled = self.tables.iter().filter(|(_, rows)| rows.count > 0);
        filled.filter(move |((of, _), _)| of == schema.as_str()).map(|((_, name), _)| name.as_str())
    }

    /// The tables whose rows differ in `after`.
    pub(super) fn changed_tables<'a>(&'a self, after: &'a Self) -> impl Iterator<Item = Table> + 'a {
        let changed = self
            .tables
            .iter()
            .filter(|(table, rows)| after.tables.get(*table).is_some_and(|now| now != *rows));
        changed.map(|(table, _)| table.clone())
    }

    /// Reads them, in two round trips. Tables that cannot have changed since `known` are not read again.
    pub(super) async fn read(
        connection: &mut Connection,
        schemas: &[SchemaName],
        known: Option<KnownRows<'_>>,
    ) -> Result<Self, Failure> {
        let doing = "reading the sample rows";
        let names: Vec<String> = schemas.iter().map(|schema| literal(schema.as_str())).collect();
        let own = OWN_TABLES.iter().chain([&OWN_SEQUENCE]).map(|name| literal(name));
        let list = format!(
            "SELECT n.nspname::text AS schema, c.relname::text AS name, c.oid::regclass::text AS quoted, \
             CASE WHEN c.relkind = 'S' THEN 'sequence' WHEN c.relispartition THEN 'partition' ELSE 'table' END AS kind, \
             coalesce(s.seqincrement > 0, false) AS rises, {STATE} \
             FROM {TYPES}, pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid \
             WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname IN ({}) \
             AND c.relname NOT IN ({})",
            names.join(", "),
            own.collect::<Vec<_>>().join(", ")
        );
        let listed =
            connection.query_on_own_path(&list).await.map_err(|server_error| server_error.failure(doing))?;
        let mut rows = Self::default();
        let mut to_read: Vec<&Row> = Vec::new();
        for row in listed.iter().flatten() {
            let name = (row.text("schema")?, row.text("name")?);
            let state = row.optional_text("state")?;
            let same = known.and_then(|(known, may_differ)| {
                let is_same =
                    state.is_some() && known.states.get(&name) == state.as_ref() && !may_differ(&name);
                known.tables.get(&name).filter(|_| is_same)
            });
            match same.filter(|_| !matches!(row.get_bool("is_written"), Ok(true))) {
                Some(same) => drop(rows.tables.insert(name.clone(), Rc::clone(same))),
                None => to_read.push(row),
            }
            rows.states.extend(state.map(|state| (name, state)));
        }
        let listed = to_read;
        let mut query = Times::QUERY.to_owned();
        for row in &listed {
            let quoted = row.text("quoted")?;
            let _ = match row.text("kind")?.as_str() {
                "sequence" => write!(query, "SELECT last_value::int8 AS last, is_called FROM {quoted}; "),
                "partition" => write!(query, "SELECT EXISTS (SELECT FROM {quoted}) AS filled; "),
                _ => write!(
                    query,
                    "SELECT to_jsonb(tenure_row)::text AS row, (SELECT count(*) FROM {quoted})::int8 AS count, \
                     CASE WHEN (SELECT count(*) FROM {quoted}) > {ROWS} THEN \
                     (SELECT jsonb_object_agg(tenure_column, total)::text FROM (SELECT tenure_cell.tenure_column, \
                      sum(hashtextextended(tenure_cell.tenure_value::text, 0))::text AS total \
                      FROM {quoted} tenure_row, jsonb_each(to_jsonb(tenure_row)) tenure_cell(tenure_column, tenure_value) \
                      GROUP BY 1) by_column) END AS sums \
                     FROM (SELECT * FROM {quoted} LIMIT {ROWS}) tenure_row; "
                ),
            };
        }
        let sets =
            connection.query_on_own_path(&query).await.map_err(|server_error| server_error.failure(doing))?;
        if let Some(row) = sets.first().and_then(|set| set.first()) {
            rows.times = Times::of(row)?;
        }
        for (row, set) in listed.into_iter().zip(sets.iter().skip(1)) {
            let name = (row.text("schema")?, row.text("name")?);
            match (row.text("kind")?.as_str(), set.first()) {
                ("sequence", Some(at)) => {
                    let (last, is_called) = (at.integer("last")?, at.get_bool("is_called")?);
                    let sequence = Sequence { last, is_called, rises: row.get_bool("rises")? };
                    rows.sequences.insert(name, sequence);
                }
                ("partition", Some(it)) => {
                    if !it.get_bool("filled")? {
                        rows.empty_partitions.insert(name);
                    }
                }
                _ => {
                    rows.tables.insert(name, Rc::new(Rowset::of(set, doing)?));
                }
            }
        }
        Ok(rows)
    }

    /// How these rows and sequences differ in `after`. Missing tables and columns are not included: the snapshot shows them.
    pub(super) fn lost(&self, after: &Self) -> Vec<DataChange> {
        let mut found = Vec::new();
        for (table, before) in &self.tables {
            let Some(now) = after.tables.get(table) else { continue };
            let is_touched = |text: &str| self.times.contain(&after.times, text);
            found.extend(
                before
                    .lost(now, is_touched)
                    .into_iter()
                    .map(|what| DataChange { table: table.clone(), what }),
            );
        }
        for (name, before) in &self.sequences {
            if after.sequences.get(name).is_some_and(|now| before.is_ahead_of(*now)) {
                found.push(DataChange { table: name.clone(), what: DataLoss::SequenceReset });
            }
        }
        found
    }

    /// All rows by table, a sequence as a table of one row.
    pub(super) fn with_sequences(self) -> impl Iterator<Item = (String, Vec<Record>)> {
        let row = |sequence: Sequence| {
            let values =
                [("last_value", Value::from(sequence.last)), ("is_called", Value::from(sequence.is_called))];
            vec![values.into_iter().map(|(column, value)| (column.to_owned(), value)).collect()]
        };
        let tables =
            self.tables.into_iter().map(|((_, table), rows)| (table, Rc::unwrap_or_clone(rows).read));
        tables.chain(self.sequences.into_iter().map(move |((_, name), sequence)| (name, row(sequence))))
    }

    /// Sets the sequences that still exist back to these values.
    pub(super) async fn reset_sequences(&self, connection: &mut Connection) -> Result<(), Failure> {
        let mut sql = String::new();
        for ((schema, name), Sequence { last, is_called, .. }) in &self.sequences {
            let name = format!("{}.{}", Identifier::new(schema)?.quoted(), Identifier::new(name)?.quoted());
            let _ = write!(sql, "SELECT pg_catalog.setval({}, {last}, {is_called}); ", literal(&name));
        }
        connection
            .run(&sql)
            .await
            .map_err(|server_error| server_error.failure("resetting the sample's sequences"))
    }
}

impl Rowset {
    fn of(set: &[Row], doing: &str) -> Result<Self, Failure> {
        let parsed = |text: &str| {
            serde_json::from_str(text)
                .map_err(|error| Failure::new(Code::StatementFailed, format!("{doing}: {error}")))
        };
        let Some(first) = set.first() else { return Ok(Self::default()) };
        let read = set.iter().map(|row| parsed(&row.text("row")?)).collect::<Result<_, Failure>>()?;
        let sums = first.optional_text("sums")?.map_or_else(|| Ok(Record::new()), |text| parsed(&text))?;
        Ok(Self { read, count: usize::try_from(first.integer("count")?).unwrap_or(usize::MAX), sums })
    }

    /// Whether all rows were read.
    fn is_complete(&self) -> bool {
        self.read.len() == self.count
    }

    /// The losses. `is_touched` says whether a text is a time of this run.
    fn lost(&self, now: &Self, is_touched: impl Fn(&str) -> bool) -> Vec<DataLoss> {
        if now.count < self.count {
            return vec![DataLoss::RowsMissing];
        }
        if !(self.is_complete() && now.is_complete()) {
            return self.changed_sums(now);
        }
        let Some(first) = self.read.first() else { return Vec::new() };
        // The snapshot shows a dropped column.
        let is_kept = |column: &&String| now.read.first().is_some_and(|row| row.contains_key(*column));
        let columns = first.keys().filter(is_kept);
        let (kept, mut changed): (Vec<&String>, Vec<&String>) = columns.partition(|column| {
            let only = std::slice::from_ref(column);
            contains(&sorted_values(&now.read, only), &sorted_values(&self.read, only))
        });
        if !contains(&sorted_values(&now.read, &kept), &sorted_values(&self.read, &kept)) {
            return vec![DataLoss::ValuesMoved];
        }
        // A missing value may be filled: the others of the column stay in their rows.
        changed.retain(|column| {
            let with: Vec<&String> = kept.iter().copied().chain([*column]).collect();
            let given: Vec<Record> =
                self.read.iter().filter(|row| !row[*column].is_null()).cloned().collect();
            !contains(&sorted_values(&now.read, &with), &sorted_values(&given, &with))
        });
        // A trigger may note the time of each change; the running release's own writes do the same.
        changed.retain(|column| {
            let is_time = |row: &&Record| row[*column].as_str().is_some_and(&is_touched);
            let (times, others): (Vec<Record>, Vec<Record>) =
                now.read.iter().cloned().partition(|row| is_time(&row));
            let only = std::slice::from_ref(column);
            times.is_empty() || !contains(&sorted_values(&self.read, only), &sorted_values(&others, only))
        });
        changed.into_iter().map(|column| DataLoss::ValuesChanged { column: column.clone() }).collect()
    }

    /// The columns with other checksums. If rows were added, checksums prove nothing.
    fn changed_sums(&self, now: &Self) -> Vec<DataLoss> {
        let sums = self.sums.iter().filter(|_| self.count == now.count);
        let moved = sums.filter(|(column, sum)| now.sums.get(*column).is_some_and(|now| now != *sum));
        moved.map(|(column, _)| DataLoss::ValuesChanged { column: column.clone() }).collect()
    }
}

/// The values of these columns, a string per row, sorted.
fn sorted_values(rows: &[Record], columns: &[&String]) -> Vec<String> {
    let row =
        |row: &Record| columns.iter().map(|column| row[*column].to_string()).collect::<Vec<_>>().join("\n");
    let mut all: Vec<String> = rows.iter().map(row).collect();
    all.sort_unstable();
    all
}

impl Sequence {
    /// Whether `now` is behind this state, so that values would repeat.
    fn is_ahead_of(self, now: Self) -> bool {
        let next = |it: Self| i128::from(it.last) + i128::from(it.is_called) * if it.rises { 1 } else { -1 };
        if self.rises { next(now) < next(self) } else { next(now) > next(self) }
    }
}

/// Whether the sorted list `all` contains the sorted list `some`, with duplicates.
fn contains(all: &[String], some: &[String]) -> bool {
    let mut all = all.iter();
    some.iter().all(|value| all.by_ref().any(|candidate| candidate == value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(json: &str) -> Rows {
        let read: Vec<Record> = serde_json::from_str(json).unwrap();
        let rows = Rowset { count: read.len(), read, sums: Record::new() };
        Rows {
            tables: BTreeMap::from([(("s".to_owned(), "t".to_owned()), Rc::new(rows))]),
            ..Rows::default()
        }
    }

    fn lost(before: &str, after: &str) -> Vec<DataLoss> {
        rows(before).lost(&rows(after)).into_iter().map(|change| change.what).collect()
    }

    #[test]
    fn added_rows_are_no_loss() {
        let before = r#"[{"a":1,"b":"x"},{"a":2,"b":null}]"#;
        assert_eq!(lost(before, before), []);
        assert_eq!(
            lost(before, r#"[{"b":null,"a":2,"c":7},{"a":3,"b":"y","c":8},{"a":1,"b":"x","c":9}]"#),
            []
        );
        assert_eq!(lost("[]", r#"[{"a":1}]"#), []);
    }

    #[test]
    fn deleted_and_changed_rows_are_reported() {
        let before = r#"[{"a":1,"b":"x"},{"a":2,"b":"x"}]"#;
        assert_eq!(lost(before, r#"[{"a":1,"b":"x"}]"#), [DataLoss::RowsMissing]);
        let changed = DataLoss::ValuesChanged { column: "b".to_owned() };
        assert_eq!(lost(before, r#"[{"a":1,"b":"x"},{"a":2,"b":"y"}]"#), [changed]);
        // The snapshot shows a dropped column.
        assert_eq!(lost(before, r#"[{"a":1},{"a":2}]"#), []);
    }

    #[test]
    fn a_missing_value_may_be_filled() {
        let before = r#"[{"a":1,"b":null},{"a":2,"b":"x"}]"#;
        assert_eq!(lost(before, r#"[{"a":1,"b":"y"},{"a":2,"b":"x"}]"#), []);
        let changed = DataLoss::ValuesChanged { column: "b".to_owned() };
        assert_eq!(lost(before, r#"[{"a":1,"b":"x"},{"a":2,"b":"y"}]"#), [changed]);
    }

    #[test]
    fn the_time_of_a_change_may_be_noted() {
        let times = Times {
            began: ["2026-01-02T03:04:05+00:00".to_owned(), "2026-01-02T03:04:05".to_owned()],
            read: ["2026-01-02T03:04:06+00:00".to_owned(), "2026-01-02T03:04:06".to_owned()],
        };
        let with = |json: &str| Rows { times: times.clone(), ..rows(json) };
        let before = with(r#"[{"a":1,"at":"2020-01-01T00:00:00"}]"#);
        assert_eq!(before.lost(&with(r#"[{"a":1,"at":"2026-01-02T03:04:05.5"}]"#)), []);
        assert_eq!(before.lost(&with(r#"[{"a":1,"at":"2025-01-02T03:04:05.5"}]"#)).len(), 1);
        assert_eq!(before.lost(&with(r#"[{"a":1,"at":"x"}]"#)).len(), 1);
        let two = with(r#"[{"a":1,"at":"x"},{"a":2,"at":"y"}]"#);
        assert_eq!(two.lost(&with(r#"[{"a":1,"at":"x"},{"a":2,"at":"x"}]"#)).len(), 1);
        assert_eq!(two.lost(&with(r#"[{"a":1,"at":"x"},{"a":2,"at":"2026-01-02T03:04:05.5"}]"#)), []);
    }

    #[test]
    fn swapped_values_are_reported() {
        let before = r#"[{"a":1,"b":"x"},{"a":2,"b":"y"}]"#;
        assert_eq!(lost(before, r#"[{"a":1,"b":"y"},{"a":2,"b":"x"}]"#), [DataLoss::ValuesMoved]);
        // If a column has other values anyway, the rest of each row must be unchanged.
        let changed = DataLoss::ValuesChanged { column: "b".to_owned() };
        assert_eq!(lost(before, r#"[{"a":1,"b":"z"},{"a":2,"b":"z"}]"#), [changed]);
    }

    #[test]
    fn large_tables_are_compared_by_count_and_checksum() {
        let rowset = |count, sum: &str| Rowset {
            read: vec![Record::new()],
            count,
            sums: Record::from_iter([("a".to_owned(), sum.into())]),
        };
        let before = rowset(3_000, "7");
        assert_eq!(before.lost(&rowset(2_999, "7"), |_| false), [DataLoss::RowsMissing]);
        assert_eq!(before.lost(&rowset(3_000, "7"), |_| false), []);
        let changed = DataLoss::ValuesChanged { column: "a".to_owned() };
        assert_eq!(before.lost(&rowset(3_000, "8"), |_| false), [changed]);
        assert_eq!(before.lost(&rowset(3_001, "8"), |_| false), []);
    }

    #[test]
    fn a_sequence_that_goes_back_is_reported() {
        let at = |last, is_called, rises| Sequence { last, is_called, rises };
        assert!(at(9, true, true).is_ahead_of(at(9, false, true)));
        assert!(at(9, true, true).is_ahead_of(at(1, true, true)));
        assert!(!at(9, true, true).is_ahead_of(at(10, false, true)));
        assert!(at(-9, true, false).is_ahead_of(at(-1, true, false)));
        assert!(!at(-9, true, false).is_ahead_of(at(-10, true, false)));
    }
}
