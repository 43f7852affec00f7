//! The roles of tenants: statements that create, change and drop them, and queries on the version rows.

use super::TenantState;
use super::version_rows::row_of;
use crate::error::Failure;
use crate::ident::{Identifier, SchemaName, literal};
use crate::postgres::Connection;

/// The column that contains a role's name.
pub const ROLE: &str = "tenure_role";

/// A version row with its role.
#[derive(Debug, Clone)]
pub struct RoleRow {
    /// The schema.
    pub schema: SchemaName,
    /// The template.
    pub template: Option<String>,
    /// The status.
    pub status: TenantState,
    /// The role.
    pub role: Option<String>,
}

/// The objects of a schema that a new role gets privileges on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Future objects only: the schema is empty. A search for existing objects is slower the more tenants there are.
    Empty,
    /// Existing and future objects.
    Filled,
}

/// The group role with the privileges of a template's tenants on platform tables, and those privileges as JSON.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    /// Its name.
    pub name: &'a Identifier,
    /// `[{"table": …, "rights": […]}]`
    pub uses: &'a serde_json::Value,
}

/// Creates the role of the tenant of `schema` with its privileges; with a verifier, an expression, it can log in. The version row
/// may be inserted later.
pub fn make(
    platform: &SchemaName,
    (schema, reach): (&SchemaName, Reach),
    (role, verifier): (&Identifier, &str),
    group: Option<Group<'_>>,
) -> Vec<String> {
    let create = |platform: &str, named: &str, role: &str| {
        format!("SELECT {platform}.tenure_role_make({named}, {role}, {verifier})")
    };
    with_group(platform, (schema, reach), role, group, create)
}

/// Gives a tenant the role, which exists and may belong to a throwaway database only, with its privileges. Needs no right to
/// create roles.
pub fn make_from_existing(
    platform: &SchemaName,
    schema: &SchemaName,
    role: &Identifier,
    group: Option<Group<'_>>,
) -> Vec<String> {
    let set = |platform: &str, named: &str, role: &str| {
        format!("UPDATE {platform}.tenant_version SET role = {role} WHERE schema_name = {named}")
    };
    with_group(platform, (schema, Reach::Filled), role, group, set)
}

/// Gives the role of the dropped tenant, whose schema is an expression, to the tenant of `schema`, with the privileges on its objects.
pub fn hand_over(
    platform: &SchemaName,
    dropped: &str,
    schema: &SchemaName,
    (role, group): (&Identifier, Option<Group<'_>>),
) -> Vec<String> {
    let give = |platform: &str, named: &str, role: &str| {
        format!(
            "UPDATE {platform}.tenant_version SET login = (SELECT login FROM {platform}.tenant_version WHERE schema_name = {dropped}) \
             WHERE schema_name = {named}; \
             UPDATE {platform}.tenant_version SET role = NULL, login = false WHERE schema_name = {dropped}; \
             UPDATE {platform}.tenant_version SET role = {role} WHERE schema_name = {named}"
        )
    };
    with_group(platform, (schema, Reach::Filled), role, group, give)
}

/// The comment on the roles of a database.
pub fn mark(database: &str) -> String {
    format!("tenure: of database {database}")
}

fn with_group(
    platform: &SchemaName,
    (schema, reach): (&SchemaName, Reach),
    role: &Identifier,
    group: Option<Group<'_>>,
    give: impl FnOnce(&str, &str, &str) -> String,
) -> Vec<String> {
    let platform = platform.quoted();
    let (named, role) = (literal(schema.as_str()), literal(role.as_str()));
    let mut statements = Vec::new();
    if let Some(group) = group {
        let (name, uses) = (literal(group.name.as_str()), literal(&group.uses.to_string()));
        statements.push(format!("SELECT {platform}.tenure_role_group({name}, {uses})"));
    }
    statements.push(give(&platform, &named, &role));
    let group = group.map_or_else(|| "NULL".to_owned(), |group| literal(group.name.as_str()));
    let is_filled = reach == Reach::Filled;
    statements.push(format!("SELECT {platform}.tenure_role_grant({named}, {role}, {group}, {is_filled})"));
    statements
}

/// Disables the login of a tenant's role, or enables it again if the role had one. The role's name is in the column [`ROLE`]. The
/// schema is an expression.
pub fn enable(platform: &SchemaName, schema: &str, is_enabled: bool) -> String {
    format!("SELECT {}.tenure_role_enable({schema}, {is_enabled}) AS {ROLE}", platform.quoted())
}

/// Sets the verifier, an expression, and LOGIN for a tenant's role; NULL revokes the login. The role's name is in the column
/// [`ROLE`].
pub fn login(platform: &SchemaName, schema: &SchemaName, verifier: &str) -> String {
    let named = literal(schema.as_str());
    format!("SELECT {}.tenure_role_login({named}, {verifier}) AS {ROLE}", platform.quoted())
}

/// Renames the role of a tenant, if it has one.
pub fn rename(platform: &SchemaName, schema: &SchemaName, role: &Identifier) -> String {
    let (named, role) = (literal(schema.as_str()), literal(role.as_str()));
    format!("SELECT {}.tenure_role_rename({named}, {role})", platform.quoted())
}

/// Changes the search path of a tenant's role, if it contains the schema's former name. The version row has the new one.
pub fn follow(platform: &SchemaName, schema: &SchemaName, former: &SchemaName) -> String {
    let (named, former) = (literal(schema.as_str()), literal(former.as_str()));
    format!("SELECT {}.tenure_role_follow({named}, {former})", platform.quoted())
}

/// Fails unless the role of a tenant can be dropped with it.
pub fn expect_droppable(platform: &SchemaName, schema: &SchemaName) -> String {
    format!("SELECT {}.tenure_role_droppable({})", platform.quoted(), literal(schema.as_str()))
}

/// The column that contains the new name of a role that could not be dropped, and why.
pub const KEPT_ROLE: &str = "tenure_kept_role";

/// Drops the role of a tenant, if it has one. The schema must be dropped first. A role that others granted privileges that the
/// current role cannot revoke is kept without login; see [`KEPT_ROLE`].
pub fn drop(platform: &SchemaName, schema: &SchemaName) -> String {
    let named = literal(schema.as_str());
    format!("SELECT {}.tenure_role_remove({named}) AS {KEPT_ROLE}", platform.quoted())
}

/// All version rows, by schema.
pub async fn all(connection: &mut Connection, platform: &SchemaName) -> Result<Vec<RoleRow>, Failure> {
    let sql = format!(
        "SELECT schema_name, template, status, role FROM {}.tenant_version ORDER BY 1",
        platform.quoted()
    );
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("reading the tenants' roles"))?;
    let row = |row: &crate::postgres::Row| {
        Ok(RoleRow {
            schema: SchemaName::existing(row.text("schema_name")?)?,
            template: row.optional_text("template")?,
            status: TenantState::named(&row.text("status")?),
            role: row.optional_text("role")?,
        })
    };
    sets.iter().flatten().map(row).collect()
}

/// The role in the version row of `schema`.
pub async fn of(
    connection: &mut Connection,
    platform: &SchemaName,
    schema: &SchemaName,
) -> Result<Option<String>, Failure> {
    one(connection, &format!("SELECT role FROM {}", row_of(platform, schema))).await
}

/// The same role, if it exists and belongs to this database: a copied database contains the names of the original's roles.
pub async fn own_of(
    connection: &mut Connection,
    platform: &SchemaName,
    schema: &SchemaName,
) -> Result<Option<String>, Failure> {
    let (platform, named) = (platform.quoted(), literal(schema.as_str()));
    one(connection, &format!("SELECT role_name AS role FROM {platform}.tenure_role_of({named}) WHERE is_own"))
        .await
}

async fn one(connection: &mut Connection, sql: &str) -> Result<Option<String>, Failure> {
    let sets = connection
        .query_batch(sql)
        .await
        .map_err(|server_error| server_error.failure("reading a tenant's role"))?;
    sets.iter().flatten().next().map_or(Ok(None), |row| row.optional_text("role"))
}
