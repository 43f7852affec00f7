//! Facts about the columns that parameters of writing queries are assigned to: unique, foreign key, and values
//! of some rows.

use std::collections::{BTreeSet, HashMap};

use super::{Observer, QUERY_SAVEPOINT, failure};
use crate::error::Failure;
use crate::ident::{Identifier, literal};
use crate::postgres::Row;
use crate::queries::sample::Facts;
use crate::sql::Destination;

/// The number of rows to read of each table.
const SAMPLE_ROWS: usize = 2;

/// A table name in a query, with its schema.
type TableName = (Option<String>, String);

/// A table and its column, both as SQL.
type QualifiedColumn = (String, String);

/// The facts by table, in column order.
#[derive(Debug, Default)]
pub(super) struct Tables(HashMap<TableName, Vec<(String, Facts)>>);

impl Tables {
    pub(super) fn facts(&self, to: &Destination) -> Option<Facts> {
        let columns = self.0.get(&(to.schema.clone(), to.table.clone()))?;
        let column = match &to.column {
            Ok(name) => columns.iter().find(|(column, _)| column == name),
            Err(place) => columns.get(place.checked_sub(1)?),
        };
        column.map(|(_, facts)| facts.clone())
    }
}

/// `@` is replaced with the tables' numbers and names.
const COLUMNS: &str = r#"
SELECT asked.number::bigint AS "table", a.attname::text AS name, pg_catalog.quote_ident(a.attname) AS "column",
    pg_catalog.format('%I.%I', n.nspname, c.relname) AS relation,
    CASE WHEN a.atttypmod > 4 AND a.atttypid IN ('varchar'::regtype, 'bpchar'::regtype)
        THEN (a.atttypmod - 4)::text END AS "limit",
    EXISTS (SELECT FROM pg_catalog.pg_index i
        WHERE i.indrelid = a.attrelid AND i.indisunique AND a.attnum = ANY (i.indkey)) AS "unique",
    other.relation AS other_relation, other."column" AS other_column
FROM (VALUES @) AS asked (number, name)
JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(asked.name)
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN LATERAL (
    SELECT pg_catalog.format('%I.%I', fn.nspname, fc.relname) AS relation, pg_catalog.quote_ident(fa.attname) AS "column"
    FROM pg_catalog.pg_constraint k
    JOIN pg_catalog.pg_class fc ON fc.oid = k.confrelid
    JOIN pg_catalog.pg_namespace fn ON fn.oid = fc.relnamespace
    JOIN pg_catalog.pg_attribute fa ON fa.attrelid = k.confrelid
        AND fa.attnum = k.confkey[pg_catalog.array_position(k.conkey, a.attnum)]
    WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND a.attnum = ANY (k.conkey)
    ORDER BY k.oid LIMIT 1
) AS other ON true
ORDER BY asked.number, a.attnum"#;

impl Observer<'_> {
    /// Reads the facts of the tables of `destinations`, resolved along the search path.
    pub(super) async fn tables(&mut self, destinations: &[Destination]) -> Result<Tables, Failure> {
        let named: BTreeSet<TableName> =
            destinations.iter().map(|to| (to.schema.clone(), to.table.clone())).collect();
        let named: Vec<TableName> = named.into_iter().collect();
        let values_row: Vec<String> =
            named.iter().enumerate().filter_map(|(number, table)| self.values_row(number, table)).collect();
        if values_row.is_empty() {
            return Ok(Tables::default());
        }
        let sets = self.connection.attempt(&COLUMNS.replace('@', &values_row.join(", "))).await;
        let rows = sets.map_err(|server_error| failure(&server_error))?.pop().unwrap_or_default();
        let columns = rows.iter().map(FoundColumn::read).collect::<Result<Vec<_>, _>>()?;
        let columns_to_read: BTreeSet<QualifiedColumn> =
            columns.iter().map(|found| found.values_of.clone()).collect();
        let values = self.read_values(&columns_to_read).await?;
        let mut tables: HashMap<TableName, Vec<(String, Facts)>> = HashMap::new();
        for mut found in columns {
            let Some(table) = named.get(found.table) else { continue };
            found.facts.held = values.get(&found.values_of).cloned().unwrap_or_default();
            tables.entry(table.clone()).or_default().push((found.name, found.facts));
        }
        Ok(Tables(tables))
    }

    /// A table's number and name as SQL; `None` if the name is not an identifier.
    fn values_row(&self, number: usize, (schema, table): &TableName) -> Option<String> {
        let quoted = |name: &str| Identifier::new(name).ok().map(|name| name.quoted());
        let mut name = quoted(table)?;
        if let Some(schema) = schema {
            let is_placeholder = crate::sql::is_org_schema(schema);
            let schema = if is_placeholder { self.schemas.tenant.quoted() } else { quoted(schema)? };
            name = format!("{schema}.{name}");
        }
        Some(format!("({number}, {})", literal(&name)))
    }

    /// Values of some rows in these columns; none for an unreadable table.
    async fn read_values(
        &mut self,
        columns_to_read: &BTreeSet<QualifiedColumn>,
    ) -> Result<HashMap<QualifiedColumn, Vec<Option<String>>>, Failure> {
        let mut values: HashMap<QualifiedColumn, Vec<Option<String>>> = HashMap::new();
        let tables: BTreeSet<&String> = columns_to_read.iter().map(|(table, _)| table).collect();
        for table in tables {
            let columns: Vec<&QualifiedColumn> =
                columns_to_read.iter().filter(|(of, _)| of == table).collect();
            let texts: Vec<_> = columns
                .iter()
                .enumerate()
                .map(|(number, (_, column))| format!("{column}::text AS c{number}"))
                .collect();
            let sql = format!("SELECT {} FROM {table} LIMIT {SAMPLE_ROWS}", texts.join(", "));
            let rows = match self.connection.attempt(&sql).await {
                Ok(mut sets) => sets.pop().unwrap_or_default(),
                Err(server_error) if server_error.statement_error().is_some() => {
                    self.attempt(&format!("ROLLBACK TO SAVEPOINT {QUERY_SAVEPOINT}")).await?;
                    continue;
                }
                Err(server_error) => return Err(failure(&server_error)),
            };
            for row in &rows {
                for (number, column) in columns.iter().enumerate() {
                    let value = row.optional_text(&format!("c{number}"))?;
                    values.entry((*column).clone()).or_default().push(value);
                }
            }
        }
        Ok(values)
    }
}

/// A column in the result.
struct FoundColumn {
    table: usize,
    name: String,
    facts: Facts,
    /// The column with its values: itself, or the one that it references.
    values_of: QualifiedColumn,
}

impl FoundColumn {
    fn read(row: &Row) -> Result<Self, Failure> {
        let other = row.optional_text("other_relation")?.zip(row.optional_text("other_column")?);
        let facts = Facts {
            unique: row.get_bool("unique")?,
            foreign: other.is_some(),
            limit: row.optional_text("limit")?.and_then(|limit| limit.parse().ok()),
            held: Vec::new(),
        };
        Ok(Self {
            table: usize::try_from(row.integer("table")?).unwrap_or(usize::MAX),
            name: row.text("name")?,
            facts,
            values_of: other.unwrap_or((row.text("relation")?, row.text("column")?)),
        })
    }
}
