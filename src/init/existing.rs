//! Reads what a database has: its tenants, groups of tenants with one shape, the schemas that they share, and roles. Reads only.

use std::collections::{BTreeMap, BTreeSet};

use super::baseline::NotCarried;
use crate::chain::Version;
use crate::drift::ServerObjects;
use crate::error::{Code, Failure};
use crate::ident::{Identifier, SchemaName, literal};
use crate::postgres::catalog::{self, Fingerprints};
use crate::postgres::metadata::{self, Tenant, state};
use crate::postgres::{Connection, Row};
use crate::settings::Settings;

/// The version of the platform if the database has none.
const FIRST: &str = "1.0.0";

/// A database that exists.
#[derive(Debug)]
pub(super) struct Existing {
    /// The server's major version.
    pub(super) major: u32,
    /// The version in `schema_version`, or else 1.0.0.
    pub(super) version: Version,
    /// Whether `schema_version` has that version.
    pub(super) has_version: bool,
    /// The tenants of the registry whose schemas exist, by schema.
    pub(super) tenants: Vec<Tenant>,
    /// The schemas in registry rows that do not exist.
    pub(super) missing: Vec<String>,
    /// Schemas like those of tenants that are not in the registry.
    pub(super) unregistered: Vec<SchemaName>,
    /// The other schemas; the platform's is the first.
    pub(super) shared: Vec<SchemaName>,
    /// The fingerprints of the tenants.
    pub(super) prints: Fingerprints,
    /// Roles that only a minority of the tenants gives privileges to.
    pub(super) tenant_roles: BTreeSet<String>,
    pub(super) server_objects: ServerObjects,
    /// Objects outside of schemas.
    pub(super) outside: Vec<NotCarried>,
}

/// Tenants with equal definitions.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// Their schemas, in order.
    pub(super) schemas: Vec<SchemaName>,
}

async fn rows(connection: &mut Connection, sql: &str, doing: &str) -> Result<Vec<Row>, Failure> {
    let sets = connection.query_batch(sql).await.map_err(|server_error| server_error.failure(doing))?;
    Ok(sets.into_iter().next().unwrap_or_default())
}

async fn names(connection: &mut Connection, sql: &str, doing: &str) -> Result<Vec<String>, Failure> {
    rows(connection, sql, doing).await?.iter().map(|row| row.text("name")).collect()
}

impl Existing {
    pub(super) async fn read(connection: &mut Connection, settings: &Settings) -> Result<Self, Failure> {
        let platform = settings.platform_schema();
        let (state, unread) = state::survey(connection, settings).await?;
        if !state.presence.own_tables {
            metadata::expect_names_free(connection, &platform).await?;
        }
        metadata::expect_version_columns(connection, &platform).await?;
        let has_version = !unread.platform && state.platform != Version::ZERO;
        let version = if has_version { state.platform } else { FIRST.parse().unwrap_or(Version::ZERO) };
        let sql = "SELECT nspname::text AS name FROM pg_catalog.pg_namespace n \
                   WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend \
                       WHERE classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND objid = n.oid AND deptype = 'e') \
                   ORDER BY 1";
        let schemas = names(connection, sql, "reading the schemas").await?;
        let registered = state::tenants(connection, settings, state.presence, &[]).await?;
        let is_shared = |name: &str| name == platform.as_str() || name == "public";
        let (tenants, missing): (Vec<Tenant>, Vec<Tenant>) = registered
            .into_iter()
            .filter(|tenant| !is_shared(tenant.schema.as_str()))
            .partition(|tenant| schemas.iter().any(|schema| schema == tenant.schema.as_str()));
        if tenants.is_empty() {
            let table = &settings.tenants.registry;
            return Err(Failure::new(
                Code::RegistryNotFound,
                format!("no row of {platform}.{table} names a schema of a tenant that exists"),
            )
            .hint("correct [platform], [tenants] and [tenants.columns] in tenure.toml, then run the command again"));
        }
        let known: BTreeSet<&str> = tenants.iter().map(|tenant| tenant.schema.as_str()).collect();
        let others: Vec<SchemaName> = schemas
            .iter()
            .filter(|schema| !known.contains(schema.as_str()) && !is_shared(schema))
            .map(SchemaName::existing)
            .collect::<Result<_, _>>()?;
        let of_tenants: Vec<SchemaName> = tenants.iter().map(|tenant| tenant.schema.clone()).collect();
        let prints = catalog::fingerprints(connection, &of_tenants).await?;
        let other_prints = catalog::fingerprints(connection, &others).await?;
        let shapes: BTreeSet<&String> = prints.values().map(|print| &print.definition).collect();
        let prefix = &settings.tenants.schema_prefix;
        let is_like_tenant = |schema: &SchemaName| {
            (!prefix.is_empty() && schema.as_str().starts_with(prefix.as_str()))
                || other_prints.get(schema).is_some_and(|print| shapes.contains(&print.definition))
        };
        let (unregistered, others): (Vec<SchemaName>, Vec<SchemaName>) =
            others.into_iter().partition(is_like_tenant);
        let mut shared = vec![platform.clone()];
        if platform.as_str() != "public" && schemas.iter().any(|schema| schema == "public") {
            shared.push(SchemaName::existing("public")?);
        }
        shared.extend(others);
        let missing = missing.into_iter().map(|tenant| tenant.schema.as_str().to_owned()).collect();
        let outside =
            rows(connection, include_str!("objects.sql"), "reading objects outside of schemas").await?;
        let outside = outside
            .iter()
            .map(|row| Ok(NotCarried { object: row.text("object")?, because: row.text("because")? }))
            .collect::<Result<_, Failure>>()?;
        Ok(Self {
            major: catalog::server_major(connection).await?,
            version,
            has_version,
            tenant_roles: tenant_roles(connection, &tenants).await?,
            tenants,
            missing,
            unregistered,
            shared,
            prints,
            server_objects: ServerObjects::of(connection).await?,
            outside,
        })
    }

    /// The tenants with equal definitions, the largest group first.
    pub(super) fn groups(&self) -> Vec<Group> {
        let mut groups: BTreeMap<&String, Vec<SchemaName>> = BTreeMap::new();
        for (schema, print) in &self.prints {
            groups.entry(&print.definition).or_default().push(schema.clone());
        }
        let mut groups: Vec<Group> = groups.into_values().map(|schemas| Group { schemas }).collect();
        groups.sort_by(|one, other| {
            other.schemas.len().cmp(&one.schemas.len()).then_with(|| one.schemas.cmp(&other.schemas))
        });
        groups
    }

    /// The names of the tenants' schemas and of those like them.
    pub(super) fn tenant_schemas(&self) -> BTreeSet<String> {
        let registered = self.tenants.iter().map(|tenant| tenant.schema.as_str().to_owned());
        registered.chain(self.unregistered.iter().map(|schema| schema.as_str().to_owned())).collect()
    }
}

/// The roles with privileges in a minority of the tenants, or of an only tenant, those that have its name.
async fn tenant_roles(connection: &mut Connection, tenants: &[Tenant]) -> Result<BTreeSet<String>, Failure> {
    let list: Vec<String> = tenants.iter().map(|tenant| literal(tenant.schema.as_str())).collect();
    let sql = format!(
        "WITH n AS (SELECT oid, nspacl FROM pg_catalog.pg_namespace WHERE nspname IN ({})), \
         c AS (SELECT c.oid, relnamespace, relacl FROM pg_catalog.pg_class c JOIN n ON n.oid = relnamespace), \
         granted AS ( \
             SELECT n.oid AS schema, grantee FROM n, pg_catalog.aclexplode(nspacl) \
             UNION SELECT relnamespace, grantee FROM c, pg_catalog.aclexplode(relacl) \
             UNION SELECT relnamespace, role FROM c JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid, \
                 pg_catalog.unnest(polroles) AS role \
             UNION SELECT pronamespace, grantee FROM pg_catalog.pg_proc p JOIN n ON n.oid = pronamespace, \
                 pg_catalog.aclexplode(proacl)) \
         SELECT rolname::text AS name, count(*) AS tenants FROM granted JOIN pg_catalog.pg_roles r ON r.oid = grantee GROUP BY 1",
        list.join(", "),
    );
    let mut found = BTreeSet::new();
    for row in rows(connection, &sql, "reading the roles of the tenants").await? {
        let (name, count) = (row.text("name")?, usize::try_from(row.integer("tenants")?).unwrap_or_default());
        let is_of_one = match tenants {
            [only] => name.contains(only.schema.as_str()) || name.contains(only.slug.as_str()),
            several => count * 2 <= several.len(),
        };
        if is_of_one {
            found.insert(name);
        }
    }
    Ok(found)
}

/// The populated materialized views of `schemas`, as a dump names them.
pub(super) async fn populated_views(
    connection: &mut Connection,
    schemas: &[SchemaName],
) -> Result<Vec<String>, Failure> {
    let list: Vec<String> = schemas.iter().map(|schema| literal(schema.as_str())).collect();
    let sql = format!(
        "SELECT pg_catalog.format('%I.%I', schemaname, matviewname) AS name FROM pg_catalog.pg_matviews \
         WHERE ispopulated AND schemaname IN ({}) ORDER BY 1",
        list.join(", ")
    );
    names(connection, &sql, "reading the materialized views").await
}

/// Django's migrations that `schema` records in `django_migrations`, as app and name; none if it has no such table.
pub(super) async fn django_migrations(
    connection: &mut Connection,
    schema: &SchemaName,
) -> Result<Vec<(String, String)>, Failure> {
    let doing = "reading django_migrations";
    let exists = format!(
        "SELECT 'x' AS name FROM pg_catalog.pg_attribute \
         WHERE attrelid = pg_catalog.to_regclass({}) AND attname IN ('id', 'app', 'name', 'applied')",
        literal(&format!("{}.django_migrations", schema.quoted()))
    );
    if names(connection, &exists, doing).await?.len() != 4 {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT app::text AS app, name::text AS name FROM {}.django_migrations ORDER BY id",
        schema.quoted()
    );
    let recorded = rows(connection, &sql, doing).await?;
    recorded.iter().map(|row| Ok((row.text("app")?, row.text("name")?))).collect()
}

/// The statement that records these migrations in `schema`. Django would apply its migrations to a database without the rows.
pub(super) fn django_rows(migrations: &[(String, String)], schema: &str) -> Option<String> {
    let values =
        migrations.iter().map(|(app, name)| format!("    ({}, {}, now())", literal(app), literal(name)));
    let values: Vec<String> = values.collect();
    (!values.is_empty()).then(|| {
        format!("INSERT INTO {schema}.django_migrations (app, name, applied) VALUES\n{}", values.join(",\n"))
    })
}

/// The shared tables, other than the registry, that a tenant's foreign keys reference.
pub(super) async fn referenced_tables(
    connection: &mut Connection,
    schema: &SchemaName,
    registry: (&SchemaName, &Identifier),
) -> Result<Vec<String>, Failure> {
    let sql = format!(
        "SELECT DISTINCT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name FROM pg_catalog.pg_constraint f \
             JOIN pg_catalog.pg_class c ON c.oid = f.confrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE f.contype = 'f' AND f.connamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = {own}) \
             AND n.nspname <> {own} AND (n.nspname, c.relname) <> ({}, {}) ORDER BY 1",
        literal(registry.0.as_str()),
        literal(registry.1.as_str()),
        own = literal(schema.as_str()),
    );
    names(connection, &sql, "reading foreign keys").await
}
