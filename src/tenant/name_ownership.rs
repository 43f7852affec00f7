//! Who stands in the books already under a slug, an id or a schema's name, and the rows that a new tenant gets there.

use std::collections::BTreeMap;

use super::provisioning::{Role, TenantRecord};
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::{SchemaName, Slug, literal};
use crate::postgres::batch::SqlBatch;
use crate::postgres::metadata::{TenantState, state};
use crate::postgres::{Connection, Row, ServerError, error};
use crate::settings::Settings;

/// A row of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: Option<String>,
    pub(super) slug: String,
    pub(super) schema: String,
}

/// What the books know.
#[derive(Debug, Clone, Default)]
pub(super) struct NameOwnership {
    /// The registry's rows of that slug or that schema.
    pub(super) entries: Vec<Entry>,
    /// The state in the schema's version row, if it has one.
    pub(super) state: Option<TenantState>,
    /// Whether there is a schema of that name.
    pub(super) schema: bool,
}

impl NameOwnership {
    /// Looks, in the transaction that is open if one is.
    pub(super) async fn look(
        connection: &mut Connection,
        settings: &Settings,
        slug: &Slug,
        schema: &SchemaName,
    ) -> Result<Self, Failure> {
        let columns = &settings.tenants.columns;
        let named = literal(schema.as_str());
        let sql = format!(
            "SELECT {id}::text AS id, {slug}::text AS slug, {of}::text AS schema FROM {registry} \
             WHERE {slug}::text = {is} OR {of}::text = {named}; \
             SELECT status FROM {platform}.tenant_version WHERE schema_name = {named}; \
             SELECT true AS there FROM pg_catalog.pg_namespace WHERE nspname = {named}",
            id = columns.id.quoted(),
            slug = columns.slug.quoted(),
            of = columns.schema.quoted(),
            registry = state::registry(settings),
            is = literal(slug.as_str()),
            platform = settings.platform_schema().quoted(),
        );
        let sets = connection
            .query_batch(&sql)
            .await
            .map_err(|server_error| state::registry_failure(&server_error, settings))?;
        let [entries, states, there] = sets.as_slice() else { return Ok(Self::default()) };
        let entry = |row: &Row| {
            Ok::<_, Failure>(Entry {
                id: row.optional_text("id")?,
                slug: row.text("slug")?,
                schema: row.text("schema")?,
            })
        };
        Ok(Self {
            entries: entries.iter().map(entry).collect::<Result<_, _>>()?,
            state: states
                .first()
                .map(|row| row.text("status"))
                .transpose()?
                .as_deref()
                .map(TenantState::named),
            schema: !there.is_empty(),
        })
    }

    /// What to do about a row of the registry without a schema.
    pub(super) const ROW_ALONE: &str = "delete that row of the registry, then `tenure tenant create` makes both; or make the schema \
         and adopt it";

    /// Refused unless nobody has the slug or the schema's name, in the books or in the catalog.
    pub(super) fn expect_nobody(&self, slug: &Slug, schema: &SchemaName) -> Result<(), Failure> {
        let what = if self.entries.iter().any(|entry| entry.slug == slug.as_str()) {
            format!("the tenant {slug} is there already")
        } else if self.schema {
            format!("there is a schema {schema} already")
        } else if !self.entries.is_empty() || self.state.is_some() {
            format!("the schema {schema} is in the books already")
        } else {
            return Ok(());
        };
        Err(Failure::new(Code::TenantExists, what).hint("choose another slug"))
    }
}

/// Whether there is a schema of that name.
pub(super) async fn has_schema(connection: &mut Connection, schema: &SchemaName) -> Result<bool, Failure> {
    let sql = format!(
        "SELECT true AS there FROM pg_catalog.pg_namespace WHERE nspname = {}",
        literal(schema.as_str())
    );
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("looking for a schema"))?;
    Ok(sets.iter().flatten().next().is_some())
}

/// The registry's row of a new tenant; its other columns take their defaults.
pub(super) fn register(settings: &Settings, tenant: &TenantRecord, message: &mut SqlBatch) {
    let (registry, columns) = (state::registry(settings), &settings.tenants.columns);
    message.push(&format!(
        "INSERT INTO {registry} ({}, {}, {}, {}) VALUES ('{}', {}, {}, {})",
        columns.id.quoted(),
        columns.name.quoted(),
        columns.slug.quoted(),
        columns.schema.quoted(),
        tenant.id,
        literal(tenant.name.as_str()),
        literal(tenant.slug.as_str()),
        literal(tenant.schema.as_str()),
    ));
    message.push(&format!(
        "SELECT {}.tenure_expect_one((SELECT count(*) FROM {registry} WHERE {} = {}), 'the registry')",
        settings.platform_schema().quoted(),
        columns.schema.quoted(),
        literal(tenant.schema.as_str()),
    ));
}

/// The version row of a new tenant, with the role that was made for it.
pub(super) fn enter_version(
    settings: &Settings,
    (schema, role): (&SchemaName, Option<&Role>),
    (version, template): (&Version, &str),
    (state, values): (TenantState, &BTreeMap<String, String>),
    message: &mut SqlBatch,
) {
    let login = role.is_some_and(|(_, secret)| secret.is_some());
    message.push(&format!(
        "INSERT INTO {}.tenant_version (schema_name, version, template, status, parameters, role, login) \
         VALUES ({}, '{version}', {}, {}, {}, {}, {login})",
        settings.platform_schema().quoted(),
        literal(schema.as_str()),
        literal(template),
        literal(state.as_str()),
        parameters(values),
        role.map_or_else(|| "NULL".to_owned(), |(name, _)| literal(name.as_str())),
    ));
}

/// The values of parameters that give the schema its shape, as they stand in the version row. Others may be
/// secrets, and stand nowhere but where the template puts them.
pub(super) fn parameters(values: &BTreeMap<String, String>) -> String {
    if values.is_empty() {
        return "NULL".to_owned();
    }
    literal(&serde_json::to_string(values).unwrap_or_default())
}

/// The failure of a message that writes a new tenant into the books.
pub(super) fn refused(server_error: &ServerError, doing: &str, schema: &SchemaName) -> Failure {
    let mut failure = server_error.failure_on(schema, doing);
    match server_error.sqlstate() {
        Some("23505") => {
            failure.code = Code::TenantExists;
            failure.hint =
                Some("somebody else has just taken the name, or another column of the registry".to_owned());
        }
        Some("40001" | error::PLATFORM_MOVED) => {
            failure.hint = Some("a migration ran meanwhile; run the command again".to_owned());
        }
        _ => {
            if let Some(hint) = server_error.about_registry() {
                failure.code = Code::RegistryInvalid;
                failure.hint = Some(hint.to_owned());
            }
        }
    }
    failure
}
