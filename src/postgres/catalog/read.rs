//! Asks the server: one message for the photograph of a schema, one for the fingerprints of many. Both come
//! from the same lines (`lines.sql`), so equal photographs have equal fingerprints. Reads only catalogs,
//! so a role without any right on the tenants' tables can do it, and writes nothing.

use std::collections::BTreeMap;

use super::model::{Kind, ObjectKey, PartKey, PartKind, Properties, Property, SchemaSnapshot};
use crate::error::{Code, Failure};
use crate::ident::{SchemaName, literal};
use crate::postgres::{Connection, Row, ServerError};

const LINES: &str = include_str!("lines.sql");

/// What the printing of definitions depends on is set for this transaction: with no search path each name has
/// its schema, and a constant reads the same whatever the role's own settings are. Compiling a query that
/// runs once costs more than it gains.
const SETTINGS: &str = "SET LOCAL search_path = ''; SET LOCAL quote_all_identifiers = off; SET LOCAL DateStyle = 'ISO, YMD'; \
    SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC'; SET LOCAL extra_float_digits = 1; \
    SET LOCAL bytea_output = 'hex'; SET LOCAL xmlbinary = 'base64'; SET LOCAL jit = off; SET LOCAL lock_timeout = '5s'";

/// In which transaction the question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// In one of its own, that only reads.
    Alone,
    /// In the one that is open: what it has done and not committed is seen.
    Within,
}

impl Asked {
    fn open(self) -> &'static str {
        match self {
            Self::Alone => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            Self::Within => "SAVEPOINT tenure_photograph",
        }
    }

    /// One statement, too.
    fn close(self) -> &'static str {
        match self {
            Self::Alone => "COMMIT",
            Self::Within => "ROLLBACK TO SAVEPOINT tenure_photograph",
        }
    }
}

/// How often it is tried again when the catalogs changed under the question.
const TRIES: usize = 3;

/// What a schema is like, in short: two with the same fingerprint, on servers of one major version, have the
/// same photograph.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint {
    /// Of the definitions.
    pub definition: String,
    /// Of owners and privileges.
    pub access: String,
}

/// Fingerprints by schema; one that is not there has none.
pub type Fingerprints = BTreeMap<SchemaName, Fingerprint>;

/// Photographs `schema`, the tenants' or the platform's. A schema that is not there gives a photograph without
/// one.
pub async fn snapshot(connection: &mut Connection, schema: &SchemaName) -> Result<SchemaSnapshot, Failure> {
    snapshot_as(connection, schema, Asked::Alone).await
}

/// The same, in the transaction that is meant.
pub async fn snapshot_as(
    connection: &mut Connection,
    schema: &SchemaName,
    asked: Asked,
) -> Result<SchemaSnapshot, Failure> {
    let (open, close) = (asked.open(), asked.close());
    let sql = format!(
        "{open}; {SETTINGS}; WITH {} SELECT kind, object, part, name, properties, code, access FROM neutral; \
         SELECT extname::text AS name, extversion AS version, CASE WHEN nspname = {} THEN '{{org_schema}}' ELSE nspname::text END AS schema \
         FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace; {close}",
        lines(std::slice::from_ref(schema)),
        literal(schema.as_str()),
    );
    let sets = ask(connection, &sql, asked, &format!("photographing schema {schema}")).await?;
    let [.., objects, extensions, _commit] = sets.as_slice() else { return Err(odd_answer()) };
    let mut snapshot = SchemaSnapshot::default();
    for row in objects {
        add(&mut snapshot, row)?;
    }
    for row in extensions {
        let key = ObjectKey { kind: Kind::Extension, name: row.text("name")? };
        let properties = &mut snapshot.objects.entry(key).or_default().properties;
        properties.set(Property::Version, row.text("version")?);
        properties.set(Property::InSchema, row.text("schema")?);
    }
    Ok(snapshot)
}

/// The fingerprints of `schemas`, in one question; the heavy work is the server's. Of many schemas ask in pages.
pub async fn fingerprints(
    connection: &mut Connection,
    schemas: &[SchemaName],
) -> Result<Fingerprints, Failure> {
    fingerprints_as(connection, schemas, Asked::Alone).await
}

/// The same, in the transaction that is meant.
pub async fn fingerprints_as(
    connection: &mut Connection,
    schemas: &[SchemaName],
    asked: Asked,
) -> Result<Fingerprints, Failure> {
    if schemas.is_empty() {
        return Ok(Fingerprints::new());
    }
    let digest = |column: &str| {
        format!(
            "encode(sha256(convert_to(string_agg({column}, E'\\n' ORDER BY {column} COLLATE \"C\"), 'UTF8')), 'hex')"
        )
    };
    let key = "E'\\x1d', kind, object, coalesce(part, ''), coalesce(name, '')";
    let (open, close) = (asked.open(), asked.close());
    let sql = format!(
        "{open}; {SETTINGS}; WITH {} SELECT schema::text AS schema, {} AS definition, coalesce({}, '') AS access \
         FROM (SELECT schema, concat_ws({key}, properties, code) AS line, \
               CASE WHEN access <> '' THEN concat_ws({key}, access) END AS access FROM neutral) AS neutral_line \
         GROUP BY schema; {close}",
        lines(schemas),
        digest("line"),
        digest("access"),
    );
    let sets = ask(connection, &sql, asked, "taking the tenants' fingerprints").await?;
    let [.., rows, _commit] = sets.as_slice() else { return Err(odd_answer()) };
    rows.iter()
        .map(|row| {
            let print = Fingerprint { definition: row.text("definition")?, access: row.text("access")? };
            Ok((SchemaName::existing(row.text("schema")?)?, print))
        })
        .collect()
}

/// The server's major version. Only servers of one print definitions alike.
pub async fn server_major(connection: &mut Connection) -> Result<u32, Failure> {
    let sql = "SELECT current_setting('server_version_num')::int8 / 10000 AS major";
    let sets = ask(connection, sql, Asked::Alone, "asking for the server's version").await?;
    let row = sets.first().and_then(|rows| rows.first()).ok_or_else(odd_answer)?;
    u32::try_from(row.integer("major")?).map_err(|_| odd_answer())
}

fn lines(schemas: &[SchemaName]) -> String {
    let names: Vec<_> = schemas.iter().map(|schema| literal(schema.as_str())).collect();
    LINES.replace("/*SCHEMAS*/", &format!("ARRAY[{}]::pg_catalog.name[]", names.join(", ")))
}

/// Sends a question about the catalog. Where somebody drops a thing between its row and its definition, it is asked anew; an
/// open transaction is gone by then.
pub async fn ask(
    connection: &mut Connection,
    sql: &str,
    asked: Asked,
    doing: &str,
) -> Result<Vec<Vec<Row>>, Failure> {
    let most = if asked == Asked::Alone { TRIES } else { 1 };
    let mut tries = 0;
    loop {
        tries += 1;
        match connection.query_batch(sql).await {
            Ok(sets) => return Ok(sets),
            Err(server_error) if tries < most && is_moved_under_us(&server_error) => {}
            Err(server_error) => return Err(server_error.failure(doing)),
        }
    }
}

/// "could not open relation", "cache lookup failed": an internal error, or one of an object that is gone.
fn is_moved_under_us(server_error: &ServerError) -> bool {
    matches!(server_error.sqlstate(), Some("XX000" | "42P01" | "42704" | "42883"))
}

fn add(snapshot: &mut SchemaSnapshot, row: &Row) -> Result<(), Failure> {
    let (kind, part) = (row.text("kind")?, row.optional_text("part")?);
    let kind = Kind::named(&kind).ok_or_else(odd_answer)?;
    let object = snapshot.objects.entry(ObjectKey { kind, name: row.text("object")? }).or_default();
    let mut properties = Properties::default();
    for column in ["properties", "access", "code"] {
        properties.read(&row.text(column)?);
    }
    match part {
        None => object.properties = properties,
        Some(part) => {
            let kind = PartKind::named(&part).ok_or_else(odd_answer)?;
            object.parts.insert(PartKey { kind, name: row.text("name")? }, properties);
        }
    }
    Ok(())
}

fn odd_answer() -> Failure {
    Failure::new(
        Code::StatementFailed,
        "looking at the catalog: the server gave another answer than was asked for",
    )
}
