//! The sessions that still use a tenant's schema after it was renamed: those of its role, and those with an open transaction on its
//! tables.

use schemars::JsonSchema;
use serde::Serialize;

use crate::ident::{SchemaName, literal};
use crate::postgres::{Connection, Row};

/// A session that uses the schema.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct SessionInUse {
    /// Its process.
    pub pid: i64,
    /// Its `application_name`, if the role may see it.
    pub application: Option<String>,
}

/// The sessions that use the tables of `schema` in an open transaction, or belong to `role`. The command is done, so a failure of
/// this query is none of it.
pub(super) async fn read(
    connection: &mut Connection,
    schema: &SchemaName,
    role: Option<&str>,
) -> Vec<SessionInUse> {
    let role = role.map_or_else(|| "NULL".to_owned(), literal);
    let sql = format!(
        "SELECT a.pid::int8 AS pid, a.application_name::text AS application FROM pg_catalog.pg_stat_activity a \
         WHERE a.datname = current_database() AND a.pid <> pg_catalog.pg_backend_pid() AND (a.usename = {role} \
             OR a.pid IN (SELECT l.pid FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation \
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE l.locktype = 'relation' AND l.granted AND n.nspname = {} \
                     AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))) \
         ORDER BY a.pid",
        literal(schema.as_str())
    );
    let sets = connection.query_batch(&sql).await.unwrap_or_default();
    let session = |row: &Row| {
        Some(SessionInUse {
            pid: row.integer("pid").ok()?,
            application: row.optional_text("application").ok()?,
        })
    };
    sets.iter().flatten().filter_map(session).collect()
}
