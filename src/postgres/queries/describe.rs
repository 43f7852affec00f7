//! Describes a prepared statement, and resolves the type and column OIDs in its description to names.

use std::collections::{BTreeSet, HashMap};

use sqlx::postgres::PgTypeInfo;
use sqlx::{AssertSqlSafe, Column as _, Connection as _, Either, Executor as _, Statement as _};

use crate::error::{Code, Failure};
use crate::postgres::{Connection, Row, ServerError};
use crate::queries::{Column, Prepared, SearchPath, Type};

/// A statement's parameters and columns, as OIDs.
#[derive(Debug)]
pub(super) struct Shape {
    parameters: Vec<u32>,
    columns: Vec<ShapeColumn>,
}

#[derive(Debug)]
struct ShapeColumn {
    name: String,
    kind: u32,
    /// The OID of the table and the number of the column that it comes from.
    origin: Option<(u32, i16)>,
}

impl Connection {
    /// Prepares a statement without running it.
    pub(super) async fn describe(&mut self, sql: &str) -> Result<Shape, ServerError> {
        let prepared =
            self.driver().prepare(sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(sql.to_owned()))).await;
        let statement = prepared.map_err(ServerError::from)?;
        let parameters = match statement.parameters() {
            Some(Either::Left(kinds)) => kinds.iter().map(type_oid).collect(),
            _ => Vec::new(),
        };
        let column = |column: &sqlx::postgres::PgColumn| ShapeColumn {
            name: column.name().to_owned(),
            kind: type_oid(column.type_info()),
            origin: column.relation_id().map(|table| table.0).zip(column.relation_attribute_no()),
        };
        Ok(Shape { parameters, columns: statement.columns().iter().map(column).collect() })
    }

    /// Deallocates all prepared statements.
    pub(super) async fn clear_statements(&mut self) -> Result<(), ServerError> {
        self.driver().clear_cached_statements().await.map_err(ServerError::from)
    }

    /// Reads the names of all OIDs in `shapes`.
    pub(super) async fn read_names<'a>(
        &mut self,
        shapes: impl Iterator<Item = &'a Shape>,
    ) -> Result<Names, Failure> {
        let (mut kinds, mut origins) = (BTreeSet::new(), BTreeSet::new());
        for shape in shapes {
            kinds.extend(shape.parameters.iter().copied());
            kinds.extend(shape.columns.iter().map(|column| column.kind));
            origins.extend(shape.columns.iter().filter_map(|column| column.origin));
        }
        let result = self.attempt(&names_query(&kinds, &origins)).await;
        let sets = result.map_err(|server_error| server_error.failure("reading the names of types"))?;
        let mut names = Names::default();
        for row in sets.first().into_iter().flatten() {
            names.add_type(row)?;
        }
        for row in sets.get(1).into_iter().flatten() {
            names.add_column(row)?;
        }
        Ok(names)
    }
}

fn type_oid(kind: &PgTypeInfo) -> u32 {
    kind.oid().map_or(0, |oid| oid.0)
}

/// For a type: its labels and fields, or those of an array's element or a domain's base type. For a column:
/// whether it is nullable if its relation is a table, since a view's columns are never NOT NULL.
const TYPES: &str = "
WITH RECURSIVE asked (oid) AS (SELECT unnest('{@}'::oid[])),
inner_of (oid, inner_oid, depth) AS (
    SELECT oid, oid, 0 FROM asked
    UNION ALL
    SELECT of.oid, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END, of.depth + 1
    FROM inner_of of JOIN pg_catalog.pg_type t ON t.oid = of.inner_oid
    WHERE (t.typtype = 'd' OR t.typcategory = 'A' AND t.typelem <> 0) AND of.depth < 8
), innermost AS (
    SELECT DISTINCT ON (oid) oid, inner_oid FROM inner_of ORDER BY oid, depth DESC
)
SELECT i.oid::bigint AS oid, pg_catalog.format_type(i.oid, NULL) AS name,
    (SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e
     WHERE e.enumtypid = i.inner_oid)::text AS labels,
    (SELECT jsonb_agg(a.attname || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum)
     FROM pg_catalog.pg_type t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid
     WHERE t.oid = i.inner_oid AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped)::text AS fields
FROM innermost i";

const COLUMNS: &str = "
SELECT a.attrelid::bigint AS relation, a.attnum::bigint AS number, a.atttypid::bigint AS kind,
    pg_catalog.format_type(a.atttypid, a.atttypmod) AS name,
    CASE WHEN c.relkind IN ('r', 'p', 'f') AND a.attnum > 0
        THEN (NOT a.attnotnull)::text END AS nullable
FROM (VALUES @) AS asked (relation, number)
JOIN pg_catalog.pg_attribute a ON a.attrelid = asked.relation AND a.attnum = asked.number
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid";

fn names_query(kinds: &BTreeSet<u32>, origins: &BTreeSet<(u32, i16)>) -> String {
    let kinds: Vec<_> = kinds.iter().map(u32::to_string).collect();
    let mut sql = TYPES.replace('@', &kinds.join(","));
    if !origins.is_empty() {
        let origins: Vec<_> =
            origins.iter().map(|(table, column)| format!("({table}::oid, {column})")).collect();
        sql.push(';');
        sql.push_str(&COLUMNS.replace('@', &origins.join(",")));
    }
    sql
}

/// Names by OID.
#[derive(Debug, Default)]
pub(super) struct Names {
    types: HashMap<u32, Type>,
    columns: HashMap<(u32, i16), TableColumn>,
}

#[derive(Debug)]
struct TableColumn {
    kind: u32,
    /// Its type with modifiers.
    name: String,
    nullable: Option<bool>,
}

impl Names {
    fn add_type(&mut self, row: &Row) -> Result<(), Failure> {
        let list = |column| -> Result<Vec<String>, Failure> {
            let text = row.optional_text(column)?.unwrap_or_else(|| "[]".to_owned());
            serde_json::from_str(&text).map_err(|error| unreadable(&error.to_string()))
        };
        let name = row.text("name")?;
        let kind = Type { base: name.clone(), name, labels: list("labels")?, fields: list("fields")? };
        self.types.insert(narrow(row.integer("oid")?)?, kind);
        Ok(())
    }

    fn add_column(&mut self, row: &Row) -> Result<(), Failure> {
        let key = (narrow(row.integer("relation")?)?, narrow(row.integer("number")?)?);
        let nullable = row.optional_text("nullable")?.map(|nullable| nullable == "true");
        self.columns.insert(
            key,
            TableColumn { kind: narrow(row.integer("kind")?)?, name: row.text("name")?, nullable },
        );
        Ok(())
    }

    /// Replaces the OIDs in `shape` with names.
    pub(super) fn prepared(&self, path: SearchPath, shape: &Shape) -> Prepared {
        let columns = shape.columns.iter().map(|column| {
            let mut kind = self.kind(column.kind);
            let origin = column.origin.and_then(|origin| self.columns.get(&origin));
            // Adds the modifiers, except for a domain, which the protocol reports as its base type.
            if let Some(origin) = origin.filter(|origin| origin.kind == column.kind) {
                kind.name.clone_from(&origin.name);
            }
            Column { name: column.name.clone(), kind, nullable: origin.and_then(|origin| origin.nullable) }
        });
        let parameters = shape.parameters.iter().map(|kind| self.kind(*kind)).collect();
        Prepared { path, parameters, columns: columns.collect(), trial: None, plan: None }
    }

    fn kind(&self, oid: u32) -> Type {
        self.types.get(&oid).cloned().unwrap_or_else(|| {
            let name = format!("type {oid}");
            Type { base: name.clone(), name, labels: Vec::new(), fields: Vec::new() }
        })
    }
}

fn narrow<T: TryFrom<i64>>(number: i64) -> Result<T, Failure> {
    T::try_from(number).map_err(|_| unreadable(&number.to_string()))
}

fn unreadable(what: &str) -> Failure {
    Failure::new(Code::StatementFailed, format!("reading the server's answer: {what}"))
}
