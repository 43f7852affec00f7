//! The rows of the sample tables and the values of sequences, before and after: what is lost, what is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::watch::Table;
use crate::error::{Code, Failure};
use crate::ident::{Identifier, SchemaName, literal};
use crate::postgres::{Connection, Row};
use crate::sql::{OWN_SEQUENCE, OWN_TABLES};

/// Of more rows of one table only their number and a sum of each column are known: the sample has three rows, and what
/// a migration fills is its own.
const ROWS: usize = 2_000;

/// A row, by column.
pub(super) type Record = Map<String, Value>;

/// The rows of tables, and how far sequences are.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    tables: BTreeMap<Table, Rowset>,
    /// Partitions without a row; the rows of the others are their root's.
    empty_partitions: BTreeSet<Table>,
    sequences: BTreeMap<Table, Sequence>,
}

/// The rows of one table.
#[derive(Debug, Clone, Default, PartialEq)]
struct Rowset {
    /// The first of them.
    read: Vec<Record>,
    /// How many there are.
    count: usize,
    /// Where there are more than were read: a sum of what stands in each column.
    sums: Record,
}

/// How far a sequence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sequence {
    last: i64,
    is_called: bool,
    /// Whether it counts up.
    rises: bool,
}

/// What happened to rows that were there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataChange {
    /// In which table.
    pub table: Table,
    /// What.
    pub what: DataLoss,
}

/// How rows were touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataLoss {
    /// Rows are gone, though the table is there.
    RowsGone,
    /// The values of a column are others, though the column is there.
    ValuesChanged {
        /// The column.
        column: String,
    },
    /// Every value is still there, but not in the row in which it was.
    ValuesMoved,
    /// A sequence, which stands in the table's place, gives values again that it has given.
    SetBack,
}

impl Rows {
    /// Whether `table` is there and holds no row.
    pub(super) fn lack(&self, table: &Table) -> bool {
        self.empty_partitions.contains(table) || self.tables.get(table).is_some_and(|rows| rows.count == 0)
    }

    /// Whether a change of rows of `table` would have been seen, and `after` shows one.
    pub(super) fn show_a_change(&self, after: &Self, table: &Table) -> bool {
        match (self.tables.get(table), after.tables.get(table)) {
            (Some(before), Some(now)) => before != now,
            // It is gone, or moved: the photograph tells that.
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Reads them, in two round trips.
    pub(super) async fn read(connection: &mut Connection, schemas: &[SchemaName]) -> Result<Self, Failure> {
        let doing = "reading the sample rows";
        let names: Vec<String> = schemas.iter().map(|schema| literal(schema.as_str())).collect();
        let own = OWN_TABLES.iter().chain([&OWN_SEQUENCE]).map(|name| literal(name));
        let list = format!(
            "SELECT n.nspname::text AS schema, c.relname::text AS name, c.oid::regclass::text AS quoted, \
             CASE WHEN c.relkind = 'S' THEN 'sequence' WHEN c.relispartition THEN 'partition' ELSE 'table' END AS kind, \
             coalesce(s.seqincrement > 0, false) AS rises \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid \
             WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname IN ({}) \
             AND c.relname NOT IN ({})",
            names.join(", "),
            own.collect::<Vec<_>>().join(", ")
        );
        let listed =
            connection.query_batch(&list).await.map_err(|server_error| server_error.failure(doing))?;
        let listed: Vec<&Row> = listed.iter().flatten().collect();
        let mut question = String::new();
        for row in &listed {
            let quoted = row.text("quoted")?;
            let _ = match row.text("kind")?.as_str() {
                "sequence" => write!(question, "SELECT last_value::int8 AS last, is_called FROM {quoted}; "),
                "partition" => write!(question, "SELECT EXISTS (SELECT FROM {quoted}) AS filled; "),
                _ => write!(
                    question,
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
        let mut rows = Self::default();
        if question.is_empty() {
            return Ok(rows);
        }
        let sets =
            connection.query_batch(&question).await.map_err(|server_error| server_error.failure(doing))?;
        for (row, set) in listed.into_iter().zip(&sets) {
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
                    rows.tables.insert(name, Rowset::of(set, doing)?);
                }
            }
        }
        Ok(rows)
    }

    /// What happened to these rows, as `after` shows. A table or column that is gone is not told here: the
    /// photograph tells it.
    pub(super) fn lost(&self, after: &Self) -> Vec<DataChange> {
        let mut found = Vec::new();
        for (table, before) in &self.tables {
            let Some(now) = after.tables.get(table) else { continue };
            found.extend(before.lost(now).into_iter().map(|what| DataChange { table: table.clone(), what }));
        }
        for (name, before) in &self.sequences {
            if after.sequences.get(name).is_some_and(|now| before.is_ahead_of(*now)) {
                found.push(DataChange { table: name.clone(), what: DataLoss::SetBack });
            }
        }
        found
    }

    /// All of it by name, a sequence as a table of one row.
    pub(super) fn with_sequences(self) -> impl Iterator<Item = (String, Vec<Record>)> {
        let row = |sequence: Sequence| {
            let values =
                [("last_value", Value::from(sequence.last)), ("is_called", Value::from(sequence.is_called))];
            vec![values.into_iter().map(|(column, value)| (column.to_owned(), value)).collect()]
        };
        let tables = self.tables.into_iter().map(|((_, table), rows)| (table, rows.read));
        tables.chain(self.sequences.into_iter().map(move |((_, name), sequence)| (name, row(sequence))))
    }

    /// Puts the sequences back to where they are here, those that are there.
    pub(super) async fn rewind(&self, connection: &mut Connection) -> Result<(), Failure> {
        let mut sql = String::new();
        for ((schema, name), Sequence { last, is_called, .. }) in &self.sequences {
            let name = format!("{}.{}", Identifier::new(schema)?.quoted(), Identifier::new(name)?.quoted());
            let _ = write!(sql, "SELECT pg_catalog.setval({}, {last}, {is_called}); ", literal(&name));
        }
        connection
            .run(&sql)
            .await
            .map_err(|server_error| server_error.failure("putting the sample's sequences back"))
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

    /// Whether all of its rows were read.
    fn is_whole(&self) -> bool {
        self.read.len() == self.count
    }

    fn lost(&self, now: &Self) -> Vec<DataLoss> {
        if now.count < self.count {
            return vec![DataLoss::RowsGone];
        }
        if !(self.is_whole() && now.is_whole()) {
            return self.moved_sums(now);
        }
        let Some(first) = self.read.first() else { return Vec::new() };
        // A column that is gone is told by the photograph.
        let there = |column: &&String| now.read.first().is_some_and(|row| row.contains_key(*column));
        let columns = first.keys().filter(there);
        let (kept, changed): (Vec<&String>, Vec<&String>) = columns.partition(|column| {
            let only = std::slice::from_ref(column);
            contains(&bag(&now.read, only), &bag(&self.read, only))
        });
        if !contains(&bag(&now.read, &kept), &bag(&self.read, &kept)) {
            return vec![DataLoss::ValuesMoved];
        }
        changed.into_iter().map(|column| DataLoss::ValuesChanged { column: column.clone() }).collect()
    }

    /// What the sums show. Where rows came they show nothing.
    fn moved_sums(&self, now: &Self) -> Vec<DataLoss> {
        let sums = self.sums.iter().filter(|_| self.count == now.count);
        let moved = sums.filter(|(column, sum)| now.sums.get(*column).is_some_and(|now| now != *sum));
        moved.map(|(column, _)| DataLoss::ValuesChanged { column: column.clone() }).collect()
    }
}

/// What stands in these columns, row by row, in order.
fn bag(rows: &[Record], columns: &[&String]) -> Vec<String> {
    let row =
        |row: &Record| columns.iter().map(|column| row[*column].to_string()).collect::<Vec<_>>().join("\n");
    let mut all: Vec<String> = rows.iter().map(row).collect();
    all.sort_unstable();
    all
}

impl Sequence {
    /// Whether `now` comes before it, so that values come again.
    fn is_ahead_of(self, now: Self) -> bool {
        let next = |it: Self| i128::from(it.last) + i128::from(it.is_called) * if it.rises { 1 } else { -1 };
        if self.rises { next(now) < next(self) } else { next(now) > next(self) }
    }
}

/// Whether `all` holds each of `some`, as often as it stands there. Both are sorted.
fn contains(all: &[String], some: &[String]) -> bool {
    let mut all = all.iter();
    some.iter().all(|wanted| all.by_ref().any(|value| value == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(json: &str) -> Rows {
        let read: Vec<Record> = serde_json::from_str(json).unwrap();
        let rows = Rowset { count: read.len(), read, sums: Record::new() };
        Rows { tables: BTreeMap::from([(("s".to_owned(), "t".to_owned()), rows)]), ..Rows::default() }
    }

    fn lost(before: &str, after: &str) -> Vec<DataLoss> {
        rows(before).lost(&rows(after)).into_iter().map(|change| change.what).collect()
    }

    #[test]
    fn what_is_added_is_no_loss() {
        let before = r#"[{"a":1,"b":"x"},{"a":2,"b":null}]"#;
        assert_eq!(lost(before, before), []);
        assert_eq!(
            lost(before, r#"[{"b":null,"a":2,"c":7},{"a":3,"b":"y","c":8},{"a":1,"b":"x","c":9}]"#),
            []
        );
        assert_eq!(lost("[]", r#"[{"a":1}]"#), []);
    }

    #[test]
    fn what_is_gone_or_changed_is() {
        let before = r#"[{"a":1,"b":"x"},{"a":2,"b":"x"}]"#;
        assert_eq!(lost(before, r#"[{"a":1,"b":"x"}]"#), [DataLoss::RowsGone]);
        let changed = DataLoss::ValuesChanged { column: "b".to_owned() };
        assert_eq!(lost(before, r#"[{"a":1,"b":"x"},{"a":2,"b":"y"}]"#), [changed]);
        // A column that is gone is told by the photograph.
        assert_eq!(lost(before, r#"[{"a":1},{"a":2}]"#), []);
    }

    #[test]
    fn values_that_change_places_are_changed() {
        let before = r#"[{"a":1,"b":"x"},{"a":2,"b":"y"}]"#;
        assert_eq!(lost(before, r#"[{"a":1,"b":"y"},{"a":2,"b":"x"}]"#), [DataLoss::ValuesMoved]);
        // Where a column has other values anyway, the rest of the rows must still be there.
        let changed = DataLoss::ValuesChanged { column: "b".to_owned() };
        assert_eq!(lost(before, r#"[{"a":1,"b":"z"},{"a":2,"b":"z"}]"#), [changed]);
    }

    #[test]
    fn of_many_rows_the_number_and_the_sums_are_known() {
        let rowset = |count, sum: &str| Rowset {
            read: vec![Record::new()],
            count,
            sums: Record::from_iter([("a".to_owned(), sum.into())]),
        };
        let before = rowset(3_000, "7");
        assert_eq!(before.lost(&rowset(2_999, "7")), [DataLoss::RowsGone]);
        assert_eq!(before.lost(&rowset(3_000, "7")), []);
        let changed = DataLoss::ValuesChanged { column: "a".to_owned() };
        assert_eq!(before.lost(&rowset(3_000, "8")), [changed]);
        assert_eq!(before.lost(&rowset(3_001, "8")), []);
    }

    #[test]
    fn a_sequence_only_goes_on() {
        let at = |last, is_called, rises| Sequence { last, is_called, rises };
        assert!(at(9, true, true).is_ahead_of(at(9, false, true)));
        assert!(at(9, true, true).is_ahead_of(at(1, true, true)));
        assert!(!at(9, true, true).is_ahead_of(at(10, false, true)));
        assert!(at(-9, true, false).is_ahead_of(at(-1, true, false)));
        assert!(!at(-9, true, false).is_ahead_of(at(-10, true, false)));
    }
}
