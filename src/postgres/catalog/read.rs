//! Reads snapshots and fingerprints, with one message each. Both use `lines.sql`, so equal snapshots have equal
//! fingerprints. Only catalogs are read, so no privilege on the tenants' tables is needed; nothing is written.

use std::collections::BTreeMap;

use super::model::{Kind, ObjectKey, PartKey, PartKind, Properties, Property, SchemaSnapshot};
use crate::error::{Code, Failure};
use crate::ident::{SchemaName, literal};
use crate::postgres::{Connection, Row, ServerError};

const LINES: &str = include_str!("lines.sql");

/// Settings that change how definitions are printed are fixed in this transaction: this search
/// path qualifies every name. JIT compilation costs more than it saves for a query that runs once.
const SETTINGS: &str = "SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL quote_all_identifiers = off; SET LOCAL DateStyle = 'ISO, YMD'; \
    SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC'; SET LOCAL extra_float_digits = 1; \
    SET LOCAL bytea_output = 'hex'; SET LOCAL xmlbinary = 'base64'; SET LOCAL jit = off; SET LOCAL lock_timeout = '5s'";

/// The transaction of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    /// A new read-only transaction.
    Own,
    /// The open transaction, which includes its uncommitted changes.
    Current,
}

impl Transaction {
    fn begin(self) -> &'static str {
        match self {
            Self::Own => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            Self::Current => "SAVEPOINT tenure_snapshot",
        }
    }

    /// Also one statement.
    fn end(self) -> &'static str {
        match self {
            Self::Own => "COMMIT",
            Self::Current => "ROLLBACK TO SAVEPOINT tenure_snapshot",
        }
    }
}

/// The number of attempts if the catalogs change during the query.
const MAX_ATTEMPTS: usize = 3;

/// A hash of a schema. On servers of one major version, equal fingerprints mean equal snapshots.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint {
    /// The hash of the definitions.
    pub definition: String,
    /// The hash of owners and privileges.
    pub access: String,
}

/// Fingerprints by schema; a missing schema has none.
pub type Fingerprints = BTreeMap<SchemaName, Fingerprint>;

/// Reads `schema`. The snapshot of a missing schema has no `Kind::Schema` object.
pub async fn snapshot(connection: &mut Connection, schema: &SchemaName) -> Result<SchemaSnapshot, Failure> {
    snapshot_as(connection, schema, Transaction::Own).await
}

/// Like the function above, in the given transaction.
pub async fn snapshot_as(
    connection: &mut Connection,
    schema: &SchemaName,
    transaction: Transaction,
) -> Result<SchemaSnapshot, Failure> {
    let (begin, end) = (transaction.begin(), transaction.end());
    let sql = format!(
        "{begin}; {SETTINGS}; WITH {} SELECT kind, object, part, name, properties, code, access FROM neutral; \
         {EXTENSIONS}; {end}",
        lines(std::slice::from_ref(schema)),
    );
    let sets =
        query_with_retry(connection, &sql, transaction, &format!("reading the catalog of schema {schema}"))
            .await?;
    let [.., objects, extensions, _commit] = sets.as_slice() else { return Err(unexpected_result()) };
    let mut snapshot = SchemaSnapshot::default();
    for row in objects {
        add(&mut snapshot, row)?;
    }
    add_extensions(&mut snapshot, schema, extensions)?;
    Ok(snapshot)
}

const EXTENSIONS: &str = "SELECT extname::text AS name, extversion AS version, nspname::text AS home \
    FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace";

/// Adds the extensions of the database to the snapshot of `schema`.
fn add_extensions(snapshot: &mut SchemaSnapshot, schema: &SchemaName, rows: &[Row]) -> Result<(), Failure> {
    for row in rows {
        let key = ObjectKey { kind: Kind::Extension, name: row.text("name")? };
        let properties = &mut snapshot.objects.entry(key).or_default().properties;
        properties.set(Property::Version, row.text("version")?);
        let home = row.text("home")?;
        properties
            .set(Property::InSchema, if home == schema.as_str() { "{org_schema}".to_owned() } else { home });
    }
    Ok(())
}

/// Schemas per query: the server sorts their contents in memory.
pub const PAGE: usize = 500;

/// Computes the fingerprints of `schemas`, with one query per page.
pub async fn fingerprints(
    connection: &mut Connection,
    schemas: &[SchemaName],
) -> Result<Fingerprints, Failure> {
    fingerprints_as(connection, schemas, Transaction::Own).await
}

/// Like the function above, in the given transaction.
pub async fn fingerprints_as(
    connection: &mut Connection,
    schemas: &[SchemaName],
    transaction: Transaction,
) -> Result<Fingerprints, Failure> {
    let mut all = Fingerprints::new();
    for page in schemas.chunks(PAGE) {
        all.extend(page_of_fingerprints(connection, page, transaction).await?);
    }
    Ok(all)
}

/// `print AS (…)`: the fingerprints of the schemas in the rows of `source`.
fn prints(source: &str) -> String {
    let digest = |column: &str| {
        format!(
            "encode(sha256(convert_to(string_agg({column}, E'\\n' ORDER BY {column} COLLATE \"C\"), 'UTF8')), 'hex')"
        )
    };
    let key = "E'\\x1d', kind, object, coalesce(part, ''), coalesce(name, '')";
    format!(
        "print AS (SELECT schema::text AS schema, {} AS definition, coalesce({}, '') AS access \
         FROM (SELECT schema, concat_ws({key}, properties, code) AS line, \
               CASE WHEN access <> '' THEN concat_ws({key}, access) END AS access FROM {source}) AS neutral_line \
         GROUP BY schema)",
        digest("line"),
        digest("access"),
    )
}

/// The settings and the `WITH` list of a query of the table `print`, which has the fingerprint of `schema` in its only row. It leaves
/// out the objects that satisfy `condition`, in terms of `kind` and `object`.
pub fn definition_without(schema: &SchemaName, condition: &str) -> (&'static str, String) {
    let rest = format!("(SELECT * FROM neutral WHERE NOT ({condition})) AS rest");
    (SETTINGS, format!("WITH {}, {}", lines(std::slice::from_ref(schema)), prints(&rest)))
}

async fn page_of_fingerprints(
    connection: &mut Connection,
    schemas: &[SchemaName],
    transaction: Transaction,
) -> Result<Fingerprints, Failure> {
    let (begin, end) = (transaction.begin(), transaction.end());
    let sql = format!(
        "{begin}; {SETTINGS}; WITH {}, {} SELECT schema, definition, access FROM print; {end}",
        lines(schemas),
        prints("neutral"),
    );
    let sets = query_with_retry(connection, &sql, transaction, "computing the tenants' fingerprints").await?;
    let [.., rows, _commit] = sets.as_slice() else { return Err(unexpected_result()) };
    rows.iter().map(|row| fingerprint(row, "access")).collect()
}

fn fingerprint(row: &Row, access: &str) -> Result<(SchemaName, Fingerprint), Failure> {
    let fingerprint = Fingerprint { definition: row.text("definition")?, access: row.text(access)? };
    Ok((SchemaName::existing(row.text("schema")?)?, fingerprint))
}

/// The fingerprints of `schemas`, and the snapshots of those whose fingerprint is not in `known`, in one pass over the catalogs.
pub async fn changed_since(
    connection: &mut Connection,
    schemas: &[SchemaName],
    known: &Fingerprints,
    transaction: Transaction,
) -> Result<(Fingerprints, BTreeMap<SchemaName, SchemaSnapshot>), Failure> {
    let (begin, end) = (transaction.begin(), transaction.end());
    let known = known.iter().map(|(schema, print)| {
        let [schema, definition, access] = [schema.as_str(), &print.definition, &print.access].map(literal);
        format!(", ({schema}, {definition}, {access})")
    });
    let known: String = known.collect();
    let (mut fingerprints, mut changed) = (Fingerprints::new(), BTreeMap::new());
    for page in schemas.chunks(PAGE) {
        let sql = format!(
            "{begin}; {SETTINGS}; WITH {}, seen AS MATERIALIZED (SELECT * FROM neutral), {} \
             SELECT print.schema, print.definition, print.access AS print_access, \
                 seen.kind, seen.object, seen.part, seen.name, seen.properties, seen.code, seen.access \
             FROM print LEFT JOIN seen ON seen.schema = print.schema AND NOT EXISTS \
                 (SELECT FROM (VALUES ('', '', ''){known}) known (schema, definition, access) \
                  WHERE (known.schema, known.definition, known.access) = (print.schema, print.definition, print.access)); \
             {EXTENSIONS}; {end}",
            lines(page),
            prints("seen"),
        );
        let sets = query_with_retry(connection, &sql, transaction, "reading the catalog").await?;
        let [.., rows, extensions, _commit] = sets.as_slice() else { return Err(unexpected_result()) };
        for row in rows {
            let (schema, print) = fingerprint(row, "print_access")?;
            if row.optional_text("kind")?.is_some() {
                add(changed.entry(schema.clone()).or_insert_with(SchemaSnapshot::default), row)?;
            }
            fingerprints.insert(schema, print);
        }
        for (schema, snapshot) in changed.iter_mut().filter(|(schema, _)| page.contains(schema)) {
            add_extensions(snapshot, schema, extensions)?;
        }
    }
    Ok((fingerprints, changed))
}

/// The server's major version. Only servers of one version print definitions the same.
pub async fn server_major(connection: &mut Connection) -> Result<u32, Failure> {
    server_major_as(connection, Transaction::Own).await
}

/// Like the function above, in the given transaction.
pub(super) async fn server_major_as(
    connection: &mut Connection,
    transaction: Transaction,
) -> Result<u32, Failure> {
    let sql = "SELECT current_setting('server_version_num')::int8 / 10000 AS major";
    let sets = query_with_retry(connection, sql, transaction, "reading the server's version").await?;
    let row = sets.first().and_then(|rows| rows.first()).ok_or_else(unexpected_result)?;
    u32::try_from(row.integer("major")?).map_err(|_| unexpected_result())
}

fn lines(schemas: &[SchemaName]) -> String {
    let names: Vec<_> = schemas.iter().map(|schema| literal(schema.as_str())).collect();
    LINES.replace("/*SCHEMAS*/", &format!("ARRAY[{}]::pg_catalog.name[]", names.join(", ")))
}

/// Sends `sql`, which reads the catalogs. If an object is dropped between the read of its row and of its definition, the query is
/// repeated; in an open transaction that is not possible.
pub async fn query_with_retry(
    connection: &mut Connection,
    sql: &str,
    transaction: Transaction,
    action: &str,
) -> Result<Vec<Vec<Row>>, Failure> {
    let max_attempts = if transaction == Transaction::Own { MAX_ATTEMPTS } else { 1 };
    let mut attempts = 0;
    loop {
        attempts += 1;
        match connection.query_batch(sql).await {
            Ok(sets) => return Ok(sets),
            Err(server_error) if attempts < max_attempts && is_concurrent_change(&server_error) => {}
            Err(server_error) => return Err(server_error.failure(action)),
        }
    }
}

/// "could not open relation", "cache lookup failed": an internal error, or one of a dropped object.
fn is_concurrent_change(server_error: &ServerError) -> bool {
    matches!(server_error.sqlstate(), Some("XX000" | "42P01" | "42704" | "42883"))
}

fn add(snapshot: &mut SchemaSnapshot, row: &Row) -> Result<(), Failure> {
    let (kind, part) = (row.text("kind")?, row.optional_text("part")?);
    let kind = Kind::from_name(&kind).ok_or_else(unexpected_result)?;
    let object = snapshot.objects.entry(ObjectKey { kind, name: row.text("object")? }).or_default();
    let mut properties = Properties::default();
    for column in ["properties", "access", "code"] {
        properties.read(&row.text(column)?);
    }
    match part {
        None => object.properties = properties,
        Some(part) => {
            let kind = PartKind::from_name(&part).ok_or_else(unexpected_result)?;
            object.parts.insert(PartKey { kind, name: row.text("name")? }, properties);
        }
    }
    Ok(())
}

fn unexpected_result() -> Failure {
    Failure::new(Code::StatementFailed, "reading the catalog: the server returned an unexpected result")
}
