//! Contents of a tenant that a copy of its schema would lose or share with the original. A copy is refused before it begins.

use crate::error::{Code, Failure};
use crate::ident::{SchemaName, literal};
use crate::postgres::Connection;

const QUERY: &str = include_str!("not_copied.sql");

/// The kind of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tenant) enum CopyKind {
    /// A dump, which would contain an invalid index as a valid one.
    Dump,
    /// The rows, for a schema that the files create.
    Rows,
}

/// Fails if a copy of `schema` would be incomplete. Reads in the open transaction, if any.
pub(in crate::tenant) async fn refuse(
    connection: &mut Connection,
    schema: &SchemaName,
    kind: CopyKind,
) -> Result<(), Failure> {
    let doing = "reading what cannot be copied";
    let sql = QUERY.replace("/*SCHEMA*/", &literal(schema.as_str()));
    let sets = connection.query_batch(&sql).await;
    let sets = sets.map_err(|server_error| server_error.failure(doing))?;
    let mut columns = Vec::new();
    for row in sets.iter().flatten() {
        let (name, relation) = (row.text("name")?, row.text("relation")?);
        match row.text("kind")?.as_str() {
            "index" if kind == CopyKind::Dump => {
                return Err(refused(
                    schema,
                    format!("index {name} of {relation} is invalid, so its build has failed"),
                )
                .hint(format!(
                    "drop it (DROP INDEX {name}) or build it again (REINDEX INDEX CONCURRENTLY {name})"
                )));
            }
            "child" => {
                return Err(refused(
                    schema,
                    format!("rows of table {relation} are in {name}, in another schema"),
                )
                .hint(format!(
                    "move it into the tenant's schema: ALTER TABLE {name} SET SCHEMA {}",
                    schema.quoted()
                )));
            }
            "large objects" => columns.push((relation, name)),
            _ => {}
        }
    }
    if columns.is_empty() {
        return Ok(());
    }
    let used = columns.iter().map(|(relation, column)| {
        let text = literal(&format!("{relation}, column {column}"));
        format!(
            "SELECT {text} AS name WHERE EXISTS (SELECT FROM ONLY {relation} t \
             JOIN pg_catalog.pg_largeobject_metadata m ON m.oid = t.{column}::pg_catalog.oid)"
        )
    });
    let sets = connection.query_batch(&used.collect::<Vec<_>>().join(" UNION ALL ")).await;
    let sets = sets.map_err(|server_error| server_error.failure(doing))?;
    let Some(row) = sets.iter().flatten().next() else { return Ok(()) };
    let place = row.text("name")?;
    Err(refused(schema, format!("rows refer to large objects, which a copy would share: {place}")).hint(
        "store them in a column of type bytea: UPDATE … SET new_column = lo_get(old_column), then drop the old column",
    ))
}

fn refused(schema: &SchemaName, message: String) -> Failure {
    let mut failure = Failure::new(Code::CopyRefused, message);
    failure.schema = Some(schema.as_str().to_owned());
    failure
}
