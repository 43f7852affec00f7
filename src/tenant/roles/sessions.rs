//! The open sessions of a role that can no longer log in.

use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::Connection;
use crate::settings::Settings;
use crate::tenant::Sessions;

/// The role of the tenant of `schema`, if any. Also works on own tables without roles.
pub(in crate::tenant) async fn role_of(
    connection: &mut Connection,
    settings: &Settings,
    schema: &SchemaName,
) -> Result<Option<String>, Failure> {
    let sql = format!(
        "SELECT to_jsonb(t) ->> 'role' AS role FROM {}.tenant_version t WHERE schema_name = {}",
        settings.platform_schema().quoted(),
        literal(schema.as_str())
    );
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("reading a tenant's role"))?;
    sets.iter().flatten().next().map_or(Ok(None), |row| row.optional_text("role"))
}

/// The same role, if it belongs to this database and not to the original of a copy. Needs current own tables.
pub(in crate::tenant) async fn own_role_of(
    connection: &mut Connection,
    settings: &Settings,
    schema: &SchemaName,
) -> Result<Option<String>, Failure> {
    let (platform, named) = (settings.platform_schema().quoted(), literal(schema.as_str()));
    let sql = format!("SELECT {platform}.tenure_role_of({named}) AS role");
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("reading a tenant's role"))?;
    sets.iter().flatten().next().map_or(Ok(None), |row| row.optional_text("role"))
}

/// Ends the role's sessions, if permitted, and counts them.
pub(in crate::tenant) async fn end(connection: &mut Connection, role: &str) -> Result<Sessions, Failure> {
    let of_role = format!("FROM pg_catalog.pg_stat_activity WHERE usename = {}", literal(role));
    let ended = format!("SELECT pg_catalog.pg_terminate_backend(pid) AS ended {of_role}");
    match connection.query_batch(&ended).await {
        Ok(sets) => {
            let mut sessions = Sessions { ended: 0, left: 0, because: None };
            for row in sets.iter().flatten() {
                // A session that ended meanwhile counts too.
                row.get_bool("ended")?;
                sessions.ended += 1;
            }
            Ok(sessions)
        }
        Err(server_error) if server_error.sqlstate() == Some("42501") => {
            let doing = "ending the role's sessions";
            let because = Some(server_error.failure(doing).message);
            let sets = connection
                .query_batch(&format!("SELECT count(*)::int8 AS sessions {of_role}"))
                .await
                .map_err(|server_error| server_error.failure(doing))?;
            let left = sets.iter().flatten().next().map_or(Ok(0), |row| row.integer("sessions"))?;
            Ok(Sessions { ended: 0, left: usize::try_from(left).unwrap_or_default(), because })
        }
        Err(server_error) => Err(server_error.failure("ending the role's sessions")),
    }
}
