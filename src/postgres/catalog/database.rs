//! The catalog of a whole database for `verify --schema-from`: the platform's schema, the schema that most tenants of each version
//! share, and the schemas on the search path. All queries run in one read-only transaction; each has a time limit.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::model::SchemaSnapshot;
use super::read::{PAGE, Transaction, fingerprints_as, server_major_as, snapshot_as};
use crate::chain::Version;
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::metadata::state;
use crate::postgres::{Connection, Row, ServerError};
use crate::settings::Settings;
use crate::sql::{ORG_SCHEMA, Scope};
use crate::verify::{CatalogSchema, CatalogTenant, DatabaseCatalog, Schema};

/// Other schemas than the project's, of which the contents are read.
const MAX_OTHERS: usize = 32;

/// Tenants in which the rows of a statement are estimated.
const MAX_ESTIMATED: usize = 20;

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL statement_timeout = '60s'; \
    SET LOCAL lock_timeout = '5s'; SET LOCAL idle_in_transaction_session_timeout = '120s'";

/// The transaction in which a database is read.
#[derive(Debug)]
pub struct DatabaseReading<'c> {
    connection: &'c mut Connection,
    platform: SchemaName,
    /// The schemas of the tenants with their versions, by schema.
    tenants: Vec<(SchemaName, Version)>,
}

/// A statement that changes rows of existing tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowWrite {
    /// The statement; the placeholder stands for the tenant's schema.
    pub sql: String,
    /// Whether it runs in the platform's schema or in each tenant's.
    pub scope: Scope,
    /// It does not run in schemas at this version or a later one.
    pub before: Version,
}

/// The planner's estimate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowEstimate {
    /// The number of rows.
    pub rows: u64,
    /// The number of schemas in which it was estimated.
    pub schemas: usize,
    /// The number of schemas in which the statement will run.
    pub of: usize,
}

impl<'c> DatabaseReading<'c> {
    /// Begins the transaction and reads the catalog.
    pub async fn begin(
        connection: &'c mut Connection,
        settings: &Settings,
    ) -> Result<(Self, DatabaseCatalog), Failure> {
        connection
            .query_batch(BEGIN)
            .await
            .map_err(|error| error.failure("beginning to read the catalog"))?;
        let state = state::read_in_transaction(connection, settings).await?;
        let tenants = state::tenants(connection, settings, state.presence, &[]).await?;
        let tenants: Vec<(SchemaName, Version)> =
            tenants.into_iter().filter_map(|tenant| Some((tenant.schema, tenant.version?))).collect();
        let platform = settings.platform_schema();
        let names = "SELECT nspname::text AS name FROM pg_catalog.pg_namespace \
                     WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1";
        let prefix = &settings.tenants.schema_prefix;
        let of_tenants: HashSet<&str> = tenants.iter().map(|(schema, _)| schema.as_str()).collect();
        let has_prefix =
            |name: &str| !prefix.is_empty() && name.starts_with(prefix.as_str()) && name != platform.as_str();
        let mut schemas = names_of(connection, names).await?;
        schemas.retain(|name| !of_tenants.contains(name.as_str()) && !has_prefix(name));
        let shared = settings.shared_path();
        let mut found = schemas.clone();
        found.retain(|name| name != platform.as_str());
        // Those on the search path first.
        found.sort_by_key(|name| !shared.names().any(|shared| shared == name));
        found.truncate(MAX_OTHERS);
        let mut others = BTreeMap::new();
        for name in found {
            let snapshot =
                snapshot_as(connection, &SchemaName::existing(name.as_str())?, Transaction::Current).await?;
            others.insert(name, contents(&snapshot)?);
        }
        let of_platform = snapshot_as(connection, &platform, Transaction::Current).await?;
        let extensions = "SELECT extname::text AS name FROM pg_catalog.pg_extension ORDER BY 1";
        let of_extensions = "SELECT DISTINCT coalesce(c.relname, t.typname, p.proname)::text AS name FROM pg_catalog.pg_depend d \
             LEFT JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid \
             LEFT JOIN pg_catalog.pg_type t ON d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = d.objid \
             LEFT JOIN pg_catalog.pg_proc p ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid = d.objid \
             WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e' \
             AND coalesce(c.relname, t.typname, p.proname) IS NOT NULL ORDER BY 1";
        let catalog = DatabaseCatalog {
            server: server_major_as(connection, Transaction::Current).await?,
            version: state.platform,
            platform: contents(&of_platform)?,
            others,
            schemas,
            tenants: tenants_by_version(connection, &tenants).await?,
            extensions: names_of(connection, extensions).await?,
            of_extensions: names_of(connection, of_extensions).await?,
        };
        Ok((Self { connection, platform, tenants }, catalog))
    }

    /// Estimates how many rows each statement would change; `None` if the planner refuses the statement, for example since it names
    /// what an earlier migration adds. Nothing is executed: EXPLAIN without ANALYZE.
    pub async fn estimate(
        &mut self,
        settings: &Settings,
        writes: &[RowWrite],
    ) -> Result<Vec<Option<RowEstimate>>, Failure> {
        let mut estimates = Vec::with_capacity(writes.len());
        for write in writes {
            let schemas: Vec<SchemaName> = match write.scope {
                Scope::Platform => vec![self.platform.clone()],
                Scope::Tenant => {
                    let pending = self.tenants.iter().filter(|(_, version)| *version < write.before);
                    pending.map(|(schema, _)| schema.clone()).collect()
                }
            };
            let mut total = RowEstimate { of: schemas.len(), ..RowEstimate::default() };
            for schema in schemas.iter().take(MAX_ESTIMATED) {
                let sql = write.sql.replace(ORG_SCHEMA, &schema.quoted());
                let path = settings.shared_path().of(schema);
                if let Some(rows) = self.rows_of(&sql, &path).await? {
                    total.rows += rows;
                    total.schemas += 1;
                }
            }
            estimates.push((total.schemas > 0).then_some(total));
        }
        Ok(estimates)
    }

    async fn rows_of(&mut self, sql: &str, path: &str) -> Result<Option<u64>, Failure> {
        let begin = format!("SAVEPOINT tenure_estimate; SET LOCAL search_path = {path}");
        let end = "ROLLBACK TO SAVEPOINT tenure_estimate";
        let failed = |error: ServerError| error.failure("estimating rows");
        self.connection.attempt(&begin).await.map_err(failed)?;
        let answer = self.connection.attempt(&format!("EXPLAIN (FORMAT JSON) {sql}")).await;
        self.connection.attempt(end).await.map_err(failed)?;
        let Ok(sets) = answer else { return Ok(None) };
        let Some(row) = sets.first().and_then(|rows| rows.first()) else { return Ok(None) };
        let plan = row.document("QUERY PLAN")?;
        // The topmost node changes the rows that the nodes below it return.
        let below = plan[0]["Plan"]["Plans"].as_array().cloned().unwrap_or_default();
        let rows = below.iter().filter(|node| node["Parent Relationship"] != "InitPlan");
        Ok(Some(rows.filter_map(|node| node["Plan Rows"].as_u64()).sum()))
    }

    /// Ends the transaction.
    pub async fn end(self) -> Result<(), Failure> {
        let ended = self.connection.query_batch("COMMIT").await;
        ended.map(drop).map_err(|error| error.failure("reading the catalog"))
    }
}

/// The schema that most tenants of each version share. Of more than [`PAGE`] tenants, the first are compared.
async fn tenants_by_version(
    connection: &mut Connection,
    tenants: &[(SchemaName, Version)],
) -> Result<Vec<CatalogTenant>, Failure> {
    let mut versions: BTreeMap<&Version, Vec<SchemaName>> = BTreeMap::new();
    for (schema, version) in tenants {
        versions.entry(version).or_default().push(schema.clone());
    }
    let mut found = Vec::new();
    for (version, schemas) in versions {
        let compared = &schemas[..schemas.len().min(PAGE)];
        let prints = fingerprints_as(connection, compared, Transaction::Current).await?;
        let mut groups: HashMap<&str, Vec<&SchemaName>> = HashMap::new();
        for (schema, print) in &prints {
            groups.entry(print.definition.as_str()).or_default().push(schema);
        }
        let most = groups.into_values().find(|group| group.len() * 2 > prints.len());
        let schema = match most.and_then(|group| group.first().map(|schema| (*schema).clone())) {
            Some(schema) => Some(contents(&snapshot_as(connection, &schema, Transaction::Current).await?)?),
            None => None,
        };
        found.push(CatalogTenant { version: version.clone(), tenants: schemas.len(), schema });
    }
    Ok(found)
}

/// The model of a platform's schema and of the schema of one tenant.
pub async fn model_of(
    connection: &mut Connection,
    platform: &SchemaName,
    tenant: Option<&SchemaName>,
) -> Result<Schema, Failure> {
    let of_platform = contents(&super::snapshot(connection, platform).await?)?;
    let catalog = DatabaseCatalog {
        server: 0,
        version: Version::ZERO,
        platform: of_platform,
        others: BTreeMap::new(),
        schemas: vec![platform.to_string()],
        tenants: Vec::new(),
        extensions: Vec::new(),
        of_extensions: Vec::new(),
    };
    let mut schema = catalog.platform_schema(platform.as_str());
    if let Some(tenant) = tenant {
        let of_tenant = contents(&super::snapshot(connection, tenant).await?)?;
        schema.replace_tenant(&catalog.tenant_schema(platform.as_str(), &of_tenant));
    }
    Ok(schema)
}

fn contents(snapshot: &SchemaSnapshot) -> Result<CatalogSchema, Failure> {
    Ok(CatalogSchema::new(snapshot.statements()?, snapshot.objects_with_privileges()))
}

async fn names_of(connection: &mut Connection, sql: &str) -> Result<Vec<String>, Failure> {
    let sets = connection.query_batch(sql).await.map_err(|error| error.failure("reading the catalog"))?;
    sets.first().into_iter().flatten().map(|row: &Row| row.text("name")).collect()
}
