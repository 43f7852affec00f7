//! The rows of the sample tables, before and after: what is lost, what is changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::watch::Table;
use crate::error::{Code, Failure};
use crate::ident::{SchemaName, literal};
use crate::postgres::Connection;
use crate::sql::OWN_TABLES;

/// More rows of one table are not looked at: the sample has three, and what a migration fills is its own.
const ROWS: usize = 2_000;

/// The rows of tables, each as an object by column.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows(pub(super) BTreeMap<Table, Vec<Map<String, Value>>>);

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
}

impl Rows {
    /// Whether `table` is there and holds none.
    pub(super) fn lack(&self, table: &Table) -> bool {
        self.0.get(table).is_some_and(Vec::is_empty)
    }

    /// Reads them, in two round trips.
    pub(super) async fn read(connection: &mut Connection, schemas: &[SchemaName]) -> Result<Self, Failure> {
        let doing = "reading the sample rows";
        let names: Vec<String> = schemas.iter().map(|schema| literal(schema.as_str())).collect();
        let own: Vec<String> = OWN_TABLES.iter().map(|name| literal(name)).collect();
        let tables = format!(
            "SELECT n.nspname::text AS schema, c.relname::text AS name, c.oid::regclass::text AS quoted \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname IN ({}) AND c.relname NOT IN ({})",
            names.join(", "),
            own.join(", ")
        );
        let sets = connection.sets(&tables).await.map_err(|refusal| refusal.failure(doing))?;
        let mut rows = Self::default();
        let mut question = String::new();
        let mut order = Vec::new();
        for row in sets.iter().flatten() {
            let table = (row.text("schema")?, row.text("name")?);
            let quoted = row.text("quoted")?;
            let _ = write!(question, "SELECT to_jsonb(t)::text AS row FROM {quoted} t LIMIT {ROWS}; ");
            rows.0.insert(table.clone(), Vec::new());
            order.push(table);
        }
        if order.is_empty() {
            return Ok(rows);
        }
        let sets = connection.sets(&question).await.map_err(|refusal| refusal.failure(doing))?;
        for (table, set) in order.into_iter().zip(&sets) {
            let parsed = set.iter().map(|row| {
                serde_json::from_str(&row.text("row")?)
                    .map_err(|error| Failure::new(Code::StatementFailed, format!("{doing}: {error}")))
            });
            rows.0.insert(table, parsed.collect::<Result<_, Failure>>()?);
        }
        Ok(rows)
    }

    /// What happened to these rows, as `after` shows. A table or column that is gone is not told here: the
    /// photograph tells it.
    pub(super) fn lost(&self, after: &Self) -> Vec<DataChange> {
        let mut found = Vec::new();
        for (table, before) in &self.0 {
            let Some(now) = after.0.get(table) else { continue };
            let change = |what| DataChange { table: table.clone(), what };
            if now.len() < before.len() {
                found.push(change(DataLoss::RowsGone));
                continue;
            }
            let Some(columns) = before.first().map(Map::keys) else { continue };
            for column in columns {
                let values = |rows: &[Map<String, Value>]| -> Vec<String> {
                    let mut values: Vec<String> =
                        rows.iter().filter_map(|row| row.get(column)).map(Value::to_string).collect();
                    values.sort_unstable();
                    values
                };
                let (old, new) = (values(before), values(now));
                if !new.is_empty() && !contains(&new, &old) {
                    found.push(change(DataLoss::ValuesChanged { column: column.clone() }));
                }
            }
        }
        found
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
        let rows: Vec<Map<String, Value>> = serde_json::from_str(json).unwrap();
        Rows(BTreeMap::from([(("s".to_owned(), "t".to_owned()), rows)]))
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
}
