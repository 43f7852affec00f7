//! The publications that list a tenant's tables or its schema. A dump of one schema does not contain them.

use super::archive::Publication;
use crate::error::Failure;
use crate::ident::{Identifier, SchemaName, literal};
use crate::postgres::Connection;
use crate::postgres::batch::SqlBatch;

/// The columns, the condition, and publications of whole schemas. PostgreSQL 14 has none of them.
const FROM_15: &str = "SELECT p.pubname::text AS name, c.relname::text AS table, \
       (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY a.attnum)::text FROM pg_catalog.pg_attribute a \
        WHERE a.attrelid = c.oid AND a.attnum = ANY (r.prattrs)) AS columns, \
       pg_catalog.pg_get_expr(r.prqual, c.oid) AS condition \
    FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid \
       JOIN pg_catalog.pg_class c ON c.oid = r.prrelid WHERE c.relnamespace = /*SCHEMA*/ \
    UNION ALL SELECT p.pubname::text, NULL, NULL, NULL \
    FROM pg_catalog.pg_publication_namespace s JOIN pg_catalog.pg_publication p ON p.oid = s.pnpubid \
    WHERE s.pnnspid = /*SCHEMA*/ ORDER BY 1, 2";
const BEFORE_15: &str = "SELECT p.pubname::text AS name, c.relname::text AS table, NULL::text AS columns, NULL::text AS condition \
    FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid \
       JOIN pg_catalog.pg_class c ON c.oid = r.prrelid WHERE c.relnamespace = /*SCHEMA*/ ORDER BY 1, 2";

/// The publications of `schema` on a server of version `major`.
pub(in crate::tenant) async fn of(
    connection: &mut Connection,
    schema: &SchemaName,
    major: u32,
) -> Result<Vec<Publication>, Failure> {
    let own =
        format!("(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = {})", literal(schema.as_str()));
    let sql = if major < 15 { BEFORE_15 } else { FROM_15 };
    let sets = connection.query_batch(&sql.replace("/*SCHEMA*/", &own)).await;
    let sets = sets.map_err(|server_error| server_error.failure("reading the tenant's publications"))?;
    let read = |row: &crate::postgres::Row| {
        let columns = match row.optional_text("columns")? {
            Some(list) => serde_json::from_str(&list).ok(),
            None => None,
        };
        Ok(Publication {
            name: row.text("name")?,
            table: row.optional_text("table")?,
            columns,
            condition: row.optional_text("condition")?,
        })
    };
    sets.iter().flatten().map(read).collect()
}

/// Adds the tables of `schema`, or the schema, to the publications.
pub(in crate::tenant) fn add(
    message: &mut SqlBatch,
    schema: &SchemaName,
    publications: &[Publication],
) -> Result<(), Failure> {
    for publication in publications {
        let name = Identifier::new(publication.name.as_str())?.quoted();
        let Some(table) = &publication.table else {
            message.push(&format!("ALTER PUBLICATION {name} ADD TABLES IN SCHEMA {}", schema.quoted()));
            continue;
        };
        let mut sql = format!(
            "ALTER PUBLICATION {name} ADD TABLE ONLY {}.{}",
            schema.quoted(),
            Identifier::new(table.as_str())?.quoted()
        );
        if let Some(columns) = &publication.columns {
            let columns: Result<Vec<String>, _> = columns
                .iter()
                .map(|column| Ok::<_, Failure>(Identifier::new(column.as_str())?.quoted()))
                .collect();
            sql = format!("{sql} ({})", columns?.join(", "));
        }
        if let Some(condition) = &publication.condition {
            sql = format!("{sql} WHERE ({condition})");
        }
        message.push(&sql);
    }
    Ok(())
}
