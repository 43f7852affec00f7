//! What is known of the columns that the parameters of writing queries meet: whether they are unique, what
//! they refer to, and what some rows hold in them.

use std::collections::{BTreeSet, HashMap};

use super::{INNER, Observer, failed};
use crate::error::Failure;
use crate::ident::{Identifier, literal};
use crate::postgres::Row;
use crate::queries::sample::Facts;
use crate::sql::Destination;

/// How many rows of a table are looked at.
const ROWS: usize = 2;

/// A table as a query names it.
type Named = (Option<String>, String);

/// A column of a table, both as SQL.
type QualifiedColumn = (String, String);

/// The facts of the tables that some queries write to, in the order of their columns.
#[derive(Debug, Default)]
pub(super) struct Tables(HashMap<Named, Vec<(String, Facts)>>);

impl Tables {
    /// The facts of a parameter's column.
    pub(super) fn facts(&self, to: &Destination) -> Option<Facts> {
        let columns = self.0.get(&(to.schema.clone(), to.table.clone()))?;
        let column = match &to.column {
            Ok(name) => columns.iter().find(|(column, _)| column == name),
            Err(place) => columns.get(place.checked_sub(1)?),
        };
        column.map(|(_, facts)| facts.clone())
    }
}

/// `@` holds the tables' numbers and names.
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
    /// The facts of the tables that `destinations` name, as the search path finds them.
    pub(super) async fn tables(&mut self, destinations: &[Destination]) -> Result<Tables, Failure> {
        let named: BTreeSet<Named> =
            destinations.iter().map(|to| (to.schema.clone(), to.table.clone())).collect();
        let named: Vec<Named> = named.into_iter().collect();
        let asked: Vec<String> =
            named.iter().enumerate().filter_map(|(number, table)| self.asked(number, table)).collect();
        if asked.is_empty() {
            return Ok(Tables::default());
        }
        let sets = self.connection.attempt(&COLUMNS.replace('@', &asked.join(", "))).await;
        let rows = sets.map_err(|server_error| failed(&server_error))?.pop().unwrap_or_default();
        let columns = rows.iter().map(Found::read).collect::<Result<Vec<_>, _>>()?;
        let wanted: BTreeSet<QualifiedColumn> = columns.iter().map(|found| found.held_in.clone()).collect();
        let held = self.held(&wanted).await?;
        let mut tables: HashMap<Named, Vec<(String, Facts)>> = HashMap::new();
        for mut found in columns {
            let Some(table) = named.get(found.table) else { continue };
            found.facts.held = held.get(&found.held_in).cloned().unwrap_or_default();
            tables.entry(table.clone()).or_default().push((found.name, found.facts));
        }
        Ok(Tables(tables))
    }

    /// A table's number and name for the question; none for a name that no identifier can be.
    fn asked(&self, number: usize, (schema, table): &Named) -> Option<String> {
        let quoted = |name: &str| Identifier::new(name).ok().map(|name| name.quoted());
        let mut name = quoted(table)?;
        if let Some(schema) = schema {
            let stand_in = crate::sql::is_org_schema(schema);
            let schema = if stand_in { self.schemas.tenant.quoted() } else { quoted(schema)? };
            name = format!("{schema}.{name}");
        }
        Some(format!("({number}, {})", literal(&name)))
    }

    /// What some rows hold in these columns. A table that cannot be read holds nothing.
    async fn held(
        &mut self,
        wanted: &BTreeSet<QualifiedColumn>,
    ) -> Result<HashMap<QualifiedColumn, Vec<Option<String>>>, Failure> {
        let mut held: HashMap<QualifiedColumn, Vec<Option<String>>> = HashMap::new();
        let tables: BTreeSet<&String> = wanted.iter().map(|(table, _)| table).collect();
        for table in tables {
            let columns: Vec<&QualifiedColumn> = wanted.iter().filter(|(of, _)| of == table).collect();
            let texts: Vec<_> = columns
                .iter()
                .enumerate()
                .map(|(number, (_, column))| format!("{column}::text AS c{number}"))
                .collect();
            let sql = format!("SELECT {} FROM {table} LIMIT {ROWS}", texts.join(", "));
            let rows = match self.connection.attempt(&sql).await {
                Ok(mut sets) => sets.pop().unwrap_or_default(),
                Err(server_error) if server_error.about_the_statement().is_some() => {
                    self.attempt(&format!("ROLLBACK TO SAVEPOINT {INNER}")).await?;
                    continue;
                }
                Err(server_error) => return Err(failed(&server_error)),
            };
            for row in &rows {
                for (number, column) in columns.iter().enumerate() {
                    let value = row.optional_text(&format!("c{number}"))?;
                    held.entry((*column).clone()).or_default().push(value);
                }
            }
        }
        Ok(held)
    }
}

/// One column of the answer.
struct Found {
    table: usize,
    name: String,
    facts: Facts,
    /// Where its values are found: in itself, or in the column that it refers to.
    held_in: QualifiedColumn,
}

impl Found {
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
            held_in: other.unwrap_or((row.text("relation")?, row.text("column")?)),
        })
    }
}
